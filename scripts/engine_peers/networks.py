"""The same networks in torch: the two reference networks and the two shipped ones, with the project's own weights.

Weights come as a dict of numpy arrays under the project's names: `<layer>.weight` (kernel row, kernel column, in, out),
`gamma`, `beta`, `mean`, `variance` of the normalisation that follows, or `bias`. Each network also counts its multiply-adds.
"""
import json
import struct

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

EPSILON = 1e-5
DTYPES = {"F16": np.float16, "F32": np.float32, "F64": np.float64}


def read_safetensors(path):
    """Every array of a safetensors file by name: eight bytes of length, a JSON list, raw bytes."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        listed = json.loads(file.read(length))
        data = file.read()
    arrays = {}
    for name, entry in listed.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        arrays[name] = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays


def group(arrays, name):
    """The arrays whose names start with `name/` (a member's number, or `weights`), without that."""
    prefix = f"{name}/"
    return {name[len(prefix):]: array for name, array in arrays.items() if name.startswith(prefix)}


class Layer(nn.Module):
    """Convolution without bias, normalisation, ReLU if asked."""

    def __init__(self, channels_in, channels_out, kernel=3, stride=1, relu=True):
        super().__init__()
        self.convolution = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False)
        self.normalization = nn.BatchNorm2d(channels_out, eps=EPSILON)
        self.relu = relu

    def forward(self, x):
        y = self.normalization(self.convolution(x))
        return F.relu(y) if self.relu else y


class Named(nn.Module):
    """A network whose layers are known by the project's names."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleDict()

    def add(self, name, layer):
        self.layers[name.replace(".", "_")] = layer

    def run(self, name, x):
        return self.layers[name.replace(".", "_")](x)

    @torch.no_grad()
    def load(self, arrays):
        """Takes every layer's weights; each array must be used and each layer filled."""
        known = {name.rsplit(".", 1)[0] for name in arrays}
        lacking = {name.replace(".", "_") for name in known} ^ set(self.layers)
        if lacking:
            raise ValueError(f"layers that only one of weights and definition has: {sorted(lacking)}")
        for name in known:
            layer = self.layers[name.replace(".", "_")]
            tensor = lambda part: torch.from_numpy(np.ascontiguousarray(arrays[f"{name}.{part}"], np.float32))
            weight = tensor("weight").permute(3, 2, 0, 1)
            if isinstance(layer, Layer):
                layer.convolution.weight.copy_(weight)
                layer.normalization.weight.copy_(tensor("gamma"))
                layer.normalization.bias.copy_(tensor("beta"))
                layer.normalization.running_mean.copy_(tensor("mean"))
                layer.normalization.running_var.copy_(tensor("variance"))
            else:
                layer.weight.copy_(weight.reshape(layer.weight.shape))
                layer.bias.copy_(tensor("bias"))
        return self


class ReferenceUnet(Named):
    """3 channels, widths 32-64-128-256, nearest upsampling, concatenation [skip, up], a 1 x 1 head of 3 channels."""

    channels = 3

    def __init__(self, widths=(32, 64, 128, 256)):
        super().__init__()
        before = self.channels
        for level, width in enumerate(widths):
            self.add(f"encoder{level}.first", Layer(before, width))
            self.add(f"encoder{level}.second", Layer(width, width))
            before = width
        for level in (2, 1, 0):
            self.add(f"decoder{level}.first", Layer(widths[level + 1] + widths[level], widths[level]))
            self.add(f"decoder{level}.second", Layer(widths[level], widths[level]))
        self.add("head", nn.Conv2d(widths[0], 3, 1))

    def forward(self, x):
        skips = []
        for level in range(4):
            x = x if level == 0 else F.max_pool2d(x, 2)
            x = self.run(f"encoder{level}.second", self.run(f"encoder{level}.first", x))
            skips.append(x)
        for level in (2, 1, 0):
            x = torch.cat([skips[level], F.interpolate(x, scale_factor=2.0, mode="nearest")], 1)
            x = self.run(f"decoder{level}.second", self.run(f"decoder{level}.first", x))
        return self.run("head", x)


class Residual(Named):
    """Residual stages of `blocks` blocks each; the shipped classifier and ResNet-18 differ in the stem and the block count."""

    def block(self, name, channels_in, channels_out, stride):
        self.add(f"{name}.first", Layer(channels_in, channels_out, stride=stride))
        self.add(f"{name}.second", Layer(channels_out, channels_out, relu=False))
        if stride != 1 or channels_in != channels_out:
            self.add(f"{name}.shortcut", Layer(channels_in, channels_out, 1, stride, relu=False))

    def run_block(self, name, x):
        y = self.run(f"{name}.second", self.run(f"{name}.first", x))
        shortcut = f"{name}.shortcut".replace(".", "_") in self.layers
        return F.relu(y + (self.run(f"{name}.shortcut", x) if shortcut else x))


class ReferenceResnet(Residual):
    """ResNet-18 for small crops: stem 3 x 3, 2 x 2 max pool, four stages of two blocks, widths 32 to 256, mean, ten classes."""

    channels = 3

    def __init__(self, width=32, classes=10):
        super().__init__()
        self.add("stem", Layer(self.channels, width))
        before = width
        for stage in range(4):
            out = width << stage
            self.block(f"stage{stage}.block0", before, out, 1 if stage == 0 else 2)
            self.block(f"stage{stage}.block1", out, out, 1)
            before = out
        self.add("classes", nn.Linear(before, classes))

    def forward(self, x):
        x = F.max_pool2d(self.run("stem", x), 2)
        for stage in range(4):
            x = self.run_block(f"stage{stage}.block1", self.run_block(f"stage{stage}.block0", x))
        return self.run("classes", x.mean((2, 3)))


class ShippedClassifier(Residual):
    """The network of `crates/model/src/network/classification.rs`, without dropout."""

    channels = 1

    def __init__(self, sizes):
        super().__init__()
        widths = sizes["widths"]
        self.add("stem", Layer(1, widths[0], stride=2))
        before = widths[0]
        for stage, width in enumerate(widths):
            self.block(f"stage{stage}", before, width, 1 if stage == 0 else 2)
            before = width
        self.add("classes", nn.Linear(before, sizes["classes"]))

    def forward(self, x):
        x = self.run("stem", x)
        for stage in range(4):
            x = self.run_block(f"stage{stage}", x)
        return self.run("classes", x.mean((2, 3)))


class ShippedSegmenter(Named):
    """The network of `crates/model/src/network/segmentation.rs`, without dropout: sixteen channels at half resolution."""

    channels = 1

    def __init__(self, sizes):
        super().__init__()
        widths, before = sizes["widths"], 1
        for level, width in enumerate(widths):
            self.add(f"encoder{level}.down", Layer(before, width, stride=2))
            self.add(f"encoder{level}.conv", Layer(width, width))
            before = width
        for level in (2, 1, 0):
            self.add(f"decoder{level}.reduce", Layer(widths[level + 1], widths[level], 1))
            self.add(f"decoder{level}.conv", Layer(widths[level], widths[level]))
        self.add("head", nn.Conv2d(widths[0], 16, 1))

    def forward(self, x):
        skips = []
        for level in range(4):
            x = self.run(f"encoder{level}.conv", self.run(f"encoder{level}.down", x))
            skips.append(x)
        for level in (2, 1, 0):
            x = F.interpolate(self.run(f"decoder{level}.reduce", x), scale_factor=2.0, mode="nearest")
            x = self.run(f"decoder{level}.conv", x + skips[level])
        return self.run("head", x)


def multiply_adds(network, x):
    """Multiply-adds of all convolutions and linear layers for one input."""
    total, hooks = [0], []

    def count(module, _, out):
        per_value = module.in_features if isinstance(module, nn.Linear) else module.weight[0].numel()
        total[0] += out.numel() * per_value

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            hooks.append(module.register_forward_hook(count))
    with torch.inference_mode():
        network(x)
    for hook in hooks:
        hook.remove()
    return total[0]

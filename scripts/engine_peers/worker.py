"""One process that holds the peers of one row, built and warmed, and times them when it is told to.

A process of its own for each thread count and instruction set, because both must be in the environment before the libraries
load. Talks in JSON lines: {"build": ENGINE}, {"time": ENGINE, "iterations": N}, {"accuracy": ENGINE}, {"losses": STEPS}, {"versions":
true}; the row comes as the first argument.
"""
import json
import os
import sys
import tempfile
import time


def environment(threads, isa):
    """What must be set before torch, onnxruntime and OpenVINO are loaded. onnxruntime asks the processor itself and cannot be held."""
    env = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")}
    env["KMP_BLOCKTIME"] = "0"
    if isa == "avx2":
        env.update(ONEDNN_MAX_CPU_ISA="AVX2", DNNL_MAX_CPU_ISA="AVX2", ATEN_CPU_CAPABILITY="avx2", MKL_ENABLE_INSTRUCTIONS="AVX2")
    return env


def network_of(row):
    """The row's network with the project's weights: a bundle's from its file, a reference network's from what the program wrote."""
    from . import networks

    if row["network"] in ("unet", "resnet"):
        network = networks.ReferenceUnet() if row["network"] == "unet" else networks.ReferenceResnet()
        return network.load(networks.group(networks.read_safetensors(row["export"]), "weights")).eval()
    folder = os.path.join(row["bundles"], row["network"])
    with open(os.path.join(folder, "manifest.json")) as file:
        sizes = json.load(file)["network"]
    kind = networks.ShippedSegmenter if sizes["architecture"] == "segmentation" else networks.ShippedClassifier
    arrays = networks.read_safetensors(os.path.join(folder, "weights.safetensors"))
    return kind(sizes).load(networks.group(arrays, "0")).eval()


class Peers:
    """Engines by name, each a call without arguments that runs the row's batch once."""

    def __init__(self, row):
        import torch

        from . import networks

        self.torch, self.row = torch, row
        torch.set_num_threads(row["threads"])
        torch.set_num_interop_threads(1)
        self.folder = tempfile.TemporaryDirectory(prefix="engine_peers")
        self.onnx_path = None
        exported = networks.read_safetensors(row["export"])
        self.x = torch.from_numpy(exported["images"].copy())
        self.ours = exported.get("outputs")
        self.targets = torch.from_numpy(exported["targets"].astype("int64")) if "targets" in exported else None
        self.calls = {}

    def onnx(self):
        if self.onnx_path is None:
            self.onnx_path = os.path.join(self.folder.name, "network.onnx")
            names = dict(input_names=["x"], output_names=["y"], opset_version=17)
            self.torch.onnx.export(network_of(self.row), (self.x,), self.onnx_path, dynamo=False, **names)
        return self.onnx_path

    def torch_eager(self):
        network, x = network_of(self.row), self.x
        return lambda: network(x)

    def torch_channels_last(self):
        layout = self.torch.channels_last
        network, x = network_of(self.row).to(memory_format=layout), self.x.to(memory_format=layout)
        return lambda: network(x)

    def torch_jit(self):
        """Traced, frozen (folds the normalisation), optimize_for_inference (oneDNN's blocked layouts)."""
        jit, x = self.torch.jit, self.x
        with self.torch.no_grad():
            network = jit.optimize_for_inference(jit.freeze(jit.trace(network_of(self.row), x)))
        return lambda: network(x)

    def torch_compile(self):
        import torch._inductor.config as inductor

        inductor.freezing = True
        network, x = self.torch.compile(network_of(self.row), dynamic=False), self.x
        return lambda: network(x)

    def onnxruntime(self):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.row["threads"], 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0" if self.row["threads"] == 1 else "1")
        session = onnxruntime.InferenceSession(self.onnx(), options, providers=["CPUExecutionProvider"])
        x = self.x.numpy()
        return lambda: session.run(None, {"x": x})[0]

    def openvino(self):
        import openvino

        core = openvino.Core()
        # Without the hint OpenVINO computes in bf16 where the processor has it.
        settings = {"INFERENCE_NUM_THREADS": self.row["threads"], "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32",
                    "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
        request = core.compile_model(core.read_model(self.onnx()), "CPU", settings).create_infer_request()
        x = self.x.numpy()
        return lambda: request.infer({0: x})[0]

    def training(self, channels_last, compiled=False, dtype=None):
        """Forward, cross-entropy (per pixel, or per image), backward, AdamW."""
        torch, row = self.torch, self.row
        network, x = network_of(row).train(), self.x
        if dtype is not None:
            network, x = network.to(dtype), x.to(dtype)
        if channels_last:
            network, x = network.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        targets = self.targets.reshape(x.shape[0], *x.shape[2:]) if row["network"] == "unet" else self.targets
        forward = torch.compile(network, dynamic=False) if compiled else network

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss = torch.nn.functional.cross_entropy(forward(x), targets)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return step

    def build(self, name):
        """Makes the engine and runs it twice. Returns seconds."""
        start = time.perf_counter()
        if self.row["train"]:
            kinds = {"torch": (False, False), "torch channels_last": (True, False), "torch.compile channels_last": (True, True)}
            self.calls[name] = self.training(*kinds[name])
        else:
            makers = {"torch": self.torch_eager, "torch channels_last": self.torch_channels_last, "torch jit": self.torch_jit,
                      "torch.compile": self.torch_compile, "onnxruntime": self.onnxruntime, "OpenVINO": self.openvino}
            self.calls[name] = makers[name]()
        for _ in range(2):
            self.calls[name]()
        return time.perf_counter() - start

    def measure(self, name, iterations):
        """Milliseconds of each iteration after one that refills the caches: process CPU time on one thread, wall time on more."""
        clock = time.process_time if self.row["threads"] == 1 else time.perf_counter
        call, times = self.calls[name], []
        call()
        for _ in range(iterations):
            start = clock()
            call()
            times.append((clock() - start) * 1e3)
        return times

    def accuracy(self, name):
        """Largest difference from the same network in f64, over the largest magnitude of the output. Name `ours`: the program's."""
        import numpy

        torch = self.torch
        with torch.inference_mode():
            exact = network_of(self.row).double()(self.x.double()).numpy()
        found = self.ours if name == "ours" else self.calls[name]()
        found = numpy.asarray(found, numpy.float64).reshape(exact.shape)
        return float(numpy.abs(found - exact).max() / numpy.abs(exact).max())

    def losses(self, steps):
        """The first losses of a training in torch f64 from the exported weights, images and targets."""
        step = self.training(False, dtype=self.torch.float64)
        return [float(step()) for _ in range(steps)]


def main():
    row = json.loads(sys.argv[1])
    # The protocol keeps stdout to itself; what libraries print goes to stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peers = Peers(row)
    guard = peers.torch.enable_grad() if row["train"] else peers.torch.inference_mode()
    with guard:
        for line in sys.stdin:
            request = json.loads(line)
            try:
                if "build" in request:
                    answer = {"seconds": peers.build(request["build"])}
                elif "versions" in request:
                    answer = {"versions": {name: sys.modules[name].__version__.split("-")[0] for name in ("torch", "onnxruntime", "openvino") if name in sys.modules}}
                elif "losses" in request:
                    answer = {"losses": peers.losses(request["losses"])}
                elif "accuracy" in request:
                    answer = {"difference": peers.accuracy(request["accuracy"])}
                else:
                    answer = {"ms": peers.measure(request["time"], request["iterations"])}
            except Exception as error:  # an engine that does not work is reported, not hidden
                answer = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()

"""What is compared: every row of the table, with its target and its peers."""

INFERENCE = ["torch", "torch channels_last", "torch jit", "torch.compile", "onnxruntime", "OpenVINO"]
TRAINING = ["torch", "torch channels_last", "torch.compile channels_last"]


def row(name, title, network, size, batch, target, *, kind="speed", isa="native", threads=1, rounds=7, iterations=2, engines=None, train=False, against=None):
    """One comparison. `against`: the peer that the target names; without it, the best one of the run."""
    return dict(name=name, title=title, network=network, size=size, batch=batch, target=target, kind=kind, isa=isa, threads=threads,
                rounds=rounds, iterations=iterations, engines=engines or INFERENCE, train=train, against=against)


ROWS = [
    row("unet", "U-Net 32-64-128-256, 256 px, batch 1", "unet", 256, 1, 3.0, rounds=9, iterations=3),
    row("unet8", "U-Net 32-64-128-256, 256 px, batch 8", "unet", 256, 8, 3.0, rounds=5, iterations=1),
    row("nuclei", "`nuclei` (finds nuclei), 1024 px", "nuclei", 1024, 1, 2.5, rounds=9, iterations=3),
    row("resnet", "ResNet-18 (width 32), 64 px, batch 64", "resnet", 64, 64, 1.7, rounds=9),
    row("mitosis", "`mitosis` (names classes), 48 px, batch 64", "mitosis", 48, 64, 1.7, rounds=11, iterations=5),
    row("train-unet", "training step, U-Net, 256 px, batch 1", "unet", 256, 1, 1.2, engines=TRAINING, train=True, rounds=7, iterations=1, against="torch channels_last"),
    row("train-resnet", "training step, ResNet-18, 64 px, batch 64", "resnet", 64, 64, 1.2, engines=TRAINING, train=True, rounds=7, iterations=1, against="torch channels_last"),
    row("avx2-unet", "U-Net, 256 px, batch 1, held to AVX2", "unet", 256, 1, 2.0, isa="avx2", rounds=7),
    row("avx2-nuclei", "`nuclei`, 1024 px, held to AVX2", "nuclei", 1024, 1, 2.0, isa="avx2", rounds=7),
    row("avx2-resnet", "ResNet-18, 64 px, batch 64, held to AVX2", "resnet", 64, 64, None, isa="avx2", rounds=5, iterations=1),
    row("avx2-mitosis", "`mitosis`, 48 px, batch 64, held to AVX2", "mitosis", 48, 64, None, isa="avx2", rounds=7, iterations=3),
    row("threads-unet", "U-Net, 256 px, batch 1, two threads, wall time", "unet", 256, 1, None, threads=2, rounds=7, engines=["torch channels_last", "torch.compile", "onnxruntime", "OpenVINO"]),
    row("threads-nuclei", "`nuclei`, 1024 px, two threads, wall time", "nuclei", 1024, 1, None, threads=2, rounds=7, engines=["torch channels_last", "torch.compile", "onnxruntime", "OpenVINO"]),
    row("draws-nuclei", "`nuclei`, 3 members (all it has) x 10 draws against 3 x 1, 512 px", "nuclei", 512, 1, 1.6, kind="draws", rounds=7, iterations=2),
    row("draws-mitosis", "`mitosis`, 5 members x 10 draws against 5 x 1, batch 64", "mitosis", 48, 64, 1.6, kind="draws", rounds=7, iterations=3),
]

# Members of the rows of kind "draws": five, or all where a bundle has fewer.
MEMBERS = {"nuclei": 3, "mitosis": 5}
DRAWS = 10

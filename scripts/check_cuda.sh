#!/usr/bin/env bash
# For a machine with an NVIDIA GPU and the CUDA toolkit: builds with the `cuda` feature and compares GPU and processor.
#
#   scripts/check_cuda.sh
#
# Every operation forward and backward (crates/kernels/tests/devices.rs), then the shipped networks and twenty steps of training of
# both architectures (crates/model/tests/devices.rs), then the time of a field on both. The same tests compile without CUDA and skip
# themselves where no GPU is; here a missing GPU is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for tool in nvcc nvidia-smi; do
    if ! command -v "$tool" >/dev/null; then
        echo "$tool is not on the PATH; install the CUDA toolkit and driver, or use scripts/cuda-stub/check.sh to type-check without them" >&2
        exit 2
    fi
done
nvidia-smi --query-gpu=name,driver_version,compute_cap --format=csv

export PHENOSURE_CUDA=required
cargo test --locked --release --features cuda -p kernels --test devices -- --nocapture
cargo test --locked --release --features cuda -p model --test devices -- --nocapture

cargo build --locked --release --features cuda -p phenosure
for device in cpu cuda; do
    target/release/phenosure bench --device "$device" --iters 3
done

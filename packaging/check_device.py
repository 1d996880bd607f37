"""Says whether the PyTorch of an image is the one that was asked for: check_device.py cpu|cuda."""

import sys


def verdict(device: str, cuda: str | None) -> tuple[int, str]:
    """Return the exit status and what to tell. `cuda`: the version PyTorch was built for, None without."""
    if device not in ("cpu", "cuda"):
        return 2, f"DEVICE must be cpu or cuda, not {device!r}."
    if device == "cuda" and cuda is None:
        return 1, "DEVICE=cuda, but this PyTorch is built without CUDA: leave PIP_EXTRA_INDEX_URL out, or give another."
    if device == "cpu" and cuda is not None:
        return 0, (
            f"This PyTorch brings CUDA {cuda} along, several GB that a CPU does not need. It works; for a small image "
            "give the address of PyTorch's builds for CPUs as --build-arg PIP_EXTRA_INDEX_URL=..."
        )
    return 0, f"PyTorch for {device}."


if __name__ == "__main__":
    import torch

    status, told = verdict(sys.argv[1], torch.version.cuda)
    print(told, flush=True)
    sys.exit(status)

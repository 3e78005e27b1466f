"""A device: its name, the rate of its matrix products, how much of its memory is in use."""

import subprocess
import threading
import time

import torch


def name(device: str) -> str:
    if device == "cpu":
        return "the CPU"
    return f"{torch.cuda.get_device_name(device)}, {torch.cuda.get_device_properties(device).total_memory / 2**30:.1f} GiB"


def matrix_rate(device: str) -> float:
    """FLOP/s of a large product of random matrices, the median of many; bf16 on CUDA, f32 of a smaller one on the CPU."""
    on_cpu = device == "cpu"
    n, dtype, repeats = (1024, torch.float32, 5) if on_cpu else (8192, torch.bfloat16, 30)
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    times = []
    for repeat in range(repeats + 3):
        synchronize(device)
        began = time.perf_counter()
        a @ b
        synchronize(device)
        if repeat >= 3:
            times.append(time.perf_counter() - began)
    return 2.0 * n**3 / sorted(times)[len(times) // 2]


def synchronize(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


class MemoryWatch:
    """The most memory of the card in use by anybody while this is open, in bytes, as nvidia-smi says; None on the CPU."""

    def __init__(self, device: str) -> None:
        self.index = None if device == "cpu" else device.partition(":")[2] or "0"
        self.most: int | None = None
        self.ended = threading.Event()

    def __enter__(self) -> "MemoryWatch":
        if self.index is not None:
            self.thread = threading.Thread(target=self.watch, daemon=True)
            self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        if self.index is not None:
            self.thread.join()

    def watch(self) -> None:
        command = ["nvidia-smi", f"--id={self.index}", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        while not self.ended.wait(0.25):
            try:
                used = int(subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout) << 20
            except (OSError, ValueError, subprocess.SubprocessError):
                return
            self.most = max(self.most or 0, used)

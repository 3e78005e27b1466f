"""Running a program to its end and measuring it."""

import os
import subprocess
import sys
import time
from pathlib import Path


def measured(command: list[str], threads: int, log: Path, extra: dict[str, str]) -> dict:
    """Run a command to its end: wall seconds, processor seconds (of the programs that it ran too), peak memory, its output.

    Memory is in bytes.
    """
    env = os.environ | {key: str(threads) for key in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")} | extra
    # Not with_suffix, which would cut a name with a dot of its own (qwen2.5-vl).
    out, err = log.with_name(log.name + ".out"), log.with_name(log.name + ".err")
    began = time.perf_counter()
    with out.open("wb") as stdout, err.open("wb") as stderr:
        child = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=env)
        # wait4 gives this child's own peak; getrusage(RUSAGE_CHILDREN) would give the highest of all so far.
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if child.returncode != 0:
        sys.exit(f"{' '.join(command)}\nfailed with {child.returncode}:\n{err.read_text(errors='replace')[-4000:]}")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    cpu = usage.ru_utime + usage.ru_stime
    text = {"out": out.read_text(errors="replace"), "err": err.read_text(errors="replace")}
    return {"wall": wall, "cpu": cpu, "peak": peak, **text}

"""What all parts share: running madmix, comparing folders of files, counting."""

import os
import signal
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
INTERRUPTED = 75
# A run of the small project takes about a second; one that is waited for so long hangs.
PATIENCE = 300
# What a user's shell or a batch job around this may have set.
FOREIGN = ("MADMIX_", "SLURM_", "RANK", "WORLD_SIZE", "LOCAL_RANK", "TORCHELASTIC_", "JOB_COMPLETION_INDEX")


class Broken(Exception):
    """A promise that was not kept."""


class Skipped(Exception):
    """The machine lacks what a part needs."""


class Ended:
    """How a process ended: `code` is negative for a signal."""

    def __init__(self, code, said, printed):
        self.code, self.said, self.printed = code, said, printed

    def expect(self, *codes):
        if self.code not in codes:
            raise Broken(f"exit code {self.code}, not {' or '.join(map(str, codes))}; it said:\n{self.said}")
        if "panicked" in self.said:
            raise Broken(f"it panicked:\n{self.said}")
        return self


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return kept | {"HF_HUB_OFFLINE": "1"} | more


def start(command, cwd=None, **more):
    """Starts a program in the background, its output kept for `end`."""
    return subprocess.Popen(
        [str(part) for part in command],
        env=environment(**more),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def end(process):
    try:
        printed, said = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Broken(f"{process.args} still runs after {PATIENCE} s") from None
    return Ended(process.returncode, said, printed)


def call(command, cwd=None, **more):
    return end(start(command, cwd, **more))


def signal_name(code):
    """`KILL` for -9."""
    return signal.Signals(-code).name.removeprefix("SIG")


def tree(folder):
    """Every file's bytes by its path below the folder, folders that are empty as None."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file():
            found[name] = path.read_bytes()
        elif not any(path.iterdir()):
            found[name + "/"] = None
    return found


def results(folder):
    """A run's files that any run of the same data must have: all but its config, which names paths."""
    return {name: content for name, content in tree(folder).items() if name != "config.toml"}


def size(content):
    return "absent" if content is None else f"{len(content)} bytes"


def must_equal(folder, expected, ignore=lambda name: False):
    """Every file is the quiet run's and there is no other, no temporary either; what is in the way is named."""
    found = {name: content for name, content in results(folder).items() if not ignore(name)}
    lines = [
        f"{name}: {size(found.get(name))}, expected {size(expected.get(name))}"
        for name in sorted(found.keys() | expected.keys())
        if name not in found or name not in expected or found[name] != expected[name]
    ]
    if lines:
        raise Broken(f"{folder} differs:\n  " + "\n  ".join(lines))


def must_be_whole(folder, expected, damaged=None):
    """Whatever can be seen under a name of its own is the quiet run's to the byte, or the damage that was there."""
    for name, content in results(folder).items():
        allowed = (expected.get(name), (damaged or {}).get(name))
        if name.endswith((".safetensors", "mixture.json", "manifest.json")) and content not in allowed:
            raise Broken(f"{folder}/{name} is visible, but not whole: {size(content)}")


def must_have_no_temporaries(folder):
    left = [name for name in tree(folder) if name.endswith(".madmix-tmp")] if Path(folder).exists() else []
    if left:
        raise Broken(f"temporaries are left in {folder}: {', '.join(left)}")


def spread(items, limit):
    """At most `limit` of the items, evenly."""
    if len(items) <= limit:
        return list(items)
    return [items[i * len(items) // limit] for i in range(limit)]

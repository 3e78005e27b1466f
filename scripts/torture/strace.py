"""Faults at single system calls, through strace.

strace counts the calls of one name in each thread for itself. Nearly all files of a run are written by its main
thread, so that the k-th call of a name there is the same one in every run, up to what the other threads happen to do at
the time; what a fault did hit is read from strace's log.
"""

import os
import re
import shutil
from dataclasses import dataclass

from common import Broken, Skipped, call

WRITING = "openat creat write writev pwrite64 fsync fdatasync rename renameat renameat2 mkdir mkdirat".split()
CALLS = [*WRITING, *"unlink unlinkat rmdir link linkat ftruncate flock".split()]
LINE = re.compile(r"^(\d+) +(\w+)\((.*)")


@dataclass(frozen=True)
class Point:
    """The k-th call of a name in one thread, with its arguments and result as strace shows them."""

    name: str
    k: int
    text: str

    @property
    def writes(self):
        """Whether its failure may cost what is being published."""
        if self.name in ("openat", "creat"):
            return "O_CREAT" in self.text or self.name == "creat"
        return self.name in WRITING


def needed():
    if shutil.which("strace") is None:
        raise Skipped("strace is not installed")


def traced(command, log, *options, calls=CALLS):
    names = ",".join(f"?{name}" for name in calls)
    return call(["strace", "-f", "-y", "-qq", "-s", "4", "-o", log, "-e", f"trace={names}", *options, *command])


def points(command, log, folder):
    """The calls of an undisturbed run that concern its folder: all that write, and what the main thread reads.

    Two threads' k-th calls of a name are one place for a fault: where the first of them is.
    """
    traced(command, log).expect(0)
    found = concerned(log, folder)
    if not found:
        raise Broken(f"strace saw nothing of {command} in {folder}")
    must_be_durable(found)
    return list({(point.name, point.k): point for point in reversed(found)}.values())[::-1]


def concerned(log, folder):
    counts, found, main = {}, [], None
    for line in log.read_text(errors="replace").splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        thread, name, text = match.groups()
        main = main or thread
        counts[thread, name] = k = counts.get((thread, name), 0) + 1
        point = Point(name, k, text)
        if concerns(text, folder) and (thread == main or point.writes):
            found.append(point)
    return found


def must_be_durable(found):
    """What a loss of power would show: contents are fsynced before they get their name, and names before the end."""
    unsynced, unnamed = set(), set()
    for point in found:
        quoted = re.findall(r'"([^"]*)"', point.text)
        opened = re.match(r"\d+<([^>]*)>", point.text)
        if " = -1 " in point.text:
            continue
        if point.name in ("write", "writev", "pwrite64"):
            unsynced.add(opened[1])
        elif point.name in ("fsync", "fdatasync"):
            unsynced.discard(opened[1])
            unnamed.discard(opened[1])
        elif point.name.startswith("rename"):
            if quoted[0] in unsynced:
                raise Broken(f"{quoted[1]} got its name before its content was fsynced")
            unnamed.add(os.path.dirname(quoted[1]))
        elif point.name.startswith("mkdir"):
            unnamed.add(os.path.dirname(quoted[0]))
    if unsynced or unnamed:
        raise Broken(f"not fsynced in the end: {', '.join(sorted(unsynced | unnamed))}")


def concerns(text, folder):
    return str(folder) in text or f"<{folder.parent}>)" in text


def injected(command, log, point, fault):
    """Runs a command with a fault at a point. Returns how it ended and the lines of the calls that were hit."""
    options = ["-e", f"inject={point.name}:{fault}:when={point.k}"]
    ended = traced(command, log, *options, calls=[point.name])
    lines = log.read_text(errors="replace").splitlines()
    if "signal=" in fault:
        return ended, [line for line in lines if re.search(r"= \?$", line)]
    return ended, [line for line in lines if "(INJECTED)" in line]


def by_name(hits):
    """`12 fsync, 3 rename`."""
    return ", ".join(f"{count} {name}" for name, count in sorted(hits.items(), key=lambda item: -item[1]))

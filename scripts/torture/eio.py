"""Errors from the system calls that write to the run's folder: never success while a file is not durable."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import strace
from common import Broken, must_be_whole, must_equal, must_have_no_temporaries, spread
from syscalls import scenarios

# The calls that a fault is put on, and whether the program has to fail for it.
FAULTS = (
    (("fsync", "fdatasync"), "error=EIO", True),
    (("write", "writev", "pwrite64"), "error=EIO", True),
    (("write", "writev", "pwrite64"), "error=ENOSPC", True),
    (("rename", "renameat", "renameat2"), "error=EIO", True),
    (("openat", "creat"), "error=EMFILE", True),
    (("mkdir", "mkdirat"), "error=EDQUOT", True),
    # What has to be taken as it comes: interrupted calls, and a file system without locks.
    (("fsync", "fdatasync"), "error=EINTR", False),
    (("write", "writev", "pwrite64"), "error=EINTR", False),
    (("flock",), "error=ENOLCK", False),
)


def torture(project, options):
    strace.needed()
    hits = Counter()
    for scenario in scenarios(project):
        folder = scenario.prepare("eio")
        found = strace.points(scenario.command(folder), project.work / "trace", folder)
        jobs = [
            (point, fault, fails)
            for names, fault, fails in FAULTS
            for point in spread(
                [p for p in found if p.name in names and (p.writes or not fails)],
                # Each fsync in turn; of the others some, since a kill at each is survived.
                options.limit if fault == "error=EIO" and "fsync" in names else options.limit // 12,
            )
        ]
        with ThreadPoolExecutor(options.jobs) as pool:
            for hit in pool.map(lambda job, s=scenario: one(s, *job), enumerate(jobs)):
                hits.update(hit)
    return f"{sum(hits.values())} faults ({strace.by_name(hits)}); none taken for success, 0 bytes lost"


def one(scenario, number, job):
    point, fault, fails = job
    project = scenario.project
    folder = scenario.prepare(f"eio-{number}")
    log = project.work / f"eio-{number}.trace"
    ended, lines = strace.injected(scenario.command(folder), log, point, fault)
    hit = any(strace.concerns(line, folder) for line in lines)
    try:
        if fails and hit:
            ended.expect(1)
            if str(folder) not in ended.said and str(folder.parent) not in ended.said:
                raise Broken(f"the error names no file: {ended.said}")
        elif fails:
            # It fell on something else, such as a file of the data.
            ended.expect(0, 1, 2)
        else:
            ended.expect(0)
        if folder.exists():
            must_be_whole(folder, project.quiet, scenario.before)
            must_have_no_temporaries(folder)
        scenario.finish(folder).expect(0)
        must_equal(folder, project.quiet, ignore=scenario.ignore)
    except Broken as broken:
        raise Broken(f"{scenario.name}, {fault} at {point.name} {point.k} ({point.text}): {broken}") from None
    project.fresh(folder.name)
    log.unlink()
    return [f"{point.name} {fault.removeprefix('error=')}"] if hit else []

"""A kill at each system call that concerns the run's folder, in turn; then the same command again."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import strace
from common import Broken, must_be_whole, must_equal, spread, tree


def torture(project, options):
    strace.needed()
    hits, total = Counter(), 0
    for scenario in scenarios(project):
        folder = scenario.prepare("syscalls")
        found = strace.points(scenario.command(folder), project.work / "trace", folder)
        chosen = spread(found, options.limit)
        total += len(found)
        with ThreadPoolExecutor(options.jobs) as pool:
            for hit in pool.map(lambda job, s=scenario: one(s, *job), enumerate(chosen)):
                hits.update(hit)
    kills = sum(hits.values())
    return (
        f"{kills} kills at {total} calls ({strace.by_name(hits)}); {kills} resumed to the same files, 0 bytes "
        "lost; no name before its content's fsync"
    )


def one(scenario, number, point):
    """Kills at one point. Returns the name of the call that was hit, if any was."""
    project = scenario.project
    folder = scenario.prepare(f"syscalls-{number}")
    log = project.work / f"syscalls-{number}.trace"
    ended, _ = strace.injected(scenario.command(folder), log, point, "signal=KILL")
    try:
        # Another thread may have been quicker or slower than in the trace, so that the run came to its end.
        ended.expect(0, -9)
        if folder.exists():
            must_be_whole(folder, project.quiet, scenario.before)
        scenario.finish(folder).expect(0)
        must_equal(folder, project.quiet, ignore=scenario.ignore)
    except Broken as broken:
        raise Broken(f"{scenario.name}, killed at {point.name} {point.k} ({point.text}): {broken}") from None
    project.fresh(folder.name)
    log.unlink()
    return [point.name] if ended.code == -9 else []


class Scenario:
    """A command in a folder that was prepared for it, and how to finish what a kill left."""

    def __init__(self, project, name, subcommand, change=None, ignore=lambda name: False):
        self.project, self.name, self.subcommand, self.change = project, name, subcommand, change
        self.ignore = ignore
        self.before = tree(self.prepare(f"before-{name.replace(chr(32), chr(45))}")) if change else None

    def prepare(self, name):
        if self.change is None:
            return self.project.fresh(name)
        folder = self.project.fresh(name, copy=self.project.work / "quiet")
        self.change(folder)
        return folder

    def command(self, folder):
        if self.subcommand == "solve":
            return [self.project.madmix, "solve", folder]
        return self.project.command(folder, self.subcommand)

    def finish(self, folder):
        return self.project.solve(folder) if self.subcommand == "solve" else self.project.run(folder)


def scenarios(project):
    def damage(folder):
        shard = folder / SHARD
        shard.write_bytes(shard.read_bytes()[:-1])

    def without(*names):
        def change(folder):
            for name in names:
                (folder / name).unlink()

        return change

    yield Scenario(project, "run", "run")
    # A shard is set aside, and made again.
    yield Scenario(project, "mend", "run", damage, lambda name: name.endswith(".corrupt"))
    # As after the last of many ranks, and as for other weights.
    yield Scenario(project, "solve", "solve", without("centroids.safetensors", "failures.jsonl", "mixture.json"))
    yield Scenario(project, "solve again", "solve", without("mixture.json"))


SHARD = "shards/words/00001.safetensors"

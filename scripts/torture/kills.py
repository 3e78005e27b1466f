"""Random kills of 1, 2 and 5 ranks, another number at every attempt, until nothing is missing; then the weights."""

import random
import signal
import time
from collections import Counter

from common import INTERRUPTED, Broken, call, end, must_be_whole, must_equal, signal_name, start

RANKS = (1, 2, 5)
# Most are killed, some asked to stop; 0 lets it come to its end.
SIGNALS = (signal.SIGKILL,) * 7 + (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT) + (0,) * 2

# How an engine tells a process its share.
ENGINES = (
    lambda rank, ranks: {"MADMIX_RANK": rank, "MADMIX_RANKS": ranks},
    lambda rank, ranks: {"TORCHELASTIC_RUN_ID": "none", "RANK": rank, "WORLD_SIZE": ranks, "LOCAL_RANK": rank},
    lambda rank, ranks: {"SLURM_STEP_ID": "0", "SLURM_PROCID": rank, "SLURM_STEP_NUM_TASKS": ranks},
    lambda rank, ranks: {"JOB_COMPLETION_INDEX": rank, "MADMIX_RANKS": ranks},
)


def torture(project, options):
    chance = random.Random(options.seed)
    ended, attempts, finished = Counter(), 0, Counter()
    for number in range(options.rounds):
        folder = project.fresh("kills")
        try:
            while not complete(project, folder):
                attempts += 1
                ended.update(attempt(project, folder, chance))
                if folder.exists():
                    must_be_whole(folder, project.quiet)
            project.solve(folder).expect(0)
            must_equal(folder, project.quiet)
        except Broken as broken:
            raise Broken(f"round {number} with seed {options.seed}: {broken}") from None
        finished["rounds"] += 1
    kills = ended.pop("KILL", 0)
    others = ", ".join(f"{count} {name}" for name, count in sorted(ended.items()))
    return (
        f"{kills} kills survived, and {others} in {attempts} attempts with 1, 2 or 5 ranks; "
        f"{finished['rounds']} of {options.rounds} rounds ended in the quiet run's files, 0 bytes lost"
    )


def attempt(project, folder, chance):
    """Starts some number of ranks at once and kills each at a moment of its own. Returns how they ended."""
    ranks = chance.choice(RANKS)
    engine = chance.choice(ENGINES)
    command = project.command(folder, "extract")
    running = []
    for rank in range(ranks):
        # Soon enough that most are at work, late enough that something comes of it.
        due = time.monotonic() + chance.uniform(0, 0.6 * project.seconds)
        running.append((due, chance.choice(SIGNALS), start(command, **engine(str(rank), str(ranks)))))
    for due, number, process in sorted(running, key=lambda run: run[0]):
        time.sleep(max(0, due - time.monotonic()))
        if number:
            process.send_signal(number)
    endings = Counter()
    for _, number, process in running:
        # A signal that came before the program listened for it ends it as any other program.
        code = end(process).expect(0, INTERRUPTED, -number).code
        if code < 0:
            endings[signal_name(code)] += 1
        else:
            endings["interrupted" if code == INTERRUPTED else "done"] += 1
    return endings


def complete(project, folder):
    """Whether `madmix status` says that no shard is missing."""
    if not (folder / "manifest.json").exists():
        return False
    return call([project.madmix, "status", folder]).expect(0, INTERRUPTED).code == 0

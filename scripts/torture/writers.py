"""Eight processes with the same work in one folder at once, of which some are killed."""

import random
import signal
import time

from common import Broken, end, must_be_whole, must_equal, start

WRITERS = 8


def torture(project, options):
    chance = random.Random(options.seed)
    kills = ends = 0
    for number in range(options.rounds):
        folder = project.fresh("writers")
        writers = [start(project.command(folder, "run")) for _ in range(WRITERS)]
        try:
            # In every other round all of them live.
            for writer in writers[: chance.randrange(WRITERS) if number % 2 else 0]:
                time.sleep(chance.uniform(0, project.seconds))
                writer.send_signal(signal.SIGKILL)
            for writer in writers:
                killed = end(writer).expect(0, -9).code != 0
                kills, ends = kills + killed, ends + (not killed)
            must_be_whole(folder, project.quiet)
            project.run(folder).expect(0)
            must_equal(folder, project.quiet)
        except Broken as broken:
            raise Broken(f"round {number} with seed {options.seed}: {broken}") from None
    return f"{options.rounds} crowds of {WRITERS}: {ends} came to their end, {kills} were killed; 0 bytes differ"

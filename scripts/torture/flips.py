"""Damage to every kind of file of a finished run: it is found and made again, or named in an error; never used."""

import random
import shutil
from collections import Counter

from common import Broken, call, must_equal, tree

# Asked in turn of a run's folder in which one file is damaged.
COMMANDS = ("run", "solve", "status")


def flip(path, chance):
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def truncate(path, chance):
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content))])


def extend(path, chance):
    path.write_bytes(path.read_bytes() + chance.randbytes(1 + chance.randrange(100)))


def empty(path, chance):
    path.write_bytes(b"")


def zeros(path, chance):
    path.write_bytes(bytes(path.stat().st_size))


def folder(path, chance):
    path.unlink()
    path.mkdir()


def full_folder(path, chance):
    folder(path, chance)
    (path / "notes.txt").write_text("mine")


def dangling_link(path, chance):
    path.unlink()
    path.symlink_to("nowhere")


def swap(path, chance):
    """With another shard of the run."""
    others = sorted(other for other in path.parents[1].glob("*/*.safetensors") if other != path)
    other = chance.choice(others)
    spare = path.with_name("spare")
    path.rename(spare)
    other.rename(path)
    spare.rename(other)


ONCE = (empty, zeros, folder, full_folder, dangling_link)
RANDOM = (flip, truncate, extend)


def torture(project, options):
    chance = random.Random(options.seed)
    counts = Counter()
    shards = sorted(name for name in project.quiet if name.startswith("shards/"))
    for damage in (*ONCE, *[damage for damage in (*RANDOM, swap) for _ in range(options.rounds)]):
        counts[one(project, chance.choice(shards), damage, chance, "run")] += 1
    others = sorted(name for name in tree(project.work / "quiet") if not name.startswith("shards/"))
    for name in others:
        kinds = [*ONCE, *[damage for damage in RANDOM for _ in range(max(1, options.rounds // 4))]]
        for damage in kinds:
            if name == "config.toml" and damage in (flip, truncate, extend):
                continue  # It is a person's to change: another number in it is no damage that could be known.
            for command in COMMANDS:
                counts[one(project, name, damage, chance, command)] += 1
    return (
        f"{sum(counts.values())} files damaged: {counts['mended']} made again at once or not needed, "
        f"{counts['named']} named in an error and made again once out of the way; 0 used"
    )


def one(project, name, damage, chance, command):
    run = project.fresh("flips", copy=project.work / "quiet")
    path = run / name
    damage(path, chance)
    damaged = path.read_bytes() if path.is_file() else None
    try:
        ended = project.run(run) if command == "run" else call([project.madmix, command, run])
        outcome = "mended"
        if ended.code != 0:
            # Named, and left as it is for a person to look at.
            outcome = "named"
            ended.expect(1, 2)
            if str(run) not in ended.said or path.name not in ended.said:
                raise Broken(f"the error does not name {path}:\n{ended.said}")
        elif name.startswith("shards/") and damage is not dangling_link and "is damaged" not in ended.said:
            raise Broken(f"nothing was said about {path}:\n{ended.said}")
        elif command == "solve" and (run / "mixture.json").read_bytes() != project.quiet["mixture.json"]:
            raise Broken(f"other weights came of it:\n{ended.said}")
        if damaged is not None and outcome == "named" and path.read_bytes() != damaged:
            raise Broken(f"{path} was changed by a command that failed:\n{ended.said}")
        if outcome == "named" or path.is_dir():
            # Or of no use to that command, which left it alone.
            remove(path)
        project.run(run).expect(0)
        must_equal(run, project.quiet, ignore=lambda found: ".corrupt" in found)
    except Broken as broken:
        raise Broken(f"{damage.__name__} of {name}, then {command}: {broken}") from None
    return outcome


def remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

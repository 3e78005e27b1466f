"""A disk that is full at every point of a run: a tmpfs of limited size, or with few inodes, that then is enlarged."""

import os
import shutil
import subprocess
import sys

from common import Broken, Skipped, must_be_whole, must_equal, must_have_no_temporaries, spread

PAGE = os.sysconf("SC_PAGE_SIZE")
INSIDE = "MADMIX_TORTURE_MOUNTS"


def torture(project, options):
    if INSIDE not in os.environ:
        return in_own_mounts(options)
    disk = project.fresh("disk")
    disk.mkdir()
    mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", disk)
    folder = disk / "run"
    ended = project.run(folder).expect(0)
    # A file takes whole pages, a folder an inode alone; the disk's root is an inode, too.
    pages = sum(-(-path.stat().st_size // PAGE) for path in folder.rglob("*") if path.is_file())
    inodes = 2 + sum(1 for _ in folder.rglob("*"))
    full = 0
    limits = [(f"size={n * PAGE}", n < pages) for n in (*spread(range(1, pages), options.rounds * 2), pages - 1, pages)]
    # One more for the temporary while all others are there; nothing is replaced in a first run.
    limits += [(f"nr_inodes={n}", n < inodes) for n in (*range(2, inodes), inodes)]
    for limit, too_small in limits:
        shutil.rmtree(folder)
        mount("-o", f"remount,{limit}", disk)
        ended = project.run(folder)
        try:
            ended.expect(1 if too_small else 0)
            if too_small:
                full += 1
                if "no space is left" not in ended.said or str(folder) not in ended.said:
                    raise Broken(f"the message says not that the disk is full, or not where:\n{ended.said}")
                must_have_no_temporaries(disk)
                if folder.exists():
                    must_be_whole(folder, project.quiet)
            mount("-o", "remount,size=1m,nr_inodes=1000", disk)
            project.run(folder).expect(0)
            must_equal(folder, project.quiet)
        except Broken as broken:
            raise Broken(f"with {limit}: {broken}") from None
        mount("-o", "remount,size=1m,nr_inodes=1000", disk)
    return f"{full} runs on disks too small by 1 to {pages - 1} pages or 1 to {inodes - 2} inodes; all finished later"


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


def in_own_mounts(options):
    """Runs this part again where mounting is allowed and ends with it."""
    enter = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    probe = [*enter, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        raise Skipped("a tmpfs cannot be mounted here, not even with unshare")
    command = [*enter, sys.executable, sys.argv[0], "full_disk", "--rounds", str(options.rounds)]
    inside = subprocess.run(
        command, env=os.environ | {INSIDE: "1"}, capture_output=True, text=True, check=False
    )
    line = next((line for line in inside.stdout.splitlines() if line.startswith("full_disk: ")), inside.stderr)
    if inside.returncode != 0:
        raise Broken(inside.stdout + inside.stderr)
    return line.removeprefix("full_disk: ").rpartition("  [")[0]

"""A real Slurm of one node with two pretended GPUs: the project's own jobs, preempted, requeued, killed and resized."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

from common import INTERRUPTED, REPOSITORY, Broken, Skipped, call, environment, must_be_whole, must_equal
from project import Project

SCRIPTS = REPOSITORY / "scripts/slurm"
# Rows for so many seconds of work that there is time to disturb it.
SCALE = 8
DONE = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY")


def torture(project, options):
    missing = [program for program in ("slurmctld", "slurmd", "sbatch") if shutil.which(program) is None]
    if missing:
        raise Skipped(f"{', '.join(missing)}: not installed (apt-get install slurmctld slurmd slurm-client)")
    larger = Project(project.madmix, project.work / "slurm", scale=SCALE)
    folder = larger.work / "node"
    said = subprocess.run(
        [SCRIPTS / "one_node", "start", folder], env=environment(CPUS="4"), capture_output=True, text=True, check=False
    )
    if said.returncode != 0:
        raise Skipped(f"no Slurm could be started: {said.stderr}")
    try:
        node = Node(larger, folder / "slurm.conf")
        for scenario in (undisturbed, preempted, requeued, node_lost, killed, resized, two_tasks, without_srun):
            scenario(node)
            print(f"  {scenario.__name__}: {scenario.__doc__}", flush=True)
    finally:
        subprocess.run([SCRIPTS / "one_node", "stop", folder], env=environment(), check=False)
        larger.remove_configs()
    figures = ", ".join(f"{count} {name}" for name, count in node.counts.items())
    return f"{figures}; every run ended in the quiet run's files"


class Node:
    """The cluster, and what was done to its jobs."""

    def __init__(self, project, conf):
        self.project = project
        self.logs = project.work
        # What sbatch takes from the environment; one core for each job, so that there is time.
        self.more = {
            "SLURM_CONF": str(conf),
            "MADMIX": str(project.madmix),
            "RAYON_NUM_THREADS": "1",
        }
        self.counts = Counter()

    def call(self, *command):
        return call([str(part) for part in command], cwd=self.logs, **self.more)

    def do(self, *command):
        return self.call(*command).expect(0).printed

    def sbatch(self, *arguments):
        self.counts["jobs"] += 1
        return self.do("sbatch", "--parsable", "--cpus-per-task=1", *arguments).strip()

    def submit(self, folder, tasks):
        """`scripts/slurm/submit`. Returns the ids of both jobs."""
        said = self.do(SCRIPTS / "submit", self.project.config(folder), tasks, "--cpus-per-task=1")
        self.counts["jobs"] += 2
        return re.findall(r"^job (\d+)", said, re.MULTILINE)

    def jobs(self, *ids):
        """What Slurm says of every task of these jobs."""
        found = []
        for job in ids:
            for block in self.do("scontrol", "show", "job", job).split("\n\n"):
                fields = dict(re.findall(r"(\w+)=(\S*)", block))
                if fields:
                    found.append(fields)
        return found

    def wait(self, *ids, until=lambda jobs: all(job["JobState"] in DONE for job in jobs)):
        started = time.monotonic()
        while not until(jobs := self.jobs(*ids)):
            if time.monotonic() - started > 180:
                raise Broken(f"jobs {ids} do not come to their end: {[(j['JobId'], j['JobState']) for j in jobs]}")
            time.sleep(0.3)
        return jobs

    def running(self, job):
        """The tasks that run, once two do and there is a shard."""
        return self.wait(job, until=lambda jobs: sum(j["JobState"] == "RUNNING" for j in jobs) == 2)

    def succeed(self, *ids):
        """All of them end well."""
        jobs = self.wait(*ids)
        bad = [f"{job['JobId']} {job['JobState']} {job['ExitCode']}" for job in jobs if job["JobState"] != "COMPLETED"]
        if bad:
            logs = "".join(path.read_text() for path in sorted(self.logs.glob("*.log")))
            raise Broken(f"jobs failed: {', '.join(bad)}\n{logs[-6000:]}")
        self.counts["restarts"] += sum(int(job["Restarts"]) for job in jobs)
        return jobs

    def fresh(self, name):
        return self.project.fresh(name)

    def equal(self, folder):
        must_equal(folder, self.project.quiet)
        self.counts["runs"] += 1


def shards(folder):
    return len(list(Path(folder).glob("shards/*/*.safetensors")))


def first_shards(folder, count=3):
    started = time.monotonic()
    while shards(folder) < count:
        if time.monotonic() - started > 60:
            raise Broken(f"no shards in {folder} after a minute")
        time.sleep(0.05)


def undisturbed(node):
    """submit with two tasks: both end, and the job behind them solves."""
    folder = node.fresh("undisturbed")
    node.succeed(*node.submit(folder, 2))
    node.equal(folder)


def preempted(node):
    """a job of higher priority takes both GPUs; the tasks are requeued by Slurm, and go on."""
    folder = node.fresh("preempted")
    ids = node.submit(folder, 3)
    first_shards(folder)
    urgent = node.sbatch("--partition=urgent", "--gres=gpu:2", "--output=urgent.log", "--wrap=sleep 1")
    node.succeed(urgent)
    must_be_whole(folder, node.project.quiet)
    if not any(int(job["Restarts"]) for job in node.succeed(*ids)):
        raise Broken("no task was preempted")
    node.counts["preemptions"] += 1
    node.equal(folder)


def requeued(node):
    """the warning before the time limit (USR1) to one task, scontrol requeue of another."""
    folder = node.fresh("requeued")
    ids = node.submit(folder, 2)
    first_shards(folder)
    tasks = [job["JobId"] for job in node.running(ids[0])]
    node.do("scancel", "--signal=USR1", "--batch", tasks[0])
    node.do("scontrol", "requeue", tasks[1])
    restarts = sorted(int(job["Restarts"]) for job in node.succeed(*ids))
    if restarts != [0, 1, 1]:
        raise Broken(f"restarts of two tasks and the job that solves: {restarts}")
    node.equal(folder)


def node_lost(node):
    """the node is declared down, and comes back: Slurm requeues its tasks, whose processes may live on for a while."""
    folder = node.fresh("node_lost")
    ids = node.submit(folder, 2)
    first_shards(folder)
    node.running(ids[0])
    name = node.do("sinfo", "--noheader", "--format=%n").split()[0]
    node.do("scontrol", "update", f"nodename={name}", "state=down", "reason=torture")
    time.sleep(1)
    must_be_whole(folder, node.project.quiet)
    # It may have come back by itself.
    node.call("scontrol", "update", f"nodename={name}", "state=resume")
    if not any(int(job["Restarts"]) for job in node.succeed(*ids)):
        raise Broken("no task was requeued")
    node.counts["lost nodes"] += 1
    node.equal(folder)


def killed(node):
    """a task's process is killed with -9: its job fails, nothing is solved; submitting again completes it."""
    folder = node.fresh("killed")
    array, solve = node.submit(folder, 2)
    first_shards(folder)
    os.kill(process_of(folder), signal.SIGKILL)
    states = sorted(job["JobState"] for job in node.wait(array))
    if states != ["COMPLETED", "FAILED"]:
        raise Broken(f"one task was killed, and the states are {states}")
    must_be_whole(folder, node.project.quiet)
    if [job["JobState"] for job in node.wait(solve)] != ["CANCELLED"] or (folder / "mixture.json").exists():
        raise Broken("the job that solves was not cancelled")
    node.counts["kills"] += 1
    node.succeed(*node.submit(folder, 3))
    node.equal(folder)


def resized(node):
    """cancelled, which requeues nothing; then with what status names, with holes in the array, and to the end."""
    folder = node.fresh("resized")
    array, solve = node.submit(folder, 5)
    first_shards(folder)
    node.do("scancel", array, solve)
    if any(job["JobState"] != "CANCELLED" for job in node.wait(array, solve)):
        raise Broken("a cancelled job did not stay cancelled")
    must_be_whole(folder, node.project.quiet)
    before = shards(folder)
    config = node.project.config(folder)
    array = node.sbatch("--array=3,5%1", SCRIPTS / "extract.sbatch", config)
    first_shards(folder, before + 2)
    node.do("scancel", array)
    node.wait(array)
    status = node.call(node.project.madmix, "status", folder, "--array", "--ranks", 2).expect(INTERRUPTED)
    array = node.sbatch(f"--array={status.printed.strip()}", SCRIPTS / "extract.sbatch", config)
    solve = node.sbatch(f"--dependency=afterok:{array}", SCRIPTS / "solve.sbatch", folder)
    node.succeed(array, solve)
    node.equal(folder)


def two_tasks(node):
    """one job with two tasks under srun, each with a share."""
    folder = node.fresh("two_tasks")
    config = node.project.config(folder)
    job = node.sbatch("--array=0-1", "--ntasks=2", "--gpus-per-task=1", SCRIPTS / "extract.sbatch", config)
    solve = node.sbatch(f"--dependency=afterok:{job}", SCRIPTS / "solve.sbatch", folder)
    node.succeed(job, solve)
    node.equal(folder)


def without_srun(node):
    """a batch script for two tasks that starts the program without srun: it does all of the work."""
    folder = node.fresh("without_srun")
    config = node.project.config(folder)
    job = node.sbatch("--ntasks=2", "--output=without_srun.log", f"--wrap={node.project.madmix} extract {config}")
    solve = node.sbatch(f"--dependency=afterok:{job}", SCRIPTS / "solve.sbatch", folder)
    node.succeed(job, solve)
    node.equal(folder)


def process_of(folder):
    """A process of madmix, not of srun or a shell, that works on this folder."""
    for entry in Path("/proc").iterdir():
        try:
            program, *words = (entry / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if entry.name.isdigit() and program.endswith("madmix") and any(f"-{folder.name}.toml" in w for w in words):
            return int(entry.name)
    raise Broken(f"no process works on {folder}")

"""Has the trainers' own code read what `madmix export` writes, and counts what it draws.

    python scripts/check_exports.py [--madmix target/release/madmix] [--install VENV]
        [--require READER,…] [--only READER,…] [--checkout NAME=PATH …]

Makes a small project with names that try to break out of every syntax, exports it for every trainer, with a budget and
without, and lets the reader of each draw 20,000 samples. A reader that is not installed is skipped, unless --require
names it. --install makes a virtual environment with the readers that are light (PyYAML, datasets, webdataset) and goes
on in it; without --madmix that is all. Trainers that are no packages are read from a checkout of their repository, named by --checkout: llava-next,
qwen-vl-finetune, internvl, veomni, llama-factory, ms-swift.

Checked with PyYAML 6.0.3, datasets 5.2.0, webdataset 1.0.2, mosaicml-streaming 0.13.0 and megatron-energon 7.4.1, and
with LLaVA-NeXT df17966, LLaMA-Factory ff6d4d1, ms-swift 3602360, Qwen3-VL 9658872, InternVL 2410d1d, VeOmni d977449.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import traceback
import venv
from pathlib import Path

from exports import from_source, project, python_files, yaml_files
from exports.common import Export, Skipped

LIGHT = ["PyYAML==6.0.3", "datasets==5.2.0", "webdataset==1.0.2"]

# The readers of every trainer.
READERS = {
    "llava-next": {"llava-next": from_source.llava_next},
    "llama-factory": {"llama-factory": from_source.llama_factory},
    "ms-swift": {"ms-swift": from_source.ms_swift},
    "qwen-vl-finetune": {"qwen-vl-finetune": from_source.qwen_vl},
    "internvl": {"internvl": from_source.internvl},
    "veomni": {"veomni": from_source.veomni},
    "energon": {"energon": yaml_files.energon},
    "hf-datasets": {"datasets": python_files.hf_datasets},
    "mosaic": {"streaming": python_files.mosaic},
    "webdataset": {"webdataset": python_files.webdataset},
    "jsonl": {"datasets": python_files.jsonl},
}


def install(folder, goes_on):
    """Makes a virtual environment that has the light readers, and goes on in it."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *LIGHT], check=True)
    if not goes_on:
        return
    arguments = [word for word in sys.argv if not word.startswith("--install=")]
    if "--install" in arguments:
        at = arguments.index("--install")
        del arguments[at : at + 2]
    os.execv(python, [str(python), *arguments])


def check(reader, export, required):
    """One line for a person; whether it is well."""
    name, function = reader
    try:
        with tempfile.TemporaryDirectory() as scratch:
            export.scratch = Path(scratch)
            return f"ok       {function(export)}", True
    except Skipped as reason:
        return f"skipped  {reason}", name not in required
    except Exception as error:  # noqa: BLE001: whatever a trainer's code raises is its answer
        traceback.print_exc()
        return f"FAILED   {type(error).__name__}: {error}", False


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--madmix", type=Path, help="the program")
    parser.add_argument("--install", type=Path, metavar="VENV", help="make this environment and go on in it")
    parser.add_argument("--require", default="", help="readers that may not be skipped, with commas")
    parser.add_argument("--only", default="", help="trainers to check, with commas")
    parser.add_argument("--checkout", action="append", default=[], metavar="NAME=PATH")
    arguments = parser.parse_args()
    if arguments.install:
        install(arguments.install, bool(arguments.madmix))
        return
    if not arguments.madmix:
        parser.error("--madmix is needed to check anything")
    required = set(filter(None, arguments.require.split(",")))
    chosen = set(filter(None, arguments.only.split(",")))
    checkouts = {name: Path(path) for name, path in (text.split("=", 1) for text in arguments.checkout)}
    madmix = arguments.madmix.resolve()
    well = True
    with tempfile.TemporaryDirectory() as root:
        os.environ.update(HF_HOME=f"{root}/hf", HF_HUB_OFFLINE="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1")
        root = Path(root)
        project.make(root)
        for trainer in project.trainers(madmix):
            if chosen and trainer not in chosen:
                continue
            for budget in (None, project.BUDGET):
                folder, plan = project.export(madmix, root, trainer, budget)
                title = f"{trainer:18}{'budget' if budget else 'shares':8}"
                if folder is None:
                    expected = trainer == "jsonl" and not budget
                    well &= expected
                    print(f"{title}{'refused ' if expected else 'FAILED  '} {plan.splitlines()[-1]}", flush=True)
                    continue
                for reader in [("PyYAML", yaml_files.parsers), *READERS.get(trainer, {}).items()]:
                    line, good = check(reader, Export(folder, plan, root, checkouts), required)
                    well &= good
                    print(f"{title}{reader[0]:18}{line}", flush=True)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()

"""Gradescope's autograder: ``python -m common.grading.autograder --task RegionDetector`` writes the zip; on Gradescope it grades.

By Gradescope's autograder specifications the zip is unpacked as ``/autograder/source``, ``setup.sh`` runs once when the image is built, and
``run_autograder`` for each submission: it finds it in ``/autograder/submission`` and leaves ``/autograder/results/results.json``.
"""

import argparse
import json
import sys
import zipfile
from pathlib import Path

from common.console import a_path, print_any_name, say
from common.files import whole_file
from common.grading.desk import Desk, Way
from common.grading.handback.gradescope import result_of
from common.grading.intake.platforms import Owner
from common.grading.submissions import one_submission
from common.grading.tasks import ROOT, TASKS, task_of

ROOMS = ("common", *TASKS)
FILES = ("LICENSE", "kit.py", "requirements.lock")
_SETUP = """#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the image.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=""
for version in 3.13 3.12 3.11; do  # one that is found need not run, nor have what makes an environment
    if "python$version" -c "import venv, ensurepip" 2> /dev/null; then python="python$version"; break; fi
done
if [ -z "$python" ]; then
    apt-get update
    for version in 3.12 3.11 3.13; do
        if apt-get install -y "python$version" "python$version-venv"; then python="python$version"; break; fi
    done
fi
"$python" kit.py setup
"""
_RUN = """#!/usr/bin/env bash
# Gradescope runs this for each submission.
set -euo pipefail
home="$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)"
cd "$home/source"
exec .venv/bin/python -m common.grading.autograder --task {task} --seed {seed} --train {train:g} --grade "$home"
"""


def write_autograder(path, way):
    """Write the zip to upload as the autograder of a programming assignment.

    Parameters
    ----------
    path : path-like
    way : common.grading.desk.Way

    Returns
    -------
    pathlib.Path
    """
    path = Path(path)
    texts = {"setup.sh": _SETUP, "run_autograder": _RUN.format(task=way.task, seed=way.seed, train=way.train)}
    files = [p for room in ROOMS for p in sorted((ROOT / room).rglob("*")) if p.is_file() and not _left_out(p.relative_to(ROOT))]
    with whole_file(path, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            _add(archive, name, text.encode(), 0o755)
        for source in [*files, *(ROOT / name for name in FILES)]:
            _add(archive, source.relative_to(ROOT).as_posix(), source.read_bytes(), 0o644)
    return path


def _left_out(path):
    return any(part.startswith(".") or part in ("__pycache__", "data", "build") for part in path.parts) or path.suffix == ".pyc"


def _add(archive, name, data, mode):
    info = zipfile.ZipInfo(name)  # without a date: the same bytes every time
    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, mode << 16
    archive.writestr(info, data)


def grade_submission(home, way):
    """Grade what lies in ``submission`` and write ``results/results.json``.

    Parameters
    ----------
    home : path-like
        Gradescope's ``/autograder``.
    way : common.grading.desk.Way

    Returns
    -------
    dict
        What was written.
    """
    home, task = Path(home), task_of(way.task)
    item = one_submission(home / "submission", task.by_name, Owner("gradescope", "submission", "submission"))
    if item is None:
        said = {"score": 0, "output": "There is no notebook in this submission: hand in the .ipynb, and the file of weights beside it.", "tests": []}
    else:
        with Desk(way) as desk:
            result = desk.grade(item)
        result["notes"] = [*item.notes, *result.get("notes", ())]
        said = result_of(result)
    with whole_file(home / "results" / "results.json") as file:
        json.dump(said, file, indent=1)
    return said


def main(arguments=None):
    """The command line; see the module."""
    parser = argparse.ArgumentParser(prog="kit.py autograder", description="Write the autograder that Gradescope runs.")
    parser.add_argument("--task", required=True, choices=TASKS)
    parser.add_argument("--out", type=a_path, help="the zip (build/autograder-TASK.zip)")
    parser.add_argument("--seed", type=int, default=2026, help="of the fresh data (%(default)s)")
    parser.add_argument("--train", type=float, nargs="?", const=300, default=0, metavar="SECONDS",
                        help="fit where no weights were handed in, for at most so long")
    parser.add_argument("--grade", metavar="HOME", help="grade HOME/submission, as Gradescope's run_autograder asks")
    given = parser.parse_args(arguments)
    print_any_name()
    way = Way(given.task, given.seed, given.train)
    if given.grade:
        print(f"{grade_submission(given.grade, way)['score']:g} marks")
        return 0
    out = given.out or f"build/autograder-{given.task}.zip"
    try:
        path = write_autograder(out, way)
    except OSError as error:
        say(f"{error.filename or out}: cannot be written ({error.strerror or error})", sys.stderr)
        return 2
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB. In Gradescope: Configure Autograder, upload it; base image Ubuntu 22.04 or 24.04")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The command line: ``python -m common.grading --task RegionDetector --submissions FOLDER --out build/grades``.

Writes ``marks.csv``, a page for the class and one for each student. A submission is a notebook (with ``NAME.weights.h5`` beside it),
or a folder with one notebook and a file of weights. What was graded already is not graded again, unless the submission has changed.
"""

import argparse
import signal
import sys
import threading
from pathlib import Path

from common.console import print_any_name
from common.grading.submissions import take_in
from common.grading.tasks import TASKS
from common.grading.whole_class import grade_class


def _stop(*_):
    raise KeyboardInterrupt


def main(arguments=None):
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description="Grade a folder of submitted notebooks.")
    parser.add_argument("--task", required=True, choices=TASKS)
    parser.add_argument("--submissions", required=True, help="folder with NAME.ipynb (and NAME.weights.h5), or with a folder for each student")
    parser.add_argument("--out", default="build/grades", help="folder for marks.csv and the pages")
    parser.add_argument("--jobs", type=int, default=2, help="submissions at a time")
    parser.add_argument("--seed", type=int, default=2026, help="of the fresh data")
    parser.add_argument("--train", type=float, nargs="?", const=300, default=0, metavar="SECONDS",
                        help="fit where no weights were handed in, for at most so long")
    parser.add_argument("--data", help="folder of the real data; by default the built-in data")
    parser.add_argument("--only", metavar="EXERCISE", help="judge this exercise again, as after a check was mended; the other marks stay")
    given = parser.parse_args(arguments)
    print_any_name()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)  # as Ctrl-C: end the sandboxes, tidy up
    try:
        results = grade_class(given.task, given.submissions, given.out, given.jobs, given.seed, given.train, given.data, only=given.only)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. What was graded is kept: the same command goes on from there.", file=sys.stderr)
        return 130
    for name, reason in left_out(given.submissions).items():
        print(f"Left out: {name}: {reason}", file=sys.stderr)
    possible = sum(r["of"] for r in results[0]["rows"])
    mean = sum(r["total"] for r in results) / len(results)
    print(f"{len(results)} submissions, {mean:.2f} of {possible:g} marks on average: {Path(given.out) / 'index.html'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

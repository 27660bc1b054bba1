"""The command line: ``python -m common.grading --task RegionDetector --submissions FOLDER --out build/grades``.

Writes ``marks.csv``, a page for the class and one for each student. Submissions are what a platform hands out, as a folder or a zip, or plain
notebooks (with ``NAME.weights.h5`` beside them). What was graded already is not graded again, unless the submission has changed.
"""

import argparse
import signal
import sys
import threading
from contextlib import suppress

from common.commands.stops import PIPE_CLOSED, let_go
from common.console import a_path, counted, print_any_name, say
from common.files import only_one
from common.grading.intake.platforms import PLATFORMS
from common.grading.refused import Refused
from common.grading.tasks import TASKS
from common.grading.whole_class import HAND_BACK, GradingFailed, Term, grade_class

_GO_ON = "What was graded is kept: the same command goes on from there."


def _stop(*_):
    raise KeyboardInterrupt


def _at_least(least, kind):
    def number(text):
        value = kind(text)
        if not least <= value < float("inf"):
            raise ValueError
        return value

    number.__name__ = f"number, {least} or more,"  # as argparse calls it: "invalid number, 0 or more, value: '-1'"
    return number


def _parser():
    parser = argparse.ArgumentParser(prog="kit.py grade", description="Grade a class of submitted notebooks.")
    parser.add_argument("--task", required=True, choices=TASKS)
    parser.add_argument("--submissions", type=a_path, required=True, help="what a platform handed out, folder or zip; or a folder with NAME.ipynb (and NAME.weights.h5)")
    parser.add_argument("--out", type=a_path, default="build/grades", help="folder for marks.csv and the pages (%(default)s)")
    parser.add_argument("--from", dest="platform", choices=(*PLATFORMS, "folder"), help="who handed the submissions out; by default told by their names")
    parser.add_argument("--roster", type=a_path, metavar="CSV", help="the platform's list: Moodle's grading worksheet, Canvas' gradebook, GitHub Classroom's roster")
    parser.add_argument("--for", dest="hand_back", choices=HAND_BACK, help="write what this platform reads back, and feedback in one zip")
    parser.add_argument("--assignment", metavar="NAME", help="the assignment's column in Canvas' gradebook")
    parser.add_argument("--overrides", type=a_path, metavar="CSV", help="marks by hand: student, exercise, marks, reason (overrides.csv in the folder of the pages)")
    parser.add_argument("--late", type=a_path, metavar="TOML", help="deadline and what late days cost (late.toml in the folder of the pages)")
    parser.add_argument("--anonymous", action="store_true", help="pages by number; the table of names lies beside the folder of the pages")
    parser.add_argument("--only", metavar="EXERCISE", help="judge this exercise again, as after a check was mended; the other marks stay")
    parser.add_argument("--jobs", type=_at_least(1, int), help="submissions at a time (2; on a cluster on this machine, what it has cores and memory for)")
    parser.add_argument("--cluster", nargs="?", const="local", metavar="ADDRESS",
                        help="grade on Dask (requirements-cluster.lock): the address of a scheduler, tcp://...; without one, workers on this machine")
    parser.add_argument("--seed", type=_at_least(0, int), default=2026, help="of the fresh data (%(default)s)")
    parser.add_argument("--train", type=_at_least(0, float), nargs="?", const=300, default=0, metavar="SECONDS",
                        help="fit where no weights were handed in, for at most so long (%(const)s)")
    parser.add_argument("--data", type=a_path, help="folder of the real data; by default the built-in data")
    return parser


def main(arguments=None):
    """The command line; see the module."""
    given = _parser().parse_args(arguments)
    print_any_name()
    if threading.current_thread() is threading.main_thread():
        for number in [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _stop)  # as Ctrl-C, and so is a window that is closed: end the sandboxes, tidy up
    term = Term(given.platform, given.roster, given.overrides, given.late, given.anonymous, given.hand_back, given.assignment)
    out = given.out

    def complain(line):
        with suppress(OSError):  # the window has been closed
            say(str(line), sys.stderr)

    try:
        # two runs at once would each number the class, and the pages of one would bear the numbers of the other
        with only_one(out / ".grading.lock", f"Waiting for another run, which grades into {out}.", tidy=True):
            results = grade_class(given.task, given.submissions, out, given.jobs, given.seed, given.train, given.data, only=given.only,
                                  cluster=given.cluster, term=term, say=complain)
        possible = sum(r["of"] for r in results[0]["rows"])
        mean = sum(r["total"] for r in results) / len(results)
        say(f"{counted(len(results), 'submission')}, {mean:.2f} of {possible:g} marks on average: {out / 'index.html'}")
        sys.stdout.flush()
        return 0
    except BrokenPipeError:
        let_go(sys.stdout)
        return PIPE_CLOSED
    except Refused as error:
        complain(error)
        return 2
    except (GradingFailed, OSError) as error:  # ClusterError is one, and so is a full disk
        if isinstance(error, FileNotFoundError) and error.errno is None:  # there is no submission
            complain(error)
            return 2
        complain(f"{error.filename}: {error.strerror}" if getattr(error, "filename", None) else error)
        complain(_GO_ON)
        return 3
    except KeyboardInterrupt:
        complain(f"Stopped. {_GO_ON}")
        return 130


if __name__ == "__main__":
    raise SystemExit(main())

"""Grading a class from what a platform hands out to what it reads back; results are kept as they come."""

import copy
import sys
from dataclasses import dataclass
from pathlib import Path

from common.grading.copies import near_copies
from common.grading.desk import Way
from common.grading.handback import canvas, gradescope, moodle
from common.grading.handback.anonymity import anonymous, apart
from common.grading.handback.lateness import lateness, read_rule
from common.grading.handback.overrides import override, read_overrides
from common.grading.handback.report import write_report
from common.grading.handback.student_page import student_page
from common.grading.intake.roster import read_roster
from common.grading.kept import Kept, fits
from common.grading.machines.order import longest_first
from common.grading.machines.threads import grade_here
from common.grading.notebook_source import NEWER
from common.grading.refused import Refused
from common.grading.submissions import take_in
from common.grading.tasks import task_of

HAND_BACK = {"moodle": moodle, "canvas": canvas, "gradescope": gradescope}
JOBS = 2


@dataclass(frozen=True)
class Term:
    """What an instructor says about a class, beside its submissions.

    Attributes
    ----------
    platform : str or None
        Which handed the submissions out; None: told by their names.
    roster : path-like or None
        The platform's list of the class.
    overrides : path-like or None
        Marks by hand; by default ``overrides.csv`` among the pages.
    late : path-like or None
        Deadline and rule; by default ``late.toml`` among the pages.
    anonymous : bool
    hand_back : str or None
        One of `HAND_BACK`.
    assignment : str or None
        As Canvas calls it.
    """

    platform: str | None = None
    roster: object = None
    overrides: object = None
    late: object = None
    anonymous: bool = False
    hand_back: str | None = None
    assignment: str | None = None


class GradingFailed(RuntimeError):
    """The grader itself failed on some submissions; the marks of the others are kept."""


def grade_class(task_name, submissions, out, jobs=None, seed=2026, train=0, data=None, progress=True, only=None, cluster=None, term=Term(), say=print):
    """Grade a class.

    Parameters
    ----------
    task_name : {"RegionDetector", "TrackDetector"}
    submissions : path-like
        A folder, or one archive; see `common.grading.submissions.take_in`.
    out : path-like
        Folder for ``marks.csv`` and the pages.
    jobs : int, optional
        Submissions at a time; by default 2, or on a cluster of one's own as many as there are cores and memory for.
    seed, train, data
        See `common.grading.desk.Way`.
    progress : bool
    only : str, optional
        Judge this exercise again, with the check as it is now; the other marks stay.
    cluster : str, optional
        See `common.commands.cluster.connected`; None for threads.
    term : Term
    say : callable
        Gets a line on what was left out or is to be known.

    Returns
    -------
    list of dict
        One for each student; also written to `out` as ``marks.csv`` and pages.

    Raises
    ------
    FileNotFoundError
        If there is no submission.
    common.grading.refused.Refused
        If a table of the instructor's makes no sense; nothing was graded then.
    GradingFailed, common.grading.machines.cluster.ClusterError
        If the grader itself, or the cluster, failed on some; the marks of the others are kept.
    """
    task, out = task_of(task_name), Path(out)
    if only is not None and only not in [i.name for i in (*task.exercises, *task.scores)]:
        raise Refused(f"{task_name} has no exercise {only!r}; expected one of {', '.join(i.name for i in (*task.exercises, *task.scores))}")
    if data and cluster is None and not Path(data).is_dir():
        raise Refused(f"--data {data}: there is no such folder; expected that of the real data")
    fits(out, task_name, term.anonymous)
    roster = read_roster(term.roster) if term.roster else None
    if term.hand_back:
        HAND_BACK[term.hand_back].ready(task, roster, term.assignment)
    taken = take_in(submissions, task.by_name, term.platform, roster)
    todo = anonymous(taken.submissions, apart(out, "names.csv")) if term.anonymous else taken.submissions
    named = {item.name: old for item, old in zip(todo, taken.submissions)}
    todo = sorted(todo, key=lambda item: item.name) if term.anonymous else todo  # their order would tell that of the names
    finish = _Finish(task, out, term, todo)
    if unknown := finish.without_time(todo):
        say(f"{unknown} of {len(todo)} lose nothing for lateness, for nothing tells when they handed in: the date of a file is that of the download, or of the "
            "clone. --roster with Moodle's grading worksheet or GitHub Classroom's grades tells it, and so does [handed_in] in late.toml")
    for name, why in ({} if term.anonymous else taken.left_out).items():
        say(f"Left out: {name}: {why}")
    way = Way(task_name, seed, train, data and str(Path(data).absolute()))
    kept = Kept(out / "results", way)
    results = {} if only else {item.name: old for item in todo if (old := kept.fresh(item)) is not None}
    left = [item for item in todo if item.name not in results]
    waiting = [(item, *_again(kept, item, only)) for item in longest_first(left, len(task.exercises), kept.seconds)]
    failed = _grade(way, waiting, kept, results, jobs, cluster, progress) if waiting else {}
    if failed:
        name, error = next(iter(failed.items()))
        raise GradingFailed(f"{len(failed)} of {len(todo)} submissions could not be graded ({', '.join(failed)[:500]}); the others' marks are kept, and the "
                            f"same command tries these again. {name}: {type(error).__name__}: {error}") from error
    graded = [(item, finish(item, results[item.name])) for item in todo]
    answer = [result for _, result in graded]
    if newer := sorted(note.removeprefix(NEWER).split(",")[0] for result in answer for note in result["notes"] if note.startswith(NEWER)):
        say(f"{len(newer)} of {len(answer)} notebooks hold what does not parse, and were last run with a newer Python than this {sys.version_info[0]}.{sys.version_info[1]}, "
            f"in which it may be right: look at their pages, or delete .venv and grade with Python{newer[-1]}")
    write_report(out, task, answer, {} if term.anonymous else taken.left_out, near_copies(task, todo))
    if term.hand_back:
        folder = apart(out, f"for-{term.hand_back}") if term.anonymous else out / f"for-{term.hand_back}"
        for line in _hand_back(folder, task, [(named[item.name], result) for item, result in graded], term, roster):
            say(f"{folder}: {line}")
    return answer


def _again(kept, item, only):
    old = kept.earlier(item) if only else None
    return (only, old) if old else (None, None)


def _grade(way, waiting, kept, results, jobs, cluster, progress):
    """Grade, keeping each result as it comes; faults of the grader are returned by name."""
    from tqdm.auto import tqdm

    failed = {}
    if cluster is None:
        done = grade_here(way, waiting, jobs or JOBS)
    else:
        from common.grading.machines.cluster import grade_on_cluster

        done = grade_on_cluster(way, waiting, cluster, jobs)
    try:
        for item, result, error in tqdm(done, "submissions", len(waiting), disable=not progress):
            if error is None:
                kept.keep(item, result)
                results[item.name] = result
            else:  # a fault of the grader; the others' marks do not wait for its being mended
                failed[item.name] = error
    finally:
        done.close()
    return failed


class _Finish:
    """What is put into every result afterwards: remarks on the files, marks by hand, late days."""

    def __init__(self, task, out, term, submissions):
        by_hand, late = term.overrides or out / "overrides.csv", term.late or out / "late.toml"
        self.overrides = read_overrides(by_hand, task, submissions) if term.overrides or by_hand.is_file() else []
        self.rule = read_rule(late, submissions) if term.late or late.is_file() else None

    def without_time(self, submissions):
        """How many submissions have no time of handing in, so that the rule on lateness cannot be applied."""
        return sum(s.time is None and s.name not in self.rule.handed_in for s in submissions) if self.rule is not None else 0

    def __call__(self, submission, result):
        result = copy.deepcopy(result)
        result["notes"] = [*submission.notes, *result.get("notes", ())]
        override(result, self.overrides)
        if self.rule is not None:
            lateness(result, submission, self.rule)
        return result


def _hand_back(folder, task, graded, term, roster):
    pages = {item.name: student_page(task, result, link=False) for item, result in graded}
    return HAND_BACK[term.hand_back].write(folder, task, graded, pages, roster, term.assignment)

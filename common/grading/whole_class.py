"""Grading a folder of submissions, several at a time; results are kept as they come."""

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from common.grading.desk import Desk, Way
from common.grading.kept import Kept
from common.grading.submissions import find_submissions
from common.grading.tasks import task_of


def grade_class(task_name, submissions, out, jobs=2, seed=2026, train=0, data=None, progress=True, only=None):
    """Grade a folder of submissions.

    Parameters
    ----------
    task_name : {"RegionDetector", "TrackDetector"}
    submissions, out : path-like
    jobs : int
        Submissions at a time.
    seed, train, data
        See `common.grading.desk.Way`.
    progress : bool
    only : str, optional
        Judge this exercise again, with the check as it is now; the other marks stay.

    Returns
    -------
    list of dict
        One for each student; also written to `out` as ``marks.csv`` and pages.

    Raises
    ------
    FileNotFoundError
        If there is no submission.
    RuntimeError
        If the grader itself failed on some; the marks of the others are kept.
    """
    from common.grading.report import write_report

    way, out = Way(task_name, seed, train, data and str(data)), Path(out)
    todo, kept = find_submissions(submissions), Kept(out / "results", way)
    results = {} if only else {item.name: old for item in todo if (old := kept.fresh(item)) is not None}
    waiting = [item for item in todo if item.name not in results]
    failed = _grade_here(way, waiting, kept, results, min(jobs, len(waiting)), only, progress) if waiting else {}
    if failed:
        name, error = next(iter(failed.items()))
        raise RuntimeError(f"{len(failed)} of {len(todo)} submissions could not be graded ({', '.join(failed)}); the others' marks are kept, and the same "
                           f"command tries these again. {name}: {type(error).__name__}: {error}") from error
    answer = [results[item.name] for item in todo]
    write_report(out, task_of(task_name), answer)
    return answer


def _grade_here(way, waiting, kept, results, jobs, only, progress):
    """Grade on this machine; results are added to `results`, faults of the grader returned by name."""
    from tqdm.auto import tqdm

    failed, stopped = {}, threading.Event()
    with Desk(way) as desk:
        def one(item):
            old = kept.earlier(item) if only else None
            result = desk.grade(item, only if old else None, old)
            if result is not None and not stopped.is_set():
                kept.keep(item, result)
            return result

        pool = ThreadPoolExecutor(jobs)
        try:
            futures = {pool.submit(one, item): item.name for item in waiting}
            for future in tqdm(as_completed(futures), "submissions", len(futures), disable=not progress):
                if future.exception() is None:
                    results[futures[future]] = future.result()
                else:  # a fault of the grader; the others' marks do not wait for its being mended
                    failed[futures[future]] = future.exception()
        except BaseException:
            stopped.set()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            desk.close()
            pool.shutdown()
    return failed

"""Submissions graded on this machine, several at a time."""

from concurrent.futures import ThreadPoolExecutor, as_completed

from common.grading.desk import Desk


def grade_here(way, waiting, jobs=2):
    """Grade on this machine.

    Parameters
    ----------
    way : common.grading.desk.Way
    waiting : list of (common.grading.submissions.Submission, str or None, dict or None)
        With `only` and `old` of `common.grading.judging.Grader.grade`.
    jobs : int
        Submissions at a time.

    Yields
    ------
    submission, result, error
        As they come; either the result or the grader's own fault is None.
    """
    with Desk(way) as desk:
        pool = ThreadPoolExecutor(min(jobs, len(waiting)))
        try:
            futures = {pool.submit(desk.grade, *item): item[0] for item in waiting}
            for future in as_completed(futures):
                error = future.exception()
                yield futures[future], None if error else future.result(), error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            desk.close()
            pool.shutdown()

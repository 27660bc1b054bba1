"""Submissions graded on Dask's workers: sent out a few at a time, marks taken in as they come; a worker that dies costs its submission's time.

A worker needs the kit on its Python path, in the same version and with the same packages, and nothing of this machine's disk: notebook and weights travel with the
task. Whoever reaches a Dask scheduler can run anything on its workers: keep it in a network of your own, or speak ``tls://`` to it.
"""

import asyncio
import collections
import concurrent.futures
import contextlib
import json
import os
import queue
import threading
import time
from dataclasses import asdict

from common.commands.cluster import ClusterError, connected, expect_versions, same_versions
from common.commands.versions import versions
from common.files import remove_folder, temporary_folder
from common.grading.desk import Desk, Way
from common.grading.submissions import Submission

GIGABYTES = 4          # of memory for a worker: the reference's TensorFlow, and that of the sandbox
AHEAD = 2              # tasks sent to each thread of a worker: the next one waits there already when one is done
MOST_BYTES = 1 << 30   # of submissions on their way
_DESKS, _LOCK = {}, threading.Lock()


def worker_count(cores=None, memory=None):
    """As many workers as there are cores and memory for, at least one.

    Parameters
    ----------
    cores : int, optional
    memory : int, optional
        Bytes. By default what this machine has.

    Examples
    --------
    >>> worker_count(64, 40 << 30)
    10
    """
    if memory is None:
        import psutil

        memory = psutil.virtual_memory().total
    if cores is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(min(cores, memory // (GIGABYTES << 30)), 1)


def grade_there(theirs, way, name, files, only=None, old=None):
    """One submission, on a worker: as `common.grading.desk.Desk.grade`, from bytes to JSON.

    Parameters
    ----------
    theirs : dict
        `common.commands.versions.versions` of the machine that asks.
    way : dict
        Fields of `common.grading.desk.Way`.
    name : str
    files : list of (str, bytes)
        The notebook, and weights if there are any.
    only, old
        See `common.grading.judging.Grader.grade`.

    Returns
    -------
    str
        JSON.
    """
    expect_versions(theirs)
    key = json.dumps(way, sort_keys=True)
    with _LOCK:
        if key not in _DESKS:  # the fresh data and the kit's copy serve for all submissions
            for desk in _DESKS.values():
                desk.close()
            _DESKS.clear()
            _DESKS[key] = Desk(Way(**way), first_slot=8 * (os.getpid() % 400))  # several workers of one machine must not meet
        desk = _DESKS[key]
    folder = temporary_folder("submission-")
    try:
        paths = [folder / file for file, _ in files]
        for path, (_, data) in zip(paths, files):
            path.write_bytes(data)
        return json.dumps(desk.grade(Submission(name, paths[0], tuple(paths[1:])), only, old))
    finally:
        remove_folder(folder)


def run_on(client, items, send, patience=30):
    """Run tasks on a cluster, a few ahead of what its workers can take, and yield what they answer as it comes.

    Parameters
    ----------
    client : distributed.Client
    items : list
    send : callable
        ``send(item)`` makes ``(function, arguments, bytes)``: what a worker calls, and how much travels.
    patience : float
        Seconds for which the scheduler may be away, as when the network fails.

    Yields
    ------
    item, answer, error
        Each item once; either the answer or the error is None.

    Raises
    ------
    ClusterError
        If the scheduler is lost; what was yielded before holds.
    """
    waiting, away, heavy, answered = collections.deque(items), {}, 0, 0
    done, tries, threads, looked, seen = queue.SimpleQueue(), collections.Counter(), 0, -1e9, time.monotonic()
    try:
        while answered < len(items):
            now = time.monotonic()
            if client.status == "running":
                if now - looked > 1:
                    threads, looked = _threads(client) or threads, now
                seen = now
            elif client.status == "closed" or now - seen > patience:
                raise ClusterError(f"the scheduler is gone; {answered} of {len(items)} came back")
            while client.status == "running" and waiting and len(away) < AHEAD * threads and (heavy < MOST_BYTES or not away):
                item = waiting.popleft()
                try:
                    function, arguments, size = send(item)
                except OSError as error:  # its file has gone meanwhile
                    answered += 1
                    yield item, None, error
                    continue
                future = client.submit(function, *arguments, pure=False)
                away[future] = item, size
                heavy += size
                future.add_done_callback(done.put)
            for future, answer, error in _answers(client, _drained(done, 0.1)):
                item, size = away.pop(future)
                heavy -= size
                tries[id(item)] += 1
                if _went(error) and tries[id(item)] < 5:
                    waiting.appendleft(item)  # it went with a scheduler; once more when there is one again
                    continue
                answered += 1
                yield item, answer, error
    finally:
        if away and client.status == "running":
            with contextlib.suppress(Exception):
                client.cancel(list(away))


def _went(error):
    """Has the answer gone with its scheduler, so that nothing is known of the submission?"""
    return isinstance(error, (asyncio.CancelledError, concurrent.futures.CancelledError))


def _threads(client):
    try:
        return sum(client.nthreads().values())
    except (OSError, TimeoutError, ValueError, RuntimeError):
        return 0


def _drained(done, seconds):
    """What has come meanwhile; waits a little for the first."""
    batch = []
    with contextlib.suppress(queue.Empty):
        batch.append(done.get(timeout=seconds))
        while True:
            batch.append(done.get_nowait())
    return batch


def _answers(client, futures):
    """(future, answer, error) of what is done; together where all goes well, for that is one question instead of many."""
    fine = [f for f in futures if f.status == "finished"]
    try:
        answers = dict(zip(fine, client.gather(fine, asynchronous=False))) if fine else {}
    except (Exception, asyncio.CancelledError):  # a worker has died with an answer; each is asked by itself
        answers = {}
    for future in futures:
        if future in answers:
            yield future, answers[future], None
            continue
        try:
            yield future, future.result(timeout=600), None
        except (Exception, asyncio.CancelledError) as error:
            yield future, None, error


def grade_on_cluster(way, waiting, address="local", workers=None):
    """As `common.grading.machines.threads.grade_here`, on the workers of a Dask cluster.

    Parameters
    ----------
    way : common.grading.desk.Way
    waiting : list of (common.grading.submissions.Submission, str or None, dict or None)
    address : str
        See `common.commands.cluster.connected`.
    workers : int, optional
        On this machine; by default `worker_count`.

    Yields
    ------
    submission, result, error

    Raises
    ------
    ClusterError
    """
    def send(item):
        submission, only, old = item
        files = [(path.name, path.read_bytes()) for path in (submission.notebook, *submission.weights)]
        return grade_there, (versions(), asdict(way), submission.name, files, only, old), sum(len(data) for _, data in files)

    with connected(address, workers or worker_count()) as client:
        import dask

        dask.config.set({"distributed.admin.large-graph-warning-threshold": "2GB"})  # weights are what travels here
        same_versions(client)
        for (submission, _, _), answer, error in run_on(client, waiting, send):
            yield submission, None if answer is None else json.loads(answer), error

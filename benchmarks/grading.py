"""How grading grows with workers: ``python benchmarks/grading.py sleeping`` and ``python benchmarks/grading.py graded SUBMISSIONS``.

``sleeping`` schedules stand-ins that sleep as long as a submission takes to be graded, over up to 64 workers on this machine. Its efficiency is
the time slept, divided by the number of workers and the time that all took from the first one sent to the last answer. They are sent in a random order,
or with ``--known`` as the grader sends them, the longest first by what is known of them. ``graded`` grades a
folder of submissions on 1, 2 and 4 workers, from the first notebook to ``marks.csv``, with the workers' start and their fresh data.
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from common.grading.machines.cluster import run_on


def sleep(number, seconds, pid=None):
    """Stand in for grading."""
    time.sleep(seconds)
    return number


def durations(number, mean, seed):
    """Seconds of made-up gradings: most a little under the mean, some three times it, as a class has them."""
    drawn = np.random.default_rng(seed).lognormal(0, 0.35, number)
    return drawn * mean / drawn.mean()


def ordered(items, known, seed):
    """The longest first, by an estimate that is off by a factor with this standard deviation of its logarithm; as they are where None."""
    if known is None:
        return items
    off = np.random.default_rng([seed, 1]).lognormal(0, known, len(items))
    return [item for item, _ in sorted(zip(items, off), key=lambda pair: pair[0][1] * pair[1], reverse=True)]


def sleeping(workers, number, mean, seed, processes, kills=0, known=None):
    """Schedule the stand-ins.

    Returns
    -------
    dict
    """
    import dask
    from distributed import Client, LocalCluster

    # 64 workers that look at themselves a hundred times a second are 64 machines' work, and this is one
    dask.config.set({"distributed.worker.profile.enabled": False, "distributed.admin.system-monitor.interval": "10s"})
    place = {"host": "127.0.0.1"} if processes else {}
    began = time.perf_counter()
    with LocalCluster(n_workers=workers, threads_per_worker=1, processes=processes, dashboard_address=None, memory_limit=0, silence_logs=50,
                      **place) as cluster:
        with Client(cluster, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=600)
            ready, cpu = time.perf_counter(), time.process_time()
            items = ordered(list(enumerate(durations(number, mean, seed))), known, seed)
            stop = threading.Event()
            killer = threading.Thread(target=_kill, args=(client, kills, number * mean / workers, stop))
            killer.start()
            answers = [(item[0], answer, error) for item, answer, error in run_on(client, items, lambda item: (sleep, item, 100))]
            seconds, cpu = time.perf_counter() - ready, time.process_time() - cpu
            stop.set()
            killer.join()
    slept = float(sum(s for _, s in items))
    once = sorted(a for _, a, e in answers if e is None) == list(range(number))
    return {"workers": workers, "submissions": number, "known": str(known), "start": ready - began, "seconds": seconds, "efficiency": slept / workers / seconds,
            "processor": cpu, "each once": once}


def _kill(client, kills, seconds, stop):
    """Kill a worker now and then; Dask starts another one."""
    for _ in range(kills):
        if stop.wait(seconds / (kills + 1)):
            return
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)


def graded(task, submissions, workers):
    """Grade a class on a cluster of its own; seconds, and the marks."""
    from common.grading.whole_class import grade_class

    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        results = grade_class(task, submissions, out, jobs=workers, cluster="local", progress=False)
        return {"workers": workers, "submissions": len(results), "seconds": time.perf_counter() - began}, {r["student"]: r["total"] for r in results}


def _say(row):
    print("  ".join(f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}" for name, value in row.items()), flush=True)


def main():
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("sleeping", "graded"))
    parser.add_argument("submissions", nargs="?", help="folder, for `graded`")
    parser.add_argument("--task", default="RegionDetector")
    parser.add_argument("--workers", type=int, nargs="+", help="1 2 4, or 1 to 64 for the sleeping ones")
    parser.add_argument("--number", type=int, default=1000, help="of stand-ins, on the largest number of workers; fewer get fewer")
    parser.add_argument("--mean", type=float, default=20, help="seconds of a stand-in: about what grading takes on one core")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", action="store_true", help="a process for each worker, as in real grading; by default threads in one")
    parser.add_argument("--known", type=float, help="how far off the seconds are that are known beforehand: 0.2 is a fifth; by default nothing is known")
    parser.add_argument("--kills", type=int, default=0, help="workers that are killed during the work (needs --processes)")
    given = parser.parse_args()
    if given.what == "sleeping":
        most = max(given.workers or (64,))
        for workers in given.workers or (1, 2, 4, 8, 16, 32, 64):
            _say(sleeping(workers, max(given.number * workers // most, 1), given.mean, given.seed, given.processes, given.kills, given.known))
        return
    before = None
    for workers in given.workers or (1, 2, 4):
        row, marks = graded(given.task, given.submissions, workers)
        _say({**row, "same marks": before in (None, marks)})
        before = marks


if __name__ == "__main__":
    main()

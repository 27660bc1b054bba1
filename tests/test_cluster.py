"""Grading on Dask: killed workers, a lost scheduler, a second run; nothing lost, no marks twice, the same marks as on one machine."""

import collections
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from coursework import answer, code_notebook, hand_in

from common.commands.cluster import ClusterError, _answer, connected, same_versions, shared_out
from common.commands.versions import versions
from common.grading.desk import Way
from common.grading.machines import cluster
from common.grading.submissions import take_in
from common.grading.tasks import ROOT
from RegionDetector.exercises import TASK

distributed = pytest.importorskip("distributed", reason="Dask is an extra: pip install -r requirements-cluster.lock")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals to processes")


def nap(folder, number, seconds):
    """Stand in for grading: sleep; every start is noted in the folder."""
    with open(Path(folder) / f"{number}", "a") as file:
        file.write("x")
    time.sleep(seconds)
    return number


def fall(folder, number, seconds):
    """A submission that takes its worker along, whoever gets it."""
    nap(folder, number, 0)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def client(tmp_path):
    (tmp_path / "starts").mkdir()
    with distributed.LocalCluster(n_workers=3, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None, silence_logs=50) as local:
        with distributed.Client(local, set_as_default=False) as client:
            yield client


def tasks(folder, items, function=nap):
    return lambda item: (function, (str(folder), *item), 10)


def test_workers_are_killed_and_nothing_is_lost(client, tmp_path):
    """Three times during the work a worker is killed: what it did is done again, and every answer comes once."""
    items = [(k, 0.3) for k in range(40)]
    stop = threading.Event()

    def kill():
        for _ in range(3):
            if stop.wait(1):
                return
            pids = client.run(os.getpid)
            os.kill(next(iter(pids.values())), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    answers = list(cluster.run_on(client, items, tasks(tmp_path / "starts", items)))
    stop.set()
    killer.join()
    assert collections.Counter(item[0] for item, _, _ in answers) == collections.Counter(range(40))
    assert all(error is None and answer == item[0] for item, answer, error in answers)


def test_a_submission_that_kills_every_worker_costs_nobody_else(client, tmp_path):
    items = [(k, 0.05) for k in range(12)]

    def send(item):
        return (fall if item[0] == 5 else nap), (str(tmp_path / "starts"), *item), 10

    answers = {item[0]: error for item, _, error in cluster.run_on(client, items, send)}
    assert type(answers.pop(5)).__name__ == "KilledWorker" and set(answers.values()) == {None} and len(answers) == 11


def test_files_that_vanish_and_faults_cost_their_own(client, tmp_path):
    def send(item):
        if item[0] == 1:
            raise FileNotFoundError("gone")
        return (json.loads, ("{",), 1) if item[0] == 2 else (nap, (str(tmp_path / "starts"), *item), 10)

    answers = {item[0]: (answer, type(error).__name__) for item, answer, error in cluster.run_on(client, [(k, 0) for k in range(4)], send)}
    assert answers == {0: (0, "NoneType"), 1: (None, "FileNotFoundError"), 2: (None, "JSONDecodeError"), 3: (3, "NoneType")}


def start(*arguments, **more):
    return subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_scheduler" if arguments[0] == "scheduler" else "distributed.cli.dask_worker", *arguments[1:]],
                            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)


@pytest.fixture
def running():
    """Processes of a cluster; all are ended afterwards."""
    found = []
    yield found
    for process in found:
        process.kill()
        process.wait()


def free_port():
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_the_scheduler_is_lost_and_the_next_run_goes_on(tmp_path, running):
    """What had come is kept; what had not comes in the second run; each once."""
    address = f"tcp://127.0.0.1:{free_port()}"
    (tmp_path / "starts").mkdir()

    def cluster_of_two():
        running.append(start("scheduler", "--host", "127.0.0.1", "--port", address.rsplit(":", 1)[1], "--no-dashboard"))
        running.extend(start("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path)) for _ in range(2))

    items, kept = [(k, 0.3) for k in range(30)], {}
    cluster_of_two()
    with pytest.raises(ClusterError, match="the scheduler is gone; .* of 30 came back"):
        with connected(address) as client:
            for item, answer, error in cluster.run_on(client, items, tasks(tmp_path / "starts", items), patience=3):
                assert error is None and item[0] not in kept
                kept[item[0]] = answer
                if len(kept) == 8:
                    running[0].kill()
    assert 8 <= len(kept) < 30
    left = [item for item in items if item[0] not in kept]
    before = {k: (tmp_path / "starts" / str(k)).read_text() for k in kept}
    cluster_of_two()
    with connected(address) as client:
        for item, answer, error in cluster.run_on(client, left, tasks(tmp_path / "starts", left)):
            assert error is None and item[0] not in kept
            kept[item[0]] = answer
    assert kept == {k: k for k in range(30)} and {k: (tmp_path / "starts" / str(k)).read_text() for k in before} == before


def test_no_workers_or_those_of_another_kit(tmp_path, running, monkeypatch, capsys):
    monkeypatch.setattr("common.commands.cluster.LOOKING", 0.1)
    address = f"tcp://127.0.0.1:{free_port()}"
    running.append(start("scheduler", "--host", "127.0.0.1", "--port", address.rsplit(":", 1)[1], "--no-dashboard"))
    with connected(address) as client:
        with pytest.raises(ClusterError, match=f"{address} has no workers"):
            same_versions(client, patience=2)
        assert capsys.readouterr().err.count(f"the scheduler at {address} has no worker; going on") == 1  # where the last one dies as well
        running.append(start("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path)))
        same_versions(client)
        monkeypatch.setattr("common.commands.versions.version_of", lambda name: "0.1")
        versions.cache_clear()
        try:
            with pytest.raises(ClusterError, match=r"1 of 1 workers may give other answers: tcp://.* has .*keras \S+ \(here 0.1\)"):
                same_versions(client)
            with pytest.raises(ClusterError, match="1 of 1 workers may give other answers"):  # of photos as of marks
                list(shared_out(address, "RegionDetector.commands.finding")([(tmp_path / "a.jpg", "a.jpg")], None))
            with pytest.raises(ClusterError, match="of another version than the machine that asks, which has .*keras 0.1"):  # one that came later
                client.submit(_answer, [], "work", dict(versions()), None, "json", {}, None, "a.jpg", "a.jpg").result()
        finally:
            versions.cache_clear()
        running[-1].send_signal(signal.SIGSTOP)
        same_versions(client, patience=1)  # who hangs holds nobody up


@pytest.mark.parametrize("cores, gigabytes, workers", [(2, 8, 2), (64, 40, 10), (1, 1, 1), (16, 128, 16)])
def test_as_many_workers_as_there_are_cores_and_memory_for(cores, gigabytes, workers):
    assert cluster.worker_count(cores, gigabytes << 30) == workers


def test_a_worker_with_another_kit_refuses():
    with pytest.raises(ClusterError, match="which has the kit of yesterday"):
        cluster.grade_there({**versions(), "the kit": "of yesterday"}, {"task": "RegionDetector"}, "anna", [])


@pytest.mark.slow
def test_the_same_marks_as_on_one_machine(tmp_path):
    """A small class by the command, in threads and on two workers."""
    for name, cells in (("anna", [answer(TASK.by_name["get_threshold"])]), ("ben", ["def get_threshold(t, r):\n    return 1"]), ("carl", [])):
        hand_in(tmp_path / "in", name, code_notebook(cells))
    tables = []
    for more in ((), ("--cluster", "--jobs", "2")):
        out = tmp_path / f"out{len(more)}"
        subprocess.run([sys.executable, "-m", "common.grading", "--task", "RegionDetector", "--submissions", str(tmp_path / "in"), "--out", str(out), *more],
                       cwd=ROOT, check=True, timeout=900)
        tables.append((out / "marks.csv").read_text())
    assert tables[0] == tables[1] and "anna,0" in tables[0]
    assert len(take_in(tmp_path / "in").submissions) == 3 and Way("RegionDetector").seed == 2026

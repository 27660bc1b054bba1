"""Work shared out by Dask: the same answers, a killed worker costs nothing, a lost scheduler loses nothing."""

import json
import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

distributed = pytest.importorskip("distributed", reason="Dask is an extra: requirements-cluster.lock")

from common.commands.cluster import ClusterError, _go_to, connected, shared_out
from common.commands.inputs import find_inputs
from common.commands.run import Answers, answer_all, one_by_one
from common.commands.stops import Stops

STAND_IN = """
import os, time

def asker(gift=b"", slow=0.0, stands=False):
    def ask(file, name, check):
        time.sleep(slow)
        if "poison" in file.stem:
            os.abort()
        if file.stem == "7":
            raise OSError(f"{file}: damaged")
        return {"name": name, "length": len(gift), "square": int(file.stem) ** 2, **({"pid": os.getpid()} if slow else {}), **({"there": file.exists()} if stands else {})}
    return ask
"""
ANSWERS = Answers("file", "photos", lambda answer: f"{answer['file']}: {answer['square']}", ("file",), lambda answer: [answer])


@pytest.fixture
def archive(tmp_path, monkeypatch):
    (tmp_path / "stand_in_for_workers.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "photos").mkdir()
    for number in range(24):
        (tmp_path / "photos" / f"{number}.jpg").touch()
    return tmp_path


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def run(archive, ask, name):
    options = SimpleNamespace(out=archive / name)
    with Stops() as stops:
        code = answer_all(find_inputs([archive / "photos"], {".jpg"}), ask, ANSWERS, options, {}, stops)
    return code, {answer["file"]: answer for answer in lines(archive / name)}


def test_the_same_answers_as_here_though_a_worker_is_killed(archive):
    import stand_in_for_workers

    ask, killed = shared_out("local", "stand_in_for_workers", lambda: b"gallery", slow=0.05), []

    def with_a_murder(todo, stops):
        for count, (file, answer) in enumerate(ask(todo, stops)):
            pid = answer.pop("pid", None)
            if count > 4 and pid and not killed:
                killed.append(pid)
                os.kill(pid, signal.SIGKILL)
            yield file, answer

    code, there = run(archive, with_a_murder, "there.jsonl")
    assert killed and code == 1 and len(lines(archive / "there.jsonl")) == 24
    _, here = run(archive, one_by_one(lambda: stand_in_for_workers.asker(b"gallery")), "here.jsonl")
    assert there == here and "damaged" in there[str(archive / "photos" / "7.jpg")]["error"]


def test_names_mean_what_they_mean_here(archive, monkeypatch):
    """Workers were started elsewhere, perhaps where a photo of the same name lies."""
    monkeypatch.chdir(archive)
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None) as cluster:
        monkeypatch.chdir(archive / "photos")
        ask = shared_out(cluster.scheduler_address, "stand_in_for_workers", stands=True)
        assert [answer.get("there") for _, answer in ask([(Path("3.jpg"), "3")], SimpleNamespace(held=nullcontext))] == [True]
    with pytest.raises(ClusterError, match="it does not see .*name photos and folders by whole paths"):
        _go_to(archive / "nowhere")


def test_a_file_that_kills_its_workers_costs_one_answer(archive):
    """Dask suspects whatever else the worker had in hand as well."""
    poison = archive / "photos" / "12 poison.jpg"
    poison.touch()
    import dask

    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):  # instead of 3, to be done sooner
        code, answers = run(archive, shared_out("local", "stand_in_for_workers", lambda: b"gallery", slow=0.05), "out.jsonl")
    errors = {file: answer["error"] for file, answer in answers.items() if "error" in answer}
    assert code == 1 and len(answers) == 25 and set(errors) == {str(poison), str(archive / "photos" / "7.jpg")}
    assert "every worker that looked at it died" in errors[str(poison)]


def test_a_lost_scheduler_loses_no_answer(archive, capsys):
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None) as cluster:
        ask = shared_out(cluster.scheduler_address, "stand_in_for_workers", slow=0.05)

        def until_it_is_lost(todo, stops):
            for count, each in enumerate(ask(todo, stops)):
                if count == 5:
                    cluster.close()
                yield each

        code, before = run(archive, until_it_is_lost, "out.jsonl")
    assert code == 2 and 5 < len(before) < 24 and "the same command goes on from there" in capsys.readouterr().err
    assert run(archive, shared_out("local", "stand_in_for_workers"), "out.jsonl")[0] == 1
    assert len(lines(archive / "out.jsonl")) == 24


def test_what_is_wrong_is_said(monkeypatch):
    with pytest.raises(ClusterError, match="tcp://127.0.0.1:1.*no scheduler answers"), connected("tcp://127.0.0.1:1", patience=1):
        pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match="requirements-cluster.lock"), connected():
        pass

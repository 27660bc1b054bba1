"""A grader that is root: its submissions are nobody, and see nothing but Python and their own folder."""

import os
import sys
from pathlib import Path

import pytest
from coursework import ROOT, code_notebook, hand_in

from common.grading import private_root
from common.grading.notebook_source import collect
from common.grading.whole_class import grade_class

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0 or not sys.platform.startswith("linux"), reason="this is about a grader that is root, on Linux")

# Tries everything, below Python as well, and tells what went through
SPY = """
import ctypes, glob, os, socket, sys

def opens(path):
    c = ctypes.CDLL(None)
    below = c.open(path.encode(), 0)
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1)
        return True
    except OSError:
        return below >= 0

def lets(attempt):
    try:
        attempt()
        return True
    except BaseException:
        return False

def writes(path):
    return ctypes.CDLL(None).open(path.encode(), os.O_CREAT | os.O_WRONLY, 0o600) >= 0

def talks():
    c = ctypes.CDLL(None)
    return any(c.socket(kind, 1, 0) >= 0 for kind in (1, 2, 10)) or lets(lambda: socket.create_connection(("127.0.0.1", 22), 1)) or lets(
        lambda: socket.socket(socket.AF_UNIX).connect("/run/docker.sock"))

def sees_others():
    return any(opens(f"/proc/{n}/environ") for n in range(1, 400) if n != os.getpid()) or lets(lambda: [os.kill(n, 0) for n in range(2, 400) if n not in (os.getpid(), 1)])

def in_a_child(attempt):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, b"1" if attempt() else b"0")
        os._exit(0)
    return os.read(reader, 1) == b"1"

def answers():
    import RegionDetector.detector as d, RegionDetector.samples as s
    return hasattr(s, "gen_negative_bbox") or hasattr(d, "detect") or "RegionDetector.hard_negatives" in sys.modules or lets(lambda: __import__("RegionDetector.hard_negatives"))

def spy(secrets):
    found = [p for p in secrets if opens(p)] + [f"{p} in a child" for p in secrets if in_a_child(lambda: opens(p))]
    found += [p for p in ("/tmp/left", "/etc/left", "/left") if writes(p)]
    found += [f.__name__ for f in (talks, sees_others, answers) if f()]
    return found + ["root"] * (os.getuid() == 0) + ["root again"] * lets(lambda: os.setuid(0)) + ["mounts"] * (ctypes.CDLL(None).mount(b"none", b"/", b"tmpfs", 0, None) == 0)
"""


@pytest.fixture
def wanted(tmp_path):
    """What a submission would like to read."""
    shared = Path("/dev/shm") / f"of-the-grader-{os.getpid()}"
    shared.write_text("secret")
    shared.chmod(0o644)
    (tmp_path / "in").mkdir()
    other = hand_in(tmp_path / "in", "other", code_notebook([]))
    for path in (tmp_path, *tmp_path.parents):  # what everybody may read is out of reach as well
        if path.name.startswith("pytest") or path == tmp_path:
            path.chmod(0o755)
    yield [str(p) for p in ("/etc/shadow", "/etc/gshadow", "/etc/ssh", "/root", "/home", shared, "/proc/1/environ", "/", "/var", "/run", other, other.parent, ROOT,
                             ROOT / "RegionDetector" / "samples.py", ROOT / "RegionDetector" / "hard_negatives.py", os.path.expanduser("~"))]
    shared.unlink()


def seen(sandbox, wanted):
    session = sandbox.open(20)
    try:
        session.request("load", statements=collect([SPY]).statements, stand_ins=[], pylab=False, seed=1)
        return session.request("call", target="spy", args=[wanted], kwargs={})
    finally:
        session.close()


def test_a_spy_sees_nothing(sandbox, wanted):
    assert [p for p in wanted if os.path.exists(p)], "there is nothing to be seen here"
    found = seen(sandbox, wanted)
    if not sandbox.as_user:
        pytest.skip("this system lets root become nobody else where Python lies in a folder of root's, as it allows no mounts")
    assert found == []


def test_where_nothing_may_be_mounted_the_kernel_still_refuses_files(sandbox, wanted):
    """As in a container without CAP_SYS_ADMIN: Landlock alone, for a root without a right of root's."""
    seen(sandbox, [])  # now it knows what it may
    before = sandbox.as_user, sandbox.in_a_tree
    sandbox.as_user = sandbox.in_a_tree = False
    try:
        found = seen(sandbox, wanted)
    finally:
        sandbox.as_user, sandbox.in_a_tree = before
    assert set(found) <= {"root", "root again"}  # in name, without a right of root's


def test_honest_programs_find_what_they_need(sandbox):
    """Libraries, letters, certificates, time zones, their own process, their own name."""
    text = """
def f():
    import mimetypes, os, pwd, ssl, time, zoneinfo
    import matplotlib.pyplot as plt
    from concurrent.futures import ThreadPoolExecutor
    plt.figure(); plt.text(0, 0, "x"); plt.savefig("figure.png")
    mimetypes.init(); time.tzset()
    return [os.path.getsize("figure.png") > 1000, len(ssl.get_default_verify_paths()) > 0, str(zoneinfo.ZoneInfo("Europe/Berlin")), list(ThreadPoolExecutor(2).map(abs, [-1, 2])),
            len(open("/proc/self/maps").read()) > 100, os.cpu_count() > 0, os.path.exists(os.path.expanduser("~")), os.urandom(4) != os.urandom(4), pwd.getpwall()[0].pw_dir]
"""
    session = sandbox.open(60)
    try:
        session.request("load", statements=collect([text]).statements, stand_ins=[], pylab=False, seed=1)
        answer = session.request("call", target="f", args=[], kwargs={})
    finally:
        session.close()
    assert answer[:8] == [True, True, "Europe/Berlin", [1, 2], True, True, True, True]
    if sandbox.in_a_tree:
        assert answer[8] == "/"
        session = sandbox.open(20)
        session.request("load", statements=["def f():\n    from multiprocessing.pool import ThreadPool\n    return ThreadPool(2).map(abs, [-3])"], stand_ins=[], pylab=False, seed=1)
        assert session.request("call", target="f", args=[], kwargs={}) == [3]
        session.close()


def test_every_path_is_reached_without_a_link_above_it(tmp_path):
    """What is bound into the new tree must not be followed out of it."""
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "again").symlink_to("deep")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    assert list(private_root.spelled(tmp_path / "link" / "again")) == [str(tmp_path / n) for n in ("link", "real/again", "real/deep")]
    assert list(private_root.spelled(tmp_path / "real")) == [str(tmp_path / "real")]
    assert str(tmp_path / "round") in list(private_root.spelled(tmp_path / "round"))
def test_a_spy_is_graded_and_its_neighbours_too(tmp_path, wanted):
    """From the command down: the spy's own page says what it found."""
    spy = [SPY, f"def get_threshold(thresholds, recall):\n    found = spy({wanted!r})\n    raise RuntimeError('seen: ' + (', '.join(found) or 'nothing'))"]
    hand_in(tmp_path / "in", "spy", code_notebook(spy))
    results = {r["student"]: r for r in grade_class("RegionDetector", tmp_path / "in", tmp_path / "out", progress=False)}
    message, = [row["message"] for row in results["spy"]["rows"] if row["name"] == "get_threshold"]
    assert "seen: " in message
    assert "seen: nothing" in message or "seen: root (" in message, message
    assert results["spy"]["total"] == results["other"]["total"] == 0



"""The container keeps a student's work, starts as any user, and holds no more than the kit."""

import http.server
import importlib.util
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
START = ROOT / "docker" / "start.py"


@pytest.fixture(scope="module")
def start():
    spec = importlib.util.spec_from_file_location("start", START)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def kit(tmp_path):
    kit = tmp_path / "kit"
    for name in ("README.md", "RegionDetector/Face_Detection.ipynb", "common/boxes.py", "docker/start.py", "common/__pycache__/x.pyc", ".gitignore"):
        (kit / name).parent.mkdir(parents=True, exist_ok=True)
        (kit / name).write_text(f"new {name}")
    return kit


def test_a_students_work_is_never_written_over(start, kit, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    assert start.copy_missing(kit, work) == 3
    assert sorted(path.relative_to(work).as_posix() for path in work.rglob("*") if path.is_file()) == [
        "README.md", "RegionDetector/Face_Detection.ipynb", "common/boxes.py"]
    (work / "RegionDetector" / "Face_Detection.ipynb").write_text("solved")
    (work / "README.md").unlink()
    assert start.copy_missing(kit, work) == 1
    assert (work / "RegionDetector" / "Face_Detection.ipynb").read_text() == "solved"
    assert (work / "README.md").read_text() == "new README.md"


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root can write everywhere, and Windows has no user numbers")
def test_a_folder_that_is_not_ones_own_is_explained(tmp_path):
    (tmp_path / "work").mkdir(mode=0o500)
    run = subprocess.run([sys.executable, START], env={**os.environ, "KIT_WORK": str(tmp_path / "work")}, capture_output=True, text=True)
    assert run.returncode == 1 and '--user "$(id -u):$(id -g)"' in run.stderr


def test_health_is_whether_jupyter_answers(start):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/api" else 404)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert start.healthy(server.server_address[1]) == 0
        server.shutdown()
    assert start.healthy(9) == 1


def test_the_image_is_pinned_not_root_and_has_its_token():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    base = re.search(r"^ARG BASE=(\S+)$", text, re.MULTILINE)[1]
    assert re.search(r":.*\d{8}", base), "the base is pinned by its date"
    assert "--no-compile" in text and "--invalidation-mode unchecked-hash" in text, "the times of files do not survive the layers"
    assert text.count("--require-hashes") == 1 and "HEALTHCHECK" in text
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE)[-1] == "${UID}:${GID}"
    assert not re.search(r"token\s*=\s*['\"]?\s*['\"]|password", text + START.read_text(encoding="utf-8"), re.IGNORECASE)


def test_no_data_and_no_environment_go_into_the_image():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert {".git", ".venv", "**/data", "**/originalPics", "**/Face_Recognition_data"} <= set(ignored)

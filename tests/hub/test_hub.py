"""A real JupyterHub spawns what the image starts: docker/start.py with the command that a hub sends."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from committed import ROOT, committed

pytest.importorskip("jupyterhub", reason="JupyterHub is not installed: make test-hub")
PROGRAMS = Path(sys.executable).parent
TOKEN = "of-this-test-alone" * 2
CONFIGURATION = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port, c.JupyterHub.hub_ip = {hub_port}, "127.0.0.1"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.JupyterHub.authenticator_class, c.JupyterHub.spawner_class = "dummy", "simple"
c.Authenticator.allow_all = True
c.JupyterHub.db_url, c.JupyterHub.cookie_secret = "sqlite:///{home}/hub.sqlite", bytes(range(32))
c.JupyterHub.services = [{{"name": "test", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [{{"name": "test", "scopes": ["admin:users", "admin:servers", "access:servers"], "services": ["test"]}}]
c.SimpleLocalProcessSpawner.home_dir_template = "{home}/{{username}}"
c.Spawner.cmd = [{python!r}, {start!r}, "jupyterhub-singleuser"]
c.Spawner.environment = {{"KIT_WORK": "{home}/work", "PATH": {path!r}}}
c.Spawner.args = ["--allow-root"]
c.Spawner.start_timeout = c.Spawner.http_timeout = 240
"""


def free_ports(number):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """The kit as the image has it, under a path of its own."""
    kit = tmp_path_factory.mktemp("image") / "kit"
    for path in committed("common/*", "RegionDetector/*", "TrackDetector/*", "docker/*", "requirements.lock"):
        (kit / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, kit / path.relative_to(ROOT))
    return kit


@pytest.fixture(scope="module")
def hub(kit, tmp_path_factory):
    home = tmp_path_factory.mktemp("hub")
    (home / "work").mkdir()
    port, hub_port, proxy_port = free_ports(3)
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    (home / "config.py").write_text(CONFIGURATION.format(
        port=port, hub_port=hub_port, proxy_port=proxy_port, proxy=str(PROGRAMS / "configurable-http-proxy"), home=home, token=TOKEN,
        python=sys.executable, start=str(kit / "docker" / "start.py"), path=path))  # fmt: skip
    with open(home / "log.txt", "w") as log:
        process = subprocess.Popen([sys.executable, "-m", "jupyterhub", "-f", "config.py"], cwd=home, stdout=log, stderr=log, env={**os.environ, "PATH": path})
    asked = requests.Session()
    asked.headers["Authorization"], asked.trust_env = f"token {TOKEN}", False
    try:
        wait_for(lambda: asked.get(f"http://127.0.0.1:{port}/hub/api/"), home)
        yield asked, f"http://127.0.0.1:{port}", home
    finally:
        asked.delete(f"http://127.0.0.1:{port}/hub/api/users/ann/server")
        process.terminate()
        process.wait(60)


def wait_for(ask, home, seconds=300):
    for _ in range(seconds):
        try:
            answer = ask()
            if answer.ok:
                return answer
        except requests.ConnectionError:
            pass
        time.sleep(1)
    pytest.fail(f"no answer in {seconds} seconds:\n{(home / 'log.txt').read_text()[-4000:]}")


def test_a_student_is_given_a_server_with_the_kit_in_it(hub):
    asked, address, home = hub
    assert asked.post(f"{address}/hub/api/users/ann").status_code == 201
    assert asked.post(f"{address}/hub/api/users/ann/server").status_code in (201, 202), (home / "log.txt").read_text()[-4000:]
    wait_for(lambda: asked.get(f"{address}/user/ann/api/status"), home)
    listed = asked.get(f"{address}/user/ann/api/contents/RegionDetector").json()
    assert "Face_Detection.ipynb" in {each["name"] for each in listed["content"]}
    assert asked.get(f"{address}/user/ann/lab").ok
    kernel = asked.post(f"{address}/user/ann/api/kernels", json={"name": "python3"})
    assert kernel.status_code == 201, kernel.text
    assert (home / "work" / "RegionDetector" / "Face_Detection.ipynb").is_file() and "of the kit's files" in (home / "log.txt").read_text()


def test_without_the_hubs_leave_nobody_comes_in(hub):
    _, address, _ = hub
    answer = requests.get(f"{address}/user/ann/api/contents", allow_redirects=False)
    assert answer.status_code in (302, 403, 404) and "RegionDetector" not in answer.text

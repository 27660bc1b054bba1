"""What stands in fences on a page of documentation, run as a reader would run it: in a copy of the kit's folder, line by line."""

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from warm import warm_python

from common.grading.tasks import ROOT

_LINKED = ("Makefile", "LICENSE", "README.md", "common", "RegionDetector", "TrackDetector", "docs", "tests", "requirements.in", "requirements.lock",
           "requirements-cluster.lock", "environment.yml", "pyproject.toml")


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, and the line of the page on which it begins."""

    language: str
    text: str
    line: int


def blocks(page, language="sh"):
    """The fenced blocks of a page in one language.

    Parameters
    ----------
    page : path-like
    language : str

    Returns
    -------
    list of Block
    """
    text, found = Path(page).read_text(encoding="utf-8"), []
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S):
        found.append(Block(match[1], match[2], text[: match.start()].count("\n") + 1))
    return [block for block in found if block.language == language]


def workplace(folder, before=""):
    """A folder as a reader has it after cloning and setting up: the kit's files by links, ``python``, ``python3`` and ``.venv`` those of the tests.

    Parameters
    ----------
    folder : pathlib.Path
    before : str
        Python that runs in the kit's commands before they begin, as to stand in for what takes minutes.

    Returns
    -------
    callable
        ``run(block)`` runs a block of shell with bash, and raises with what was said if a line of it fails.
    """
    for name in _LINKED:
        (folder / name).symlink_to(ROOT / name)
    (folder / "kit.py").write_text((ROOT / "kit.py").read_text(encoding="utf-8"), encoding="utf-8")
    programs, venv = folder / "programs", folder / ".venv" / "bin"
    for place in (programs, venv):
        place.mkdir(parents=True)
    boot = folder / "boot.py"
    boot.write_text(f"import runpy, sys\n{before}\nsys.argv = sys.argv[2:]\nrunpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)\n", encoding="utf-8")
    module = '[ "$1" = -m ] && exec'
    for path, line in ((venv / "python", f'{module} {warm_python()} {boot} "$@"; exec {sys.executable} "$@"'),
                       (programs / "python", f'{module} {warm_python()} "$@"; exec {sys.executable} "$@"'), (programs / "python3", f'exec {sys.executable} "$@"')):
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)
    (folder / ".venv" / "installed-lock.sha256").write_text(hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest())

    def run(block):
        environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": f"{ROOT / 'tests'}"}
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block.text], cwd=folder, env=environment, capture_output=True, text=True, timeout=3600)
        assert done.returncode == 0, f"line {block.line}:\n{block.text}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout + done.stderr

    return run

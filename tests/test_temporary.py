"""A temporary folder is there while Python runs and gone afterwards, and no child process takes it away."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
import os
from common.temporary import temporary_folder
folder = temporary_folder("parrot-")
(folder / "inside").write_text("x")
if hasattr(os, "fork"):
    child = os.fork()
    if not child:
        raise SystemExit  # runs what is to be run at the end
    os.waitpid(child, 0)
print(folder, (folder / "inside").exists())
{end}
"""


@pytest.mark.parametrize("end", ["", "raise ValueError('in the middle')"])
def test_it_is_removed_at_the_end_by_who_made_it(tmp_path, end):
    place = {name: str(tmp_path) for name in ("TMPDIR", "TEMP", "TMP")}
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(end=end)], cwd=ROOT, env={**os.environ, **place}, capture_output=True, text=True)
    folder, there = done.stdout.split()
    assert Path(folder).name.startswith("parrot-") and Path(folder).parent == tmp_path, done.stderr
    assert there == "True", "a child that ends leaves it alone"
    assert not any(tmp_path.iterdir())

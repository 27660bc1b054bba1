"""dlib's weight file: read to the last byte, and refused politely when it is damaged or hostile."""

import ast
import codecs
import subprocess
from pathlib import Path

import numpy as np
import pytest
from committed import committed
from hypothesis import given, settings
from hypothesis import strategies as st
from warm import warm_command

from TrackDetector.networks import dlib_weights
from TrackDetector.networks.dlib_weights import RESNET_FILE, DatError, _Reader, dlib_file, name_for_dlib, read_layers


@pytest.fixture(scope="module")
def whole():
    return dlib_file(RESNET_FILE).read_bytes()


def integer(value):
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63))
def test_integers(value):
    assert _Reader(integer(value), "x").integer() == value


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_floats(value):
    mantissa, exponent = np.frexp(np.float64(value))
    data = integer(int(mantissa * 2**53)) + integer(int(exponent) - 53)
    assert _Reader(data, "x").float() == value


def test_infinity_and_not_a_number():
    assert _Reader(integer(0) + integer(32000), "x").float() == np.inf
    assert _Reader(integer(0) + integer(32001), "x").float() == -np.inf
    assert np.isnan(_Reader(integer(0) + integer(32002), "x").float())


def test_the_network_has_the_layers_of_the_paper():
    mean, layers = read_layers(dlib_file(RESNET_FILE))
    np.testing.assert_allclose(mean, [122.782, 117.001, 104.298], atol=1e-3)
    kinds = [kind for kind, _ in layers]
    assert [kinds.count(kind) for kind in ("con_4", "affine_", "add_prev_", "max_pool_2", "fc_2")] == [29, 29, 14, 1, 1]
    assert layers[0][1]["kernel"].shape == (7, 7, 3, 32)
    assert layers[-1][1]["kernel"].shape == (256, 128)
    assert all(details["padding"] == (0 if details["stride"] == 2 else 1) for kind, details in layers if kind == "con_4")


@pytest.mark.parametrize("size", [0, 1, 2, 17, 100, 290, 320, 336, 10_000, 19_383, 22_000_000, -1])
def test_a_file_cut_short(tmp_path, whole, size):
    path = tmp_path / "cut.dat"
    path.write_bytes(whole[:size])
    with pytest.raises(DatError, match="cut.dat, byte"):
        read_layers(path)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 255)), min_size=1, max_size=5))
def test_damage_raises_nothing_but_the_one_error(tmp_path_factory, whole, changes):
    data = bytearray(whole[:60_000])
    for place, byte in changes:
        if place < len(data):
            data[place] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.dat"
    path.write_bytes(data)
    with pytest.raises(DatError):
        read_layers(path)


def test_a_tensor_that_claims_to_be_huge(tmp_path, whole):
    at = whole.index(b"con_4") + 5
    assert whole[at : at + 5] == b"\x01\x02\x02\x80\x12"
    for claim in (integer(2**62), integer(-5), integer(2**24) + integer(2**24)[0:0]):
        path = tmp_path / "huge.dat"
        path.write_bytes(whole[: at + 2] + claim + whole[at + 5 :])
        with pytest.raises(DatError):
            read_layers(path)


def test_weights_that_are_not_numbers(tmp_path, whole):
    at = whole.index(b"con_4") + 16
    path = tmp_path / "nan.dat"
    path.write_bytes(whole[:at] + np.full(4, np.nan, "<f4").tobytes() + whole[at + 16 :])
    with pytest.raises(DatError, match="finite"):
        read_layers(path)


def test_another_model_of_dlib_is_refused():
    with pytest.raises(DatError, match="expected"):
        read_layers(dlib_file("shape_predictor_5_face_landmarks.dat"))


def test_missing_files():
    with pytest.raises(FileNotFoundError, match="nowhere.dat"):
        read_layers("nowhere.dat")
    with pytest.raises(FileNotFoundError, match="requirements.lock"):
        dlib_file("no_such_model.dat")


def test_the_package_is_not_imported():

    code = "import sys; from TrackDetector.networks.dlib_weights import *; dlib_file(RESNET_FILE); print('face_recognition_models' in sys.modules)"
    assert subprocess.run(warm_command("-c", code), capture_output=True, text=True).stdout.strip() == "False"


def test_landmarks_are_found_where_the_courses_files_have_been_lent():
    """In grading `dlib.shape_predictor` is a function that finds them; the kit's own landmarks come from the class behind it."""
    code = "from TrackDetector.checks.course_files import provide; provide(); import numpy as np; from TrackDetector.alignment import find_landmarks; " \
           "print(find_landmarks(np.zeros((90, 90, 3), np.uint8), np.array([10, 10, 70, 70])).shape)"
    done = subprocess.run(warm_command("-c", code), capture_output=True, text=True, cwd=Path(__file__).resolve().parent.parent)
    assert done.stdout == "(5, 2)\n", done.stderr


@pytest.fixture
def western_windows(monkeypatch):
    """A Windows whose language has the letters of Western Europe, as far as names of files go."""
    def letters(name):
        return codecs.lookup("cp1252") if name == "mbcs" else None

    codecs.register(letters)
    monkeypatch.setattr(dlib_weights.sys, "platform", "win32")
    yield
    codecs.unregister(letters)


def test_names_of_files_for_dlib_are_in_the_letters_of_windows(western_windows, monkeypatch):
    """In a home such as C:\\Users\\Jörg it found none of its files: Python hands a name on in UTF-8."""
    monkeypatch.setattr(dlib_weights, "dlib_file", lambda name: Path("/Users/Jörg", name))
    assert name_for_dlib("x.dat").decode("cp1252") == str(Path("/Users/Jörg/x.dat"))
    monkeypatch.setattr(dlib_weights, "dlib_file", lambda name: Path("/Users/李明", name))
    with pytest.raises(OSError, match="'李', that are not of this Windows' language; move the kit"):
        name_for_dlib("x.dat")


def test_no_name_goes_to_dlib_or_opencv_as_it_is():
    """Both open a file by a name in the letters of the system's language; its bytes, or `name_for_dlib`, go to them."""
    calls = {f"{path.name}: {ast.unparse(node)}" for path in committed("common/*.py", "RegionDetector/*.py", "TrackDetector/*.py")
             for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)}  # fmt: skip
    assert not {call for call in calls if call.partition(": ")[2].startswith(("dlib.", "cv2.")) and "str(" in call}

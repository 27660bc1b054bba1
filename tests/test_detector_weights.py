"""Files of weights of the carried detector: damaged ones, those of others, those that were trained anew, and the kit's own."""

import hashlib

import numpy as np
import pytest

from common import inference
from common.detection import faces, network, refinement


def test_files_that_are_no_weights_are_refused_by_name(tmp_path, monkeypatch):
    with pytest.raises(OSError, match="gone.npz: no such file of weights"):
        network.load_detector(tmp_path / "gone.npz")
    for name, data in (("text.npz", b"no weights"), ("empty.npz", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(OSError, match=f"{name}: these are not weights"):
            network.load_detector(tmp_path / name)
    np.savez(tmp_path / "other.npz", something=np.zeros(3))
    with pytest.raises(OSError, match="other.npz: these are not weights"):
        network.load_detector(tmp_path / "other.npz")
    with np.load(network.WEIGHTS) as arrays:
        whole = dict(arrays)
    for name, changed, said in (("without.npz", {"conv_3/kernel": None}, "conv_3"), ("bare.npz", {"conv_7/bias": None}, "conv_7"), ("flat.npz", {"head/kernel": np.array(3)}, ""),
                                ("nan.npz", {"answer/bias": whole["answer/bias"] * np.nan}, "no numbers"), ("inf.npz", {"conv_4/scale": whole["conv_4/scale"] * np.inf}, "no numbers")):
        np.savez(tmp_path / name, **{key: array for key, array in (whole | changed).items() if array is not None})
        with pytest.raises(OSError, match=f"{name}: these are not weights .*{said}") as told:
            network.load_detector(tmp_path / name)
        assert "\n" not in str(told.value)
    with monkeypatch.context() as patched, pytest.raises(OSError, match="bomb.npz: these are not weights .*more than 3 MB"):
        patched.setattr(network, "_MOST_BYTES", 3 << 20)
        np.savez_compressed(tmp_path / "bomb.npz", **whole | {"more": np.zeros(1 << 19)})  # well-made, and much larger than its file
        network.load_detector(tmp_path / "bomb.npz")
    np.savez(tmp_path / "objects.npz", **{"head/kernel": np.array([{}], object)})
    with pytest.raises(OSError, match="objects.npz: these are not weights"):
        network.load_detector(tmp_path / "objects.npz")


class Whole(BaseException):
    """A damaged file was read to its end: what was changed is not looked at."""


def test_whatever_is_wrong_in_a_file_of_weights_is_said_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(network, "generate_detector", lambda **_: (_ for _ in ()).throw(Whole))
    whole, rng, refused = network.WEIGHTS.read_bytes(), np.random.default_rng(3), 0
    for number in range(60):
        data = bytearray(whole)
        for place in rng.integers(0, 200 if number % 2 else len(data), 3):
            data[place] ^= int(rng.integers(1, 256))
        (tmp_path / "a.npz").write_bytes(data)
        try:
            network.load_detector(tmp_path / "a.npz")
        except Whole:
            continue
        except OSError as error:
            assert "a.npz: these are not weights" in str(error) and "\n" not in str(error)
            refused += 1
    assert refused > 30


def test_weights_that_were_trained_anew_are_loaded_anew(tmp_path, monkeypatch):
    file = tmp_path / "mine.npz"
    for module, name in ((network, "load_detector"), (refinement, "load_refiner"), (inference, "compiled")):
        monkeypatch.setattr(module, name, lambda *_: object())
    file.write_bytes(b"old")
    first = faces.detector("kit", file)
    assert faces.detector("kit", file) is first
    file.write_bytes(b"trained for longer")
    assert faces.detector("kit", file) is not first


@pytest.mark.parametrize("weights", [network.WEIGHTS, refinement.WEIGHTS], ids=lambda file: file.name)
def test_the_card_is_that_of_the_weights(weights):
    card = (weights.parent / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(weights.read_bytes()).hexdigest() in card
    assert weights.stat().st_size < 1_000_000

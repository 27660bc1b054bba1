"""Films whose clock starts again or whose sound changes: recordings in pieces that were joined, cameras of all ages."""

import warnings

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_films import EVEN, meeting, write

from TrackDetector.films import copies
from TrackDetector.films.reading import Clock, Film


def heard(path):
    """Seconds of sound in a film; None without any."""
    with av.open(str(path)) as film:
        return sum(frame.samples for frame in film.decode(audio=0)) / film.streams.audio[0].rate if film.streams.audio else None


def copied(film, folder):
    target = folder / "copy.mp4"
    copies.write_film(film, target, lambda number, image: image)
    return Film(target), heard(target)


@pytest.mark.parametrize("layouts", [("stereo", "stereo"), ("stereo", "mono"), ("mono", "stereo", "mono")], ids=", ".join)
@pytest.mark.parametrize("suffix", ["ts", "mpg"])
def test_the_clock_of_joined_pieces_goes_on(tmp_path, suffix, layouts):
    pieces = [write(tmp_path / f"{number}.{suffix}", meeting(), codec="mpeg2video" if suffix == "mpg" else "libx264", sound="mp2", layout=layout).read_bytes()
              for number, layout in enumerate(layouts)]
    (tmp_path / f"all.{suffix}").write_bytes(b"".join(pieces))
    film = Film(tmp_path / f"all.{suffix}")
    seconds = [second for _, second, _ in film.frames()]
    if suffix == "ts":  # an MPEG-2 encoder shows the first frame when the second is in, where the pieces meet too
        assert len(seconds) == len(EVEN) * len(layouts)
    steps = np.diff(seconds)
    assert (steps > 0).all() and np.median(steps) == pytest.approx(0.1, abs=0.01) and steps.max() < 0.35
    whole = 1.2 * len(layouts)
    assert seconds[-1] - seconds[0] == pytest.approx(whole - 0.1, abs=0.25) and film.end > seconds[-1]
    copy, sound = copied(film, tmp_path)
    np.testing.assert_allclose([second for _, second, _ in copy.frames()], np.array(seconds), atol=0.005)
    assert sound == pytest.approx(whole, abs=0.3)


@pytest.mark.parametrize("codec, rate, name", [("pcm_u8", 11_024, "old.avi"), ("pcm_s16le", 37_800, "game.mkv"), ("pcm_s16le", 192_000, "studio.mkv"), ("pcm_s16le", 6_000, "toy.mkv")])
def test_sound_of_any_rate_comes_along(tmp_path, codec, rate, name):
    film = Film(write(tmp_path / name, meeting(), codec="mpeg4" if name.endswith("avi") else "libx264", sound=codec, rate=rate))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        copy, sound = copied(film, tmp_path)
    assert sound == pytest.approx(1.2, abs=0.3) and copy.length == pytest.approx(1.2, abs=0.3)


@pytest.mark.parametrize("after", [0, 3])
def test_sound_that_cannot_be_carried_over_costs_the_sound(tmp_path, monkeypatch, after):
    film, real, calls = Film(write(tmp_path / "a.mkv", meeting(), sound="pcm_s16le")), copies._Sound._resampled, []

    def breaks(self, frame):
        calls.append(frame)
        if len(calls) > after:
            raise ValueError("odd")
        return real(self, frame)

    monkeypatch.setattr(copies._Sound, "_resampled", breaks)
    with pytest.warns(UserWarning, match=r"the copy has no sound from second 0\.\d on: .*\(odd\)"):
        copy, sound = copied(film, tmp_path)
    assert len(list(copy.frames())) == len(EVEN) and len(calls) == after + 1


def test_a_full_disk_is_no_fault_of_the_sound(tmp_path, monkeypatch):
    film = Film(write(tmp_path / "a.mkv", meeting(), sound="pcm_s16le"))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(copies._Sound, "_write", full)
    with pytest.raises(OSError, match="No space"):
        copied(film, tmp_path)
    assert not (tmp_path / "copy.mp4").exists()


@given(st.lists(st.tuples(st.floats(0, 1000), st.integers(2, 60)), min_size=1, max_size=5))
def test_a_clock_rises_by_what_was_shown(pieces):
    """Whatever pieces begin with; a step back of less than a second is a frame out of order, and none ahead is shortened."""
    clock, told = Clock(), []
    for begin, count in pieces:
        told.append([clock(begin + step / 25, 1 / 25) for step in range(count)])
    for piece in told:
        np.testing.assert_allclose(np.diff(piece), 1 / 25, atol=1e-6)
    for number, ((a_begin, a_count), (b_begin, _)) in enumerate(zip(pieces, pieces[1:])):
        step, last, first = b_begin - (a_begin + (a_count - 1) / 25), told[number][-1], told[number + 1][0]
        if step < -1.001:
            assert first == pytest.approx(max(map(max, told[: number + 1])) + 1 / 25, abs=1e-6), "behind all that was shown"
        elif step > -0.999:
            assert first - last == pytest.approx(step, abs=1e-6)

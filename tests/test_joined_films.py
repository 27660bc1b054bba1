"""Films whose clock starts late or again, whose sound changes, with a cover or with holes: recordings in pieces that were joined, cameras of all ages."""

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


def test_a_cover_before_the_film_is_not_the_film(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        cover, stream = out.add_stream("mjpeg", rate=1), out.add_stream("mpeg4", rate=10)
        cover.height, cover.width, cover.pix_fmt = 64, 64, "yuvj420p"
        stream.height, stream.width, stream.pix_fmt = 160, 400, "yuv420p"
        for each, frames in ((cover, [np.zeros((64, 64, 3), np.uint8)]), (stream, meeting())):
            for frame in frames:
                out.mux(each.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=each.pix_fmt)))
            out.mux(each.encode(None))
    film = Film(tmp_path / "a.mkv")
    assert (film.height, film.width) == (160, 400) and sum(1 for _ in film.frames()) == 12


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts"])
def test_a_film_whose_clock_starts_late_is_whole_and_one_of_them_cut_short_is_not(tmp_path, name):
    late = [100 + t / 10 for t in range(12)]
    film = Film(write(tmp_path / name, meeting(), late))
    assert [round(second, 1) for _, second, _ in film.frames()] == EVEN and film.notes == []
    assert film.length == pytest.approx(1.2, abs=0.11) and film.end == pytest.approx(1.2, abs=0.11)
    if name == "a.mkv":
        rng = np.random.default_rng(0)
        data = write(tmp_path / name, [rng.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(60)], [100 + t / 10 for t in range(60)]).read_bytes()
        film.path.write_bytes(data[: len(data) * 6 // 10])
        film = Film(film.path)
        assert 20 < sum(1 for _ in film.frames()) < 50 and len(film.notes) == 1 and "cut short" in film.notes[0] and "of 6.0 seconds" in film.notes[0]


def test_pictures_that_are_filled_up_are_counted(tmp_path):
    """A disk that lost some bytes: the decoder shows what it has, which may be somebody who was there before."""
    rng = np.random.default_rng(0)
    frames = [np.kron(rng.integers(0, 256, (10, 25, 3), np.uint8), np.ones((16, 16, 1), np.uint8)) for _ in range(12)]
    data = bytearray(write(tmp_path / "a.mp4", frames).read_bytes())
    for place in rng.integers(len(data) // 4, len(data) * 3 // 4, 30):
        data[place] ^= 0x55
    (tmp_path / "a.mp4").write_bytes(data)
    film = Film(tmp_path / "a.mp4")
    assert sum(1 for _ in film.frames()) > 6 and len(film.notes) == 1 and film.notes[0].startswith("the film is damaged: ")


@pytest.mark.parametrize("starts", [(1000, 0, 500), (0, 80_000)])
def test_a_stream_whose_clock_leaps_goes_on(tmp_path, starts):
    """Pieces of a camera or a tuner that were joined: FFmpeg takes a clock that falls for one that has gone round, 26 hours later."""
    (tmp_path / "all.ts").write_bytes(b"".join(write(tmp_path / "piece.ts", meeting(), [start + t for t in EVEN]).read_bytes() for start in starts))
    film = Film(tmp_path / "all.ts")
    steps = np.diff([second for _, second, _ in film.frames()])
    assert len(steps) == len(EVEN) * len(starts) - 1 and 0 < steps.min() and steps.max() < 0.2
    assert film.end == pytest.approx(1.2 * len(starts), abs=0.25) and film.notes == []
    copy, _ = copied(film, tmp_path)
    assert copy.length == pytest.approx(film.end, abs=0.1)


def test_a_film_with_a_pause_is_not_shortened(tmp_path):
    film = Film(write(tmp_path / "slides.mkv", meeting(), [60 * t for t in range(12)]))
    assert [round(second) for _, second, _ in film.frames()] == [60 * t for t in range(12)]


@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_a_second_track_of_pictures_is_said(tmp_path, name):
    """A camera that looks ahead and behind."""
    with av.open(str(tmp_path / name), "w") as out:
        for stream in [out.add_stream("mpeg4", rate=10) for _ in range(2)]:
            stream.height, stream.width, stream.pix_fmt = 160, 400, "yuv420p"
        for stream in out.streams.video:
            for frame in meeting():
                out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            out.mux(stream.encode(None))
    film = Film(tmp_path / name)
    assert sum(1 for _ in film.frames()) == 12
    assert film.notes == ["the film has 2 tracks of pictures; only that of 400 x 160 pixels was looked at"] and film.end == pytest.approx(1.2, abs=0.01)


@pytest.mark.parametrize("name, codec, options", [("camera.mp4", "libx264", {"x264-params": "tff=1", "bf": "0"}), ("tv.mpg", "mpeg2video", {"flags": "+ildct+ilme"})])
def test_of_two_fields_what_moves_has_no_teeth(tmp_path, name, codec, options):
    """A camcorder's and television's pictures: faces that move had no names, nor copies that one can look at. What stands still keeps every row."""
    if codec not in av.codecs_available:
        pytest.skip(f"this build of FFmpeg has no {codec}")
    first, second = meeting()[0], meeting()[2]
    still = np.zeros((64, 400, 3), np.uint8)
    still[::4], still[1::4] = 255, 255  # a fence of two rows each
    woven, truth = np.concatenate([first, still]), np.concatenate([first, still])
    woven[1:160:2] = second[1::2]
    with av.open(str(tmp_path / name), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt, stream.bit_rate = *woven.shape[:2], "yuv420p", 20_000_000
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(woven, format="rgb24")))
        out.mux(stream.encode(None))
    apart = [np.abs(frame.astype(int) - truth) for _, _, frame in Film(tmp_path / name).frames()]
    assert np.abs(woven.astype(int) - truth)[:160].mean() > 4 and max(each[:160].mean() for each in apart) < 3.5 and max(each[164:].mean() for each in apart) < 6


def test_a_film_that_is_seldom_looked_at_is_left_at_its_next_frame(tmp_path):
    """With --every 1000 a stop was heard of at the thousandth."""
    film, asked = Film(write(tmp_path / "a.mp4", meeting())), []

    def check():
        asked.append(film.read)
        if len(asked) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(film.frames(1000, check))
    assert asked == [0, 1, 2]

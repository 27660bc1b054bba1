"""Films that a phone has mirrored, and recordings that end in the middle of a picture."""

import struct

import av
import numpy as np
import pytest
from test_films import meeting, write

from TrackDetector.films.reading import Film

# a, b, c, d of what a phone notes: a pixel's column and row are shown at a * column + c * row, b * column + d * row
NOTES = {(1, 0, 0, 1): lambda x: x, (-1, 0, 0, 1): np.fliplr, (1, 0, 0, -1): np.flipud, (-1, 0, 0, -1): lambda x: np.rot90(x, 2), (0, 1, -1, 0): lambda x: np.rot90(x, -1),
         (0, -1, 1, 0): np.rot90, (0, 1, 1, 0): lambda x: x.swapaxes(0, 1), (0, -1, -1, 0): lambda x: np.rot90(x, 2).swapaxes(0, 1)}  # fmt: skip


@pytest.mark.parametrize("note", NOTES, ids=str)
def test_a_film_is_shown_as_its_phone_noted_it_in_a_mirror_too(tmp_path, note):
    path = write(tmp_path / "a.mp4", meeting())
    a, b, c, d = (65536 * each for each in note)
    usual = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 0x40000000)
    data = path.read_bytes()
    at = data.index(usual, data.index(b"tkhd"))
    path.write_bytes(data[:at] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000) + data[at + 36 :])
    film, truth = Film(path), NOTES[note](meeting()[0])
    _, _, frame = next(film.frames())
    assert frame.shape == truth.shape == (film.height, film.width, 3) and np.abs(frame.astype(int) - truth).mean() < 8


@pytest.mark.parametrize("name, options", [("front.mp4", {"movflags": "faststart"}), ("pieces.mp4", {"movflags": "frag_keyframe+empty_moov"}), ("a.mkv", {})])
def test_of_a_film_that_ends_in_the_middle_of_a_picture_every_whole_one_is_seen(tmp_path, name, options):
    """Also those that the decoder holds back: one for each of its threads, and those that wait for their turn."""
    path, rng = tmp_path / name, np.random.default_rng(0)
    with av.open(str(path), "w", options=options) as out:
        stream = out.add_stream("libx264", rate=10, options={"g": "20", "preset": "superfast", "bf": "3"})
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for noise in rng.integers(0, 256, (60, 64, 96, 3), np.uint8):  # so that no picture is so small that there is no middle of it
            out.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        out.mux(stream.encode(None))
    with av.open(str(path)) as film:
        middles = [packet.pos + packet.size // 2 for packet in film.demux(video=0) if packet.size]
    data = path.read_bytes()
    for whole in (11, 26, 43):
        path.write_bytes(data[: middles[whole]])
        film = Film(path)
        assert sum(1 for _ in film.frames()) == whole and len(film.notes) == 1 and "the film is cut short" in film.notes[0]

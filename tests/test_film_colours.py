"""Colours of films: a matrix, a range and a curve, told or not; and of the copies that are written, which must not be other than those of the film."""

import av
import numpy as np
import pytest

from TrackDetector.films.copies import write_film
from TrackDetector.films.reading import Film

# Skin is the fourth and the last
PATCHES = np.array([[200, 60, 50], [60, 170, 70], [50, 70, 200], [224, 172, 140], [128, 128, 128], [250, 250, 250], [20, 20, 20], [90, 56, 40]])
WEIGHTS = {601: (0.299, 0.114), 709: (0.2126, 0.0722), 2020: (0.2627, 0.0593)}  # of red and blue in what is light, by ITU-R BT.601, 709 and 2020
TOLD = {1: 709, 5: 601, 6: 601, 9: 2020}  # H.273, MatrixCoefficients


def to_yuv(rgb, matrix, full):
    red, blue = WEIGHTS[matrix]
    r, g, b = rgb.T / 255
    light = red * r + (1 - red - blue) * g + blue * b
    yuv = np.stack([light, (b - light) / 2 / (1 - blue), (r - light) / 2 / (1 - red)], -1)
    return np.rint(np.clip(yuv * (255 if full else (219, 224, 224)) + ((0 if full else 16), 128, 128), 0, 255)).astype(np.uint8)


def to_rgb(yuv, matrix):
    """Of the limited range."""
    red, blue = WEIGHTS[matrix]
    light, b, r = ((yuv - (16.0, 128, 128)) / (219, 224, 224)).T
    r, b = light + 2 * (1 - red) * r, light + 2 * (1 - blue) * b
    return 255 * np.stack([r, (light - red * r - blue * b) / (1 - red - blue), b], -1)


def write(path, size, colours, full=False, **told):
    """A film of upright stripes, whose planes are made here: no converter takes part."""
    height, width = size
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"qp": "4"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuvj420p" if full else "yuv420p"
        for name, value in told.items():
            setattr(stream.codec_context, name, value)
        frame = av.VideoFrame(width, height, stream.pix_fmt)
        for plane, values in zip(frame.planes, colours.T):
            row = np.zeros(plane.line_size, np.uint8)
            row[: plane.width] = np.repeat(values, plane.width // len(values))
            plane.update(np.tile(row, plane.height).tobytes())
        for frame.pts in range(3):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def middles(picture):
    """The colours of the stripes of a frame (H, W, C)."""
    return picture[picture.shape[0] // 2, picture.shape[1] // 16 :: picture.shape[1] // 8].astype(float)


def seen(path):
    """What a player shows of a film that tells its matrix; or of another, as it guesses."""
    with av.open(str(path)) as film:
        frame = next(film.decode(video=0))
    assert frame.color_range == 1 and frame.format.name == "yuv420p"
    planes = [np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width] for plane in frame.planes]
    yuv = np.stack([middles(plane[..., None])[:, 0] for plane in planes], -1)
    return to_rgb(yuv, TOLD.get(int(frame.colorspace), 709 if frame.height > 576 else 601))


SMALL, LARGE, ON_ITS_SIDE = (240, 320), (720, 1280), (1280, 720)


@pytest.mark.parametrize("size", [SMALL, LARGE, ON_ITS_SIDE])
@pytest.mark.parametrize("matrix, full, told", [(601, False, 6), (601, False, 5), (709, False, 1), (2020, False, 9), (601, True, 6), (709, True, 1),
                                                (None, False, None), (None, True, None)])  # fmt: skip
def test_a_film_has_the_colours_that_a_player_shows_and_so_has_its_copy(tmp_path, size, matrix, full, told):
    matrix = matrix or (601 if size == SMALL else 709)  # as players guess
    note = {} if told is None else {"colorspace": told}
    film = Film(write(tmp_path / "a.mp4", size, to_yuv(PATCHES, matrix, full), full, **note, **({"color_range": 2} if full else {})))
    _, _, frame = next(film.frames())
    assert np.abs(middles(frame) - PATCHES).max() <= 4
    write_film(film, tmp_path / "copy.mp4", lambda number, image: image)
    assert np.abs(seen(tmp_path / "copy.mp4") - PATCHES).max() <= 6
    assert np.abs(middles(next(Film(tmp_path / "copy.mp4").frames())[2]) - PATCHES).max() <= 6


def test_the_colours_of_a_film_without_any(tmp_path):
    """Grey, and red, green and blue by themselves, have no matrix."""
    for name, codec, form in (("grey.mkv", "ffv1", "gray"), ("colours.avi", "rawvideo", "bgr24"), ("palette.gif", "gif", "pal8")):
        with av.open(str(tmp_path / name), "w") as out:
            stream = out.add_stream(codec, rate=10)
            stream.height, stream.width, stream.pix_fmt = 720, 1280, form
            image = np.tile(np.repeat(PATCHES.astype(np.uint8), 160, axis=0), (720, 1, 1))
            if form == "gray":
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[..., 0]), format=form)
            elif form == "pal8":
                numbers = np.tile(np.repeat(np.arange(8, dtype=np.uint8), 160), (720, 1))
                palette = np.zeros((256, 4), np.uint8)
                palette[:8] = np.insert(PATCHES, 0, 255, axis=1)
                frame = av.VideoFrame.from_ndarray((numbers, palette), format=form)
            else:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[..., ::-1]), format=form)
            for frame.pts in range(2):
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        truth = PATCHES[:, :1] if form == "gray" else PATCHES
        assert np.abs(middles(next(Film(tmp_path / name).frames())[2]) - truth).max() <= 1, name


# From sRGB to the red, green and blue of BT.2020 (Recommendation ITU-R BT.2087)
TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def in_hdr(rgb, curve):
    """The same colours as phones film them (BT.2100), with a white of 203 nits (BT.2408)."""
    shares = rgb / 255
    light = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4) @ TO_2020.T * 203
    if curve == 16:  # PQ
        power = (light / 10_000) ** (2610 / 16384)
        return 255 * ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    light /= 1000  # HLG, for a screen of 1,000 nits
    light *= np.maximum(light @ (0.2627, 0.6780, 0.0593), 1e-9)[:, None] ** (1 / 1.2 - 1)
    return 255 * np.where(light <= 1 / 12, np.sqrt(3 * light), 0.17883277 * np.log(np.maximum(12 * light - 0.28466892, 1e-9)) + 0.55991073)


@pytest.mark.skipif(int(av.__version__.partition(".")[0]) < 18, reason="older PyAV reads HDR as if it were none")
@pytest.mark.parametrize("curve", [18, 16], ids=["HLG", "PQ"])
def test_a_film_in_hdr_is_not_dull(tmp_path, curve):
    colours = in_hdr(PATCHES, curve)
    path = write(tmp_path / "a.mp4", SMALL, to_yuv(colours, 2020, False), colorspace=9, color_primaries=9, color_trc=curve, color_range=1)
    assert np.abs(colours - PATCHES).max() > 60, "read as a film without it has other colours"
    film = Film(path)
    frame = middles(next(film.frames())[2])
    assert np.abs(frame - PATCHES).max() <= 18 and np.abs(frame[3:] - PATCHES[3:]).max() <= 8, "skin and grey as they were, strong colours nearly"
    write_film(film, tmp_path / "copy.mp4", lambda number, image: image)
    assert np.abs(seen(tmp_path / "copy.mp4") - frame).max() <= 6


@pytest.mark.parametrize("matrix, primaries, curve", [(8, 1, 1), (10, 9, 14), (14, 9, 16), (9, 10, 18)])
def test_a_film_is_not_lost_for_what_it_tells_of_its_colours(tmp_path, matrix, primaries, curve):
    """What FFmpeg does not convert from is read as if it had not been told."""
    path = write(tmp_path / "a.mp4", SMALL, to_yuv(PATCHES, 601, False), colorspace=matrix, color_primaries=primaries, color_trc=curve, color_range=1)
    assert middles(next(Film(path).frames())[2]).shape == PATCHES.shape

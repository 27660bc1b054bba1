"""Reading photos of any usual kind as RGB arrays, or saying which file is bad and why."""

import io
import mimetypes
import os
import re
import warnings
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from common.decoding import deep
from common.decoding.colours import in_srgb, profile_of
from common.decoding.deep import ORIENTATION, TURNS
from common.decoding.levels import STRIP, eight_bits
from common.decoding.quiet import decoder_heard
from common.device import short_of_memory

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".pbm", ".ppm", ".pnm", ".jp2", ".avif",
                  ".heic", ".heif", ".hif"}  # fmt: skip

MOST = 256  # megapixels: phones take 200. Pillow refuses what has twice its number of pixels
if Image.MAX_IMAGE_PIXELS:
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, MOST * 10**6 // 2)
BLOCKS = 16  # rows of a JPEG that are decoded together, at most


class PhotoError(OSError, ValueError):
    """A photo or video cannot be read; the message names the file."""


def read_photo(path):
    """Read a photo of any usual kind as 8-bit RGB, the right way up.

    Grey, palette and CMYK photos are converted, and colours that are told to be others than sRGB's (`colours.profile_of`); values of 10 to 16 bits and floats are scaled to 8 bits (`eight_bits`);
    transparent parts are laid on white, the rotation that the camera noted (EXIF) is carried out, and of an animation
    the first frame is taken.

    Parameters
    ----------
    path : str or path
        The photo's file.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

    Warns
    -----
    UserWarning
        If a JPEG is cut short and at least half of its rows are there: the rest is grey. If the file holds more pictures than the one that is read.

    Raises
    ------
    PhotoError
        If the file is missing, empty, damaged, cut short, unreasonably large or no picture.
    """
    try:
        with _opened(path) as image:
            photo = _upright(image, path)
            if more := _more(image):
                warnings.warn(f"{path}: {more}; only the first was looked at", stacklevel=2)
            return photo
    except PhotoError as error:
        whole = _mended(path, str(error))
        if whole is None:
            raise
        return whole


def _upright(image, path):
    """A photo that Pillow has opened, as 8-bit RGB the right way up; TIFFs are turned by their decoders."""
    page, profile = _whole_page(image), profile_of(image, path)
    said = image.tile[0][3] if image.tile else ""
    signed = image.mode == "L" and _note(image, 339) == 2  # Pillow would take -1 for 255
    many = image.mode in ("RGB", "RGBA") and ";16" in str(said[0] if isinstance(said, tuple) and said else said)  # Pillow would keep the upper eight bits
    if image.format == "TIFF" and (deep.in_deep_planes(image.tag_v2) or signed or many and page):
        turn, image = None, Image.fromarray(deep.by_tifffile(path, page))
    elif many:
        turn = None if image.format == "TIFF" else TURNS.get(_orientation(image))
        image = Image.fromarray(deep.by_opencv(path))
    else:
        _load(image, path)
        turn = TURNS.get(_orientation(image))
    greatest, unsigned = _greatest(image), image.mode == "I" and _unsigned(image)
    negative = image.mode.startswith("I") and _note(image, 262) == 0  # white is zero, which Pillow heeds in eight bits only
    if turn is not None:
        image = image.transpose(turn)
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image)
        grey = eight_bits(values.view(np.uint32) if unsigned else values, greatest)
        return np.repeat((255 - grey if negative else grey)[..., None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    image = in_srgb(image if image.mode in ("RGB", "CMYK") else image.convert("RGB"), profile)
    return _as_array(image if image.mode == "RGB" else image.convert("RGB"))


def _load(image, path):
    """Decode it; what libtiff thinks of it becomes one warning."""
    with decoder_heard(path) if image.format == "TIFF" else nullcontext():
        image.load()


def _whole_page(image):
    """Go to the first picture of a file that is no small copy of another, and give its number: raw files and some scans begin with such a copy.

    Raises
    ------
    ValueError
        If there are small copies only.
    """
    if image.format == "TIFF":
        with suppress(EOFError):
            while int(image.tag_v2.get(deep.KIND, 0)) & deep.SMALL_COPY:
                image.seek(image.tell() + 1)
            return image.tell()
        raise ValueError("there is only a small copy in it beside what the camera's sensor saw: save it as a JPEG from a program that develops raw files")
    return 0


def _more(image):
    """What a file holds besides the picture that is read, in words: an animation, or pages. None if nothing; smaller copies and masks are nothing."""
    with suppress(Exception):  # whatever is wrong with the next one, the first was read
        if image.format in ("GIF", "WEBP", "PNG", "AVIF") and image.is_animated:
            return "is an animation of several pictures"
        if image.format == "TIFF" and image.is_animated:
            image.seek(image.tell() + 1)
            return None if image.tag_v2.get(deep.KIND, 0) & 0b101 else "has several pages"
        if image.format == "HEIF" and image.is_animated:  # a burst, as some cameras keep it
            shown, size = image.tell(), image.width * image.height
            for each in set(range(image.n_frames)) - {shown}:
                image.seek(each)
                if image.width * image.height >= size:
                    return "holds several photos"
    return None


def _as_array(image):
    """The pixels of an RGB picture as an array of their own; in strips, for Pillow hands out another copy of what it is asked for at a time."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, STRIP):
        pixels[top : top + STRIP] = np.asarray(image.crop((0, top, image.width, min(top + STRIP, image.height))))
    return pixels


def _mended(path, reason):
    """What can be read all the same: a JPEG that lacks its last bytes, a TIFF of a kind that Pillow does not know. None if nothing can."""
    if not os.path.isfile(path):  # who opens a pipe waits for somebody at its other end
        return None
    with suppress(Exception):  # of many kinds; it was said already what is wrong with it
        with open(path, "rb") as file:
            start = file.read(4)
            if start.startswith(b"\xff\xd8\xff") and "truncated" in reason:
                file.seek(0)
                return _cut_short(file.read(), path)
        if start in deep.TIFFS:
            return deep.by_opencv(path)
    return None


def _jpeg(data):
    return Image.open(io.BytesIO(data), formats=["JPEG"])


def _cut_short(data, path):
    """A JPEG that lacks its end, from its bytes without it; None where more than half of the rows are missing."""
    try:
        # decoded with an end mark, missing rows become grey; without one, zero. A photo's own rows are never both, whatever their colour
        with _jpeg(data + b"\xff\xd9") as image, _jpeg(data) as partly:
            with suppress(OSError):
                partly.load()
            partly.tile = []  # so that what there is may be looked at
            image.load()
            filled, read = (np.asarray(each).reshape(image.height, -1) for each in (image, partly))
            empty = ((filled >= 127) & (filled <= 129)).all(axis=1) & ~read.any(axis=1)
            missing = len(empty) if empty.all() else int(np.argmin(empty[::-1]))
            if missing > len(empty) / 2:
                return None
            whole = _upright(image, path)
    except Exception:  # it is damaged elsewhere, too
        return None
    known = missing > BLOCKS  # the last row of blocks may be there, and wait for the end
    lost = f"the lowest {max(1, round(100 * missing / len(empty)))} % of it are missing" if known else "its last bytes are missing"
    warnings.warn(f"{path}: cut short, {lost}; read as far as it goes", stacklevel=3)
    return whole


def photo_shape(path):
    """Height and width of a photo, as `read_photo` would give it; of all kinds but TIFF without decoding the pixels.

    Parameters
    ----------
    path : str or path
        The photo's file.

    Returns
    -------
    tuple of int
        (H, W) in pixels.

    Raises
    ------
    PhotoError
        If the file is missing or no picture.
    """
    try:
        with _opened(path) as image:
            if image.format == "TIFF":
                _whole_page(image)
                _load(image, path)  # Pillow turns these itself, then
            width, height = image.size
            # EXIF orientations 5 to 8 turn the photo by a quarter.
            return (width, height) if _orientation(image) in (5, 6, 7, 8) else (height, width)
    except PhotoError:
        return read_photo(path).shape[:2]  # of a kind that Pillow does not know, perhaps


def says_which_way_up(path):
    """Whether a photo's camera noted how it was held, so that `read_photo` gives it the right way up.

    False also where the note is damaged or the file cannot be read.
    """
    try:
        with _opened(path) as image:
            return image.getexif().get(ORIENTATION) in range(1, 9)
    except Exception:  # of many kinds; `read_photo` says what is wrong with the file
        return False


def _orientation(image):
    """How the camera was held, 1 to 8; 1, upright, as well where its notes are damaged."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # of many kinds; a photo is not lost for its notes
        return 1


@cache
def _formats():
    """The formats behind `PHOTO_SUFFIXES`, of Pillow and of its plugin for HEIF. Pillow is allowed no others: for some, PostScript for one, it starts other programs."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    if ".avif" not in Image.registered_extensions():  # Pillow reads it itself from 11.3 on
        pillow_heif.register_avif_opener()
    return sorted({name for suffix, name in Image.registered_extensions().items() if suffix in PHOTO_SUFFIXES and name in Image.OPEN})  # MPO is opened as a JPEG


@contextmanager
def _opened(path):
    """Open an image; whatever goes wrong inside becomes a PhotoError that names the file."""
    path = Path(path)
    if path.is_dir():
        raise PhotoError(f"{path}: {'is a folder and no photo' if os.access(path, os.R_OK | os.X_OK) else 'may not be looked into'}")
    if not path.is_file():
        what = "is a pipe or a device: save what comes out of it as a file" if path.exists() else "a link that leads to no file" if path.is_symlink() else "no such file"
        raise PhotoError(f"{path}: {what}")
    try:
        with open(path, "rb") as file:  # by its name, Pillow 13 would map an uncompressed TIFF that lies on its side into the wrong shape
            with warnings.catch_warnings():
                # Pillow warns at 89 megapixels and refuses at 179; the warning would only frighten.
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                image = Image.open(file, formats=_formats())
            with image:
                yield image
    except Image.DecompressionBombError:
        raise PhotoError(f"{path}: has more than {MOST} megapixels: make it smaller, or leave it out") from None
    except Exception as error:
        if short_of_memory(error):
            raise PhotoError(f"{path}: there is not enough memory to read it: end other programs, allow this one more, or leave the photo out") from None
        reason = re.sub(r"<_io\.\w+ name=(.*)>", r"\1", str(error)).replace(str(path), path.name) or type(error).__name__
        film = (mimetypes.guess_type(path.name)[0] or "").startswith("video/")
        mend = "films are for python -m TrackDetector, which names the people in them" if film else "replace it with a whole JPEG or PNG, or leave it out"
        raise PhotoError(f"{path}: cannot be read as a photo ({' '.join(reason.split())}): {mend}") from None


def _note(image, number, default=None):
    """The greatest value of a TIFF's note of a number; None where it has none, and for what is no TIFF."""
    with suppress(AttributeError, LookupError, TypeError, ValueError):
        return float(np.max(image.tag_v2.get(number, default)))
    return None


def _unsigned(image):
    """Whether the whole numbers of a TIFF, which Pillow takes for signed, are not (SampleFormat)."""
    return _note(image, 339, 1) == 1


def _greatest(image):
    """The value of white in a grey TIFF that says so (MaxSampleValue); else None."""
    return _note(image, 281)


def in_numeric_order(paths):
    """Sort paths by the numbers in their names, so that frame 10 comes after frame 9 and not after 1.

    Examples
    --------
    >>> [p.name for p in in_numeric_order([Path("10.jpg"), Path("9.jpg"), Path("1.jpg")])]
    ['1.jpg', '9.jpg', '10.jpg']
    """
    def key(path):
        return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", path.name) if part]

    return sorted(map(Path, paths), key=key)

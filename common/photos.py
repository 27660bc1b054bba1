"""Reading photos of any usual kind as RGB arrays, or saying which file is bad and why."""

import io
import os
import re
import warnings
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, TiffImagePlugin

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".jp2", ".avif", ".heic", ".heif"}

ORIENTATION = 0x0112  # EXIF's number for how the camera was held

# what turns the photo the right way up. ImageOps.exif_transpose writes the notes anew, and fails where they are damaged
TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
         6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}  # fmt: skip

MOST = 256  # megapixels: phones take 200. Pillow refuses what has twice its number of pixels
if Image.MAX_IMAGE_PIXELS:
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, MOST * 10**6 // 2)
STRIP = 512  # rows
BLOCKS = 16  # rows of a JPEG that are decoded together, at most


class PhotoError(OSError, ValueError):
    """A photo or video cannot be read; the message names the file."""


def read_photo(path):
    """Read a photo of any usual kind as 8-bit RGB, the right way up.

    Grey, palette and CMYK photos are converted; values of 10 to 16 bits and floats are scaled to 8 bits (`_eight_bits`);
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
    """A photo that Pillow has opened, as 8-bit RGB the right way up."""
    said = image.tile[0][3] if image.tile else ""
    deep = image.mode in ("RGB", "RGBA") and ";16" in str(said[0] if isinstance(said, tuple) and said else said)
    if deep:  # Pillow would keep the upper eight bits
        turn = None if image.format == "TIFF" else TURNS.get(_orientation(image))  # OpenCV turns a TIFF itself, too
        image = Image.fromarray(_by_opencv(path))
    else:
        image.load()  # which turns a TIFF
        turn = TURNS.get(_orientation(image))
    greatest, unsigned = _greatest(image), image.mode == "I" and _unsigned(image)
    negative = image.mode.startswith("I") and _note(image, 262) == 0  # white is zero, which Pillow heeds in eight bits only
    if turn is not None:
        image = image.transpose(turn)
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image)
        grey = _eight_bits(values.view(np.uint32) if unsigned else values, greatest)
        return np.repeat((255 - grey if negative else grey)[..., None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return _as_array(image if image.mode == "RGB" else image.convert("RGB"))


def _more(image):
    """What a file holds besides the picture that is read, in words: an animation, or pages. None if nothing; smaller copies and masks are nothing."""
    with suppress(Exception):  # whatever is wrong with the next one, the first was read
        if image.format in ("GIF", "WEBP", "PNG", "AVIF") and image.is_animated:
            return "is an animation of several pictures"
        if image.format == "TIFF" and image.is_animated:
            image.seek(1)
            return None if image.tag_v2.get(254, 0) & 0b101 else "has several pages"
    return None


def _as_array(image):
    """The pixels of an RGB picture as an array of their own; in strips, for Pillow hands out another copy of what it is asked for at a time."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, STRIP):
        pixels[top : top + STRIP] = np.asarray(image.crop((0, top, image.width, min(top + STRIP, image.height))))
    return pixels


def _mended(path, reason):
    """What can be read all the same: a JPEG that lacks its last bytes, a TIFF of a kind that Pillow does not know. None if nothing can."""
    with suppress(OSError, ValueError):
        with open(path, "rb") as file:
            start = file.read(4)
            if start.startswith(b"\xff\xd8\xff") and "truncated" in reason:
                file.seek(0)
                return _cut_short(file.read(), path)
        if start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _by_opencv(path)
    return None


def _jpeg(data):
    return Image.open(io.BytesIO(data), formats=["JPEG"])


def _cut_short(data, path):
    """A JPEG that lacks its end, from its bytes without it; None where more than half of the rows are missing."""
    try:
        # with the mark of its end, the decoder fills up with grey; without it, what is missing stays at zero: a foot of one colour in the photo is not both
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


@contextmanager
def opencv_silent():
    """While it is open, OpenCV's own log, which names no file, says nothing: what is wrong with a file is said in a line of ours."""
    import cv2

    log = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging  # OpenCV 4 and 5
    before = log.setLogLevel(0)
    try:
        yield
    finally:
        log.setLogLevel(before)


def _by_opencv(path):
    """A TIFF or PNG of more than eight bits a colour, as uint8 (H, W, 3)."""
    import cv2

    data = np.fromfile(path, np.uint8)
    if data[:2].tobytes() in (b"II", b"MM"):
        with io.BytesIO(data.tobytes()) as file:
            head = file.read(8)
            notes = TiffImagePlugin.ImageFileDirectory_v2(head + file.read(8) if 43 in head[2:4] else head)  # that of a BigTIFF is longer
            file.seek(notes.next)
            notes.load(file)
        if notes.get(256, 0) * notes.get(257, 0) > Image.MAX_IMAGE_PIXELS * 2:  # as Pillow does
            raise PhotoError(f"{path}: claims to have more pixels than any photo")
    with opencv_silent():
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim not in (2, 3):
        raise PhotoError(f"{path}: cannot be decoded")
    image = image[..., None] if image.ndim == 2 else image
    colours, shade = image[:, :, :3][:, :, ::-1], image[:, :, 3:4]
    colours = _eight_bits(colours)
    if shade.size:
        opaque = shade / (np.iinfo(shade.dtype).max if shade.dtype.kind == "u" else 1)
        colours = np.rint(colours * opaque + 255 * (1 - opaque)).astype(np.uint8)
    return np.repeat(colours, 3, axis=2) if colours.shape[2] == 1 else np.ascontiguousarray(colours)


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
                image.load()  # Pillow turns these itself, then
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
    """The formats that Pillow and its plugin for HEIF know by `PHOTO_SUFFIXES`. Others go to programs outside, PostScript for one."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    if ".avif" not in Image.registered_extensions():  # Pillow reads it itself from 11.3 on
        pillow_heif.register_avif_opener()
    return sorted({name for suffix, name in Image.registered_extensions().items() if suffix in PHOTO_SUFFIXES})


@contextmanager
def _opened(path):
    """Open an image; whatever goes wrong inside becomes a PhotoError that names the file."""
    path = Path(path)
    if path.is_dir():
        raise PhotoError(f"{path}: {'is a folder and no photo' if os.access(path, os.R_OK | os.X_OK) else 'may not be looked into'}")
    if not path.is_file():
        what = "a link that leads to no file" if path.is_symlink() else "is no file that can be read as a photo" if os.path.lexists(path) else "no such file"
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
        reason = re.sub(r"<_io\.\w+ name=(.*)>", r"\1", str(error)).replace(str(path), path.name) or type(error).__name__
        raise PhotoError(f"{path}: cannot be read as a photo ({' '.join(reason.split())}): replace it with a whole JPEG or PNG, or leave it out") from None


def _note(image, number, default=None):
    """The greatest value of a TIFF's note of a number; None where it has none, and for what is no TIFF."""
    with suppress(AttributeError, LookupError, TypeError, ValueError):
        return float(np.max(image.tag_v2.get(number, default)))
    return None


def _unsigned(image):
    """Whether the whole numbers of a TIFF, which Pillow takes for signed, are not (SampleFormat)."""
    return _note(image, 339, 1) == 1


def _greatest(image):
    """White, as a grey TIFF may say (MaxSampleValue); else None."""
    return _note(image, 281)


def _eight_bits(values, greatest=None):
    """Grey levels or colours of any type as uint8.

    Whole numbers use 8, 10, 12, 14, 16 or 32 bits: the fewest that hold the greatest of them, since scanners and cameras
    put 12 bits into 16. Floats from 0 to 1 are shares of white, from -1 to 1 as well, from black; others are taken as
    whole numbers. What is not finite is black, or white where it is infinite.

    Parameters
    ----------
    values : ndarray
        Of any shape and type.
    greatest : float, optional
        White, where the file tells.

    Returns
    -------
    ndarray of uint8

    Examples
    --------
    >>> _eight_bits(np.array([0, 2048, 4095], np.uint16)).tolist(), _eight_bits(np.array([-1.0, 0, 1, np.nan])).tolist()
    ([0, 128, 255], [0, 128, 255, 0])
    """
    if values.dtype == np.uint8:
        return values
    floats = values.dtype.kind == "f"
    finite = values[np.isfinite(values)] if floats else values
    low, top = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if low < 0:  # -1 to 1, or of no convention: from the darkest to the brightest
        low, top = (-1.0, 1.0) if floats and low >= -1 and top <= 1 else (low, top)
    elif floats and top <= 2:  # a little more than 1 where a photo was sharpened or made larger
        low, top = 0.0, 1.0
    else:
        low, top = 0.0, next((white for white in (255, 1023, 4095, 16383, 65535) if top <= white), top)
    if greatest and low == 0 and finite.max(initial=0) <= greatest < 65535:  # what says 65535 may not have meant it
        top = greatest
    with np.errstate(invalid="ignore", over="ignore"):
        shares = (values.astype(np.float64) - low) / max(top - low, 1e-300)
    shares = np.clip(np.nan_to_num(shares, nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
    return np.rint(shares * 255).astype(np.uint8)


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

"""Reading photos of any usual kind as RGB arrays, or saying which file is bad and why."""

import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".jp2", ".avif", ".heic", ".heif"}


# EXIF orientation: what turns the photo the right way up. ImageOps.exif_transpose writes the notes anew, and fails where they are damaged
TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
         6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}  # fmt: skip


class PhotoError(OSError, ValueError):
    """A photo or video cannot be read; the message names the file."""


def read_photo(path):
    """Read a photo of any usual kind as 8-bit RGB, the right way up.

    Grey, palette, CMYK and 16-bit photos are converted, transparent parts are laid on white, the rotation that the
    camera noted (EXIF) is carried out, and of an animation the first frame is taken.

    Parameters
    ----------
    path : str or path
        The photo's file.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

    Raises
    ------
    PhotoError
        If the file is missing, empty, damaged, cut short, unreasonably large or no picture.
    """
    with _opened(path) as image:
        image.load()
        turn = TURNS.get(_orientation(image))
        if turn is not None:
            image = image.transpose(turn)
        if image.mode.startswith(("I", "F")):
            return np.repeat(_eight_bits(np.asarray(image))[..., None], 3, axis=2)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image)
        # A copy: an array that shares PIL's memory is read-only.
        return np.array(image.convert("RGB"))


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
    with _opened(path) as image:
        if image.format == "TIFF":
            image.load()  # Pillow turns these itself, then
        width, height = image.size
        # EXIF orientations 5 to 8 turn the photo by a quarter.
        return (width, height) if _orientation(image) in (5, 6, 7, 8) else (height, width)


def _orientation(image):
    """How the camera was held, 1 to 8; 1, upright, as well where its notes are damaged."""
    try:
        return image.getexif().get(0x0112, 1)
    except Exception:  # of many kinds; a photo is not lost for its notes
        return 1


def _formats():
    """The formats that Pillow knows by `PHOTO_SUFFIXES`. Others go to programs outside, PostScript for one."""
    return sorted({name for suffix, name in Image.registered_extensions().items() if suffix in PHOTO_SUFFIXES})


@contextmanager
def _opened(path):
    """Open an image; whatever goes wrong inside becomes a PhotoError that names the file."""
    path = Path(path)
    if not path.is_file():
        raise PhotoError(f"{path}: no such file")
    try:
        with warnings.catch_warnings():
            # Pillow warns at 89 megapixels and refuses at 179; the warning would only frighten.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path, formats=_formats())
        with image:
            yield image
    except Exception as error:
        reason = str(error).replace(str(path), path.name) or type(error).__name__
        if _is_heic(path):
            reason = "it is a HEIC, as iPhones take them, which Pillow does not read"
        raise PhotoError(f"{path}: cannot be read as a photo ({reason}): replace it with a whole JPEG or PNG, or leave it out") from None


def _is_heic(path):
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start[4:8] == b"ftyp" and start[8:12] in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")


def _eight_bits(grey):
    """16-bit, 32-bit or floating grey values as uint8; floats up to 1 are taken as shares of white."""
    grey = np.nan_to_num(grey.astype(np.float64))
    top = grey.max(initial=0)
    if top <= 1 and (grey != np.rint(grey)).any():
        grey = grey * 255
    elif top > 255:
        grey = grey / 257
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)

"""Pictures of more than eight bits a colour: by OpenCV, and by tifffile what OpenCV reads wrongly."""

import numpy as np
from PIL import Image, TiffImagePlugin

from common.decoding.levels import eight_bits, on_white
from common.decoding.quiet import decoder_heard, opencv_silent

TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # how they begin; with a plus those of 64 bits
KIND, WIDTH, HEIGHT, BITS, WHITE, PLANES, EXTRA = 254, 256, 257, 258, 262, 284, 338  # TIFF's numbers for its notes
SMALL_COPY = 1  # NewSubfileType: a copy with fewer pixels, as raw files have it in front
ORIENTATION = 0x0112  # EXIF's number for how the camera was held

# what turns the photo the right way up. ImageOps.exif_transpose writes the notes anew, and fails where they are damaged
TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
         6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}  # fmt: skip

APART = 2  # PlanarConfiguration: all of the reds, then all of the greens
ON_WHITE, RGB, CMYK = 1, 2, 5  # PhotometricInterpretation


def in_deep_planes(notes):
    """Whether a TIFF's colours stand one after the other in more than eight bits: Pillow and OpenCV take them for pixels, and show noise."""
    bits = np.ravel(notes.get(BITS, 1))
    return notes.get(PLANES, 1) == APART and len(bits) > 1 and max(bits) > 8


def notes_of(path):
    """The notes of the first picture of a TIFF; none of another file.

    Parameters
    ----------
    path : path

    Returns
    -------
    mapping of int to the notes

    Raises
    ------
    Exception
        Of many kinds, if they are damaged.
    """
    with open(path, "rb") as file:
        head = file.read(8)
        if head[:4] not in TIFFS:
            return {}
        notes = TiffImagePlugin.ImageFileDirectory_v2(head + file.read(8) if 43 in head[2:4] else head)  # that of a BigTIFF is longer
        file.seek(notes.next)
        notes.load(file)
    return notes


def by_opencv(path):
    """A TIFF or PNG of more than eight bits a colour, turned as its notes say if it is a TIFF.

    Parameters
    ----------
    path : path

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)

    Raises
    ------
    ValueError
        If it cannot be decoded, has more pixels than Pillow would read, or begins with a small copy of the photo.
    """
    import cv2

    notes = notes_of(path)
    _check_size(notes.get(WIDTH, 0) * notes.get(HEIGHT, 0))
    if int(notes.get(KIND, 0)) & SMALL_COPY:
        raise ValueError("begins with a small copy")
    if in_deep_planes(notes):
        return by_tifffile(path)
    with opencv_silent(), decoder_heard(path):
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim not in (2, 3):
        raise ValueError("cannot be decoded")
    image = image[..., None] if image.ndim == 2 else image
    return _composed(image[:, :, :3][:, :, ::-1], image[:, :, 3:4], notes)


def _check_size(pixels):
    """Refuse, as Pillow does, what claims to be larger than any photo: a few bytes would fill the memory."""
    if Image.MAX_IMAGE_PIXELS and pixels > Image.MAX_IMAGE_PIXELS * 2:
        raise ValueError("claims to have more pixels than any photo")


def by_tifffile(path, page=0):
    """A picture of a TIFF whose colours stand in planes, or which is not the first; turned as its notes say.

    Parameters
    ----------
    path : path
    page : int

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)

    Raises
    ------
    Exception
        Of many kinds, if it cannot be decoded; ValueError if its colours are none of grey, RGB and CMYK, or it has more pixels than Pillow would read.
    """
    import tifffile

    with decoder_heard(path), tifffile.TiffFile(path) as file:
        one = file.pages[page]
        _check_size(one.imagewidth * one.imagelength)
        notes = {PLANES: int(one.planarconfig), EXTRA: tuple(map(int, one.extrasamples)), WHITE: int(one.photometric)}
        turn = TURNS.get(one.tags.valueof(ORIENTATION))
        values = one.asarray()
    values = np.moveaxis(values, 0, 2) if notes[PLANES] == APART and values.ndim == 3 else values
    if notes[WHITE] not in (ON_WHITE, RGB, CMYK) or values.ndim not in (2, 3):
        raise ValueError("its colours are of a kind that is not read")
    values = values[..., None] if values.ndim == 2 else values
    colours = {ON_WHITE: 1, RGB: 3, CMYK: 4}[notes[WHITE]]
    if notes[WHITE] == CMYK:
        image = Image.fromarray(np.ascontiguousarray(eight_bits(values[:, :, :colours])), "CMYK").convert("RGB")
    else:
        image = Image.fromarray(_composed(values[:, :, :colours], values[:, :, colours : colours + 1], notes))
    return np.asarray(image if turn is None else image.transpose(turn))


def _composed(colours, more, notes):
    """Colours (H, W, 1 or 3) of any type as uint8 (H, W, 3), laid on white by the channel behind them where that says how opaque they are.

    In a TIFF it may say something else (ExtraSamples): a selection that an editor kept.
    """
    said = notes.get(EXTRA)
    kind = int(np.ravel(said)[0]) if said is not None and np.size(said) else 0 if notes else 2
    colours = eight_bits(colours)
    if more.size and kind:
        colours = on_white(colours, more, ready=kind == 1)
    return np.repeat(colours, 3, axis=2) if colours.shape[2] == 1 else np.ascontiguousarray(colours)

"""Text in any script as pixels, for captions drawn into photos and films: Pillow draws, the fonts come with packages."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

# after matplotlib's own, which knows Latin, Greek, Cyrillic and some more
_FONT_PACKAGES = ("cvttf_NotoSansCJK_Regular", "fontpkg_noto_sans_arabic", "fontpkg_noto_sans_devanagari", "fontpkg_noto_sans_thai")


@lru_cache(maxsize=1)
def _fonts():
    """The font files that there are: path and which letters it has, read when first asked for."""
    import matplotlib

    files = [Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"]
    for package in _FONT_PACKAGES:
        spec = find_spec(package)
        for place in spec.submodule_search_locations if spec else ():
            files += sorted(file for file in Path(place).rglob("*") if file.suffix.lower() in (".ttf", ".otf", ".ttc"))[:1]
    return files


@lru_cache(maxsize=8)
def _letters(file):
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(file)).get_charmap())


@lru_cache(maxsize=64)
def _font(file, size):
    from PIL import ImageFont

    return ImageFont.truetype(str(file), size)


@lru_cache(maxsize=256)
def runs(text):
    """A text in pieces that one font can write: list of (piece, font file).

    A letter that no font has becomes a question mark, a new line a space: Pillow lays out one line at a time.
    """
    pieces = []
    for letter in " ".join(text.split()) or " ":
        plain = letter.isspace() or letter.isdecimal() or not letter.isalpha() and ord(letter) < 128
        file = pieces[-1][1] if pieces and plain and ord(letter) in _letters(pieces[-1][1]) else (
            next((font for font in _fonts() if ord(letter) in _letters(font)), None))
        if file is None:
            letter, file = "?", _fonts()[0]
        if pieces and pieces[-1][1] == file:
            pieces[-1] = pieces[-1][0] + letter, file
        else:
            pieces.append((letter, file))
    return pieces


def measure(text, size):
    """Width and height in pixels of a text written at a size."""
    ascent, descent = zip(*(_font(file, size).getmetrics() for _, file in runs(text)))
    return max(1, round(sum(_font(file, size).getlength(piece) for piece, file in runs(text)))), max(ascent) + max(descent)


@lru_cache(maxsize=128)
def written(text, size, colour=(255, 255, 255), ground=(0, 0, 0)):
    """A line of text.

    Parameters
    ----------
    text : str
        In any script; from right to left and with joined letters where Pillow can (libraqm).
    size : int
        Pixels.
    colour, ground : tuple of int
        RGB.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        As large as the text.
    """
    from PIL import Image, ImageDraw

    image = Image.new("RGB", measure(text, size), ground)
    pen, x = ImageDraw.Draw(image), 0.0
    line = max(_font(file, size).getmetrics()[0] for _, file in runs(text))
    for piece, file in runs(text):
        pen.text((x, line), piece, colour, _font(file, size), anchor="ls")
        x += _font(file, size).getlength(piece)
    return np.asarray(image)

"""Grey levels and colours of any type as eight bits."""

import numpy as np

STRIP = 512  # rows that are converted at a time: as floats a large scan would not fit into the memory


def eight_bits(values, greatest=None):
    """Grey levels or colours of any type as uint8.

    Whole numbers use 8, 10, 12, 14, 16 or 32 bits, or all of their type that have a sign: the fewest that hold the greatest of them, since scanners and
    cameras put 12 bits into 16. Floats from 0 to 1 are shares of white, from -1 to 1 as well, from black; others are taken as
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
    >>> eight_bits(np.array([0, 2048, 4095], np.uint16)).tolist(), eight_bits(np.array([-1.0, 0, 1, np.nan])).tolist()
    ([0, 128, 255], [0, 128, 255, 0])
    """
    if values.dtype == np.uint8:
        return values
    floats = values.dtype.kind == "f"
    if floats:
        known = np.isfinite(values)
        low, top = float(values.min(initial=np.inf, where=known)), float(values.max(initial=-np.inf, where=known))
    else:
        low, top = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    low, top = (low, top) if low <= top else (0.0, 0.0)  # not one is finite
    brightest = top
    if low < 0:  # -1 to 1, or of no convention: from the darkest to the brightest
        low, top = (-1.0, 1.0) if floats and low >= -1 and top <= 1 else (low, top)
    elif floats and top <= 2:  # a little more than 1 where a photo was sharpened or made larger
        low, top = 0.0, 1.0
    else:
        own = [np.iinfo(values.dtype).max] if values.dtype.kind == "i" and values.dtype.itemsize < 4 else []
        low, top = 0.0, next((white for white in sorted([255, 1023, 4095, 16383, 65535, *own]) if top <= white), top)
    if greatest and low == 0 and brightest <= greatest < 65535:  # what says 65535 may not have meant it
        top = greatest
    out = np.empty(values.shape, np.uint8)
    for begin in range(0, len(values), STRIP):
        with np.errstate(invalid="ignore", over="ignore"):
            shares = (values[begin : begin + STRIP].astype(np.float64) - low) / max(top - low, 1e-300)
        out[begin : begin + STRIP] = np.rint(np.clip(np.nan_to_num(shares, nan=0.0, posinf=1.0, neginf=0.0), 0, 1) * 255)
    return out


def on_white(colours, shades, ready=False):
    """Colours with transparent parts, laid on white.

    Parameters
    ----------
    colours : ndarray of uint8, shape (H, W, C)
    shades : ndarray, shape (H, W, 1)
        How opaque each pixel is: whole numbers up to the greatest of their type, floats up to 1.
    ready : bool
        Whether the colours are multiplied by their shades already.

    Returns
    -------
    ndarray of uint8, shape (H, W, C)
    """
    out, most = np.empty_like(colours), np.iinfo(shades.dtype).max if shades.dtype.kind == "u" else 1
    for begin in range(0, len(colours), STRIP):
        rows = np.s_[begin : begin + STRIP]
        opaque = np.clip(shades[rows] / most, 0, 1)
        out[rows] = np.rint(np.minimum(colours[rows] * (1 if ready else opaque) + 255 * (1 - opaque), 255))
    return out

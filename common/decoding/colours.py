"""Colours as screens show them: sRGB, whatever a file says its numbers mean, by a profile or by code points."""

import io
import struct
from contextlib import suppress
from functools import cache

import numpy as np
from PIL import ImageCms

# Red, green and blue of the primaries of H.273, as ICC profiles have them: XYZ for white of 5,000 kelvin (D50), one row each
_PRIMARIES = {1: ((0.4360747, 0.2225045, 0.0139322), (0.3850649, 0.7168786, 0.0971045), (0.1430804, 0.0606169, 0.7141733)),
              9: ((0.6734241, 0.2790177, -0.0019300), (0.1656411, 0.6753402, 0.0299784), (0.1251286, 0.0456377, 0.7973330)),
              12: ((0.5151187, 0.2411892, -0.0010505), (0.2919778, 0.6922441, 0.0418791), (0.1571035, 0.0665668, 0.7840713))}  # fmt: skip
_D50 = 0.9642, 1, 0.8249
_PQ, _HLG, _SDR = 16, 18, {1, 2, 6, 13, 14, 15}  # its curves; those of SDR are shown as sRGB's
_WHITE = 203  # candelas per square metre: that of HDR in which SDR is embedded (ITU-R BT.2408); what is brighter becomes white


def profile_of(image, path):
    """What the numbers of a picture mean.

    Parameters
    ----------
    image : PIL.Image.Image
        As it was opened.
    path : path
        Its file; Pillow does not tell all that is in it.

    Returns
    -------
    bytes or None
        The ICC profile in the file, or one for the code points of H.273 that stand there instead, as phones with Android write them (nclx in HEIC and AVIF) and new
        programs (cICP in PNG, which goes before a profile). None if there are none, or those of sRGB.
    """
    profile, points = image.info.get("icc_profile"), None
    with suppress(Exception):  # of many kinds; a photo is not lost for its notes
        if image.format == "PNG":
            points = _in_png(path)
        elif not profile and image.format in ("HEIF", "AVIF"):
            told = image.info.get("nclx_profile") or _in_avif(path)
            points = told and (told["color_primaries"], told["transfer_characteristics"])
        return _profile_for(*points) if points else profile
    return profile


def _in_avif(path):
    import pillow_heif

    return pillow_heif.open_heif(path).info.get("nclx_profile")


def _in_png(path):
    """The first two code points of a PNG's cICP, which stands before its pixels."""
    with open(path, "rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
            if head[4:] == b"cICP":
                return tuple(file.read(2))
            file.seek(int.from_bytes(head[:4], "big") + 4, 1)
    return None


@cache
def _profile_for(primaries, curve):
    """An ICC profile (version 2) for code points, as bytes; None for those of sRGB. LookupError for such as no phone writes."""
    colours = _PRIMARIES[primaries]
    if curve not in {_PQ, _HLG, *_SDR}:
        raise LookupError(curve)
    if primaries == 1 and curve in _SDR:
        return None
    values = np.linspace(0, 1, 4096)
    if curve == _PQ:  # ITU-R BT.2100, as the next
        power = values ** (32 / 2523)
        light = (np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)) ** (16384 / 2610) * 10_000 / _WHITE
    elif curve == _HLG:  # on a screen of 1,000 candelas, each colour by itself: exact for grey
        light = np.where(values <= 0.5, values**2 / 3, (np.exp((values - 0.55991073) / 0.17883277) + 0.28466892) / 12) ** 1.2 * 1000 / _WHITE
    else:
        light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    table = b"curv" + struct.pack(">4xI4096H", 4096, *np.rint(65535 * np.minimum(light, 1)).astype(int))
    parts = {b"desc": b"desc" + struct.pack(">4xI6s78x", 6, b"H.273"), b"cprt": b"text" + bytes(8), b"wtpt": _xyz(_D50),
             **dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(_xyz, colours))), **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), table)}
    index, body, begin = struct.pack(">I", len(parts)), b"", 128 + 4 + 12 * len(parts)
    for key, part in parts.items():
        index += key + struct.pack(">II", begin + len(body), len(part))
        body += part + bytes(-len(part) % 4)
    head = struct.pack(">I4xI12s12x4s28x", begin + len(body), 0x02100000, b"mntrRGB XYZ ", b"acsp") + _xyz(_D50)[8:]
    return head.ljust(128, b"\0") + index + body


def _xyz(colour):
    return b"XYZ " + struct.pack(">4x3i", *(round(65536 * each) for each in colour))


@cache
def _srgb():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def in_srgb(image, profile):
    """A picture with its colours as sRGB has them. Phones mean those of Display P3, which would come out dull; printers mean four inks.

    Parameters
    ----------
    image : PIL.Image.Image
        Changed in place if it is RGB, for a copy of a large scan would not fit into the memory.
    profile : bytes or None
        The ICC profile that its file has. One that is damaged, or that is of other colours than the picture, is as none.

    Returns
    -------
    PIL.Image.Image
        RGB where there is such a profile; else as it came.
    """
    if not profile or image.mode not in ("RGB", "CMYK"):
        return image
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(own).lower():
            return image
        if image.mode == "RGB":
            ImageCms.profileToProfile(image, own, _srgb(), inPlace=True)
            return image
        return ImageCms.profileToProfile(image, own, _srgb(), outputMode="RGB")
    except (ImageCms.PyCMSError, ImportError, OSError, TypeError, ValueError):  # a photo is not lost for its notes, nor where Pillow was built without Little CMS
        return image

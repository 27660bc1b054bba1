"""Colours as screens show them: sRGB, whatever a file's own profile says its numbers mean."""

import io
from functools import cache

from PIL import ImageCms


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

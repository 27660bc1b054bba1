"""The people of the demo scenes: heads cut out of the ORL pictures, decoys, bodies, and blending them in."""

from collections import namedtuple

import cv2
import numpy as np

# From light to dark: the colour that the middle grey of a face is mapped to, and that of its hair.
SKIN_TONES = np.array(
    [(238, 206, 184), (226, 184, 154), (208, 160, 124), (184, 132, 96), (150, 102, 72), (112, 74, 52), (78, 52, 40)],
    np.float32,
)
HAIR = np.array([(12, 10, 10), (30, 22, 18), (52, 34, 24), (78, 52, 34), (70, 66, 62)], np.float32)
# How often a decoy is a thing from a photo, a head from behind, noise in a face's place, a face in pieces.
DECOY_SHARES = (0.55, 0.35, 0.06, 0.04)

# A head: its grey values and soft mask, the mask of what a decoy replaces, and where its face lies (pixels).
Head = namedtuple("Head", "grey alpha inner center size")


class Heads:
    """The heads of ORL pictures, each cut out when it is first asked for: a few scenes need a few heads, and threads cut them out side by side.

    Parameters
    ----------
    faces : ndarray of uint8, shape (N, 112, 92)
    """

    def __init__(self, faces):
        self._faces, self._made = faces, [None] * len(faces)

    def __len__(self):
        return len(self._faces)

    def __getitem__(self, number):
        if self._made[number] is None:
            self._made[number] = cut_out_head(self._faces[number])
        return self._made[number]


def cut_out_head(face):
    """Find the head in an ORL picture: its soft mask, its place and its size.

    The skin is found with GrabCut (Rother et al. 2004) on half the resolution; an oval adds the hair,
    which GrabCut takes for background. Jaws keep their own outline, because the oval counts only above.

    Parameters
    ----------
    face : ndarray of uint8, shape (112, 92)

    Returns
    -------
    Head
    """
    labels, models = _guess(face.shape), np.zeros((2, 1, 65))
    small = cv2.cvtColor(cv2.resize(face, labels.shape[::-1], interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2BGR)
    cv2.setRNGSeed(0)  # GrabCut starts from k-means, which draws from OpenCV's own generator
    cv2.grabCut(small, labels, None, models[0], models[1], 3, cv2.GC_INIT_WITH_MASK)
    skin = cv2.resize((labels & 1).astype(np.float32), face.shape[::-1])
    # the pictures cut many a head off at the hair: ten more rows of it give the oval its dome
    rows, cols = np.mgrid[-10 : face.shape[0], : face.shape[1]].astype(np.float32)
    skin = cv2.GaussianBlur(cv2.copyMakeBorder(skin, 10, 0, 0, 0, cv2.BORDER_CONSTANT), (0, 0), 2.5)
    grey = cv2.copyMakeBorder(face.astype(np.float32), 10, 0, 0, 0, cv2.BORDER_REPLICATE)
    inside = np.flatnonzero(skin[40:105].mean(0) > 0.4)
    middle = (inside[0] + inside[-1]) / 2
    box_width = np.clip(inside[-1] - inside[0] + 6, 72, 86)
    across = (cols - middle) / (box_width / 2 + 1)
    oval = np.abs(across) ** 2.6 + np.abs((rows - 57) / 63) ** 2.6
    hair = np.clip((1 - oval) * 4, 0, 1) * np.clip((62 - rows) / 16, 0, 1)
    frame = np.clip((rows[-1, 0] - 2 - rows) / 8, 0, 1) * np.clip((45.5 - np.abs(cols - 45.5)) / 4, 0, 1)
    alpha = np.maximum(skin, hair) * frame
    inner = np.clip((0.88 - np.hypot(across, (rows - 58) / 54)) * 7, 0, 1)
    # the wall beside the hair becomes hair
    grey = _even_out(grey, skin) * (1 - 0.6 * np.clip(hair - skin, 0, 1))
    return Head(grey, alpha, inner, (71.0, middle), (90.0, box_width))


def _guess(shape):
    """Where GrabCut begins to look for skin, on half the resolution of a picture."""
    rows, cols = np.mgrid[: shape[0] // 2, : shape[1] // 2]
    radius = np.hypot((cols - 22.5) / 23, (rows - 29) / 30)
    guess = np.where(radius < 0.95, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    guess[radius < 0.6] = cv2.GC_FGD
    guess[:2], guess[:, :2], guess[:, -2:] = (cv2.GC_BGD,) * 3
    return guess


def _even_out(grey, mask):
    """Give every picture the same middle grey and contrast: tone and light are the scene's to choose."""
    values = grey[mask > 0.8]
    return np.clip(0.58 + 0.19 * (grey - np.median(values)) / max(values.std(), 12.0), 0.02, 1)


def faceless(rng, head, skin, texture):
    """Make a decoy: what has the outline of a head, and is tinted and blended like one, but has no face.

    Upside-down and negative faces are left out: a student would call them faces, and be right.

    Parameters
    ----------
    rng : numpy.random.Generator
    head : Head
    skin : ndarray, shape (3, 3)
        From `skin_colors`.
    texture : callable
        ``texture(height, width, zoom)`` cuts a random piece, uint8 RGB, out of some photo.

    Returns
    -------
    grey : ndarray, same shape as the head's
    colors : ndarray, shape (3, 3)
        The RGB anchors of dark, middle and light grey.
    """
    height, width = head.grey.shape
    kind = rng.choice(("thing", "back", "noise", "pieces"), p=DECOY_SHARES)
    if kind == "thing":  # a piece of a photo in its own colour
        piece = texture(height, width, (0.4, 1.4))
        color = piece.mean((0, 1))
        skin = np.stack([color * 0.2, color, color + (255 - color) * 0.4]).astype(np.float32)
        filling = cv2.cvtColor(piece, cv2.COLOR_RGB2GRAY).astype(np.float32)
        filling = _even_out(filling, head.inner)
    elif kind == "back":  # a head from behind: strands of hair down to the nape
        strands = texture(height // 5, width, (0.5, 1.5))
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


def skin_colors(rng):
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


def add_body(rng, image, texture, box, skin):
    """Draw neck and shoulders under the head in a box, dressed in a piece of a photo; float image, in place."""
    h, w = box[2] - box[0], box[3] - box[1]
    shoulder = w * rng.uniform(1.0, 1.3)
    neckline = h * rng.uniform(0.12, 0.2)
    slope = h * rng.uniform(0.2, 0.35)
    half = int(1.25 * shoulder) + 3
    top, left = int(box[2] - 0.3 * h), int((box[1] + box[3]) / 2) - half
    height, width = image.shape[0] - top, 2 * half
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
    cloth = texture(height, width, (0.5, 1.5)).astype(np.float32).mean(-1, keepdims=True)
    hue = np.float32([[[rng.uniform(0, 360), rng.uniform(0.05, 0.6), 255 * rng.uniform(0.15, 0.85)]]])
    x = np.abs(np.arange(width) - half)[None, :] / shoulder
    y = np.arange(height)[:, None] - drop
    shade = np.cos(x) * (1 - 0.3 * np.exp(-(((x - 0.78) / 0.05) ** 2)) * (y > 1.4 * slope))
    pattern = 1 + (cloth / max(cloth.mean(), 1) - 1) * rng.uniform(0.1, 0.5)
    _blend(image, cv2.cvtColor(hue, cv2.COLOR_HSV2RGB) * pattern * shade[..., None].astype(np.float32), body, top, left)


def add_head(rng, image, head, grey, scale, center, colors):
    """Tint, light, blur and turn a head and blend it into the image around `center`, in place.

    Parameters
    ----------
    rng : numpy.random.Generator
    image : ndarray of float32, shape (H, W, 3)
    head : Head
    grey : ndarray
        The head's own grey values, or those of `faceless`.
    scale : float
        Pixels of the image to one of the head.
    center : (float, float)
        Row and column of the middle of the face.
    colors : ndarray, shape (3, 3)
        The RGB anchors of dark, middle and light grey.
    """
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
    layer = np.stack([np.interp(grey, (0.08, 0.58, 1.0), colors[:, c]) for c in range(3)], -1)
    # the light of the place: a little of its colour and of its brightness
    around = image[max(top, 0) : top + 2 * half, max(left, 0) : left + 2 * half].mean((0, 1))
    cast = around / max(around.mean(), 1)
    layer *= 1 + 0.25 * (np.clip(cast, 0.5, 1.5) - 1)
    layer *= 1 + 0.35 * (np.clip(around.mean() / 120, 0.5, 1.4) - 1)
    if rng.random() < 0.5:
        layer = cv2.GaussianBlur(layer, (0, 0), rng.uniform(0.3, 1.0))
    _blend(image, layer, alpha, top, left)

"""What a camera, a light, a hand or a mask might have made of a crop; and drawings that look like faces and are none."""

import cv2
import numpy as np

CLOTH = np.array([[235, 240, 245], [150, 190, 220], [30, 30, 35], [240, 240, 240], [80, 120, 170], [120, 150, 120], [200, 160, 140], [170, 60, 60],
                  [220, 200, 120], [90, 90, 90]], float)
FILLS = np.array([[250, 215, 50], [255, 255, 255], [240, 200, 160], [230, 160, 40], [150, 200, 255]], float)
METALS = np.array([[190, 160, 90], [170, 170, 175], [180, 110, 70]], float)
PARTS = 8  # OpenCV draws to an eighth of a pixel when asked


def _polygon(image, corners, colour):
    cv2.fillConvexPoly(image, np.round(corners[:, ::-1] * PARTS).astype(np.int32), tuple(map(float, colour)), cv2.LINE_AA, 3)


def _ellipse(image, middle, half, colour, line=-1, angle=0.0, begin=0.0, end=360.0):
    """An ellipse or a part of its line; `middle` and `half` are rows before columns."""
    cv2.ellipse(image, tuple(int(round(v * PARTS)) for v in middle[::-1]), tuple(max(1, int(v * PARTS)) for v in half[::-1]), angle, begin, end,
                tuple(map(float, colour)), line, cv2.LINE_AA, 3)


def _frame(labels, number, face):
    """Middle, half width to the right and half height downwards of a face or a head in its own directions."""
    middle, spread = labels.middles[number], labels.spreads[number]
    if face and not np.isnan(labels.face_middles[number, 0]):
        middle, spread = labels.face_middles[number], labels.face_spreads[number]
    down = -labels.up[number] / max(np.linalg.norm(labels.up[number]), 1e-6)
    right = np.array([down[1], -down[0]])
    return middle, right * np.sqrt(max(right @ spread @ right, 1e-6)), down * np.sqrt(max(down @ spread @ down, 1e-6))


def mask(image, labels, number, rng):
    """Cloth over the lower half of a face, with folds and straps now and then; or a scarf. Drawn into the image."""
    middle, right, down = _frame(labels, number, True)
    top, side, bottom, dip = rng.uniform(-0.05, 0.3), rng.uniform(0.8, 1.1), rng.uniform(0.85, 1.15), rng.uniform(-0.1, 0.25)
    colour = CLOTH[rng.integers(len(CLOTH))] * rng.uniform(0.7, 1.05) if rng.random() < 0.7 else rng.uniform(0, 255, 3)
    outline = [(-side, top + 0.12), (-0.45, top + 0.03), (0, top - dip), (0.45, top + 0.03), (side, top + 0.12), (side * 0.85, 0.65), (0.4, bottom),
               (0, bottom + 0.05), (-0.4, bottom), (-side * 0.85, 0.65)]
    if rng.random() < 0.2:
        outline = [(-side * 1.1, top), (side * 1.1, top), (side, bottom + 0.3), (-side, bottom + 0.3)]
    corners = middle + np.array([a * right + b * down for a, b in outline])
    low, high = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0), np.maximum(np.ceil(corners.max(axis=0)).astype(int) + 2, 0)
    patch = image[low[0] : high[0], low[1] : high[1]]
    if not patch.size:
        return
    before = patch.copy()
    _polygon(image, corners, colour)
    if rng.random() < 0.5:
        shade = cv2.resize(rng.normal(0, rng.uniform(5, 30), (4, 5)).astype(np.float32), patch.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        changed = (patch != before).any(axis=2)
        patch[changed] = np.clip(patch[changed] + shade[changed][:, None], 0, 255).astype(np.uint8)
    width = np.linalg.norm(right)
    if rng.random() < 0.5 and width > 8:
        for s in (-1, 1):
            ends = [middle + s * 0.9 * side * right + (top + 0.1) * down, middle + s * 1.1 * right + (top - 0.25) * down]
            cv2.line(image, *(tuple(int(v) for v in end[::-1]) for end in ends), tuple(map(float, colour)), max(1, int(width * 0.05)), cv2.LINE_AA)


def cover(image, labels, number, rng):
    """Dark glasses, a bar or a hand in front of a head. Drawn into the image."""
    middle, right, down = _frame(labels, number, False)
    height, width, kind = np.linalg.norm(down), np.linalg.norm(right), rng.random()
    colour = rng.uniform(0, 255, 3) if rng.random() < 0.6 else np.clip(np.array([200, 150, 120]) * rng.uniform(0.3, 1.2), 0, 255)
    if kind < 0.35:
        angle = float(np.degrees(np.arctan2(right[0], right[1])))
        for s in (-1, 1):
            _ellipse(image, middle - 0.02 * down + s * 0.4 * right, (0.2 * height, 0.3 * width), (20, 20, 25), angle=angle)
    elif kind < 0.7:
        angle, at = rng.uniform(0, np.pi), middle + rng.uniform(-0.7, 0.7, 2) * [height, width]
        along = np.array([np.sin(angle), np.cos(angle)]) * rng.uniform(0.6, 2.5) * height
        across = np.array([-np.cos(angle), np.sin(angle)]) * rng.uniform(0.1, 0.3) * width
        _polygon(image, np.array([at + along + across, at + along - across, at - along - across, at - along + across]), colour)
    else:
        at = middle + rng.uniform(-0.9, 0.9, 2) * [height, width]
        _ellipse(image, at, rng.uniform(0.25, 0.6, 2) * [height, width], colour, angle=rng.uniform(0, 180))


def smiley(image, rng):
    """A drawn face: circle, two eyes, a mouth. Drawn into the image."""
    side = len(image)
    radius = rng.uniform(8, side * 0.45)
    middle = rng.uniform(radius * 0.7, side - radius * 0.7, 2)
    fill = FILLS[rng.integers(len(FILLS))] * rng.uniform(0.7, 1) if rng.random() < 0.8 else rng.uniform(0, 255, 3)
    ink, line = rng.uniform(0, 80, 3) if fill.mean() > 110 else rng.uniform(170, 255, 3), max(1, int(radius * rng.uniform(0.03, 0.1)))
    half = (radius * rng.uniform(0.8, 1.1), radius)
    if rng.random() < 0.8:
        _ellipse(image, middle, half, fill)
    if rng.random() < 0.8:
        _ellipse(image, middle, half, ink, line)
    above, aside, eye = rng.uniform(0.15, 0.4) * radius, rng.uniform(0.25, 0.45) * radius, rng.uniform(0.07, 0.17) * radius
    for s in (-1, 1):
        at = middle + [-above, s * aside]
        if rng.random() < 0.5 and eye > 2:
            _ellipse(image, at, (eye * 1.75, eye * 1.5), (250, 250, 250))
        _ellipse(image, at, (eye * rng.uniform(1, 1.8), eye), ink)
    if rng.random() < 0.4:
        ends = [middle + [-0.1 * radius, 0], middle + [0.15 * radius, 0.05 * radius]]
        cv2.line(image, *(tuple(int(v) for v in end[::-1]) for end in ends), tuple(map(float, ink)), line, cv2.LINE_AA)
    smiles = rng.random() < 0.5
    _ellipse(image, middle + [(0.2 if smiles else 0.6) * radius, 0], (radius * rng.uniform(0.05, 0.4), radius * rng.uniform(0.3, 0.55)), ink,
             -1 if rng.random() < 0.2 else line, begin=10 if smiles else 190, end=170 if smiles else 350)


def coin(image, rng):
    """A coin with a head in relief. Drawn into the image."""
    side = len(image)
    radius = rng.uniform(10, side * 0.45)
    middle, metal, s = rng.uniform(radius * 0.7, side - radius * 0.7, 2), METALS[rng.integers(3)] * rng.uniform(0.5, 1.2), rng.choice([-1, 1])

    def tone(factor):
        return np.clip(metal * factor, 0, 255)

    _ellipse(image, middle, (radius, radius), tone(1))
    _ellipse(image, middle, (0.9 * radius, 0.9 * radius), tone(0.75), max(1, int(0.04 * radius)))
    _ellipse(image, middle + [-0.1 * radius, 0], (0.48 * radius, 0.35 * radius), tone(1.12), angle=rng.uniform(-15, 15))
    _polygon(image, middle + radius * np.array([[0.1, -0.2], [0.1, 0.2], [0.75, 0.35], [0.75, -0.35]]), tone(1.1))
    _polygon(image, middle + radius * np.array([[-0.2, s * 0.3], [0.05, s * 0.5], [0.08, s * 0.3]]), tone(1.15))
    for eye in (s, -s)[: rng.integers(1, 3)]:
        _ellipse(image, middle + radius * np.array([-0.15, eye * 0.15]), (0.05 * radius, 0.05 * radius), tone(0.6))
    _ellipse(image, middle + radius * np.array([0.15, s * 0.25]), (0.03 * radius, 0.1 * radius), tone(0.65))


def recoloured(image, rng):
    """The crop as another camera, light or time would have made it: grey, blurred, dark, in other colours, noisy, stored badly."""
    if rng.random() < 0.22:
        weights = rng.dirichlet([3, 6, 2]) if rng.random() < 0.5 else np.array([0.3, 0.59, 0.11])
        image = cv2.transform(image, np.tile(weights, (3, 1)))
        if rng.random() < 0.25:
            image = np.clip(image * np.array([1.07, 0.93, 0.75]), 0, 255).astype(np.uint8)
    image, dark = _blurred(image, rng), rng.random() < 0.09
    gain, gamma, offset = np.exp(rng.normal(0, 0.22)), np.exp(rng.normal(0, 0.25)), rng.normal(0, 0.06)
    cast = np.exp(rng.normal(0, 0.08 if rng.random() < 0.8 else 0.25, 3))
    tones = (np.arange(256) / 255) ** gamma
    if dark:
        curve = tones[:, None] * gain * rng.uniform(0.12, 0.5) * cast
    else:
        mean = image.mean() / 255
        curve = (tones[:, None] - mean) * gain * cast + mean + offset
    image = cv2.LUT(image, np.round(np.clip(curve, 0, 1) * 255).astype(np.uint8).reshape(1, 256, 3))
    if rng.random() < (0.6 if dark else 0.15):
        grain = rng.normal(0, rng.uniform(2, 12), image.shape[:2] + (3 if rng.random() < 0.5 else 1,))
        image = np.clip(image + grain, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        image = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(15, 75))])[1], cv2.IMREAD_COLOR)
    return image


def _blurred(image, rng):
    """Now and then: fewer pixels, out of focus, or moved."""
    kind = rng.random()
    if kind < 0.2:
        small = max(8, int(len(image) * rng.uniform(0.3, 0.85)))
        back = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_CUBIC
        return cv2.resize(cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA), image.shape[1::-1], interpolation=back)
    if kind < 0.3:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.6, 2.2))
    if kind < 0.34:
        length = int(rng.integers(3, 9))
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1 / length
        return cv2.filter2D(image, -1, kernel if rng.random() < 0.5 else np.ascontiguousarray(kernel.T))
    return image

"""Crops to learn from: faces of all sizes, turned, covered and recoloured, alone or in mosaics; and places without any."""

import cv2
import numpy as np

from RegionDetector.one_pass import disguises
from RegionDetector.one_pass.labels import no_labels, sizes
from RegionDetector.one_pass.targets import COLUMNS, STRIDES, targets
from RegionDetector.pyramid.scales import halves, warped

SIDE = 256  # pixels of a crop
MOSAICS = {2: (16, 100), 4: (9, 34)}  # parts along a side, sizes of heads in a part
ALONE = (26, 330)  # sizes of heads in a crop of one part
AGAIN = 0.4  # share of crops without a face that show what was mistaken for one, where that is known
ENLARGED = 3.0  # at most; blurred more than that, nobody would know a face
PHOTOS_OF_THE_KIT = ("brick", "cell", "chelsea", "clock_motion", "coffee", "coins", "color", "grass", "gravel", "horse", "ihc", "logo", "microaneurysms",
                     "moon", "motorcycle_left", "motorcycle_right", "page", "phantom", "rocket", "text", "hubble_deep_field", "retina", "chessboard_GRAY")


def without_people():
    """Photos without people that come with scikit-image and scikit-learn: list of ndarray of uint8, each (H, W, 3)."""
    from pathlib import Path

    import skimage
    import sklearn

    from common.photos import read_photo

    folder = Path(skimage.__file__).parent / "data"
    files = [file for file in sorted(folder.iterdir()) if file.stem in PHOTOS_OF_THE_KIT and file.suffix in (".png", ".jpg")]
    files += sorted((Path(sklearn.__file__).parent / "datasets" / "images").glob("*.jpg"))
    return [read_photo(file) for file in files]


class Album:
    """Photos with labels, photos without people, and pictures with transparent ground that are pasted onto the latter.

    Parameters
    ----------
    photos : sequence of (ndarray of uint8 (H, W, 3), Labels)
    backgrounds : sequence of ndarray of uint8, each (H, W, 3)
    stickers : sequence of ndarray of uint8, each (H, W, 4)
        Drawn faces and the like.

    Attributes
    ----------
    faces : list of (int, int)
        Photo and number of each face that is learnt; those that are hard to see may stand there more than once.
    mistaken : list of (int, ndarray, float)
        Background, middle and size of what was taken for a face there.
    """

    def __init__(self, photos, backgrounds, stickers=()):
        self.levels, self.labels = [halves(photo) for photo, _ in photos], [labels for _, labels in photos]
        self.backgrounds, self.stickers = [halves(photo) for photo in backgrounds], list(stickers)
        self.faces = [(photo, face) for photo, labels in enumerate(self.labels) for face in np.flatnonzero(labels.sure)]
        self.mistaken = []


def sample(album, number, rng):
    """A crop with one of the album's faces, or none, and what the network should answer.

    Parameters
    ----------
    album : Album
    number : int
        Which of ``album.faces`` is to be seen; one crop in sixteen shows none.
    rng : numpy.random.Generator

    Returns
    -------
    crop : ndarray of uint8, shape (256, 256, 3)
    target : ndarray of float32, shape (1344, 26)
        See `targets.targets`; the three maps one after the other.
    """
    if rng.random() < 0.5:
        parts = 2 if rng.random() < 0.6 else 4
        crop, maps = np.zeros((SIDE, SIDE, 3), np.uint8), [np.zeros((SIDE // stride, SIDE // stride, COLUMNS), np.float32) for stride in STRIDES]
        side = SIDE // parts
        for row in range(parts):
            for col in range(parts):
                which = number if row == col == 0 else int(rng.integers(len(album.faces)))
                part, labels = _face(album, which, MOSAICS[parts], side, rng) if rng.random() < 0.8 else _no_face(album, side, rng)
                crop[row * side : (row + 1) * side, col * side : (col + 1) * side] = part
                for one, stride, target in zip(maps, STRIDES, targets(labels, side)):
                    cells = side // stride
                    one[row * cells : (row + 1) * cells, col * cells : (col + 1) * cells] = target
    else:
        crop, labels = _face(album, number, ALONE, SIDE, rng) if rng.random() < 0.76 else _no_face(album, SIDE, rng)
        maps = targets(labels, SIDE)
    return disguises.recoloured(crop, rng), np.concatenate([one.reshape(-1, COLUMNS) for one in maps])


def batch(album, numbers, rng):
    """`sample` for each of the faces `numbers`: crops (N, 256, 256, 3) of float32 and targets (N, 1344, 26)."""
    crops, target = zip(*(sample(album, number, rng) for number in numbers))
    return np.stack(crops).astype(np.float32), np.stack(target)


def placed(middle, scale, side, reach, rng):
    """A map of coordinates that brings a point near the middle of a crop: turned (one in three by any angle), stretched, mirrored.

    Returns
    -------
    turn : ndarray, shape (2, 2)
    shift : ndarray, shape (2,)
    """
    kind = rng.random()
    angle = np.radians(rng.uniform(-180, 180) if kind < 0.35 else rng.normal(0, 30 if kind < 0.55 else 8))
    stretch = np.exp(rng.normal(0, 0.06))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([scale * stretch, scale / stretch])
    if rng.random() < 0.5:
        turn = turn @ np.diag([1, -1])
    return turn, side / 2 + rng.uniform(-reach, reach, 2) - turn @ middle


def _face(album, number, wanted, side, rng):
    """A crop with a face of the album at a size between two, and the labels in it."""
    photo, face = album.faces[number]
    labels = album.labels[photo]
    place = _brought(labels.middles[face], sizes(labels.spreads[face][None])[0], wanted, side, rng)
    return cropped(album, album.levels[photo], labels, *place, side, rng)


def _brought(middle, size, wanted, side, rng):
    """`placed` for something of one size that is to have another between two."""
    new = min(np.exp(rng.uniform(*np.log(wanted))), ENLARGED * size)
    reach = max(2, side / 2 - 0.35 * new) if new < 0.8 * side else 0.15 * side
    return placed(middle, new / size, side, reach, rng)


def cropped(album, levels, labels, turn, shift, side, rng):
    """A crop of a photo with something where the photo has ended, and something in front of some faces; the labels in it."""
    crop, labels = warped(levels, turn, shift, side), labels.moved(turn, shift)
    reach = np.sqrt(2 * np.trace(labels.spreads, axis1=1, axis2=2))
    labels = labels[((labels.middles > -reach[:, None]) & (labels.middles < side + reach[:, None])).all(axis=1)]
    if rng.random() < 0.85:
        inside = _inside(levels[0].shape[:2], turn, shift, side)
        if cv2.countNonZero(inside) < 0.97 * inside.size:
            other = _background(album, side, rng) if rng.random() < 0.75 else np.full_like(crop, rng.integers(0, 256, 3).astype(np.uint8))
            crop = cv2.copyTo(crop, inside, other)
    if rng.random() < 0.32:
        for face in np.flatnonzero(labels.sure):
            if rng.random() < 0.7:
                (disguises.mask if rng.random() < 0.68 else disguises.cover)(crop, labels, face, rng)
    return crop, labels


def _inside(shape, turn, shift, side):
    """Which pixels of a crop lie in the photo, (side, side) of 0 and 255."""
    corners = (np.array([[0, 0], [0, shape[1]], [shape[0], shape[1]], [shape[0], 0]]) @ turn.T + shift)[:, ::-1]
    inside = np.zeros((side, side), np.uint8)
    cv2.fillConvexPoly(inside, np.clip(np.round(corners), -30_000, 30_000).astype(np.int32), 255)
    return inside


def _background(album, side, rng):
    """A crop from anywhere in a photo without people."""
    levels = album.backgrounds[rng.integers(len(album.backgrounds))]
    shape = np.array(levels[0].shape[:2])
    scale = np.exp(rng.uniform(np.log(min(side / shape.max(), 1)), np.log(1.5)))
    return warped(levels, *placed(rng.uniform(0, shape), scale, side, 0, rng), side)


def _no_face(album, side, rng):
    """A crop from anywhere in the album or in a photo without people, with drawings of faces now and then; the labels in it."""
    kind = rng.random()
    if album.mistaken and rng.random() < AGAIN:
        background, middle, size = album.mistaken[rng.integers(len(album.mistaken))]
        return warped(album.backgrounds[background], *_brought(middle, size, (MOSAICS[4][0], 1.3 * side), side, rng), side), no_labels()
    if kind < 0.3:
        photo = int(rng.integers(len(album.levels)))
        shape = np.array(album.levels[photo][0].shape[:2])
        place = placed(rng.uniform(0, shape), np.exp(rng.uniform(np.log(0.3), np.log(2.5))), side, 0, rng)
        return cropped(album, album.levels[photo], album.labels[photo], *place, side, rng)
    return no_people(album, side, kind < 0.75, rng), no_labels()


def no_people(album, side, drawings, rng):
    """A crop from anywhere in a photo without people, or one colour; with one to three drawings of faces where they are asked for."""
    crop = _background(album, side, rng) if rng.random() < 0.8 else np.full((side, side, 3), rng.integers(0, 256, 3), np.uint8)
    if drawings:
        for _ in range(rng.integers(1, 4)):
            drawing = rng.random()
            if drawing < 0.45:
                disguises.smiley(crop, rng)
            elif drawing < 0.7 or not album.stickers:
                disguises.coin(crop, rng)
            else:
                _paste(crop, album.stickers[rng.integers(len(album.stickers))], rng)
    return crop


def _paste(crop, sticker, rng):
    """Put a picture with a transparent ground somewhere into a crop."""
    scale = rng.uniform(12, 0.9 * len(crop)) / len(sticker)
    small = cv2.resize(sticker, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.3:
        turn = cv2.getRotationMatrix2D((small.shape[1] / 2, small.shape[0] / 2), rng.uniform(-180, 180), 1)
        small = cv2.warpAffine(small, turn, small.shape[1::-1])
    row, col = (int(rng.integers(0, max(1, full - part + 1))) for full, part in zip(crop.shape[:2], small.shape[:2]))
    place = crop[row : row + small.shape[0], col : col + small.shape[1]]
    small = small[: place.shape[0], : place.shape[1]]
    opaque = small[..., 3:] / 255
    place[:] = np.round(place * (1 - opaque) + small[..., :3] * opaque)

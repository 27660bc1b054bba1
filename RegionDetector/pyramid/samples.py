"""Training crops for `pyramid.model`: faces turned, shifted and scaled in photos of FDDB, and places without faces."""

import cv2
import numpy as np

from common.photos import read_photo
from RegionDetector.one_pass.labels import boxed, spread_of
from RegionDetector.pyramid.model import LEARNT, STRIDE, as_target
from RegionDetector.pyramid.scales import halves, warped

CROP = 96  # pixels
LEAST = 12.0  # a face smaller than this in the photo is not learnt from
IGNORED = (17.0, 84.0)  # between these and LEARNT the network may say what it likes
CORE, RIM = 0.3, 0.6  # share of the ellipse whose cells are positive; up to RIM they are left out
BACKGROUND = 0.5  # crops without a chosen face, for every crop with one


class Album:
    """Photos in memory, each also at half, a quarter, ... of its size, and their faces.

    Parameters
    ----------
    records : sequence of RegionDetector.fddb.reading.FddbPhoto
        With ``path`` and ``ellipses``.

    Attributes
    ----------
    levels : list of list of ndarray of uint8
        For each photo (H, W, 3) RGB, then half of it, and so on to 64 pixels.
    middles, spreads : list of ndarray
        For each photo the middle (row, column) of its faces, (N, 2), and the matrix of each ellipse, (N, 2, 2):
        the points x with ``(x - middle)' inverse(spread) (x - middle) <= 1``.
    """

    def __init__(self, records):
        self.levels, self.middles, self.spreads = [], [], []
        for record in records:
            self.levels.append(halves(read_photo(record.path)))
            middles, spreads = spread_of(record.ellipses)
            self.middles.append(middles)
            self.spreads.append(spreads)
        self.faces = [(photo, face) for photo, spreads in enumerate(self.spreads) for face in range(len(spreads)) if size(spreads[face]) >= LEAST]

    def crop(self, photo, turn, shift, side=CROP):
        """The part of a photo that a map of coordinates brings to a square, black where there is no photo.

        Parameters
        ----------
        photo : int
        turn : ndarray, shape (2, 2)
        shift : ndarray, shape (2,)
            Point ``p`` (row, column) of the photo goes to ``turn @ p + shift``.

        Returns
        -------
        ndarray of uint8, shape (side, side, 3)
        """
        return warped(self.levels[photo], turn, shift, side)


def size(spread):
    """Square root of height times width of the box around an ellipse, in pixels."""
    return 2 * float(spread[0, 0] * spread[1, 1]) ** 0.25


def targets(middles, spreads, side=CROP):
    """What the network should answer on a crop; see `pyramid.model.detection_loss`.

    Parameters
    ----------
    middles : ndarray, shape (N, 2)
    spreads : ndarray, shape (N, 2, 2)
        The faces in pixels of the crop.

    Returns
    -------
    ndarray of float32, shape (side / 8, side / 8, 8)
    """
    cells = side // STRIDE
    target = np.zeros((cells, cells, 8), np.float32)
    target[..., 1] = 1
    if not len(middles):
        return target
    ellipses = boxed(middles, spreads)
    points = (np.stack(np.indices((cells, cells)), axis=-1) + 0.5) * STRIDE
    away = points[:, :, None] - middles
    distance = np.sqrt(np.einsum("rcni,nik,rcnk->rcn", away, np.linalg.inv(spreads), away))
    sizes = 2 * np.sqrt(ellipses[:, 2] * ellipses[:, 3])
    learnt, far = (sizes >= LEARNT[0]) & (sizes <= LEARNT[1]), (sizes < IGNORED[0]) | (sizes > IGNORED[1])
    # the cell nearest to the middle answers for a face even if it lies a little outside of its core
    core = np.maximum(CORE, np.where(distance.min(axis=(0, 1)) < RIM, distance.min(axis=(0, 1)) + 1e-6, 0))
    nearest = distance.argmin(axis=2)
    rows, cols = np.indices((cells, cells))
    here = distance[rows, cols, nearest]
    positive, inside = here <= core[nearest], (distance < np.where(far, 0, np.where(learnt, RIM, 1.0))).any(axis=2)
    face, box = positive & learnt[nearest], positive & ~far[nearest]
    target[..., 0] = face
    target[..., 1] = face | ~inside
    target[..., 2] = box
    target[rows[box], cols[box], 3:] = as_target(ellipses[nearest[box]], rows[box], cols[box])
    return target


def around(middle, scale, rng, side=CROP, reach=24.0, turn=10.0):
    """A map of coordinates that brings a point near the middle of a crop: turned, stretched, mirrored at random.

    Returns
    -------
    turn : ndarray, shape (2, 2)
    shift : ndarray, shape (2,)
    """
    angle = np.radians(np.clip(rng.normal(0, turn), -35, 35))
    stretch = np.exp(rng.normal(0, 0.05))
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([scale * stretch, scale / stretch])
    if rng.random() < 0.5:
        matrix = matrix @ np.diag([1, -1])
    return matrix, side / 2 + rng.uniform(-reach, reach, 2) - matrix @ middle


def face_crop(album, number, rng):
    """A crop with one of the album's faces in it, at a size that the network learns."""
    photo, face = album.faces[number]
    wanted = np.exp(rng.uniform(*np.log(LEARNT)))
    return photo, *around(album.middles[photo][face], wanted / size(album.spreads[photo][face]), rng)


def background_crop(album, rng, hard=()):
    """A crop from anywhere in any photo at any scale, or around one of the `hard` places (photo, row, column, scale)."""
    if len(hard) and rng.random() < 0.7:
        photo, row, col, scale = hard[rng.integers(len(hard))]
        return int(photo), *around(np.array([row, col]), scale * np.exp(rng.uniform(-0.2, 0.2)), rng)
    photo = int(rng.integers(len(album.levels)))
    shape = np.array(album.levels[photo][0].shape[:2])
    scale = np.exp(rng.uniform(np.log(min(CROP / shape.max(), 1.0)), np.log(1.6)))
    return photo, *around(rng.uniform(0, shape), scale, rng)


def recoloured(crop, rng):
    """The crop as another camera, light or hand might have made it: colours, blur, noise, something in front."""
    image = crop.astype(np.float32)
    if rng.random() < 0.15:
        image[:] = image @ np.array([0.3, 0.59, 0.11], np.float32)[:, None]
    if rng.random() < 0.25:
        small = int(len(image) * rng.uniform(0.35, 0.9))
        image = cv2.resize(cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA), crop.shape[1::-1])
    mean = image.mean()
    gain = np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.06, 3))
    image = (image - mean) * gain.astype(np.float32) + mean + np.float32(rng.normal(0, 20))
    if rng.random() < 0.2:
        image += rng.normal(0, rng.uniform(2, 10), image.shape).astype(np.float32)
    if rng.random() < 0.25:
        extent, corner = rng.integers(6, 30, 2), rng.integers(0, len(image) - 6, 2)
        image[corner[0] : corner[0] + extent[0], corner[1] : corner[1] + extent[1]] = rng.uniform(0, 255, 3)
    return np.clip(image, 0, 255)


def behind(album, crop, photo, turn, shift, rng):
    """The crop with some face-less part of another photo where this one has ended: more to say no to than black."""
    shape = np.array(album.levels[photo][0].shape[:2])
    rows, cols = np.indices(crop.shape[:2])
    points = (np.stack([rows, cols], axis=-1) + 0.5 - shift) @ np.linalg.inv(turn).T
    outside = ((points < 0) | (points > shape)).any(axis=2)
    if outside.mean() < 0.05:
        return crop
    other, *place = background_crop(album, rng)
    middles = album.middles[other] @ place[0].T + place[1]
    reach = np.sqrt(np.trace(place[0] @ album.spreads[other] @ place[0].T, axis1=1, axis2=2)) if len(middles) else np.zeros(0)
    if ((middles > -reach[:, None]) & (middles < CROP + reach[:, None])).all(axis=1).any():
        return crop
    return np.where(outside[..., None], album.crop(other, *place), crop)


def sample(album, photo, turn, shift, rng):
    """A crop and its target: (96, 96, 3) float32 from 0 to 255, (12, 12, 8) float32."""
    crop = album.crop(photo, turn, shift)
    if rng.random() < 0.5:
        crop = behind(album, crop, photo, turn, shift, rng)
    crop = recoloured(crop, rng)
    middles, spreads = album.middles[photo] @ turn.T + shift, turn @ album.spreads[photo] @ turn.T
    near = (np.abs(middles - CROP / 2) < CROP).all(axis=1)
    return crop, targets(middles[near], spreads[near])


def batch(album, numbers, rng, hard=()):
    """Crops of the faces `numbers` and half as many of the background.

    Returns
    -------
    X : ndarray of float32, shape (N, 96, 96, 3)
    Y : ndarray of float32, shape (N, 12, 12, 8)
    """
    places = [face_crop(album, number, rng) for number in numbers]
    places += [background_crop(album, rng, hard) for _ in range(round(len(numbers) * BACKGROUND))]
    X, Y = zip(*(sample(album, *place, rng) for place in places))
    return np.stack(X), np.stack(Y)

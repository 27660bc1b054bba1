"""Training the second stage of `common.detection.refinement`: on what the one pass takes for a face, rightly or not."""

from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from common.boxes import iou
from common.detection import network, refinement, search
from common.inference import compiled
from RegionDetector.one_pass import disguises, samples
from RegionDetector.one_pass.labels import around
from RegionDetector.one_pass.training import GOOD, POOR, in_rounds, judged, optimizer, rounds
from RegionDetector.pyramid.scales import halves

LEAST = -4.0  # logit of the one pass from which something is a candidate
PARTNER = 0.35  # IoU of a candidate and a face whose points it is to find
NONE = 0.4  # share of crops that show no face
NEAR = 0.004  # parts of a crop's side: a point that is nearer is as good as right
EASY, HARDER = 0.02, 4  # chance of what looks like no face at all to be learnt again; power of how much something looks like one
UNSURE = 0.15  # IoU with what may be a face from which nothing is learnt


@dataclass(frozen=True)
class RefinerPlan:
    """How to train; the same plan and seed give the same network on the same machine.

    Attributes
    ----------
    steps, crops : int
        Batches, and crops in each.
    lr : float
        Highest learning rate; see `training.Plan`.
    points : float
        Weight of the points in the loss.
    seed : int
    """

    steps: int = 3000
    crops: int = 192
    lr: float = 2e-3
    points: float = 8.0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Candidates:
    """What the one pass takes for faces in the photos of an album, and the faces themselves: N candidates.

    Attributes
    ----------
    photos : ndarray of int, shape (N,)
        Number in the album; the album's backgrounds come after its photos.
    middles, downs : ndarray of float, shape (N, 2)
    sides : ndarray of float, shape (N,)
        See `refinement.frames`.
    spreads : ndarray of float, shape (N, 2, 2)
        Ellipses around the heads.
    right : ndarray of bool, shape (N,)
        Whether there is a face (IoU above one half).
    """

    photos: np.ndarray
    middles: np.ndarray
    downs: np.ndarray
    sides: np.ndarray
    spreads: np.ndarray
    right: np.ndarray


def candidates(look, album, min_face=search.FACE):
    """Let the one pass look at all photos of an album.

    Parameters
    ----------
    look : callable
        See `network.looking`.
    album : samples.Album

    Returns
    -------
    Candidates
    """
    parts = []
    for number, levels in enumerate(tqdm([*album.levels, *album.backgrounds], "candidates")):
        found = search.search(look, levels[0], min_face, LEAST, turns=False)
        middles, downs, sides = refinement.frames(found)
        half, tilt = found.heads[:, 2:4], found.heads[:, 4] * found.heads[:, 2:4].prod(axis=1)
        spreads = np.stack([half[:, 0] ** 2, tilt, tilt, half[:, 1] ** 2], axis=1).reshape(-1, 2, 2)
        right = np.zeros(len(found), bool)
        if number < len(album.labels):
            labels = album.labels[number]
            labels = labels[labels.sure]
            right = iou(found.boxes(), around(labels.middles, labels.spreads)).max(axis=1, initial=0) > 0.5
            # the faces too, also those that the one pass has missed
            middles, downs = np.concatenate([middles, labels.middles]), np.concatenate([downs, -labels.up])
            sides = np.concatenate([sides, refinement.LENGTH * 2 * np.linalg.det(labels.spreads) ** 0.25])
            spreads, right = np.concatenate([spreads, labels.spreads]), np.concatenate([right, np.ones(len(labels), bool)])
        parts.append((np.full(len(sides), number), middles, downs, sides, spreads, right))
    return Candidates(*(np.concatenate(column) for column in zip(*parts)))


def widened(album, drawings, seed=0):
    """The album with every second photo once more, on its side or on its head, and with so many more backgrounds: drawn faces in places without people."""
    rng = np.random.default_rng(seed)
    for levels, labels in list(zip(album.levels, album.labels))[::2]:
        height, width = levels[0].shape[:2]
        quarters, turn, shift = (1, [[0, -1], [1, 0]], [width, 0]) if rng.random() < 0.5 else (2, [[-1, 0], [0, -1]], [height, width])
        album.levels.append(halves(np.ascontiguousarray(np.rot90(levels[0], quarters))))
        album.labels.append(labels.moved(np.array(turn, float), np.array(shift, float)))
    album.backgrounds += [halves(samples.no_people(album, 2 * samples.SIDE, True, rng)) for _ in range(drawings)]
    return album


def crop(album, which, number, rng):
    """A candidate as it might have been cut out, and what is to be answered.

    Parameters
    ----------
    album : samples.Album
    which : Candidates
    number : int
    rng : numpy.random.Generator

    Returns
    -------
    crop : ndarray of uint8, shape (64, 64, 3)
    target : ndarray of float32, shape (13,)
        Whether the candidate's own box is right (0 to 1), whether that is known, whether the points are; the points (10).
    """
    side, photo = refinement.SIDE, which.photos[number]
    straight = refinement.placed(which.downs[number], which.sides[number])
    wide = rng.random() < 0.3
    angle = np.radians(rng.uniform(-180, 180) if rng.random() < 0.04 else rng.normal(0, 20 if wide else 7))
    scale, stretch = np.exp(rng.normal(0, 0.25 if wide else 0.07)), np.exp(rng.normal(0, 0.05))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([scale * stretch, scale / stretch]) @ straight
    if rng.random() < 0.5:
        turn, straight = np.diag([1, -1]) @ turn, np.diag([1, -1]) @ straight
    shift = side / 2 + rng.normal(0, side * (0.1 if wide else 0.03), 2) - turn @ which.middles[number]
    faces = photo < len(album.labels)
    levels = album.levels[photo] if faces else album.backgrounds[photo - len(album.labels)]
    image, labels = samples.cropped(album, levels, album.labels[photo] if faces else samples.no_labels(), turn, shift, side, rng)
    target = np.zeros(13, np.float32)
    own = around(np.full((1, 2), side / 2), (straight @ which.spreads[number] @ straight.T)[None])
    overlap = iou(own, around(labels.middles, labels.spreads))[0]
    sure = np.where(labels.sure, overlap, 0)
    best = int(sure.argmax()) if len(sure) else -1
    target[0] = np.clip((sure.max(initial=0) - POOR) / (GOOD - POOR), 0, 1)
    target[1] = sure.max(initial=0) > PARTNER or not (overlap > UNSURE)[~labels.sure].any()
    if best >= 0 and sure[best] > PARTNER and not np.isnan(labels.points[best, 0, 0]):
        target[2], target[3:] = 1, (labels.points[best] / side - 0.5).ravel()
    return disguises.recoloured(image, rng), target


def likeness(model, album, which):
    """How much a folded network takes each candidate for a face, from one plain look: probabilities (N,)."""
    run, photos, told = compiled(model), album.levels + album.backgrounds, []
    for begin in range(0, len(which.photos), refinement.BATCH):
        part = slice(begin, begin + refinement.BATCH)
        frames = zip(which.photos[part], which.middles[part], which.downs[part], which.sides[part])
        crops = [refinement.cut(photos[number][0], *frame) for number, *frame in frames]
        told.append(run(np.stack(crops).astype(np.float32))[:, 0, 0])
    return 1 / (1 + np.exp(-np.concatenate([np.zeros(0), *told])))


def batches(album, which, plan, hard=None):
    """Batches for ``model.fit``; what is in a batch depends on seed and number only.

    Parameters
    ----------
    album : samples.Album
    which : Candidates
    plan : RefinerPlan
    hard : ndarray, shape (N,), optional
        `likeness` of the candidates: those without a face that look like one come more often.

    Returns
    -------
    keras.utils.PyDataset
    """
    right, wrong = np.flatnonzero(which.right), np.flatnonzero(~which.right)
    chance = np.ones(len(wrong)) if hard is None else EASY + hard[wrong] ** HARDER

    def make(number):
        rng = np.random.default_rng([plan.seed, number])
        none = int(NONE * plan.crops) if len(wrong) else 0
        drawn = [*rng.choice(right, plan.crops - none), *rng.choice(wrong, none, p=chance / chance.sum() if none else None)]
        crops, target = zip(*(crop(album, which, k, rng) for k in drawn))
        return np.stack(crops).astype(np.float32), np.stack(target)[:, None]

    return in_rounds(plan.steps, make)


def refiner_loss(points):
    """The loss: the score learns how good the box is (quality focal loss), the points their distance."""
    from keras import ops

    def loss(target, answer):
        right, known, marked = target[..., 0], target[..., 1], target[..., 2]
        logit = answer[..., 0]
        doubt = ops.square(ops.stop_gradient(right - ops.sigmoid(logit)))
        score = ops.sum(doubt * (ops.softplus(logit) - logit * right) * known)
        away = ops.abs(answer[..., 1:] - target[..., 3:])
        near = ops.sum(ops.sum(ops.where(away < NEAR, away * away / (2 * NEAR), away - NEAR / 2), axis=-1) * marked)
        return (score + points * near) / ops.maximum(ops.sum(known), 1.0)

    return loss


def fit_refiner(album, which, plan=RefinerPlan(), callbacks=(), verbose=True, begin=None):
    """Train on candidates.

    Parameters
    ----------
    album : samples.Album
    which : Candidates
    plan : RefinerPlan
    callbacks : sequence of keras.callbacks.Callback
    verbose : bool
        One line an epoch.
    begin : keras.Model, optional
        A folded network to go on from, without normalisation; changed in place. What it mistakes for a face comes more often.

    Returns
    -------
    keras.Model
        Folded; not calibrated yet.
    """
    import keras

    keras.utils.set_random_seed(plan.seed)
    model = begin or refinement.generate_refiner()
    model.compile(optimizer=optimizer(plan.steps, plan.lr), loss=refiner_loss(plan.points))
    model.optimizer.build(model.trainable_variables)  # made within the first step, TensorFlow would trace the step twice
    hard = likeness(begin, album, which) if begin else None
    model.fit(batches(album, which, plan, hard), epochs=rounds(plan.steps), callbacks=list(callbacks), verbose=2 if verbose else 0, shuffle=False)
    return begin or network.folded(model, refinement.of_channels)


def calibrate(model, look, records, min_face=search.FACE):
    """Change the network's last layer so that its answer, added to the one pass's logit, is that of a probability.

    Parameters
    ----------
    model : keras.Model
        From `fit_refiner`; changed in place.
    look : callable
        The one pass.
    records : sequence of RegionDetector.fddb.reading.FddbPhoto
        Which neither of the two was trained on.
    """
    from scipy.optimize import minimize

    refine, told = refinement.refining(compiled(model), further=None), [np.zeros(0)]

    def remember(photo, found):
        told.append(refine(photo, found).logits - found.logits)
        return found

    first, right = judged(search.Refined(look, remember), records, min_face)
    second, sign = np.concatenate(told), 2 * right - 1
    slope, offset = minimize(lambda by: np.logaddexp(0, -sign * (first + by[0] * second + by[1])).mean(), [1.0, 0.0]).x
    kernel, bias = model.get_layer("answer").get_weights()
    kernel[..., 0], bias[0] = kernel[..., 0] * slope, bias[0] * slope + offset
    model.get_layer("answer").set_weights([kernel, bias])


def weighed(model, look, records, min_face=search.FACE):
    """What further looks are worth to a calibrated network, for `refinement.FURTHER`.

    Parameters
    ----------
    model, look, records
        See `calibrate`.

    Returns
    -------
    tuple of 3 float
        Weights of the logit before them, of their mean, and of 1, by logistic regression on what is in doubt.
    """
    from scipy.optimize import minimize

    run, told = compiled(model), [np.zeros((0, 2))]
    refine = refinement.refining(run, further=None)

    def remember(photo, found):
        again = refinement.further_looks(run, photo, *refinement.frames(found)) if len(found) else np.zeros(0)
        told.append(np.column_stack([refine(photo, found).logits, again]))
        return found

    _, right = judged(search.Refined(look, remember), records, min_face)
    known = np.column_stack([np.concatenate(told), np.ones(len(right))])
    doubtful = (known[:, 0] > refinement.DOUBT[0]) & (known[:, 0] < refinement.DOUBT[1])
    known, sign = known[doubtful], 2 * right[doubtful] - 1
    return tuple(minimize(lambda by: np.logaddexp(0, -sign * (known @ by)).mean(), [1.0, 0.0, 0.0]).x.round(2).tolist())

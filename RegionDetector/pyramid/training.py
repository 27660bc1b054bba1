"""Training the network of `pyramid.model` on photos of FDDB, and nothing else."""

from dataclasses import dataclass

import numpy as np

from common.inference import compiled
from common.photos import read_photo
from RegionDetector.multiscale import find_ellipses
from RegionDetector.one_pass.training import calibrate
from RegionDetector.pyramid import samples as pyramid_samples
from RegionDetector.pyramid.model import WIDTHS, detection_loss, folded, generate_pyramid_model

CALIBRATIONS = 2  # merging is not linear in the logits, so that the first calibration is not quite right
HELD_OUT = 32  # one photo in so many is not trained on: the scores are calibrated there


@dataclass(frozen=True)
class Plan:
    """How to train; the same plan and seed give the same network on the same machine.

    Attributes
    ----------
    epochs : int
        Times every face is shown, each time differently.
    faces : int
        In a batch; half as many crops of the background come with them.
    lr : float
        Highest learning rate, reached after a twentieth of the steps; falls as a cosine.
    hard_from : float
        Share of the epochs after which the network's own false alarms join the background; 1 for never.
    mined : int
        Photos that are searched for false alarms.
    seed : int
    widths : tuple of int
        See `pyramid.model.generate_pyramid_model`.
    """

    epochs: int = 24
    faces: int = 24
    lr: float = 2e-3
    hard_from: float = 1.0
    mined: int = 600
    seed: int = 0
    widths: tuple = WIDTHS


def crops(album, plan, hard=()):
    """Batches for ``model.fit``: every face of the album once an epoch, in a new order.

    Which crops a batch has depends on seed, epoch and number only, not on threads.

    Returns
    -------
    keras.utils.PyDataset
    """
    import keras

    class Crops(keras.utils.PyDataset):
        def __init__(self, album):
            super().__init__(workers=1, max_queue_size=6)
            self.epoch, self.album, self.hard = 0, album, list(hard)

        def __len__(self):
            return max(len(self.album.faces) // plan.faces, 1)

        def __getitem__(self, number):
            order = np.random.default_rng([plan.seed, self.epoch]).permutation(len(self.album.faces))
            these = order[number * plan.faces : (number + 1) * plan.faces]
            return pyramid_samples.batch(self.album, these, np.random.default_rng([plan.seed, self.epoch, number]), self.hard)

        def on_epoch_end(self):
            self.epoch += 1

    return Crops(album)


def fit_pyramid_model(records, plan=Plan(), callbacks=(), verbose=True):
    """Train on photos, calibrate on every 32nd of them, which is kept back.

    Parameters
    ----------
    records : sequence of RegionDetector.fddb.reading.FddbPhoto
    plan : Plan
    callbacks : sequence of keras.callbacks.Callback
    verbose : bool
        One line an epoch.

    Returns
    -------
    keras.Model
        Folded; the sigmoid of its first answer is the probability that the detection is a face (IoU above 0.5).

    Raises
    ------
    ValueError
        If there are fewer than 64 photos or no face to learn.
    """
    import keras

    if len(records) < 2 * HELD_OUT:
        raise ValueError(f"{len(records)} photos are too few to train on and to calibrate with; expected at least {2 * HELD_OUT}")
    keras.utils.set_random_seed(plan.seed)
    order = np.random.default_rng(plan.seed).permutation(len(records))
    held_out = [records[k] for k in order[::HELD_OUT]]
    album = pyramid_samples.Album([records[k] for k in np.setdiff1d(order, order[::HELD_OUT])])
    if not album.faces:
        raise ValueError(f"none of the {len(records)} photos has a face of {pyramid_samples.LEAST:g} pixels or more")
    model, data = generate_pyramid_model(widths=plan.widths), crops(album, plan)
    steps = plan.epochs * len(data)
    rate = keras.optimizers.schedules.CosineDecay(plan.lr / 20, steps - steps // 20, alpha=0.01, warmup_target=plan.lr, warmup_steps=steps // 20)
    # the mean over the last hundred steps or so is better than any of them
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4, clipnorm=5.0, use_ema=True, ema_momentum=0.99)
    optimizer.build(model.trainable_variables)  # made within the first step, TensorFlow would trace the step twice
    model.compile(optimizer=optimizer, loss=detection_loss)
    first = max(1, round(plan.hard_from * plan.epochs))
    model.fit(data, epochs=first, callbacks=list(callbacks), verbose=2 if verbose else 0)
    if first < plan.epochs:
        data.hard = false_alarms(folded(model), album, plan)
        if verbose:
            print(f"{len(data.hard):,} false alarms in {min(plan.mined, len(album.levels))} photos")
        model.fit(data, initial_epoch=first, epochs=plan.epochs, callbacks=list(callbacks), verbose=2 if verbose else 0)
    data.album = None  # Keras keeps the data set as long as the program runs, and ten albums are 13 GB
    plain = folded(model)
    for _ in range(CALIBRATIONS):
        calibrate(plain, *judged(plain, held_out))
    return plain


def false_alarms(model, album, plan):
    """Where the network sees faces and there are none: list of (photo, row, column, scale), at most five a photo."""
    run, hard = compiled(model), []
    some = np.random.default_rng([plan.seed, 1]).permutation(len(album.levels))[: plan.mined]
    for photo in some:
        ellipses, _ = find_ellipses(run, album.levels[photo][0], min_face=24)
        truth = pyramid_samples.boxed(album.middles[photo], album.spreads[photo])
        wrong = ellipses[_overlap(ellipses, truth) < 0.3][:5]
        sizes = 2 * np.sqrt(wrong[:, 2] * wrong[:, 3])
        hard += [(photo, row, col, 40 / size) for (row, col), size in zip(wrong[:, :2], sizes)]
    return hard


def _overlap(ellipses, truth):
    """Greatest IoU of the box around each ellipse with the box around a true one."""
    from common.boxes import iou

    def around(e):
        return np.concatenate([e[:, :2] - e[:, 2:4], e[:, :2] + e[:, 2:4]], axis=1)

    return iou(around(ellipses), around(truth)).max(axis=1, initial=0)


def judged(model, records):
    """Logits of the detections in photos, and whether each is a face (IoU above 0.5)."""
    run, logits, right = compiled(model), [np.zeros(0)], [np.zeros(0, bool)]
    for record in records:
        ellipses, values = find_ellipses(run, read_photo(record.path), least=-4.0, closer=True)
        logits.append(values)
        right.append(_overlap(ellipses, pyramid_samples.boxed(*pyramid_samples.spread_of(record.ellipses))) > 0.5)
    return np.concatenate(logits), np.concatenate(right)

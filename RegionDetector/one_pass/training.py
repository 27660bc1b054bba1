"""Training the detector of `common.detection.network`: on FDDB alone for the ten folds; with a teacher and more photos for the weights that the kit carries."""

from dataclasses import dataclass

import numpy as np

from common.boxes import iou
from common.detection import network, search
from common.inference import compiled
from common.photos import read_photo
from RegionDetector.one_pass import samples
from RegionDetector.one_pass.labels import around, labelled, sizes, spread_of

CALIBRATIONS = 2  # merging is not linear in the logits, so that the first calibration is not quite right
HELD_OUT = 32  # one photo in so many is not trained on: the scores are calibrated there
PARTS = {"score": 2.0, "boxes": 1.5, "tilt": 0.3, "points": 1.0}  # weights of the loss
POOR, GOOD = 0.2, 0.65  # IoU of a cell's own box with the face, at which its score is to be 0 and 1: a box is right from one half
HARD = -2.0  # logit from which a place without a face is one that is mistaken for it
MORE = 3  # times that a face comes again which was not found at all
ROUND = 100  # batches between two lines, or two steps of a progress bar
MEAN = 10  # the weights are the mean over the last tenth of the steps or so, at most over 400


@dataclass(frozen=True)
class Plan:
    """How to train; the same plan and seed give the same network on the same machine.

    Attributes
    ----------
    steps : int
        Batches; so many hundreds of them are an epoch each.
    crops : int
        In a batch.
    lr : float
        Highest learning rate, reached after 200 steps; falls as a cosine.
    seed : int
    widths : tuple of int
    neck : int
        See `network.generate_detector`.
    bfloat16 : bool
        Compute with 16 bits: a third faster on processors that have the instructions, very slow on others.
    """

    steps: int = 1500
    crops: int = 32
    lr: float = 2.5e-3
    seed: int = 0
    widths: tuple = network.WIDTHS
    neck: int = network.NECK
    bfloat16: bool = False

    @property
    def epochs(self):
        """Rounds of a hundred batches."""
        return rounds(self.steps)


def detection_loss(target, answers):
    """What the network is to make small: one number for a batch.

    The score learns how good its own box is, from its IoU (quality focal loss), the boxes their IoU less the distance of the middles (DIoU) and
    the difference of the sizes, the points their distance in parts of the face.

    Parameters
    ----------
    target : tensor, shape (N, C, 26)
        See `targets.targets`.
    answers : tensor, shape (N, C, 20)

    References
    ----------
    Li et al., "Generalized Focal Loss", NeurIPS 2020; Zheng et al., "Distance-IoU Loss", AAAI 2020.
    """
    from keras import ops

    positive, counts, head, face, point, per_size = (target[..., column] for column in range(6))
    head_iou, head_agrees = _agreement(answers[..., 1:5], target[..., 6:10])
    face_iou, face_agrees = _agreement(answers[..., 6:10], target[..., 11:15])
    overlap = ops.stop_gradient(ops.where(head > 0, head_iou, face_iou))
    quality = ops.clip((overlap - POOR) / (GOOD - POOR), 0.0, 1.0) * positive
    logit = answers[..., 0]
    doubt = ops.square(ops.stop_gradient(quality - ops.sigmoid(logit)))
    score = ops.sum(doubt * (ops.softplus(logit) - logit * quality) * counts)
    boxes = ops.sum((1 - head_agrees) * head + (1 - face_agrees) * face)
    tilt = ops.sum(ops.abs(answers[..., 5] - target[..., 10]) * head)
    away = ops.abs(answers[..., 10:] - target[..., 16:]) * per_size[..., None]
    points = ops.sum(ops.sum(ops.where(away < 0.05, 10 * away * away, away - 0.025), axis=-1) * point)
    total = PARTS["score"] * score + PARTS["boxes"] * boxes + PARTS["tilt"] * tilt + PARTS["points"] * points
    return total / ops.maximum(ops.sum(positive), 1.0)


def _agreement(answer, target):
    """IoU of boxes (..., 4), offsets and logs of half sizes, and IoU less what is wrong with middle and size."""
    from keras import ops

    middle, half = answer[..., :2], ops.exp(ops.clip(answer[..., 2:], -3.0, 4.0))
    true_middle, true_half = target[..., :2], ops.exp(target[..., 2:])
    low, high, true_low, true_high = middle - half, middle + half, true_middle - true_half, true_middle + true_half
    common = ops.prod(ops.maximum(ops.minimum(high, true_high) - ops.maximum(low, true_low), 0.0), axis=-1)
    overlap = common / (4 * ops.prod(half, axis=-1) + 4 * ops.prod(true_half, axis=-1) - common + 1e-6)
    around = ops.sum(ops.square(ops.maximum(high, true_high) - ops.minimum(low, true_low)), axis=-1)
    away = ops.sum(ops.square(middle - true_middle), axis=-1) / (around + 1e-6)
    return overlap, overlap - away - 0.1 * ops.sum(ops.abs(ops.log(half / true_half)), axis=-1)


def harder(look, album):
    """Let a network's look at an album change it: faces that it is not sure of come up to four times as often, what it mistakes for a face is remembered.

    Parameters
    ----------
    look : callable
        See `network.looking`.
    album : samples.Album
        Changed in place.
    """
    sure = {}
    for photo, (levels, labels) in enumerate(zip(album.levels, album.labels)):
        found = search.search(look, levels[0], least=HARD, turns=False)
        overlap = iou(around(labels.middles, labels.spreads), found.boxes())
        best = np.where(overlap > 0.5, found.logits, -np.inf).max(axis=1, initial=-np.inf)
        best[sizes(labels.spreads) < search.FACE] = np.inf  # smaller than it looks for
        sure |= {(photo, face): 1 / (1 + np.exp(-logit)) for face, logit in enumerate(best)}
    album.faces = [face for face in album.faces for _ in range(1 + round(MORE * (1 - sure[face])))]
    for background, levels in enumerate(album.backgrounds):
        found = search.search(look, levels[0], least=HARD, turns=False)
        album.mistaken += [(background, middle, size) for middle, size in zip(found.heads[:, :2], found.sizes())]


def batches(album, plan):
    """Batches for ``model.fit``: the album's faces in a new order each time all were shown.

    Which crops a batch has depends on seed and number only, not on threads.

    Returns
    -------
    keras.utils.PyDataset
    """
    count = len(album.faces)

    def make(number):
        at = np.arange(number * plan.crops, (number + 1) * plan.crops)
        orders = {turn: np.random.default_rng([plan.seed, turn]).permutation(count) for turn in np.unique(at // count)}
        return samples.batch(album, [orders[k // count][k % count] for k in at], np.random.default_rng([plan.seed, 1, number]))

    return in_rounds(plan.steps, make)


def in_rounds(steps, make):
    """Batches by number, ``make(number)``, a hundred in an epoch: keras.utils.PyDataset."""
    import keras

    class Batches(keras.utils.PyDataset):
        def __init__(self):
            super().__init__(workers=1, max_queue_size=4)
            self.epoch = 0

        def __len__(self):
            return min(ROUND, steps - self.epoch * ROUND)

        def on_epoch_end(self):
            self.epoch = min(self.epoch + 1, rounds(steps) - 1)

        def __getitem__(self, number):
            return make(number + self.epoch * ROUND)

    return Batches()


def rounds(steps):
    """Epochs of a hundred batches each."""
    return -(-steps // ROUND)


def optimizer(steps, lr):
    """AdamW; the rate rises for 200 steps and falls as a cosine, and the weights are the mean over the last steps, which is better than any of them."""
    import keras

    warm = min(200, max(steps // 5, 1))
    rate = keras.optimizers.schedules.CosineDecay(lr / 20, max(steps - warm, 1), alpha=0.005, warmup_target=lr, warmup_steps=warm)
    return keras.optimizers.AdamW(rate, weight_decay=5e-4, clipnorm=10.0, use_ema=True, ema_momentum=1 - 1 / min(max(steps / MEAN, 1), 400))


def unfolded(plain, crops):
    """A folded network with batch normalisation again, to go on training: it answers the same, with mean and variance as on some crops.

    Parameters
    ----------
    plain : keras.Model
        From `network.folded` or `network.load_detector`.
    crops : ndarray of float32, shape (N, 256, 256, 3)

    Returns
    -------
    keras.Model
        From ``network.generate_detector(256)`` with the same widths.
    """
    import keras

    convolutions = [layer for layer in plain.layers if layer.name.startswith("conv_")]
    filters = {int(layer.name.split("_")[1]): layer.filters for layer in convolutions}
    model = network.generate_detector(samples.SIDE, tuple(filters[number] for number in (0, 2, 5, 8, 12)), plain.get_layer("head").filters)
    answers = keras.Model(plain.input, [layer.output for layer in convolutions])(crops)
    for layer, answer in zip(convolutions, answers):
        kernel, bias = layer.get_weights()
        answer = np.asarray(answer, np.float64)
        mean, variance = answer.mean(axis=(0, 1, 2)), answer.var(axis=(0, 1, 2))
        norm = model.get_layer(f"{layer.name}_norm")
        model.get_layer(layer.name).set_weights([kernel])
        norm.set_weights([np.sqrt(variance + norm.epsilon), mean, mean - bias, variance])
    for name in ("head", "answer"):
        model.get_layer(name).set_weights(plain.get_layer(name).get_weights())
    return model


def fit_detector(album, plan=Plan(), callbacks=(), verbose=True, begin=None):
    """Train on an album.

    Parameters
    ----------
    album : samples.Album
    plan : Plan
    callbacks : sequence of keras.callbacks.Callback
    verbose : bool
        One line an epoch.
    begin : keras.Model, optional
        A folded network to go on from; its widths are kept. See `harder`.

    Returns
    -------
    keras.Model
        Folded; not calibrated yet.

    Raises
    ------
    ValueError
        If the album has no face to learn.
    """
    import keras

    if not album.faces:
        raise ValueError(f"none of the {len(album.labels)} photos has a face to learn")
    keras.utils.set_random_seed(plan.seed)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if plan.bfloat16 else "float32")
    try:
        if begin is None:
            model = network.generate_detector(samples.SIDE, plan.widths, plan.neck)
        else:
            model = unfolded(begin, samples.batch(album, range(min(plan.crops, len(album.faces))), np.random.default_rng(plan.seed))[0])
    finally:
        keras.config.set_dtype_policy(policy)
    model.compile(optimizer=optimizer(plan.steps, plan.lr), loss=detection_loss)
    model.optimizer.build(model.trainable_variables)  # made within the first step, TensorFlow would trace the step twice
    model.fit(batches(album, plan), epochs=plan.epochs, callbacks=list(callbacks), verbose=2 if verbose else 0, shuffle=False)
    return network.folded(model)


def fit_on_fddb(records, plan=Plan(), callbacks=(), verbose=True):
    """Train on photos of FDDB and nothing else but photos without people; calibrate on every 32nd of them, which is kept back.

    Parameters
    ----------
    records : sequence of RegionDetector.fddb.reading.FddbPhoto
    plan, callbacks, verbose
        See `fit_detector`.

    Returns
    -------
    keras.Model
        Folded; the sigmoid of its first answer is the probability that the detection is a face (IoU above 0.5).

    Raises
    ------
    ValueError
        If there are fewer than 64 photos or no face to learn.
    """
    if len(records) < 2 * HELD_OUT:
        raise ValueError(f"{len(records)} photos are too few to train on and to calibrate with; expected at least {2 * HELD_OUT}")
    order = np.random.default_rng(plan.seed).permutation(len(records))
    held_out = [records[k] for k in order[::HELD_OUT]]
    album = samples.Album([(read_photo(records[k].path), labelled(records[k].ellipses)) for k in np.setdiff1d(order, order[::HELD_OUT])],
                          samples.without_people())
    model = fit_detector(album, plan, callbacks, verbose)
    for _ in range(CALIBRATIONS):
        calibrate(model, *judged(network.looking(compiled(model)), held_out))
    return model


def judged(look, records, min_face=search.FACE):
    """Logits of what a look finds in photos of FDDB, and whether each is a face (IoU above 0.5)."""
    logits, right = [np.zeros(0)], [np.zeros(0, bool)]
    for record in records:
        found = search.search(look, read_photo(record.path), min_face, least=-5.0, turns=False)
        logits.append(found.logits)
        right.append(iou(found.boxes(), around(*spread_of(record.ellipses))).max(axis=1, initial=0) > 0.5)
    return np.concatenate(logits), np.concatenate(right)


def calibrate(model, logits, right):
    """Change the network's last layer so that the sigmoid of its logit is a probability.

    Focal loss leaves a network too modest. A logistic curve through right and wrong detections mends it; slope and
    offset go into the weights, so that nothing has to be remembered beside them.

    Parameters
    ----------
    model : keras.Model
        Folded; changed in place.
    logits : ndarray of float, shape (N,)
    right : ndarray of bool, shape (N,)

    References
    ----------
    J. Platt, "Probabilistic outputs for support vector machines", Advances in Large Margin Classifiers, 1999.
    """
    from sklearn.linear_model import LogisticRegression

    if right.all() or not right.any():
        return  # nothing to tell apart
    fitted = LogisticRegression(C=100).fit(logits[:, None], right)
    slope, offset = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if slope <= 0:
        return  # a network that has learnt nothing is not made better by turning it round
    kernel, bias = model.get_layer("answer").get_weights()
    kernel[..., 0], bias[0] = kernel[..., 0] * slope, bias[0] * slope + offset
    model.get_layer("answer").set_weights([kernel, bias])

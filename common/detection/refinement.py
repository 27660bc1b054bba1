"""The second stage: each face that the one pass may have found is cut out upright and looked at once more, by a small network of its own.

It says how sure it is and where the five points are. It sees what the one pass could not: the face alone, at one size, the right way up.

References
----------
Zhang et al., "Joint face detection and alignment using multitask cascaded convolutional networks", IEEE SPL 2016 (the last of three stages);
Cai and Vasconcelos, "Cascade R-CNN", CVPR 2018.
"""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from common.detection import network

SIDE = 64  # pixels of a crop
LENGTH = 1.6  # of a crop's side, in sizes of the head
WIDTHS = (24, 32, 48, 64, 64, 72)
ANSWERS = 11  # logit; five points (10)
WEIGHTS = Path(__file__).parent / "weights" / "refiner.npz"
GROUND = 128  # grey beyond the photo
BATCH = 32
ZOOMS = (0.88, 1.14)  # sides of the crops that are looked at
SHARE = 0.8  # weight of these looks in the points; the one pass has the rest: what the two have wrong has little to do with each other
DOUBT = (-3.0, 5.0)  # logits of the two between which further looks are worth their time: closer and wider, leaning to either side
FURTHER_ZOOMS, LEANS = (0.7, 1.4), (-20.0, 20.0)  # degrees
FURTHER = (0.8, 1.04, 0.43)  # weights of that logit, of the mean of the further looks, and of 1; `RegionDetector.one_pass.refining.weighed` on FDDB's fold 9


def generate_refiner(widths=WIDTHS, normalised=True):
    """The network, 0.14 million parameters.

    Parameters
    ----------
    widths : tuple of int
        Channels of its six convolutions.
    normalised : bool
        With batch normalisation, as it is trained; False for the same network after `network.folded`.

    Returns
    -------
    keras.Model
        Input (N, 64, 64, 3), pixels from 0 to 255; output (N, 11): logit, and five points in parts of the crop from its middle.
    """
    import keras
    from keras import layers

    image = keras.Input((None, None, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    for number, (filters, strides) in enumerate(zip(widths, (2, 2, 1, 2, 1, 2))):
        x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=not normalised, name=f"conv_{number}")(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.98, name=f"conv_{number}_norm")(x) if normalised else x)
    answer = layers.Conv2D(ANSWERS, SIDE // 16, name="answer", dtype="float32")(x)
    return keras.Model(image, layers.Reshape((-1, ANSWERS), dtype="float32")(answer), name="face_refiner")


def frames(found):
    """How each detection is cut out: middles (N, 2), directions downwards (N, 2) of length 1, sides of the crops (N,) in pixels of the photo."""
    area = found.heads[:, 2] * found.heads[:, 3] * np.sqrt(np.maximum(1 - found.heads[:, 4] ** 2, 0.1))
    down = found.points[:, 3:].mean(axis=1) - found.points[:, :2].mean(axis=1)
    length = np.linalg.norm(down, axis=1, keepdims=True)
    return found.heads[:, :2], np.where(length > 0, down / np.maximum(length, 1e-6), [1.0, 0.0]), LENGTH * 2 * np.sqrt(area)


def placed(down, side):
    """The matrix that turns pixels of a photo into those of a crop, for points less the crop's middle, (2, 2)."""
    return SIDE / side * np.array([down, [-down[1], down[0]]])


def cut(photo, middle, down, side):
    """One crop, (64, 64, 3)."""
    reach = 0.75 * side + 2
    low = np.clip(np.floor(middle - reach), 0, np.array(photo.shape[:2]) - 1).astype(int)
    high = np.clip(np.ceil(middle + reach), low + 1, photo.shape[:2]).astype(int)
    part, turn = photo[low[0] : high[0], low[1] : high[1]], placed(down, side)
    factors = np.ones(2)
    if side > 2 * SIDE:
        # what is much larger than the crop is made smaller first, so that no pixel is passed over
        shape = np.maximum(np.rint((high - low) * 2 * SIDE / side), 1).astype(int)
        part, factors = cv2.resize(part, tuple(int(length) for length in shape[::-1]), interpolation=cv2.INTER_AREA), shape / (high - low)
    turn = turn / factors
    shift = SIDE / 2 - turn @ ((middle - low) * factors)
    matrix = np.column_stack([turn[::-1, ::-1], (turn @ [0.5, 0.5] + shift - 0.5)[::-1]])
    return cv2.warpAffine(part, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderValue=(GROUND,) * 3)


def load_refiner(file=WEIGHTS):
    """The network with trained weights.

    Parameters
    ----------
    file : path
        From `network.save_small`.

    Raises
    ------
    OSError
        If the file is missing or holds no such weights.
    """
    return network.with_weights(file, of_channels)


def of_channels(channels):
    """The folded network whose layers have so many channels."""
    return generate_refiner([channels[f"conv_{number}"] for number in range(len(WIDTHS))], normalised=False)


def refining(run, further=FURTHER):
    """A function that looks at detections once more, for `search.search`.

    Parameters
    ----------
    run : callable
        The network; see `common.inference.compiled`.
    further : tuple of 3 float, optional
        What further looks are worth where the first leave a doubt (see `FURTHER`); None: there are none.

    Returns
    -------
    callable
        ``refine(photo, found)`` gives `Found` with other logits and points: from looks at each place in crops of two sizes and at their mirror images.
        A face keeps its face in any frame, and leaves seldom do: what is still in doubt is looked at in four more, and gets no surer than what was in none.
    """
    def refine(photo, found):
        if not len(found):
            return found
        middles, downs, sides = frames(found)
        told = looked_at(run, photo, [(middles, downs, zoom * sides) for zoom in ZOOMS])
        looks = [read_answers(each, middles, downs, zoom * sides) for each, zoom in zip(told, ZOOMS)]
        logits, points = (np.mean(each, axis=0) for each in zip(*looks))
        logits = found.logits + logits
        doubtful = (logits > DOUBT[0]) & (logits < DOUBT[1])
        if further and doubtful.any():
            again = further_looks(run, photo, middles[doubtful], downs[doubtful], sides[doubtful])
            logits[doubtful] = np.minimum(further[0] * logits[doubtful] + further[1] * again + further[2], DOUBT[1])
        return replace(found, logits=logits, points=(1 - SHARE) * found.points + SHARE * points)

    return refine


def further_looks(run, photo, middles, downs, sides):
    """Logits (N,), the mean of looks at each frame (see `frames`) closer and wider, leaning to either side."""
    wanted = []
    for degrees in LEANS:
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        wanted += [(middles, downs @ [[cos, sin], [-sin, cos]], zoom * sides) for zoom in FURTHER_ZOOMS]
    return looked_at(run, photo, wanted)[:, :, 0].mean(axis=0)


def looked_at(run, photo, wanted):
    """Answers (F, N, 11) to the same N places in F kinds of frames (see `frames`), all in as few calls as there can be: a call takes longer than a crop."""
    crops = np.stack([cut(photo, *frame) for frames_of_a_kind in wanted for frame in zip(*frames_of_a_kind)])
    return answers(run, crops).reshape(len(wanted), -1, ANSWERS)


def answers(run, crops):
    """The network's answers (N, 11) to crops (N, 64, 64, 3): mean of crop and mirror image."""
    both = np.concatenate([crops, crops[:, :, ::-1]]).astype(np.float32)
    told = np.concatenate([run(both[begin : begin + BATCH])[:, 0] for begin in range(0, len(both), BATCH)])
    told, mirrored = np.split(told, 2)
    points = mirrored[:, 1:].reshape(-1, 5, 2)[:, network.MIRRORED] * [1, -1]
    return (told + np.concatenate([mirrored[:, :1], points.reshape(-1, 10)], axis=1)) / 2


def read_answers(told, middles, downs, sides):
    """Logits (N,) and points (N, 5, 2) in pixels of the photo."""
    right = np.stack([-downs[:, 1], downs[:, 0]], axis=1)
    offsets = told[:, 1:].reshape(-1, 5, 2) * sides[:, None, None]
    return told[:, 0], middles[:, None] + offsets[..., :1] * downs[:, None] + offsets[..., 1:] * right[:, None]

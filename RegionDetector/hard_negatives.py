"""Hard negative mining: what the detector takes for a face becomes a negative training patch."""

import numpy as np

from RegionDetector.detector import WINDOW, boxes_from_maps, cell_stride, heat_maps
from RegionDetector.model import copy_weights, fit, get_checkpoint
from RegionDetector.samples import cut, false_alarms


def mine(fcnn_model, images, image_shapes, bboxes, box_shape=WINDOW, least=-3.0):
    """The windows of the training photos that look most like faces and are none.

    Parameters
    ----------
    fcnn_model : keras.Model
    images, image_shapes, bboxes
        The training set; see `RegionDetector.get_data.load_dataset`.
    box_shape : array_like, shape (2,)
    least : float
        Decision function from which a peak counts. Below 0, so that close calls are learnt as well.

    Returns
    -------
    patches : ndarray of uint8, shape (N, 32, 32, 3)
        The most face-like first.
    boxes : ndarray of float, shape (N, 5)
        Where they lie, course boxes.
    decision : ndarray of float, shape (N,)
    """
    maps = heat_maps(fcnn_model, images)
    found, decision = boxes_from_maps(maps, cell_stride(np.shape(images[0]), maps.shape[1:], fcnn_model), image_shapes, box_shape)
    wrong = false_alarms(found, decision, bboxes)
    wrong = wrong[decision[wrong] >= least]
    return cut(images, found[wrong]), found[wrong], decision[wrong]


def joined(X, Y, chosen, negatives):
    """The chosen patches and further negatives, a list of arrays, with their labels; of a large set no second copy is made on the way."""
    further = sum(map(len, negatives))
    patches = np.empty((len(chosen) + further, *X.shape[1:]), X.dtype)
    np.take(X, chosen, axis=0, out=patches[: len(chosen)], mode="clip")  # by default it would be gathered elsewhere first
    np.concatenate(negatives, out=patches[len(chosen) :], casting="unsafe")
    return patches, np.concatenate([Y[chosen], np.tile(np.array([[1, 0]], Y.dtype), (further, 1))])


def hard_negative(
    train_images, image_shapes, train_bboxes, X_val, Y_val, base_model, fcnn_model, X_train, Y_train,
    datagen=None, rounds=2, epochs=3, lr=1e-3, box_shape=WINDOW, seed=0, verbose=True,
):  # fmt: skip
    """Mine hard negatives on the training photos and go on fitting with them; repeat.

    Parameters
    ----------
    train_images, image_shapes, train_bboxes
        The training set.
    X_val, Y_val, X_train, Y_train : ndarray
        Patches and labels from `get_samples`.
    base_model, fcnn_model : keras.Model
        The fitted classifier and its FCNN; both have the new weights afterwards.
    datagen : keras.Layer, optional
    rounds, epochs : int
    lr : float
        Lower than at first: the network is to learn more, not to start anew.
    box_shape : array_like, shape (2,)
    seed : int
    verbose : bool

    Returns
    -------
    mined : list of ndarray, each (N, 32, 32, 3)
        The patches of every round.

    References
    ----------
    K.-K. Sung and T. Poggio, "Example-based learning for view-based human face detection", IEEE
    Transactions on Pattern Analysis and Machine Intelligence 20(1), 1998.
    """
    faces, others = np.flatnonzero(Y_train[:, 1] == 1), np.flatnonzero(Y_train[:, 1] == 0)
    known = np.concatenate([faces, others[: len(others) // 2]])  # the network knows the easy ones; half of them keep it from forgetting
    mined = []
    for turn in range(rounds):
        copy_weights(base_model, fcnn_model)
        patches, _, _ = mine(fcnn_model, train_images, image_shapes, train_bboxes, box_shape)
        mined.append(patches)
        if verbose:
            print(f"round {turn + 1}: {len(patches):,} hard negatives")
        if len(patches):
            X, Y = joined(X_train, Y_train, known, mined)
            history = fit(base_model, datagen, X, Y, X_val, Y_val, epochs=epochs, lr=lr, seed=seed + turn + 1, verbose=verbose)
            base_model.load_weights(get_checkpoint(history))
            del X, Y  # the next round's are made before these would be given up
    copy_weights(base_model, fcnn_model)
    return mined

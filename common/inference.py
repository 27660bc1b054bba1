"""Running a network over many images: one compiled call for a batch, the same on every Keras backend."""

import os
import weakref
from hashlib import blake2b

import numpy as np

from common.device import backend, give_back_memory


def digest_of(*arrays):
    """A short name for what stands in arrays: other numbers, shapes or types give another one."""
    digest = blake2b(digest_size=16)
    for array in map(np.asarray, arrays):
        digest.update(f"{array.shape} {array.dtype} ".encode() + array.tobytes())
    return digest.digest()


_begun = None  # the process in which the first network was made ready


def refuse_after_fork():
    """Refuse to run or make a network in a process that was forked from one that has a network: the threads of TensorFlow and JAX stayed there, and it would wait for them for ever.

    Raises
    ------
    RuntimeError
        Saying how to start processes.
    """
    if _begun not in (None, os.getpid()) and backend() != "torch":
        raise RuntimeError(f"this process was forked from one that had loaded a network, and would wait for {backend()}'s threads for ever: start processes with "
                           "multiprocessing.get_context('spawn'), or load the network in each of them and not before")


def compiled(model):
    """Turn a Keras model into a plain function from array to array, compiled by the backend.

    ``model.predict`` on a few images spends most of its time on set-up; this does the set-up once.
    The weights are read at every call on TensorFlow and PyTorch, and when this is called on JAX:
    make a new function after `copy_weights`.

    Parameters
    ----------
    model : keras.Model
        One input, one output or a list of outputs.

    Returns
    -------
    callable
        Takes an array (N, ...) and returns an array or a list of arrays. On JAX a new N or image size
        compiles anew, so feed batches of equal size.

    Raises
    ------
    RuntimeError
        Now or when it is called, by `refuse_after_fork`.
    """
    import keras

    global _begun
    refuse_after_fork()
    _begun = os.getpid()

    def to_numpy(outputs):
        if isinstance(outputs, (list, tuple)):
            return [keras.ops.convert_to_numpy(x) for x in outputs]
        return keras.ops.convert_to_numpy(outputs)

    name, held = backend(), []
    if name == "tensorflow":
        import tensorflow as tf

        # compiled once for any number of images, and for any size if the network takes any; a subclassed model does not say what it takes
        takes = [tf.TensorSpec([None, *each.shape[1:]], each.dtype) for each in getattr(model, "inputs", None) or []]
        held.append(tf.function(lambda x: model(x, training=False), input_signature=takes or None, reduce_retracing=not takes, autograph=False))

        def run(x):
            if takes and not takes[0].shape.is_compatible_with(x.shape):
                return model(x, training=False)  # Keras takes it after all, or says what is wrong
            return held[0](tf.cast(x, takes[0].dtype) if takes else x)
    elif name == "jax":
        import jax

        weights = [[v.value for v in vs] for vs in (model.trainable_variables, model.non_trainable_variables)]
        call = jax.jit(lambda x: model.stateless_call(*weights, x, training=False)[0])
        run = lambda x: call(np.asarray(x))  # noqa: E731
    else:
        import torch

        def run(x):
            with torch.no_grad():
                return model(x, training=False)

    def answer(x):
        refuse_after_fork()
        return to_numpy(run(keras.ops.convert_to_tensor(x)))

    weakref.finalize(answer, held.clear)  # at the end at the latest: TensorFlow 2.16, which Intel Macs have, complains of functions that outlive it
    return answer


def in_batches(function, images, batch_size=32):
    """Call `function` on equal batches and put the answers together.

    The last batch is filled up with copies of its last image, so that JAX compiles no second size.

    Parameters
    ----------
    function : callable
        From an array (batch_size, ...) to an array (batch_size, ...); see `compiled`.
    images : sequence of ndarray
        N images of equal shape.
    batch_size : int

    Returns
    -------
    ndarray, shape (N, ...)
    """
    if len(images) == 0:
        raise ValueError("there are no images to run the network on")
    batch_size = min(batch_size, len(images))
    answers = []
    for start in range(0, len(images), batch_size):
        batch = np.stack(list(images[start : start + batch_size]))
        filled = np.concatenate([batch, np.repeat(batch[-1:], batch_size - len(batch), axis=0)])
        answers.append(function(filled)[: len(batch)])
    if len(answers) > 1:
        give_back_memory()
    return np.concatenate(answers)

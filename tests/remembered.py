"""What networks of the kit have answered is kept for a module of tests: they ask the same network about the same photos, whatever answer is tested.

It is kept under the numbers themselves, of weights and photos: who cuts, scales or turns them otherwise has the network run as ever.
"""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def remembered_maps():
    """`heat_maps` of task one, for whole sets of photos."""
    from common.inference import digest_of
    from RegionDetector import detector

    known, real = {}, detector.heat_maps

    def heat_maps(fcnn_model, images, *args, **more):
        name = id(fcnn_model), digest_of(*fcnn_model.get_weights(), *images), args, tuple(more.items())
        if name not in known:
            known[name] = real(fcnn_model, images, *args, **more), fcnn_model  # which must live as long as its id is in use
        return known[name][0].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detector, "heat_maps", heat_maps)
        yield


@pytest.fixture(scope="module")
def remembered_descriptors():
    """What layers of task two's networks answer to a crop; these networks are not trained, so their weights stay."""
    from common.inference import digest_of
    from TrackDetector import descriptors

    known, real = {}, descriptors._run_batch

    def run_batch(run, batch, batch_size):
        names = [(id(run), digest_of(image)) for image in batch]
        new = {name: k for k, name in enumerate(names) if name not in known}
        if new:
            answers = real(run, batch[list(new.values())], batch_size)
            known.update({name: ([answer[k].copy() for answer in answers], run) for k, name in enumerate(new)})
        return [np.stack(rows) for rows in zip(*(known[name][0] for name in names))]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(descriptors, "_run_batch", run_batch)
        yield

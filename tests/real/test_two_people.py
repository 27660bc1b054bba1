"""A film of two people, made from two clips of the course's data side by side, and a gallery photo of each."""

import csv
import os
from pathlib import Path

import av
import numpy as np
import pytest

from common.photos import read_photo
from TrackDetector.classifier import Classifier
from TrackDetector.commands.answering import name_faces
from TrackDetector.validation import usual_threshold

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def folder():
    beside = Path(__file__).resolve().parents[3] / "shared" / "data" / "Face_Recognition_data"
    folder = Path(os.environ.get("FACE_RECOGNITION_DIR", beside)) / "video_classification"
    if not (folder / "train" / "y_train.csv").is_file():
        pytest.skip("no Face_Recognition_data beside the project: set FACE_RECOGNITION_DIR to run this test")
    return folder


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return [(row["filename"], row["class_id"]) for row in csv.DictReader(file)]


def side_by_side(path, clips):
    """The film, with two faces in each frame."""
    height = (max(frame.shape[0] for clip in clips for frame in clip) + 1) // 2 * 2  # cut to the lower one's height, the other would lose a chin
    frames = [np.hstack([np.pad(frame, ((0, height - len(frame)), (0, 0), (0, 0))) for frame in pair]) for pair in zip(*clips)]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=5, options={"crf": "18"})
        stream.height, stream.width, stream.pix_fmt = height, frames[0].shape[1] // 2 * 2, "yuv420p"
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:, : stream.width]), format="rgb24")))
        out.mux(stream.encode(None))
    return path


def test_both_are_named_and_nobody_is_named_falsely(folder, tmp_path):
    if "libx264" not in av.codecs_available:
        pytest.skip("this build of FFmpeg encodes no H.264")
    people = dict(table(folder / "test" / "y_test.csv"))
    meant = {"64": people["64"], "39": people["39"]}
    clips = [[read_photo(folder / "test" / "videos" / clip / f"{number}.jpg") for number in range(5)] for clip in meant]
    film = side_by_side(tmp_path / "two.mp4", clips)
    photos = {person: next(name for name, label in table(folder / "train" / "y_train.csv") if label == person) for person in meant.values()}
    images = {name: read_photo(folder / "train" / "images" / name) for name in photos.values()}
    classifier = Classifier(threshold=usual_threshold(2)).fit(images, {name: person for person, name in photos.items()})
    faces = name_faces(film, classifier)["faces"]
    assert {face["name"] for face in faces} - {"unknown"} == set(meant.values())
    for face in faces:
        left = np.mean([box[1] + box[3] for box in face["boxes"]]) / 2 < clips[0][0].shape[1]
        assert face["name"] in ("unknown", list(meant.values())[0 if left else 1])
    at_once = set.intersection(*(set(face["frames"]) for face in faces if face["name"] != "unknown"))
    assert len(at_once) >= 3


def test_a_film_of_a_photo_of_each(folder, tmp_path):
    """Another photo of each than the gallery's, eight frames long, while the camera moves a little."""
    if "libx264" not in av.codecs_available:
        pytest.skip("this build of FFmpeg encodes no H.264")
    home, photos = folder.parent / "image_classification" / "train", {}
    for name, person in table(home / "y_train.csv"):
        photos.setdefault(person, []).append(read_photo(home / "images" / name))
    for meant in (sorted(photos)[:2], sorted(photos)[2:4]):
        clips = [[np.roll(photos[person][1], number % 3, axis=0) for number in range(8)] for person in meant]
        film = side_by_side(tmp_path / f"{meant[0]}.mp4", clips)
        classifier = Classifier(threshold=usual_threshold(2)).fit({person: photos[person][0] for person in meant}, {person: person for person in meant})
        faces = name_faces(film, classifier)["faces"]
        middles = [np.mean([box[1] + box[3] for box in face["boxes"]]) / 2 for face in faces]
        assert [face["name"] for _, face in sorted(zip(middles, faces), key=lambda each: each[0])] == meant

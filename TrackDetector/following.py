"""Faces followed from frame to frame, so that each gets one name and not a flicker."""

from dataclasses import dataclass, field

import numpy as np

from common.boxes import iou
from TrackDetector.alignment import align
from TrackDetector.answers import Answer
from TrackDetector.descriptors import INPUT_SIZE, input_size
from TrackDetector.faces import find_faces


@dataclass
class Track:
    """One face through the frames: numbers of the frames, boxes (4,), crops, and its answer."""

    frames: list = field(default_factory=list)
    boxes: list = field(default_factory=list)
    crops: list = field(default_factory=list)
    answer: Answer | None = None


def link(tracks, boxes, number, overlap=0.3, patience=10):
    """Give each box of a frame to the track that it overlaps most, or open a new one.

    Parameters
    ----------
    tracks : list of Track
        Is extended.
    boxes : array_like, shape (N, 4)
    number : int
        Of the frame.
    overlap : float
        Least IoU between the last box of a track and the next.
    patience : int
        Frames that a face may be missing before its track ends.

    Returns
    -------
    list of Track
        The track of each box, in their order.
    """
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    alive = [t for t in tracks if number - t.frames[-1] <= patience]
    chosen = [None] * len(boxes)
    if alive and len(boxes):
        table = iou([t.boxes[-1] for t in alive], boxes)
        while table.size and table.max() >= overlap:
            t, b = np.unravel_index(np.argmax(table), table.shape)
            chosen[b] = alive[t]
            table[t], table[:, b] = -1, -1
    for b, track in enumerate(chosen):
        if track is None:
            chosen[b] = track = Track()
            tracks.append(track)
        track.frames.append(number)
        track.boxes.append(boxes[b])
    return chosen


def follow(frames, classifier, detector=None, progress=True):
    """Find and follow every face of a clip, and name each track once.

    The descriptors of a track's faces are combined as `classifier.combine` says: the name is that of the
    track, not of a frame.

    Parameters
    ----------
    frames : list of ndarray, shape (H, W, 3), uint8 RGB
        One frame is a photo.
    classifier : Classifier
        With a gallery.
    detector : callable, optional
        As in `faces.find_faces`.
    progress : bool

    Returns
    -------
    list of Track
        With boxes by frame, and an `Answer` each; in the order of appearance.
    """
    from tqdm.auto import tqdm

    tracks, size = [], (input_size(classifier.nn_model)[0] or INPUT_SIZE)
    for number, frame in enumerate(tqdm(frames, "frames", disable=not progress or len(frames) < 2)):
        faces = find_faces(frame, detector)
        for face, track in zip(faces, link(tracks, [f.box for f in faces], number)):
            track.crops.append(align(frame, face.landmarks, size))
    crops = [crop for track in tracks for crop in track.crops]
    if crops:
        descriptors = np.split(classifier.describe(np.array(crops)), np.cumsum([len(t.crops) for t in tracks])[:-1])
        for track, d in zip(tracks, descriptors):
            track.answer = classifier.answer_clip(d, track.frames)
    return tracks

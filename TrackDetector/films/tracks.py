"""Faces followed from frame to frame, so that each gets one name and not a flicker."""

from dataclasses import dataclass, field

import numpy as np

from common.boxes import iou
from TrackDetector.alignment import align
from TrackDetector.descriptors import FACE_MODEL, INPUT_SIZE, LAYER, input_size
from TrackDetector.faces import find_faces
from TrackDetector.neighbors.predictions import Answer, unit

FRAME = 1920  # pixels of the longer side at which faces are looked for in the frames of a film
# Distance between the faces before and after, means of up to five, from which on it is somebody else. In 101 real clips of one person
# it comes to 0.379 at most; where two of them are put together it stays below 0.38 in 2 of 100.
ANOTHER = 0.38
# Where a cut comes after a look or two, means of five hold two people; means of fewer vary more, and must lie farther apart: looks, and so many times
# `ANOTHER`. Chosen on one half of 96 real clips, where no step inside a clip comes to that; in the other half 1 of 192 does, of steps between two people 99 of 100.
LOOKS = ((1, 1.1), (2, 1.05), (5, 1.0))


@dataclass
class Track:
    """One face through the frames: numbers of the frames, boxes (4,), descriptors (D,), and its answer."""

    frames: list = field(default_factory=list)
    boxes: list = field(default_factory=list)
    descriptors: list = field(default_factory=list)
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


def parted(track, another=ANOTHER):
    """A track as the tracks of the people in it: after a cut in the film, somebody else may stand in the same place.

    Parameters
    ----------
    track : Track
        With its descriptors.
    another : float
        Distance between descriptors of length 1.

    Returns
    -------
    list of Track
    """
    descriptors, pieces, whole = unit(np.array(track.descriptors, float)), [], [(0, len(track.frames))]
    while whole:
        start, end = whole.pop()
        steps = _steps(descriptors[start:end])
        if not len(steps) or steps.max() < another:
            pieces.append(slice(start, end))
        else:
            at = start + int(np.argmax(steps)) + 1
            whole += [(at, end), (start, at)]
    return [track] if len(pieces) == 1 else [Track(track.frames[part], track.boxes[part], track.descriptors[part]) for part in pieces]


def _steps(descriptors):
    """How far the faces before and after each of the N - 1 places between N lie apart, in looks of `LOOKS`: (N - 1,)."""
    sums, places = np.concatenate([np.zeros((1, descriptors.shape[1])), np.cumsum(descriptors, axis=0)]), np.arange(1, len(descriptors))
    apart = [np.linalg.norm(unit(sums[places] - sums[np.maximum(0, places - looks)]) - unit(sums[np.minimum(len(descriptors), places + looks)] - sums[places]),
                            axis=1) / times for looks, times in LOOKS]  # fmt: skip
    return np.max(apart, axis=0)


def follow(frames, classifier, detector=None, progress=True, photo=False):
    """Find and follow every face of a clip, and name each track once.

    The descriptors of a track's faces are combined as `classifier.combine` says: the name is that of the
    track, not of a frame. Where a track shows first one person and then another, as after a cut, it is parted: if dlib's
    network describes the faces, or the classifier has a threshold.

    Parameters
    ----------
    frames : iterable of ndarray, shape (H, W, 3), uint8 RGB
        They are looked at one by one, so a generator will do for a long video.
    classifier : Classifier
        With a gallery.
    detector : callable, optional
        As in `faces.find_faces`; by default the classifier's.
    progress : bool
    photo : bool
        Whether `frames` holds one photo. It is looked at as large as it is, so that the small faces of a group are found;
        the frames of a film are shrunk to `FRAME` pixels first.

    Returns
    -------
    list of Track
        With boxes by frame, and an `Answer` each; in the order of appearance.
    """
    from tqdm.auto import tqdm

    following = Following(classifier, detector, photo)
    for frame in tqdm(frames, "frames", disable=not progress or photo):
        following.look(frame)
    return following.end()


class Following:
    """Frames looked at one after the other; see `follow`, which goes through all of them.

    Parameters
    ----------
    classifier, detector, photo
        As in `follow`.

    Attributes
    ----------
    tracks : list of Track
        So far, without answers.
    """

    def __init__(self, classifier, detector=None, photo=False):
        self.classifier, self.tracks, self._waiting, self._number = classifier, [], [], 0
        self.detector = classifier.detector if detector is None else detector
        self._most = {} if photo else {"most": FRAME}
        self._size = input_size(classifier.nn_model)[0] or INPUT_SIZE

    def look(self, frame):
        """Take in the next frame, (H, W, 3) uint8 RGB; returns the tracks of the faces in it."""
        faces = find_faces(frame, self.detector, **self._most)
        shown = link(self.tracks, [f.box for f in faces], self._number)
        self._waiting += [(track, align(frame, face.landmarks, self._size)) for face, track in zip(faces, shown)]
        self._number += 1
        if len(self._waiting) >= 2 * self.classifier.batch_size:
            self.describe()
        return shown

    def describe(self):
        """Describe the faces that wait for it: they do so together."""
        if self._waiting:
            for (track, _), descriptor in zip(self._waiting, self.classifier.describe(np.array([crop for _, crop in self._waiting]))):
                track.descriptors.append(descriptor)
            self._waiting.clear()

    def end(self):
        """The tracks, each of one person and with its answer, in the order of appearance."""
        self.describe()
        classifier, tracks = self.classifier, self.tracks
        known = classifier.nn_model.name == FACE_MODEL and classifier.layer in (None, LAYER)
        another = ANOTHER if known else classifier.threshold
        if another is not None:
            tracks = [piece for track in tracks for piece in parted(track, another)]
            tracks.sort(key=lambda track: track.frames[0])
        for track in tracks:
            track.answer = classifier.answer_clip(np.array(track.descriptors), track.frames)
        return tracks

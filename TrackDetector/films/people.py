"""Who is in a film: tracks of one person joined, and when that person is seen."""

from dataclasses import dataclass, field

import numpy as np

from TrackDetector.films.tracks import ANOTHER, Track
from TrackDetector.neighbors.predictions import UNKNOWN, Answer, unit

PAUSE = 1.0  # seconds: who is away for less has not been away


@dataclass
class Person:
    """One person of a film.

    Attributes
    ----------
    answer : Answer
        From all faces together.
    frames, boxes : list
        Numbers of the frames, in order, and the box (4,) in each.
    tracks : list of Track
        What was joined.
    sure : float
        The share of the frames that give the same answer by themselves.
    """

    answer: Answer
    frames: list
    boxes: list
    tracks: list = field(default_factory=list)
    sure: float = 1.0


def _together(tracks, classifier):
    """One person of several tracks, answered anew."""
    shown = sorted(((frame, track, place) for track in tracks for place, frame in enumerate(track.frames)), key=lambda each: each[0])
    frames, boxes = [frame for frame, _, _ in shown], [track.boxes[place] for _, track, place in shown]
    answer = tracks[0].answer
    if len(tracks) > 1:
        answer = classifier.answer_clip(np.array([track.descriptors[place] for _, track, place in shown]), frames)
        if answer.label != tracks[0].answer.label:  # together they are less like anybody than each alone
            answer = min((track.answer for track in tracks), key=lambda each: each.distance)
    alone = [name if classifier.threshold is None or distance <= classifier.threshold else UNKNOWN for track in tracks for _, name, distance in track.answer.frames]
    return Person(answer, frames, boxes, tracks, float(np.mean([name == answer.label for name in alone])) if alone else 1.0)


def _groups(tracks, like):
    """Tracks put together, the likest pair first, so long as no two of a group are seen at once."""
    groups = [[track] for track in tracks]
    means = [unit(np.mean(unit(np.array(track.descriptors)), axis=0)[None])[0] for track in tracks]
    pairs = sorted((float(np.linalg.norm(means[i] - means[j])), i, j) for i in range(len(tracks)) for j in range(i) if like(tracks[i], tracks[j]))
    where = list(range(len(tracks)))
    for distance, i, j in pairs:
        a, b = where[i], where[j]
        known = tracks[i].answer.label != UNKNOWN
        if a == b or not (known or distance < ANOTHER) or set().union(*(t.frames for t in groups[a])) & set().union(*(t.frames for t in groups[b])):
            continue
        if not known and max(np.linalg.norm(means[m] - means[n]) for m, at in enumerate(where) if at == a for n, too in enumerate(where) if too == b) >= ANOTHER:
            continue  # every two of them must be alike: a chain of strangers is no person
        groups[a] += groups[b]
        groups[b] = []
        where = [a if at == b else at for at in where]
    return [group for group in groups if group]


def people(tracks, classifier):
    """Join the tracks of each person.

    Tracks of one name are one person, if they are not seen at once; where they are, the nearer keeps the name, and the
    other is unknown. Tracks of strangers are joined where each is as like to each as tracks of one person are (`tracks.ANOTHER`).

    Parameters
    ----------
    tracks : list of Track
        With their answers, as `tracks.follow` gives them.
    classifier : Classifier

    Returns
    -------
    people : list of Person
        In the order of appearance.
    notes : list of str
        Names that two faces had at once.
    """
    notes, named = {}, []
    for track in sorted(tracks, key=lambda each: each.answer.distance):
        rivals = [other for other in named if other.answer.label == track.answer.label != UNKNOWN and set(other.frames) & set(track.frames)]
        if rivals:
            label, answer = track.answer.label, track.answer
            notes[label] = f"two faces at once look like {label}: the nearer has the name, the other is unknown"
            track = Track(track.frames, track.boxes, track.descriptors,
                          Answer(UNKNOWN, answer.name, answer.distance, answer.found, answer.neighbors, answer.frames))
        named.append(track)
    named.sort(key=lambda track: track.frames[0])
    joined = [_together(group, classifier) for group in _groups(named, lambda a, b: a.answer.label == b.answer.label)]
    return sorted(joined, key=lambda person: person.frames[0]), list(notes.values())


def spans(starts, ends, pause=PAUSE):
    """When somebody is seen: from and to, in seconds.

    Parameters
    ----------
    starts, ends : sequence of float
        When each of the frames in which the person is seen begins, and the next that was looked at: so long it is seen.
    pause : float
        Who is away for longer comes anew.

    Returns
    -------
    list of [float, float]

    Examples
    --------
    >>> spans([0.0, 0.5, 1.0, 4.0], [0.5, 1.0, 1.5, 4.5])
    [[0.0, 1.5], [4.0, 4.5]]
    """
    answer = []
    for start, end in zip(starts, ends):
        if answer and start - answer[-1][1] <= pause:
            answer[-1][1] = end
        else:
            answer.append([start, end])
    return [[round(start, 3), round(end, 3)] for start, end in answer]


def clock(seconds):
    """A second as people write it.

    Examples
    --------
    >>> clock(75.25), clock(3700)
    ('1:15.2', '1:01:40.0')
    """
    minutes, rest = divmod(int(seconds * 10), 600)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}:{minutes:02d}" if hours else f"{minutes}") + f":{rest // 10:02d}.{rest % 10}"

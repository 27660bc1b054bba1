"""Who is in a film: tracks of one person joined, and when that person is seen."""

from collections import defaultdict
from dataclasses import dataclass, field, replace

import numpy as np

from TrackDetector.films.tracks import ANOTHER, Track
from TrackDetector.neighbors.predictions import UNKNOWN, Answer, unit

_ROWS = 256  # whose distances to all others are in memory at once
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


def _strangers(tracks):
    """Tracks of strangers put together, the likest pair first, so long as no two of a group are seen at once and every two are alike: a chain of strangers is no person.

    A long film has thousands of tracks: whom a group cannot be joined with is remembered, and never asked again, for groups only grow.
    """
    means = np.array([unit(np.mean(unit(np.array(track.descriptors)), axis=0)[None])[0] for track in tracks])
    groups, where = [[number] for number in range(len(tracks))], list(range(len(tracks)))
    seen, apart = [set(track.frames) for track in tracks], [set() for _ in tracks]
    for i, j in _likest(means):
        a, b = where[i], where[j]
        if a == b or b in apart[a]:
            continue
        if not seen[a].isdisjoint(seen[b]) or _apart(means[groups[a]], means[groups[b]]).max() >= ANOTHER:
            apart[a].add(b)
            apart[b].add(a)
            continue
        if len(groups[a]) < len(groups[b]):
            a, b = b, a  # what is less is moved
        for number in groups[b]:
            where[number] = a
        for other in apart[b]:
            apart[other] = apart[other] - {b} | {a}
        groups[a] += groups[b]
        seen[a] |= seen[b]
        apart[a] |= apart[b]
        groups[b], seen[b], apart[b] = [], None, None
    return [[tracks[number] for number in group] for group in groups if group]


def _apart(some, others):
    """Distances of rows of length 1: (N, M)."""
    return np.sqrt(np.maximum(2 - 2 * some @ others.T, 0))


def _likest(means):
    """Pairs of rows that lie less than `ANOTHER` apart, the nearest first."""
    found = []
    for begin in range(0, len(means), _ROWS):
        table = _apart(means[begin : begin + _ROWS], means[: begin + _ROWS])
        rows, others = np.nonzero((table < ANOTHER) & (np.arange(table.shape[1]) < begin + np.arange(len(table))[:, None]))
        found.append((table[rows, others], rows + begin, others))
    distances, rows, others = (np.concatenate(part) for part in zip(*found)) if found else (np.zeros(0),) * 3
    order = np.lexsort((others, rows, distances))
    return zip(rows[order].tolist(), others[order].tolist())


def people(tracks, classifier):
    """Join the tracks of each person.

    Tracks of one name are one person, if they are not seen at once; where they are, the nearer keeps the name, with a doubt, and
    the other is unknown. Tracks of strangers are joined where each is as like to each as tracks of one person are (`tracks.ANOTHER`).

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
    notes, named, taken = {}, defaultdict(list), defaultdict(set)
    for track in sorted(tracks, key=lambda each: each.answer.distance):
        label, answer = track.answer.label, track.answer
        if label != UNKNOWN and not taken[label].isdisjoint(track.frames):
            notes[label] = f"two faces at once look like {label}: the nearer has the name, the other is unknown"
            track = Track(track.frames, track.boxes, track.descriptors,
                          Answer(UNKNOWN, answer.name, answer.distance, answer.found, answer.neighbors, answer.frames))
        named[track.answer.label].append(track)
        taken[track.answer.label].update(track.frames)
    groups = [sorted(group, key=lambda track: track.frames[0]) for group in named.values()]
    joined = [_together(one, classifier) for group in groups for one in (_strangers(group) if group[0].answer.label == UNKNOWN else [group])]
    for person in joined:
        if person.answer.label in notes and not person.answer.doubt:
            person.answer = replace(person.answer, doubt=f"another face at the same time looks like {person.answer.label} too")
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

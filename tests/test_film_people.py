"""Who is who in a film: tracks joined, also where there are thousands of them; two faces at once that look like one person."""

import numpy as np
import pytest
from test_films import Plain, answered

from TrackDetector.commands.answering import film_report, lines, marked
from TrackDetector.films.people import people


class Counted(list):
    """Frames of a track that count how often somebody goes through them."""

    times = 0

    def __iter__(self):
        self.times += 1
        return super().__iter__()


@pytest.mark.parametrize("name", ["ann", "unknown"])
@pytest.mark.parametrize("at_once", [False, True])
def test_a_track_costs_no_more_in_a_film_of_many(name, at_once):
    """Each was compared with each, frame by frame: a film of three hours with its thousands of tracks did not end."""
    def most(count):
        tracks = [answered(name, range(10 * number, 10 * number + (15 if at_once else 5)), np.eye(3)[0]) for number in range(count)]
        for track in tracks:
            track.frames = Counted(track.frames)
        joined, _ = people(tracks, Plain())
        assert sum(len(person.frames) for person in joined) == sum(len(track.frames) for track in tracks)
        return max(track.frames.times for track in tracks)

    assert most(200) == most(20)


def test_strangers_are_joined_if_each_is_like_each():
    """The likest first, and nobody with somebody who is seen at the same time."""
    def turned(degrees):
        return np.array([0, np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])

    chain = [answered("unknown", range(10 * number, 10 * number + 5), turned(degrees)) for number, degrees in enumerate((0, 15, 29))]  # 15 degrees are 0.26, 29 are 0.5
    assert [person.frames[0] for person in people(chain, Plain())[0]] == [0, 10] and [len(person.tracks) for person in people(chain, Plain())[0]] == [1, 2]
    twice = [answered("unknown", range(start, start + 10), turned(0)) for start in (0, 5, 20, 25, 40)]
    for person in people(twice, Plain())[0]:
        assert len(set(person.frames)) == len(person.frames) and len(person.tracks) in (2, 3)


def test_a_name_that_another_face_has_at_the_same_time_is_doubted():
    """A twin, or a photo that is held up: the nearer may be the wrong one."""
    x, y, _ = np.eye(3)
    tracks = [answered("ann", range(5), y, 0.21), answered("ann", range(3, 9), x, 0.2)]
    report, seen, notes = film_report(tracks, Plain(), (100, 100), list(range(9)), list(range(9)), 9)
    assert [(face["name"], face.get("doubt")) for face in report["faces"]] == [("unknown", None), ("ann", "another face at the same time looks like ann too")]
    assert len(notes) == 1 and marked(seen[1].answer.label, seen[1].answer.doubt) == "ann?"
    assert "ann too" in "\n".join(lines({"file": "a.mp4", **report}))
    one, _ = people([answered("ann", range(5), x), answered("ann", range(5, 9), x)], Plain())
    assert [person.answer.doubt for person in one] == [""]

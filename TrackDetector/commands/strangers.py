"""Unknown faces of many files in groups, for `--group-unknown`: the same stranger gets one number everywhere."""

import base64
from dataclasses import dataclass, field

import numpy as np

from common.commands.run import Answers
from common.console import say
from TrackDetector.neighbors.predictions import UNKNOWN

PART = "descriptor"  # what an answer calls it until the groups are made


def described(face, descriptors):
    """A face with what groups are made of, if nobody knows it.

    Parameters
    ----------
    face : dict
        See `answering.name_faces`; of a known person it is given back as it is.
    descriptors : array_like, shape (N, D)
        Of its frames.
    """
    if face["name"] != UNKNOWN:
        return face
    return {**face, PART: base64.b64encode(np.mean(descriptors, axis=0).astype("<f4").tobytes()).decode("ascii")}


def grouped(answers):
    """Number the strangers.

    Parameters
    ----------
    answers : iterable of dict
        With faces that are `described`.

    Returns
    -------
    answers : list of dict
        Unknown faces are called ``unknown 1``, ``unknown 2`` and so on, in the order in which they appear; a dictionary that groups
        were not made of is as it was.
    groups : list of list of str
        The files of each, every one once.
    """
    from TrackDetector.neighbors.grouping import group_faces

    answers = [{**answer, "faces": [dict(face) for face in answer.get("faces", ())]} if "faces" in answer else answer for answer in answers]
    strangers = [(answer, face) for answer in answers for face in answer.get("faces", ()) if PART in face]
    numbers = group_faces([np.frombuffer(base64.b64decode(face.pop(PART)), "<f4") for _, face in strangers])
    groups = [{} for _ in range(int(numbers.max(initial=0)))]
    for (answer, face), number in zip(strangers, numbers.tolist()):
        face["name"] = f"{UNKNOWN} {number}"
        groups[number - 1][answer["file"]] = None
    return answers, [list(files) for files in groups]


@dataclass(frozen=True)
class GroupedAnswers(Answers):
    """Answers in whose file strangers have numbers, and which tell at the end who was seen in which files."""

    told: list = field(default_factory=list)
    answered: list = field(default_factory=list)

    @classmethod
    def remembering(cls, key, things, line, columns, rows, head):
        """As `Answers`; what groups are made of is kept, for where no file of answers is written."""
        answered = []

        def remember(answer):
            answered.append({"file": answer["file"], "faces": [face for face in answer["faces"] if PART in face]})
            return line(answer)

        return cls(key, things, remember, columns, rows, head, answered=answered)

    def write(self, out):
        """The function that writes a file named `out` whole, with the groups."""
        write = super().write(out)

        def write_grouped(file, answers):
            answers, groups = grouped(answers)
            self.told[:] = [groups]
            write(file, iter(answers))

        return write_grouped

    def say(self, files):
        """Print who was seen where; `files` in the order in which they were named, for on a cluster answers come in any."""
        place = {str(file): number for number, file in enumerate(files)}
        groups = self.told[0] if self.told else grouped(sorted(self.answered, key=lambda answer: place[answer["file"]]))[1]
        for number, files in enumerate(groups, 1):
            more = f" and {len(files) - 5:,} more" if len(files) > 5 else ""
            say(f"{UNKNOWN} {number}: in {len(files):,} file{'s' if len(files) > 1 else ''}: {', '.join(files[:5])}{more}")

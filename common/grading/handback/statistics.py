"""How a class did in each exercise: attempted, right, marks, and what was said most often."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

MOST_MESSAGES = 3


@dataclass(frozen=True)
class Statistic:
    """One exercise in the whole class.

    Attributes
    ----------
    name : str
    of : float
    attempted, right, students : int
    mean : float
        Marks.
    messages : list of (str, int)
        What was said to those who had it wrong, and to how many; messages that differ in numbers and names only are one.
    """

    name: str
    of: float
    attempted: int
    right: int
    students: int
    mean: float
    messages: list


def kind_of_message(text):
    """A message without what differs from student to student: numbers, and what stands in quotes.

    Examples
    --------
    >>> kind_of_message("row 3 is 0.25, expected 'a'") == kind_of_message("row 17 is -8.5e-3, expected 'b'")
    True
    """
    text = re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"", "…", text.split("\n")[0])
    return re.sub(r"[-+]?\d[\d.,]*(?:e[-+]?\d+)?", "0", text)[:200]


def statistics(results):
    """Statistics by exercise, in the order of the task.

    Parameters
    ----------
    results : list of dict

    Returns
    -------
    list of Statistic
    """
    rows = defaultdict(list)
    for result in results:
        for row in result["rows"]:
            rows[row["name"]].append(row)
    answer = []
    for name, found in rows.items():
        first, counts = {}, Counter()
        for row in found:
            if row["status"] == "wrong" and row["message"]:
                kind = kind_of_message(row["message"])
                first.setdefault(kind, row["message"].split("\n")[0][:240])
                counts[kind] += 1
        said = [(first[kind], number) for kind, number in counts.most_common(MOST_MESSAGES)]
        answer.append(Statistic(name, found[0]["of"], sum(r["status"] != "not attempted" for r in found), sum(r["status"] == "right" for r in found),
                                len(found), sum(r["marks"] for r in found) / len(found), said))
    return answer

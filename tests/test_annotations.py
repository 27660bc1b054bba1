"""What annotations, dataclasses and pickles do in a notebook they do in the sandbox, too."""

import pytest

from common.exercises.exercise import RIGHT
from common.grading.judging import Grader
from common.grading.notebook_source import collect
from common.grading.tasks import prelude_of, task_of

ANSWER = "def get_threshold(thresholds{curve}, recall{curve}){gives}:\n    return {best}"
PLAIN = ANSWER.format(curve="", gives="", best="{best}")
BEST = "max(t for t, r in zip(thresholds, recall) if r >= LEAST)"
LATER = "from __future__ import annotations\n"
NOTEBOOKS = {
    "types that only a type checker imports": [LATER + "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from nowhere import Curve\nLEAST: Share = 0.85",
                                               ANSWER.format(curve=": Curve[float]", gives=" -> Number | None", best=BEST)],
    "a class that speaks of itself": [LATER + "class Point:\n    def __init__(self, t: float): self.t = t\n    def best(self, other: Point) -> Point:\n        return max(self, other, key=lambda p: p.t)",
                                      PLAIN.format(best="Point(-9).best(max((Point(t) for t, r in zip(thresholds, recall) if r >= 0.85), key=lambda p: p.t)).t")],
    "a constant of a dataclass": [LATER + "from dataclasses import dataclass\nfrom typing import ClassVar\n@dataclass\nclass Least:\n    share: ClassVar[float] = 0.85\n    name: str\n",
                                  PLAIN.format(best=BEST.replace("LEAST", "Least('recall').share"))],
    "pickled and back": ["import pickle\nclass Least(float):\n    pass", PLAIN.format(best=BEST.replace("LEAST", "pickle.loads(pickle.dumps(Least(0.85)))"))],
    "hints that are asked for": ["import typing\nclass Least:\n    share: 'Later' = 0.85\nclass Later(float):\n    pass",
                                 PLAIN.format(best=BEST.replace("LEAST", "typing.get_type_hints(Least)['share'](0.85)"))],
}  # fmt: skip


@pytest.mark.parametrize("cells", [pytest.param(cells, id=name) for name, cells in NOTEBOOKS.items()])
def test_it_is_right_when_graded_as_it_is_at_home(sandbox, cells):
    task = task_of("RegionDetector")
    verdict = Grader(task, prelude_of("RegionDetector"), sandbox).check(task.by_name["get_threshold"], collect(cells))
    assert verdict.status == RIGHT, verdict


def test_annotations_are_evaluated_where_the_notebook_does_so():
    assert not collect(["from typing import List\nx: List = []"]).later and collect(["from __future__ import annotations"]).later
    assert not collect(["from __future__ import division"]).later

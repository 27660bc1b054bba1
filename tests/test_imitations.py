"""Notebooks of the published course, imitated: each gets the marks that an instructor who reads it would give, and the reason for those it does not get."""

import os

import imitations
import pytest

from common.exercises.exercise import RIGHT
from common.grading.judging import Grader, _in_order
from common.grading.notebook_source import collect
from common.grading.tasks import prelude_of, task_of
from common.grading.whole_class import grade_class

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork; on Windows the sandbox has a time limit only")]


@pytest.mark.parametrize("name", imitations.DESERVED)
def test_marks_and_reasons(name, sandbox):
    task_name, cells, right, said = imitations.DESERVED[name]
    task = task_of(task_name)
    grader, source = Grader(task, prelude_of(task_name), sandbox), collect(cells)
    for item in _in_order([e for e in task.exercises if e.marks]):
        grader.verdicts[item.name] = grader.check(item, source)
    shown = {n: (v.status, v.message) for n, v in grader.verdicts.items()}
    assert {n for n, v in grader.verdicts.items() if v.status == RIGHT} == set(right), shown
    assert all(text in grader.verdicts[n].message for n, text in said.items()), shown
    assert "StandIn" not in str(shown)
    for n, verdict in grader.verdicts.items():
        if verdict.status == "wrong" and "cannot be" not in verdict.message:
            assert {"asked", "came"} <= set(grader.told[n]), n


def test_what_the_published_course_had_is_there_for_the_scores_as_well(tmp_path):
    imitations.write(tmp_path, ["vgg_of_crops"])
    result, = grade_class("TrackDetector", tmp_path / "TrackDetector", tmp_path / "out", progress=False)
    assert result["total"] == 10, result

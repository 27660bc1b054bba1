"""What the instructor names as the submissions: several downloads in a folder, one notebook, a place that is not there."""

import os
import re

import pytest
from coursework import code_notebook, hand_in
from handed_in import PEOPLE, files_of, ident, marked, whose, write_folder, write_zip

from common.grading.submissions import take_in


@pytest.mark.parametrize("way", ["zips", "folders"])
@pytest.mark.parametrize("layout", ["moodle", "moodle flat", "canvas", "ilias", "blackboard"])
def test_several_downloads_beside_one_another_are_one_class(layout, way, tmp_path):
    """One for each of two groups, and the first group's again a week later: each zip was taken for a student with twenty notebooks."""
    files = files_of(layout)
    groups = [{name: data for name, data in files.items() if any(re.search(rf"(?<![\w-])({ident(n)}|{PEOPLE[n][2]})(?![0-9a-z-])", name.replace("_", " ")) for n in numbers)}
              for numbers in (range(12), range(12, len(PEOPLE)))]
    later = lambda name: name.replace("_9000", "_9900").replace("_2026-11-", "_2026-12-")  # what Canvas and Blackboard give a new attempt  # noqa: E731
    again = {later(name): marked(99) if name.endswith("ipynb") else data for name, data in groups[0].items()}
    for k, group in enumerate((*groups, again)):
        if way == "zips":
            write_zip(group, tmp_path / "in" / f"group {k}.zip", (2026, 11, 20 + k, 12, 0, 0))
        else:
            write_folder(group, tmp_path / "in" / f"group {k}")
            for path in (tmp_path / "in" / f"group {k}").rglob("*"):
                os.utime(path, (k * 1e6, k * 1e6))
    taken = take_in(tmp_path / "in", ("get_threshold",))
    assert taken.platform == layout.split()[0] and sorted(whose(s.notebook) for s in taken.submissions) == [*range(12, len(PEOPLE)), *[99] * 12]
    assert all(s.time is None for s in taken.submissions) or layout in ("ilias", "blackboard")


def test_a_place_that_is_not_there_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(f"there is no {tmp_path / 'mooddle.zip'}: ")):
        take_in(tmp_path / "mooddle.zip")
    (tmp_path / "class.rar").write_bytes(b"Rar!")
    with pytest.raises(FileNotFoundError, match="class.rar: an archive of a kind that is not read here"):
        take_in(tmp_path / "class.rar")


def test_one_notebook_is_a_class_of_one(tmp_path):
    assert [s.name for s in take_in(hand_in(tmp_path, "Jörg Weiß", code_notebook([]))).submissions] == ["Jörg Weiß"]


@pytest.mark.parametrize("inside", [{}, {"__MACOSX/._x.ipynb": b"x"}, {"work/": b""}], ids=["nothing", "a Mac's", "a folder"])
def test_an_archive_with_nothing_in_it_is_named(inside, tmp_path):
    """Who handed it in was neither among those with marks nor among those without a notebook."""
    empty = write_zip(inside, tmp_path / "empty.zip").read_bytes()
    place = write_zip({"Eva Öl_12_assignsubmission_file_/x.ipynb": marked(1), "Jan Öz_13_assignsubmission_file_/mine.zip": empty}, tmp_path / "class.zip")
    assert take_in(place).left_out == {"Jan Öz (13)": "no notebook, but mine.zip"}


@pytest.mark.parametrize("cells, said", [(["import numpy", "def load_image_data(path):\n    return path"], True), (["def get_threshold(t, r):\n    return 0"], False),
                                         (["from mine import get_threshold"], False), ([], False)])
def test_the_notebook_of_another_task_is_said_to_be_one(cells, said, tmp_path):
    """The page told of each exercise that it was not attempted, and not that the wrong file was handed in."""
    (taken,) = take_in(hand_in(tmp_path, "anna", code_notebook(cells)), ("get_threshold", "detect")).submissions
    assert any("another task's" in note for note in taken.notes) == said

"""Near-copies: found through new names, comments and order; not found in what the kit gave out, nor in what everybody writes."""

import re

import pytest
from coursework import answer, code_notebook, hand_in

from common.grading.copies import WINDOW, K, near_copies, tokens, winnow
from common.grading.submissions import take_in
from common.grading.tasks import cells_of
from RegionDetector.exercises import TASK

OWN = """
def get_bboxes_and_decision_function(fcnn, images, shapes):
    maps = fcnn.predict(images)
    found, sure = [], []
    for k, heat in enumerate(maps[..., 1] - maps[..., 0]):
        rows, cols = np.where(heat > 0.3)
        for r, c in zip(rows, cols):
            patch = heat[max(r - 1, 0): r + 2, max(c - 1, 0): c + 2]
            if heat[r, c] == patch.max():
                found.append([k, 4 * r, 4 * c, 4 * r + 32, 4 * c + 32])
                sure.append(heat[r, c])
    order = np.argsort(sure)[::-1]
    return np.array(found)[order], np.array(sure)[order]
"""
OTHER = """
def get_bboxes_and_decision_function(model, pictures, sizes):
    from skimage.feature import peak_local_max
    boxes = []
    scores = []
    prediction = model.predict(pictures, verbose=0)
    for index in range(len(pictures)):
        difference = prediction[index, :, :, 1] - prediction[index, :, :, 0]
        for row, column in peak_local_max(difference, min_distance=2):
            top = row * 4 - 2
            left = column * 4 - 2
            height, width = sizes[index][:2]
            if top >= 0 and left >= 0 and top + 32 <= height and left + 32 <= width:
                boxes.append((index, top, left, top + 32, left + 32))
                scores.append(difference[row, column])
    return np.asarray(boxes, dtype=float), np.asarray(scores)
"""


def disguised(text):
    """Other names, other layout, comments."""
    for old, new in (("heat", "response"), ("found", "result"), ("sure", "confidence"), ("patch", "around"), ("rows", "ys"), ("cols", "xs"), ("maps", "output")):
        text = re.sub(rf"\b{old}\b", new, text)
    return "# all my own work\n" + text.replace("    return", "\n    # done\n    return").replace('[k, 4', "[ k ,  4")


def pairs(folder, **books):
    for name, cells in books.items():
        hand_in(folder, name, code_notebook(cells))
    return {p.students: p for p in near_copies(TASK, take_in(folder).submissions)}


def test_a_copy_in_disguise(tmp_path):
    extra = "def helper(x):\n    return [y for y in x if y]"
    found = pairs(tmp_path, anna=["import numpy as np", OWN], ben=[extra, disguised(OWN)], carl=["import numpy as np", OTHER])
    assert found.keys() == {("anna", "ben")} and found["anna", "ben"].share > 0.9 and found["anna", "ben"].where == ("get_bboxes_and_decision_function",)


def test_a_part_that_was_copied_among_ones_own(tmp_path):
    assert pairs(tmp_path, anna=[OWN], ben=[OTHER.replace("get_bboxes_and_decision_function", "detect_mine"), disguised(OWN)]).keys() == {("anna", "ben")}


def test_what_the_kit_gave_out_does_not_count(tmp_path):
    answers = [answer(item) for item in TASK.exercises]
    assert not pairs(tmp_path, anna=[*cells_of(TASK.name), *answers, OWN], ben=[*cells_of(TASK.name), *map(disguised, answers), OTHER])


def test_what_many_in_the_class_have_does_not_count(tmp_path):
    """A recipe from the lecture; two of the class have more in common than that."""
    books = {f"s{k:02d}": [OWN, f"def own_{k}(x):\n    return x[{k}:]"] for k in range(12)}
    books |= {"s00": [OWN, OTHER], "s01": [OWN, disguised(OTHER)]}
    assert pairs(tmp_path, **books).keys() == {("s00", "s01")}


def test_who_hands_in_together_is_no_pair(tmp_path):
    for number in (1, 2):
        hand_in(tmp_path / "Team 1" / f"Name{number}_First_login{number}_{number}", "x", code_notebook([OWN]))
    hand_in(tmp_path / "Team 2" / "Name3_First_login3_3", "x", code_notebook([OWN]))
    found = near_copies(TASK, take_in(tmp_path).submissions)
    assert {p.students for p in found} == {("First Name1", "First Name3"), ("First Name2", "First Name3")}


def test_winnowing_finds_every_common_run_of_the_promised_length():
    """Schleimer, Wilkerson and Aiken 2003: a window of w hashes always has a kept one, so a shared run of k + w - 1 tokens is found."""
    import numpy as np

    rng = np.random.default_rng(0)
    for _ in range(50):
        shared = rng.integers(1 << 32, size=WINDOW).tolist()
        a, b = ([*rng.integers(1 << 32, size=rng.integers(0, 30)).tolist(), *shared, *rng.integers(1 << 32, size=rng.integers(0, 30)).tolist()] for _ in range(2))
        kept = [{h[k] for k in winnow(h)} for h in (a, b)]
        assert kept[0] & kept[1] & set(shared)
    density = len(winnow(rng.integers(1 << 32, size=20_000).tolist())) / 20_000
    assert density == pytest.approx(2 / (WINDOW + 1), rel=0.05)  # section 3.1 of the paper
    assert winnow([]) == [] and len(winnow([5])) == 1 and winnow([7, 3, 9], ignored={3}) != [1] and K > 1


@pytest.mark.parametrize("text", ["def f(:\n  x = '", "\x00", "%%bash\nrm x", "x = (", "'" * 5, "def f():\n\tx\n        y"])
def test_any_text_has_tokens(text):
    assert isinstance(tokens(text), list)
    assert tokens("def f(a):\n    'doc'\n    return a.argsort() + 'x' + 1") == [(w, "f") for w in (
        "def", "name", "(", "name", ")", ":", "return", "name", ".", "argsort", "(", ")", "+", "text", "+", "0")]

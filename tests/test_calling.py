"""A student's function is called by the stub's parameters; its answer has one form; what it changes in place is seen; a loop without an end ends."""

import signal
import sys
import threading
import time

import numpy as np
import pytest

from common.exercises import time_limit as limits
from common.exercises.calling import OtherParameters, as_asked, in_form, watched
from common.exercises.exercise import RIGHT, WRONG, Exercise, Local, Task, Verdict, Wrong, judge
from common.exercises.time_limit import TooLong, time_limit
from RegionDetector.checks.curves import curve
from RegionDetector.checks.detector import detections
from RegionDetector.checks.thresholds import one_number
from RegionDetector.exercises import TASK as REGION

TAKES = ("image", "size", "rng")


def plain(image, size, rng=None):
    return image, size, rng


def starred(*args, **kwargs):
    return (*args, *kwargs.values())


@pytest.mark.parametrize("f", [
    plain, starred, lambda image, size=3, rng=None, more=1: (image, size, rng), lambda size, rng, image: (image, size, rng), lambda *, rng, size, image: (image, size, rng),
    lambda a, b, c=None: (a, b, c), lambda image, *rest: (image, *rest), lambda image, /, size, generator: (image, size, generator),
    lambda rng=None, **others: (others["image"], others["size"], rng),
])
def test_called_as_the_stub_is(f):
    for call in (lambda g: g(1, 2, 3), lambda g: g(1, 2, rng=3), lambda g: g(image=1, size=2, rng=3)):
        assert call(as_asked(f, TAKES)) == (1, 2, 3)


def test_a_function_with_the_stubs_parameters_is_itself():
    assert as_asked(plain, TAKES) is plain and as_asked(max, ()) is max and as_asked(as_asked(lambda c, a: 1, ("a", "c")), ("a", "c")).takes == ("a", "c")


@pytest.mark.parametrize("f, said", [(lambda image, size: 1, "It takes no `rng`"), (lambda image, size, rng, tries: 1, "asks for `tries` as well"), (lambda: 1, "It takes no `image`")])
def test_a_parameter_too_few_or_too_many(f, said):
    with pytest.raises(OtherParameters, match=said):
        as_asked(f, TAKES)(1, 2, rng=3)


def test_a_parameter_that_the_published_course_has_not():
    assert as_asked(lambda image, size: (image, size), TAKES, ("rng",))(1, 2, rng=3) == (1, 2)


def test_other_calls_are_answered_by_python_itself():
    with pytest.raises(TypeError):
        as_asked(lambda size, image, rng: 1, TAKES)(1, 2, 3, 4)


@pytest.mark.parametrize("change", [lambda a: a.sort(), lambda a: a.__imul__(2), lambda a: a.resize(2, refcheck=False)])
def test_changes_in_place_are_seen(change):
    with pytest.raises(Wrong, match="changes `size` in place"):
        watched(lambda image, size: change(size), TAKES)(1, np.array([3.0, 1.0, 2.0]))


@pytest.mark.parametrize("given", [{"a": np.zeros(3)}, [[1], [2]], [np.zeros(2)]])
def test_changes_inside_of_lists_and_dictionaries_are_seen(given):
    def empty(image):
        image.clear()

    with pytest.raises(Wrong, match="changes `image` in place"):
        watched(empty, TAKES)(given)
    assert watched(len, TAKES)([1, 2]) == 2


TABLE = [[0, 1, 2, 3, 4], [1, 5, 6, 7, 8]]


@pytest.mark.parametrize("answer", [(TABLE, [0.5, 1]), (np.array(TABLE), np.array([[0.5], [1]])), [tuple(map(tuple, TABLE)), (0.5, 1.0)], (np.float32(TABLE), np.float32([0.5, 1]))])
def test_boxes_of_any_form(answer):
    boxes, decision = detections(answer)
    assert boxes.tolist() == TABLE and decision.tolist() == [0.5, 1] and boxes[decision > 0.7].tolist() == TABLE[1:]


def test_boxes_alone_and_none_at_all():
    assert detections(TABLE).tolist() == TABLE and detections([]).shape == (0, 5)
    assert [part.shape for part in detections(([], []))] == [(0, 5), (0,)]
    for strange in (None, "text", (TABLE, [1]), ([1, 2], TABLE), 5, ([0.5, 1], TABLE)):
        assert detections(strange) is strange


def test_end_point_without_a_threshold():
    p, r, t = curve(([0.5, 1, 1], [1, 0.5, 0], [0.1, 0.9]))
    assert t == [0.1, 0.9, np.inf]
    assert curve((np.ones(3), np.array([0, 0.5, 1]), np.array([0.9, 0.1])))[2].tolist() == [np.inf, 0.9, 0.1]
    assert curve("nothing") == "nothing" and curve(([1, 1], [1, 0], [1, np.inf]))[2] == [1, np.inf]


def test_the_end_point_is_added():
    assert curve(([0.5, 1.0], [1.0, 0.5], [0.1, 0.9])) == ([0.5, 1.0, 1.0], [1.0, 0.5, 0.0], [0.1, 0.9, np.inf])
    p, r, t = curve(tuple(map(np.array, ([1.0, 0.5], [0.5, 1.0], [0.9, 0.1]))))
    assert p.tolist() == [1, 1, 0.5] and r.tolist() == [0, 0.5, 1] and t.tolist() == [np.inf, 0.9, 0.1]


@pytest.mark.parametrize("answer", [np.array([0.5]), [0.5], np.float32(0.5), 0.5])
def test_one_number(answer):
    assert f"{one_number(answer):.2f}" == "0.50"


def test_what_is_no_number_stays():
    assert one_number("x") == "x" and one_number([1, 2]) == [1, 2] and in_form(plain, None) is plain


def test_the_notebook_gets_the_form_that_the_check_reads(capsys):
    task = Task(REGION.name, REGION.exercises, REGION.scores)

    def get_bboxes_and_decision_function(image_shapes, images, fcnn_model, box_shape=None):
        return [[0, *image_shapes, *images]], [fcnn_model]

    boxes, decision = task.exercise(get_bboxes_and_decision_function)(7.5, [3, 4], [1, 2], box_shape=1)
    assert boxes[decision > 1].tolist() == [[0, 1, 2, 3, 4]]


def test_parameters_are_those_of_the_stubs():
    from notebook_cells import Cells

    cells = Cells.sources(REGION)
    for item in REGION.exercises:
        space = {"exercise": lambda f: f}
        exec(cells[f"do-{item.name.replace('_', '-')}"], space)
        code = space[item.name].__code__
        assert item.takes == code.co_varnames[: code.co_argcount], item.name


# --- time ---


def endless():
    while True:
        pass


def endless_and_deaf():
    while True:
        try:
            sum(range(1000))
        except:  # noqa: E722
            continue


def endless_and_busy():
    """What it catches comes at the end of a long step, never between two."""
    many = np.ones((300, 300))
    while True:
        try:
            steps = 0
            np.linalg.svd(many)
            steps += 1
        except:  # noqa: E722
            pass


def endless_and_asleep():
    while True:
        try:
            time.sleep(60)
        except BaseException:
            continue


def endless_below():
    """What catches everything is called by what does."""
    def step():
        try:
            return np.linalg.svd(np.ones((100, 100)))
        except:  # noqa: E722
            return None

    while True:
        try:
            step()
        except:  # noqa: E722
            continue


@pytest.mark.parametrize("how", ["timer", "thread"])
@pytest.mark.parametrize("loop", [endless, endless_and_deaf, endless_and_busy, endless_below, endless_and_asleep, lambda: time.sleep(60)],
                         ids=["plain", "catches everything", "at long steps", "one in another", "asleep", "sleeps"])
def test_a_loop_without_an_end_is_stopped(how, loop, monkeypatch):
    traced = sys.gettrace()
    if how == "thread":
        if "sleep" in loop.__code__.co_names:
            pytest.skip("only a true signal wakes a sleeper")
        monkeypatch.delattr(signal, "setitimer")
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(TooLong), time_limit(0.2):
        next(loop() for _ in (0,))  # as `judge` does
    time.sleep(4 * limits.AGAIN)  # nothing rings any more
    assert signal.getsignal(signal.SIGINT) is before and sys.gettrace() is traced


def test_one_limit_within_another():
    with pytest.raises(TooLong), time_limit(0.5):
        with pytest.raises(TooLong), time_limit(0.1):
            endless()
        endless()


def test_no_limit_beside_the_main_thread():
    done = []
    thread = threading.Thread(target=lambda: [done.append(1) for _ in [0] if time_limit(0.01).__enter__() is None])
    thread.start()
    thread.join()
    assert done


def test_a_check_that_never_ends_has_a_word(monkeypatch):
    def check(f, kit):
        kit.doing = "on a photo full of faces"
        f()

    monkeypatch.setenv("KIT_CHECK_SECONDS", "1")
    item = Exercise("f", "", 1, check, (), "no:where")
    verdict = judge(item, endless, Local(Task("Toy", (item,))))
    assert verdict.status == WRONG and "s on a photo full of faces: is there a loop without an end?" in verdict.message


@pytest.mark.parametrize("loop", [endless_and_busy, endless_below, endless_and_asleep])
def test_a_loop_that_is_stopped_is_not_the_cause_of_later_errors(loop, monkeypatch):
    """Where it is stopped in the middle of its `except`, Python would show it with each of them."""
    monkeypatch.setenv("KIT_CHECK_SECONDS", "0.4")
    item = Exercise("f", "", 1, lambda f, kit: f(), (), "no:where")
    assert judge(item, loop, Local(Task("Toy", (item,)))).status == WRONG
    with pytest.raises(ZeroDivisionError) as later:
        1 / 0
    assert sys.exc_info()[0] is None and later.value.__context__ is None


# --- how a verdict is shown ---


def test_verdict_in_words_and_lines():
    long = Verdict("f", WRONG, "the boxes are " + "wide and high " * 30)
    assert long.as_text().startswith("✗ f: wrong. the boxes") and max(map(len, long.as_text().split("\n"))) <= 100
    assert " ".join(long.as_text().split()) == " ".join(f"✗ {long}".split())
    assert Verdict("f", RIGHT).as_text() == "✓ f: right" and Verdict("f", "not attempted").sign == "○"


def test_verdict_in_a_notebook(monkeypatch):
    """What is in a message is text, whatever it looks like; sign, word and colour say the same."""
    import IPython
    from IPython import display

    from common.exercises import verdict as verdicts

    shown = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: type("Shell", (), {"kernel": 1}))
    monkeypatch.setattr(display, "display", lambda data, raw: shown.append(data))
    verdicts.show(Verdict("f", WRONG, "a < b & <script>"))
    page, text = shown[0]["text/html"], shown[0]["text/plain"]
    assert "✗ wrong" in page and "a &lt; b &amp; &lt;script&gt;" in page and "word-break:normal" in page and text == "✗ f: wrong. a < b & <script>"


@pytest.mark.parametrize("status", [RIGHT, WRONG, "not attempted"])
def test_badges_can_be_read(status):
    """White on the badge's colour, by the contrast of WCAG 2.2."""
    import re

    colour = re.search("background-color:#(......)", Verdict("f", status).as_html())[1]
    parts = np.array([int(colour[k : k + 2], 16) for k in (0, 2, 4)]) / 255
    light = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
    assert 1.05 / (light + 0.05) >= 4.5

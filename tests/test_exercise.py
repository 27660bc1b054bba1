"""Stubs and stand-ins, checks, hints, marks; reading answers of any type."""

from concurrent.futures import Executor
from functools import wraps

import numpy as np
import pytest

from common.exercises import old_keras
from common.exercises.answer_form import numbers, overlap, softmax
from common.exercises.exercise import NOT_ATTEMPTED, NOT_YET, RIGHT, WRONG, Exercise, Local, Score, Task, Unsolved, Wrong, is_stub, judge
from common.exercises.reference import answer_names, load, source_of
from common.grading.notebook_source import collect, read_cells
from common.grading.tasks import NOTEBOOKS, ROOT
from RegionDetector.exercises import TASK as REGION
from TrackDetector.exercises import TASK as TRACK


def check_half(f, kit):
    if f(8) != 4:
        raise Wrong(f"half of 8 is 4, got {f(8)}")


def half(x):
    """Half of a number."""
    return x / 2


def quarter(x):
    """Half of a half."""
    return half(half(x))


@pytest.fixture
def task():
    return Task("Toy", (Exercise("half", "1 halves", 2, check_half, ("Divide.", "By two."), f"{__name__}:half"),
                        Exercise("third", "2 thirds", 1, check_half, (), f"{__name__}:nothing_of_this_name")),
                (Score("speed", "3 speed", "speed", ((0.9, 1.0), (0.95, 2.0)), ("half",)),))


def stub_with_text():
    """Documented."""
    raise NotImplementedError("write me")


def stub_pass():
    pass


def stub_dots(a, b=3):
    ...


class StubClass:
    """Documented."""

    def one(self):
        raise NotImplementedError

    def two(self):
        pass


def written(x):
    if x:
        raise NotImplementedError
    return 1


class BegunClass:
    def __init__(self, x):
        if x:
            raise NotImplementedError


def logged(f):
    @wraps(f)
    def call(x):
        return f(x)

    return call


def of_even_numbers(x):
    raise NotImplementedError("only odd numbers")


def network_without_call(x):
    """What runs a PyTorch network is called `forward`."""
    import keras

    class Net(keras.Model):
        def forward(self, x):
            return x / 2

    return Net()(np.array([x]))


def returns_constant():
    return 5


@pytest.mark.parametrize("f", [stub_with_text, stub_pass, stub_dots, StubClass])
def test_stub(f):
    assert is_stub(f)


@pytest.mark.parametrize("f", [written, returns_constant, half, len, Task])
def test_no_stub(f):
    assert not is_stub(f)


def test_the_reference_stands_in_and_says_so_in_one_line(task, capsys):
    def half(x):
        raise NotImplementedError

    shown = task.exercise(half)
    assert shown(10) == 5
    assert capsys.readouterr().out == "half: not written yet, the reference stands in\n"
    task.check(shown)
    assert "not attempted" in capsys.readouterr().out
    assert task.marks() == 0


def test_the_table_of_marks_goes_by_the_parts_of_the_course(task, capsys):
    Task("Toy", task.exercises, (Score("exact", "1 halves", "exactness", ((0.9, 1.0),), ("half",)),)).marks()
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()[:-1]] == ["half", "exact", "third"]


def test_the_students_function_takes_over(task, capsys):
    def half(x):
        return x - 4

    assert task.exercise(half) is half
    task.check(half)
    task.check("speed", 0.92)
    assert task.marks() == 3
    assert "half: right" in capsys.readouterr().out

    def half(x):  # noqa: F811
        return x

    task.check(task.exercise(half))
    assert "half of 8 is 4, got 8" in capsys.readouterr().out


def test_a_number_earns_nothing_with_a_borrowed_function(task, capsys):
    task.check("speed", 0.99)
    assert "the reference stands in for half" in " ".join(capsys.readouterr().out.split())
    assert task.verdicts["speed"].marks == 0


@pytest.mark.parametrize("value, marks", [(0.5, 0), (0.9, 1), (0.949, 1), (0.95, 2), (1, 2)])
def test_steps_of_a_score(value, marks):
    assert TRACK.by_name["image_accuracy"].earned(value) == marks


def test_more_than_is_not_at_least():
    assert REGION.by_name["validation_accuracy"].earned(0.90) == 0 and REGION.by_name["validation_accuracy"].earned(0.901) == 1


def test_without_reference_the_call_names_the_exercise(task, capsys):
    def third(x):
        raise NotImplementedError

    shown = task.exercise(third)
    with pytest.raises(Unsolved, match=r"The exercise third \(2 thirds, 1 mark\) is not written yet"):
        shown(3)
    assert Unsolved("text")._render_traceback_() == ["text"]
    task.check(shown)
    assert "not attempted" in capsys.readouterr().out


def test_an_optional_one_is_called_that_once():
    with pytest.raises(Unsolved, match=r"The exercise hard_negative \(optional\) is not written yet"):
        REGION._unsolved(REGION.by_name["hard_negative"])()


def calls_another(x):
    def helper(a, b):
        return a + b

    return helper(x)


@pytest.mark.parametrize("error, said", [
    (NameError("name 'layres' is not defined"), "It raises NameError: name 'layres' is not defined. Look whether it is spelt right"),
    (ValueError("Not compatible."), "It raises ValueError: Not compatible."), (ValueError("and so on ..."), "It raises ValueError: and so on ...."),
    (TypeError("half() missing 1 required positional argument: 'y'"), "calls it as the stub says"),
], ids=["a name", "a full stop", "three dots", "its own parameters"])  # fmt: skip
def test_what_is_said_of_an_exception(task, error, said):
    def half(x):
        raise error

    message = judge(task.by_name["half"], half, Local(task)).message
    assert said in message and not message.endswith("defined.") and ".." not in message.replace("....", "")


def test_another_functions_parameters_are_not_those_of_the_stub(task):
    message = judge(task.by_name["half"], calls_another, Local(task)).message
    assert "helper() missing 1 required positional argument" in message and "stub" not in message


def test_hints_come_one_by_one(task, capsys):
    for said in ("Divide", "By two", "By two"):
        task.hint("half")
        assert said in capsys.readouterr().out
    task.hint("third")
    assert "no hint" in capsys.readouterr().out


def test_solution(task, capsys):
    task.solution("half")
    assert "return x / 2" in capsys.readouterr().out
    task.solution("third")
    assert "not in this package" in capsys.readouterr().out


def test_unknown_name(task):
    with pytest.raises(ValueError, match="there are half, third, speed"):
        task.check("double")


@pytest.mark.parametrize("f, status, said", [
    (lambda x: 1 / 0, WRONG, "ZeroDivisionError"),
    (lambda x: exit(0), WRONG, "ends the program"),
    (lambda x: {}["val_acc"], WRONG, "'val_accuracy' today"),
    (written, NOT_ATTEMPTED, "NotImplementedError"),
    (BegunClass, NOT_ATTEMPTED, "NotImplementedError"),
    (logged(written), NOT_ATTEMPTED, "NotImplementedError"),
    (of_even_numbers, WRONG, "raises NotImplementedError: only odd numbers"),
    (lambda x: written(x), WRONG, "raises NotImplementedError"),
    (lambda x: Executor().submit(half, x), WRONG, "raises NotImplementedError"),
    (network_without_call, WRONG, "does not have a `call()` method"),
    (lambda x: 4, RIGHT, ""),
])
def test_judge(task, f, status, said):
    verdict = judge(task.by_name["half"], f, Local(task))
    assert verdict.status == status and said in verdict.message


def test_an_unsolved_part_cannot_be_judged(task):
    def unsolved(x):
        return task.current("third")(x)

    assert judge(task.by_name["half"], unsolved, Local(task)).status == NOT_YET


def test_nbgrader_learns_of_wrong_answers(task, monkeypatch):
    def half(x):
        return x

    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(AssertionError, match="half of 8 is 4"):
        task.check(task.exercise(half))


@pytest.mark.parametrize("task", [REGION, TRACK], ids=lambda t: t.name)
def test_ten_marks_and_a_reference_for_each(task):
    assert sum(item.marks for item in (*task.exercises, *task.scores)) == 10
    hidden = answer_names()
    for item in task.exercises:
        assert item.hints and load(item.answer) is not None
        text = source_of(item)
        compile(text, item.name, "exec")
        for path in item.shared:  # what the answer shares with the student must not be hidden
            module, _, name = path.partition(":")
            assert name not in hidden.get(module, ()), path


@pytest.mark.parametrize("value", [[1, 2], (1.0, 2), np.array([1, 2]), [np.float32(1), np.int64(2)]])
def test_numbers_of_any_type(value):
    assert numbers(value, "x").tolist() == [1, 2]


@pytest.mark.parametrize("value, said", [(None, "is there a `return`"), ("text", "expected numbers"), ([[1, 2], [3]], "expected numbers"), ([float("nan")], "NaN")])
def test_no_numbers(value, said):
    with pytest.raises(Wrong, match=said):
        numbers(value, "x")


def test_overlap_and_softmax():
    assert overlap([0, 0, 2, 2], [0, 1, 2, 3]) == pytest.approx(1 / 3)
    assert softmax([[0.25, 0.75]]).tolist() == [[0.25, 0.75]]
    assert softmax([[0.0, 0.0]]).tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("kind, text, said", [
    ("AttributeError", "'Sequential' object has no attribute 'fit_generator'", "write model.fit"),
    ("ValueError", "Argument(s) not recognized: {'lr': 0.001}", "learning_rate"),
    ("ModuleNotFoundError", "No module named 'keras.preprocessing.image.ImageDataGenerator'", "augmentation layers"),
    ("ImportError", "cannot import name 'ImageDataGenerator' from 'keras.preprocessing.image'", "augmentation layers"),
    ("KeyError", "'acc'", "'accuracy'"),
    ("KeyError", "'val_acc'", "'val_accuracy'"),
    ("AttributeError", "'Model' object has no attribute 'predict_classes'", "argmax"),
    ("ModuleNotFoundError", "No module named 'keras.layers.convolutional'", "directly in keras.layers"),
    ("ModuleNotFoundError", "No module named 'keras.utils.np_utils'", "to_categorical"),
    ("AttributeError", "module 'cv2' has no attribute 'CascadeClassifier'", "find_face"),
    ("TypeError", "peak_local_max() got an unexpected keyword argument 'indices'", "rows and columns"),
    ("TypeError", "reshape() got an unexpected keyword argument 'newshape'", "shape today"),
    ("ModuleNotFoundError", "No module named 'my_functions'", "in a cell"),
    ("ImportError", "cannot import name 'misc' from 'scipy'", "skimage.io.imread"),
    ("AttributeError", "module 'tensorflow' has no attribute 'Session'", "delete the line"),
    ("RuntimeError", "Unable to open shape_predictor_68_face_landmarks.dat", "find_face"),
])
def test_old_keras(kind, text, said):
    assert said in old_keras.advice(kind, text)


@pytest.mark.parametrize("text", ["division by zero", "accuracy is low", "list index out of range", "could not broadcast input array"])
def test_no_advice_where_it_is_not_old_keras(text):
    assert old_keras.advice("ValueError", text) == ""


def test_real_old_calls_are_recognised():
    """What this Keras says today about the calls of old, and its fellow packages: the advice must fit their own words."""
    import keras
    import scipy.misc
    import skimage.feature

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    for call in (lambda: model.fit_generator(None), lambda: keras.optimizers.Adam(lr=0.1), lambda: keras.preprocessing.image.ImageDataGenerator(),
                 lambda: model.predict_classes(None), lambda: keras.utils.np_utils, lambda: keras.Model(input=1, output=2), lambda: keras.backend.function,
                 lambda: keras.layers.Conv2D(3, 3, border_mode="same"), lambda: np.float(1),
                 lambda: skimage.feature.peak_local_max(np.eye(4), indices=False), lambda: scipy.misc.imread):
        with pytest.raises(Exception) as caught:
            call()
        assert old_keras.advice(type(caught.value).__name__, str(caught.value)), caught.value


@pytest.mark.parametrize("task, item", [(task, item) for task in (REGION, TRACK) for item in task.exercises], ids=lambda x: getattr(x, "name", ""))
def test_a_solution_can_be_pasted_alone_and_is_right(task, item):
    """What `solution` prints stands in one cell of the notebook, where the references stand in for everything else."""
    space = {}
    for text in collect(read_cells(ROOT / task.name / NOTEBOOKS[task.name])).statements:
        if text.startswith(("import ", "from ")):
            exec(text, space)
    space.update({other.name: load(other.answer) for other in task.exercises})
    exec(compile(source_of(item), "cell", "exec"), space)
    assert space[item.name] is not load(item.answer)
    own = Task(task.name, task.exercises, task.scores, own={item.name: space[item.name]})
    assert str(judge(item, space[item.name], Local(own))) == f"{item.name}: right"

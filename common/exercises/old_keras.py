"""What to write today instead of calls that old Keras, and the packages of its time, had and today's lack.

The table is also a page, docs/from-the-course.md, which ``python -m common.exercises.old_keras`` prints.
"""

import re

from common.exercises.old_lines import ARRAYS, FILES, KERAS, PACKAGES, TENSORFLOW, Old
from common.exercises.old_python import PICTURES, PYTHON, TABLES

_GRADER_HAS = "Grading has the kit's packages only"
_RULES = (
    Old("", r"URL fetch failure on|outside the folder of the exercise: '[^']*\.keras'",
        "Nothing is downloaded in grading, and so no weights of others: write weights=None, and fit the network yourself", "", ""),
    *KERAS, *TENSORFLOW, *ARRAYS, *PICTURES, *TABLES, *PYTHON, *FILES,
    Old("", r"'/(content|kaggle)/", "Grading has no file of yours but the notebook, and no drive of Colab's: use the folder that the function is handed, and make values in a cell", "", ""),
    *(Old("ModuleNotFoundError", rf"No module named '({names})\b", f"{_GRADER_HAS}; in this one's place: {instead}", "", "") for names, instead in PACKAGES),
    Old("FileNotFoundError", r"\.(json|ya?ml|txt|ini|cfg|toml|mat|log)'$",
        "Grading has no file of yours but the notebook, and does not run cells again that write one: write the values down in a cell", "", ""),
    Old("ImportError", r"attempted relative import", "A notebook is in no package, and grading has no file of yours but the notebook: put functions of your own in a cell", "", ""),
    Old("TypeError", r"for \+: '\w*Path' and 'str'", "The folder comes as a pathlib.Path: write dir_name / 'train', or os.path.join(dir_name, 'train')", "", ""),
    Old("AttributeError", r"'\w*Path' object has no attribute '(endswith|startswith|split|rstrip|strip|format)'",
        "The folder comes as a pathlib.Path: str(dir_name) makes text of it", "", ""),
    Old("error", r"OpenCV.*(_src\.empty\(\)|ssize\.empty\(\)|src\.cols > 0 && src\.rows > 0)",
        "OpenCV got no picture: cv2.imread gives None where there is no such file, and image[a:b, c:d] is empty where b is not more than a, or d than c", "", ""),
    *(Old(kind, r"^'NoneType' object (is not subscriptable|has no attribute '(shape|astype|copy|reshape|ndim)')",
          "None stands where an array should: cv2.imread gives None where there is no such file, and so does a function without `return`", "", "") for kind in ("TypeError", "AttributeError")),
    Old("EOFError", r"EOF when reading a line", "Nobody answers input() where a class is graded: give the function the value, or write it down", "", ""),
    Old("TypeError", r"^'(int|float|str|list|tuple|dict|set|bool|NoneType|numpy\.\w+|ndarray)' object is not callable",
        "Either square brackets are meant, or a line of the notebook has given the name of that function to something else, as max = 3 does", "", ""),
    Old("ModuleNotFoundError", r"No module named", f"{_GRADER_HAS}, and no file of yours but the notebook: put functions of your own in a cell", "", ""),
)  # fmt: skip


def advice(kind, text):
    """What to write today, if an exception is about a call that old Keras had.

    Parameters
    ----------
    kind : str
        Name of the exception's class.
    text : str
        Its message.

    Returns
    -------
    str
        Empty if this is about something else.

    Examples
    --------
    >>> advice("KeyError", "'val_acc'")
    "The history calls it 'accuracy' and 'val_accuracy' today: history.history['val_accuracy']"
    >>> advice("ValueError", "math domain error")
    ''
    """
    text = re.sub(r"\bkeras\.(api|_tf_keras\.keras)\.", "keras.", text)  # what Keras 3.9 calls its own modules
    return next((rule.advice for rule in _RULES if rule.kind in ("", kind) and re.search(rule.pattern, text)), "")


_PAGE = """# From the published course to this kit

A notebook that was written for the course of 2017 to 2020, for Keras 2 and TensorFlow 1, runs here when the lines below are written anew. The checks,
and the grader, say the same sentences where they meet such a line. (This page is made from the checks' own table:
`python -m common.exercises.old_keras`.)

What has stayed: the names and parameters of the exercises, `from get_data import load_dataset, unpack`, `from graph import ...`,
`from scores import ...`, `%pylab inline`, the layout of `Face_Recognition_data`, boxes as `[image_index, min_row, min_col, max_row, max_col]`.

Whom a name alone would stop is not stopped by the grader: a `Classifier` that asks for VGG-Face's `fc6` or `fc7`, 4096 numbers for a face, or
224 × 224 pixels, is tried with a network that has these; the marks are for its logic.
"""
_HEADINGS = (
    (KERAS, "Keras"),
    (TENSORFLOW, "TensorFlow 1"),
    ((*ARRAYS, *PICTURES, *TABLES), "numpy, scikit-image, scikit-learn, OpenCV, Pillow, pandas"),
    (PYTHON, "Python 2"),
    (FILES, "Files beside the notebook"),
)


def page():
    """The table as a page in Markdown."""
    parts = [_PAGE]
    for rules, heading in _HEADINGS:
        rows = [f"| `{rule.old}` | `{rule.new}` | {rule.advice}. |" for rule in rules if rule.old]
        parts.append("\n".join([f"## {heading}\n", "| old line | new line | why |", "|---|---|---|", *rows]) + "\n")
    rows = [f"| {', '.join(f'`{n}`' for n in names.split('|'))} | {instead} |" for names, instead in PACKAGES]
    parts.append(
        "\n".join(
            [
                "## Packages that are not here\n",
                "pandas, seaborn, tqdm, imageio, Pillow, requests, joblib, OpenCV, scikit-image, scikit-learn, SciPy, h5py and dlib are.\n",
                "| package | in its place |",
                "|---|---|",
                *rows,
            ]
        )
        + "\n"
    )
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")

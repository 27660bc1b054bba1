"""The worked example of the notebook: how an exercise goes, with a function that everybody can write."""

from common.exercises.exercise import Exercise, Task, Wrong


def box_area(box):
    """How many pixels lie in a box [min_row, min_col, max_row, max_col]; the last row and column are not in it."""
    min_row, min_col, max_row, max_col = box
    return (max_row - min_row) * (max_col - min_col)


def check_box_area(f, kit):
    """Pixels of half-open boxes."""
    for box, height, width in (((0, 0, 2, 3), 2, 3), ((10, 20, 42, 52), 32, 32), ((5, 5, 5, 9), 0, 4)):
        got = f(list(box))
        try:
            value = float(got)
        except (TypeError, ValueError):
            raise Wrong(f"the area of a box is a number, got {got!r}" + ("; is there a `return`?" if got is None else "")) from None
        if abs(value - height * width) > 1e-6:
            reason = (": one row and one column too many: max_row and max_col lie just outside the box" if value == (height + 1) * (width + 1) else
                      ": that is the sum of the sides" if value == height + width else "")
            raise Wrong(f"the box {list(box)} has {height} rows and {width} columns, so {height * width} pixels; got {value:g}{reason}")


EXAMPLE = Task("RegionDetector", (
    Exercise("box_area", "example", 0, check_box_area, ("Rows times columns. From row 0 to row 2, the last one not counted, there are two rows: 0 and 1.",),
             "RegionDetector.checks.example:box_area", takes=("box",)),
))

"""Pictures of what the references do: the target, without their code."""

from pathlib import Path

from common.exercises.reference import load


def _place(task, item):
    return Path(__file__).resolve().parents[2] / task.name / "targets" / f"{item.name}.png"


def show_target(task, item):
    """Draw what the reference does; where it is not there, show the picture that the package brings along.

    Parameters
    ----------
    task : common.exercises.exercise.Task
    item : common.exercises.exercise.Exercise

    Returns
    -------
    matplotlib.figure.Figure or IPython.display.Image or None
        None, with a line that says so, if this exercise has no picture.
    """
    reference, picture = load(item.answer) if hasattr(item, "answer") else None, getattr(item, "picture", None)
    if reference is not None and picture is not None:
        return picture(reference)
    if _place(task, item).is_file():
        from IPython.display import Image

        return Image(filename=str(_place(task, item)))
    print(f"{item.name}: there is no picture of its target")
    return None


def draw_targets(folder):
    """Write the pictures of all exercises that have one below `folder`, as ``TASK/targets/NAME.png``."""
    import importlib

    from common.device import prepare
    from common.exercises.reference import TASKS

    prepare()
    for name in TASKS:
        for item in importlib.import_module(f"{name}.exercises").EXERCISES:
            if item.picture is not None:
                path = Path(folder) / name / "targets" / f"{item.name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                item.picture(load(item.answer)).savefig(path, dpi=80, bbox_inches="tight", metadata={"Software": None})

"""One line on how far somebody has come."""


def line_of(task):
    """Marks so far, how many parts are right (exercises, and figures such as the test score), and which exercise is next.

    Parameters
    ----------
    task : common.exercises.exercise.Task

    Returns
    -------
    str
    """
    every = [item for item in (*task.exercises, *task.scores) if item.marks]
    earned = sum(verdict.marks for verdict in task.verdicts.values())
    possible = sum(item.marks for item in every)
    right = [item for item in every if getattr(task.verdicts.get(item.name), "status", "") == "right"]
    waiting = [item for item in task.exercises if item.marks and item not in right]
    line = f"So far {earned:g} of {possible:g} marks; {len(right)} of {len(every)} parts are right."
    if waiting:
        return f"{line} Next: {waiting[0].name} ({waiting[0].marks:g} mark{'s' if waiting[0].marks != 1 else ''})."
    return f"{line} Every exercise is right."

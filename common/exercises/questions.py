"""Predict, then run: a question before a result, and its answer with the reason after it. Nothing here is graded."""

from dataclasses import dataclass
from html import escape

LATER = "After the run: the answer"


@dataclass(frozen=True)
class Question:
    """What will the next cell show?

    Attributes
    ----------
    text : str
    choices : tuple of str
        Three or four; one of them is right.
    answer : int
        Its place among the choices, from 0 on.
    why : str
        The reason; true whatever data the notebook runs on.
    """

    text: str
    choices: tuple
    answer: int
    why: str

    def __post_init__(self):
        if not 0 <= self.answer < len(self.choices):
            raise ValueError(f"the question {self.text!r} has {len(self.choices)} choices, and number {self.answer} is none of them")


def _reason(question, chosen=None):
    said = "" if chosen is None else "✓ You said so. " if chosen == question.answer else f"✗ You said: {escape(question.choices[chosen])}. "
    return f"<p>{said}<strong>{escape(question.choices[question.answer])}.</strong> {escape(question.why)}</p>"


def _folded(question, chosen=None, opened=False):
    return f"<details{' open' if opened else ''}><summary>{LATER}</summary>{_reason(question, chosen)}</details>"


def as_html(question):
    """The question with its choices, the answer folded away; for where there is no kernel or there are no widgets."""
    choices = "".join(f"<li>{escape(choice)}</li>" for choice in question.choices)
    return f"<p><strong>Predict, then run.</strong> {escape(question.text)}</p><ul>{choices}</ul>{_folded(question)}"


class Asked:
    """A question as it stands in a notebook: buttons to choose with, where there are widgets; the answer opens after the next cell has run.

    Parameters
    ----------
    question : Question
    """

    def __init__(self, question):
        self.question, self.chosen, self.opened = question, None, False
        self.shell, self.widget, self._runs = _shell(), None, 0
        try:
            import ipywidgets
        except ImportError:
            return
        wide = ipywidgets.Layout(width="auto", max_width="46rem")
        # the question itself names the group of buttons
        self.buttons = ipywidgets.RadioButtons(options=[(choice, place) for place, choice in enumerate(question.choices)], value=None, description="Your guess",
                                               style={"description_width": "initial"}, layout=wide)
        self.said = ipywidgets.HTML(layout=wide)
        self.buttons.observe(self._choose, "value")
        text = ipywidgets.HTML(f"<p><strong>Predict, then run.</strong> {escape(question.text)}</p>", layout=wide)
        self.widget = ipywidgets.VBox([text, self.buttons, self.said])
        self.widget.add_class("kit-question")
        if self.shell is not None:
            self.shell.events.register("post_run_cell", self._ran)
        self._tell()

    def _choose(self, change):
        self.chosen = change["new"]
        self._tell()

    def _ran(self, result=None):
        """A cell has run: the first one is the question's own, the next one shows the result."""
        self._runs += 1
        if self._runs == 2:
            self.shell.events.unregister("post_run_cell", self._ran)
            self._tell()

    def _tell(self):
        self.opened = self.opened or (self.chosen is not None and self._runs >= 2)
        wait = "" if self.chosen is None or self.opened else f"<p>You say: {escape(self.question.choices[self.chosen])}. Now run the next cell.</p>"
        self.said.value = f'<div role="status">{wait}{_folded(self.question, self.chosen, self.opened)}</div>'

    def _repr_mimebundle_(self, **kwargs):
        plain = "\n".join([f"Predict, then run. {self.question.text}", *(f"  - {choice}" for choice in self.question.choices)])
        shown = {"text/html": as_html(self.question), "text/plain": plain}
        return {**self.widget._repr_mimebundle_(**kwargs), **shown} if self.widget is not None else shown


def _shell():
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()


def asking(questions):
    """A function that asks one of some questions by its name.

    Parameters
    ----------
    questions : dict of str to Question

    Returns
    -------
    callable
        ``ask(name)``; what it returns shows itself in a notebook.
    """
    def ask(name):
        if name not in questions:
            raise ValueError(f"there is no question {name!r} in this notebook; there are {', '.join(questions)}")
        return Asked(questions[name])

    return ask

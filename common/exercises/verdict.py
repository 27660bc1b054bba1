"""What a check says: right, wrong and why, not attempted; and how it is shown."""

import sys
import textwrap
from dataclasses import dataclass
from html import escape

from common.console import print_any_name

RIGHT, WRONG, NOT_ATTEMPTED, NOT_YET = "right", "wrong", "not attempted", "cannot be checked yet"
# sign, colour of the badge behind white letters (a contrast of at least 4.5 on any page), colour in a terminal
_LOOKS = {RIGHT: ("✓", "#1a7f37", 32), WRONG: ("✗", "#b3261e", 31)}
_OTHER = ("○", "#57606a", 33)
COLUMNS = 100


class Wrong(Exception):
    """A check's diagnosis, in the terms of the task; and what it had expected, where that is said in a few words."""

    def __init__(self, message, expected=""):
        super().__init__(message)
        self.expected = expected


@dataclass(frozen=True)
class Verdict:
    """What a check says: `status` is "right", "wrong", "not attempted" or "cannot be checked yet".

    `calls` is the number of the last call that it is about, where others came after it; see `common.exercises.answer_form.after_calls`.
    """

    name: str
    status: str
    message: str = ""
    marks: float = 0.0
    expected: str = ""
    calls: int | None = None

    def __str__(self):
        return f"{self.name}: {self.status}{'. ' + self.message if self.message else ''}"

    @property
    def sign(self):
        """✓, ✗ or ○: for those who cannot tell the colours apart."""
        return _LOOKS.get(self.status, _OTHER)[0]

    def as_text(self):
        """With its sign, in lines that are broken between words."""
        return textwrap.fill(f"{self.sign} {self}", COLUMNS, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)

    def as_html(self):
        """A badge, the name and the reason; lines break between words, whatever the notebook does with text."""
        color = _LOOKS.get(self.status, _OTHER)[1]
        reason = f'<div style="margin-top:.25em">{escape(self.message)}</div>' if self.message else ""
        return (f'<div style="max-width:80ch;border-left:4px solid {color};padding:.2em .8em;margin:.2em 0;white-space:normal;word-break:normal;'
                f'overflow-wrap:break-word"><span style="background-color:{color};color:#ffffff;border-radius:3px;padding:.05em .5em;font-weight:bold">'
                f"{self.sign} {escape(self.status)}</span> <code>{escape(self.name)}</code>{reason}</div>")


def _in_a_notebook():
    """Is there a notebook that shows HTML?"""
    ipython = sys.modules.get("IPython")  # a notebook has imported it
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def show(verdict):
    """Show a verdict: in a notebook as HTML, with the text beside it; elsewhere as lines of text, in colour where there is a terminal."""
    if _in_a_notebook():
        from IPython.display import display

        display({"text/html": verdict.as_html(), "text/plain": verdict.as_text()}, raw=True)
        return
    text = verdict.as_text()
    if sys.stdout.isatty():
        text = f"\x1b[{_LOOKS.get(verdict.status, _OTHER)[2]}m{text[0]}\x1b[0m{text[1:]}"
    print_any_name()
    print(text)

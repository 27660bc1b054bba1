"""Questions before results: chosen, then run, then answered; and folded where nothing moves."""

from types import SimpleNamespace

import pytest

from common.exercises import questions
from common.exercises.questions import Question, asking

SIX = Question("What is six < seven?", ("36", "42 & more", "48"), 1, "So it is.")


class Events:
    """What a shell calls after each cell."""

    def __init__(self):
        self.waiting = []

    def register(self, name, function):
        assert name == "post_run_cell"
        self.waiting.append(function)

    def unregister(self, name, function):
        self.waiting.remove(function)

    def a_cell_runs(self):
        for function in list(self.waiting):
            function(None)


@pytest.fixture
def events(monkeypatch):
    events = Events()
    monkeypatch.setattr(questions, "_shell", lambda: SimpleNamespace(events=events))
    return events


def test_the_answer_opens_after_the_run_when_a_guess_was_made(events):
    asked = asking({"six": SIX})("six")
    events.a_cell_runs()  # its own
    asked.buttons.value = 0
    assert "<details>" in asked.said.value and "You say: 36. Now run the next cell." in asked.said.value
    events.a_cell_runs()
    assert "<details open>" in asked.said.value and "✗ You said: 36." in asked.said.value and "42 &amp; more" in asked.said.value
    asked.buttons.value = 1
    assert "✓ You said so." in asked.said.value and not events.waiting


def test_whoever_runs_first_guesses_later_and_is_not_told_before(events):
    asked = asking({"six": SIX})("six")
    events.a_cell_runs()
    events.a_cell_runs()
    assert "<details>" in asked.said.value and "You say" not in asked.said.value
    asked.buttons.value = 2
    assert "<details open>" in asked.said.value and "✗ You said: 48." in asked.said.value


def test_what_stands_in_a_page_is_folded_and_safe(events):
    data = asking({"six": SIX})("six")._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    page = data["text/html"]
    assert "six &lt; seven" in page and page.count("<li>") == 3 and "<details><summary>" in page and page.index("So it is.") > page.index("<details>")
    assert "42 & more" in data["text/plain"] and "So it is." not in data["text/plain"]


def test_names_and_answers_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="no question 'seven'.*six"):
        asking({"six": SIX})("seven")
    with pytest.raises(ValueError, match="number 3 is none of them"):
        Question("?", ("a", "b", "c"), 3, "")

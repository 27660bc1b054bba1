"""Spelling, by two sieves: prose word by word against a dictionary, and everything, comments too, against a list of common misspellings.

Both come with packages that `make test-prose` installs; without them these tests are skipped. They need no
network. Words of the field stand in words.txt.
"""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from committed import committed

ROOT = Path(__file__).resolve().parents[2]
TEXTS = committed("*.ipynb", "*.md", "docs/*.html")
ALLOWED = {line.lower() for line in (Path(__file__).parent / "words.txt").read_text(encoding="utf-8").split("\n") if line and line[0] != "#"}


class _Text(HTMLParser):
    """What a page says: its text and the alternative texts of its pictures, without code and styles."""

    def __init__(self):
        super().__init__()
        self.said, self.silent = [], 0

    def handle_starttag(self, tag, attrs):
        self.silent += tag in ("style", "script", "code", "pre")
        self.said += [value or "" for name, value in attrs if name in ("alt", "title", "aria-label")]

    def handle_endtag(self, tag):
        self.silent -= tag in ("style", "script", "code", "pre")

    def handle_data(self, data):
        if not self.silent:
            self.said.append(data)


def prose(path):
    """What is to be read of a file, without code, links and tags."""
    if path.suffix == ".html":
        page = _Text()
        page.feed(path.read_text(encoding="utf-8"))
        return " ".join(page.said)
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n\n".join(cell.source for cell in nbformat.reads(text, 4).cells if cell.cell_type == "markdown")
    return without_code(text)


def without_code(text):
    """Markdown without code, tags and addresses."""
    for noise in (r"(?s)```.*?```", r"`[^`]*`", r"<[^>]+>", r"(?<=\])\([^)]*\)", r"https?://\S+", r"&\w+;"):
        text = re.sub(noise, " ", text)
    return text


def words(text):
    """The words of a text: letters and an apostrophe within; names_of_things, sums and file names are none."""
    found = re.findall(r"(?<![\w./@-])[A-Za-z][a-z]+(?:'[a-z]+)?(?![\w@/]|\.\w)|(?<=[a-z]-)[a-z]+(?![\w./])", text.replace("’", "'"))
    return {word.removesuffix("'s").removesuffix("'") for word in found}


@pytest.fixture(scope="module")
def dictionary():
    return pytest.importorskip("spellchecker", reason="pyspellchecker is not installed: make test-prose").SpellChecker(distance=1)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_word_is_in_the_dictionary(path, dictionary):
    unknown = sorted(word for word in words(prose(path)) if word.lower() not in ALLOWED and dictionary.unknown([word]))
    assert not unknown, f"{path.name}: misspelt, or missing in tests/prose/words.txt: {', '.join(unknown)}"


def test_an_unknown_word_is_seen(dictionary):
    said = words(without_code("The detectoor's `coed` box, see [here](file.png), is not file_name.py or 12px."))
    assert said == {"The", "detectoor", "box", "see", "here", "is", "not", "or"} and dictionary.unknown(said) == {"detectoor"}


def misspellings(*paths):
    """What codespell says of files; names of people, halves of words in tests, words of other languages, regrading, and a student's slip that a test needs are left alone."""
    pytest.importorskip("codespell_lib", reason="codespell is not installed: make test-prose")
    command = [sys.executable, "-m", "codespell_lib", "--ignore-words-list", "hart,caf,nd,trian,als,ue,sav,regrading,dimentionality,januar,februar,juni,juli,oktober,dezember", *map(str, paths)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout


def test_no_common_misspelling_anywhere():
    assert not misspellings(*TEXTS, *committed("*.py", "Makefile"))


def test_a_common_misspelling_is_seen(tmp_path):
    (tmp_path / "a.py").write_text("# the " + "dete" + "cter\n")
    assert "detector" in misspellings(tmp_path / "a.py")

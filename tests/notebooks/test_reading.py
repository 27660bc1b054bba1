"""What makes a notebook readable: contents that lead somewhere, words that are explained, hints that are folded away."""

import re

import nbformat
import pytest
from committed import committed

NOTEBOOKS = committed("*.ipynb")


def texts(path):
    return {cell.id: cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown"}


def anchors(cells):
    """What a link may lead to: anchors, and headings as JupyterLab names them."""
    found = set()
    for source in cells.values():
        found |= set(re.findall(r'<a id="([^"]+)">', source))
        found |= {heading.strip().replace(" ", "-") for heading in re.findall(r"(?m)^#+ (.+)$", source)}
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_links_within_a_notebook_lead_somewhere(path):
    cells = texts(path)
    links = {target for source in cells.values() for target in re.findall(r"\]\(#([^)\s]+)\)", source)}
    assert not links - anchors(cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_words_are_explained_at_the_end_and_linked_to(path):
    cells = texts(path)
    if "words" not in cells:
        pytest.skip("has no glossary")
    assert list(cells)[-1] == "words" and "(#words)" in "".join(cells.values()).partition("## Words")[0] or "Contents" in cells["title"]
    explained = re.findall(r'^- <a id="(word-[^"]+)"></a>\*\*', cells["words"], re.M)
    assert len(explained) == cells["words"].count("\n- ") and len(explained) >= 3, "every word with an anchor of its own"
    before = "".join(source for name, source in cells.items() if name != "words")
    assert sum(f"(#{name})" in before for name in explained) >= min(3, len(explained))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_contents_name_every_section(path):
    cells = texts(path)
    contents = cells["title"].partition("**Contents")[2]
    assert contents, "no contents"
    for source in cells.values():
        for heading in re.findall(r"(?m)^## (\d.*)$", source):
            assert re.sub(r" \(optional\)$", "", heading.partition(" ")[2]) in contents, heading


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_hints_are_folded_away(path):
    for name, source in texts(path).items():
        if name.startswith("exercise-"):
            assert re.search(r"<details><summary>Hints</summary>\n\n1\. .*\n\n</details>", source, re.S), name
        assert source.count("<details>") == source.count("</details>")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_committed_clean(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None, cell.id
            assert len(cell.source.splitlines()) <= 15, cell.id
    head = notebook.cells[0].source
    assert head.startswith("# ") and all(f"**{word}" in head for word in ("You will learn", "Time", "Runs on"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_score_is_no_mail_address(path):
    """JupyterLab makes a mail link of AP@0.5, but not of AP\\@0.5, which it shows in the same way."""
    for name, source in texts(path).items():
        assert not re.search(r"\w@[\w.]", re.sub(r"`[^`]*`", "", source)), name

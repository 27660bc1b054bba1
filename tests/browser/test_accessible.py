"""Pages and the kit's own widgets, read by axe-core: names, contrast, landmarks; and what a slider says while the kernel is busy."""

import os
from pathlib import Path

import nbformat
import pytest
from audit import AXE, DESK, MISSING, PHONE, look_at, violations
from conftest import notebooks
from test_explorers import CELLS, HEAD
from test_jupyterlab import write

from common.notebooks import run_notebook, write_page

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not AXE.is_file(), reason=MISSING)]
ROOT = Path(__file__).resolve().parents[2]
LOOKS = [(width, scheme) for width in (PHONE, DESK) for scheme in ("light", "dark")]
QUESTION = """
from common.exercises.questions import Question, asking
ask = asking({"six": Question("What is six times seven?", ("36", "42", "48"), 1, "Six times seven is forty-two.")})
ask("six")"""
KIT = [".kit-explorer", ".kit-question"]


@pytest.fixture(scope="module")
def page(kit, tmp_path_factory):
    """Every kind of cell and of output on one page."""
    cells = [cell for name in notebooks() for cell in nbformat.read(kit / name, 4).cells if cell.cell_type == "markdown"]
    for cell in cells[1:]:
        if cell.source.startswith("# "):
            cell.source = "#" + cell.source  # one title a page
    head = HEAD.format(root=str(kit))
    cells += map(nbformat.v4.new_code_cell, (head + CELLS["iou"] + "\nfront", QUESTION,
                                             "from common import graph\ngraph.visualize_samples([photo[:32, :32]] * 20, title='patches')",
                                             "from matplotlib import pyplot as plt\nplt.plot([1, 2]); plt.title('ours'); plt.show()",
                                             "import keras\nkeras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).summary()",
                                             "print('a line that goes on ' * 30)"))  # fmt: skip
    seen = set()
    for cell in cells:
        cell.id = cell.id if cell.id not in seen else f"{cell.id}-2"
        seen.add(cell.id)
    folder = tmp_path_factory.mktemp("page")
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "in.ipynb")
    write_page(run_notebook(folder / "in.ipynb", folder / "out.ipynb"), folder / "page.html", home=kit / "RegionDetector")
    return folder / "page.html"


@pytest.mark.parametrize("width, scheme", LOOKS)
def test_a_page_can_be_read_by_everybody(browser, page, width, scheme):
    assert look_at(browser, page, width, scheme, os.environ.get("KIT_SCREENSHOTS")) == []


@pytest.mark.parametrize("width, scheme", LOOKS)
def test_the_gallery_can_be_read_by_everybody(browser, width, scheme):
    assert look_at(browser, ROOT / "docs" / "index.html", width, scheme) == []


def test_axe_sees_what_is_wrong(browser, tmp_path):
    (tmp_path / "bad.html").write_text("<!DOCTYPE html><html><body><img src='x.png'><p style='color: #ccc'>pale</p></body></html>")
    faults = " ".join(look_at(browser, tmp_path / "bad.html", PHONE, "light"))
    assert all(rule in faults for rule in ("image-alt", "document-title", "html-has-lang", "color-contrast"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*CELLS, "question"])
def test_a_widget_in_jupyterlab_can_be_used_by_everybody(lab, kit, name, scheme):
    faults = []

    def look(lab, page, panel):
        page.wait_for_function("kinds => kinds.some(kind => document.querySelector(kind))", arg=KIT)
        page.wait_for_timeout(1500)
        here = [kind for kind in KIT if panel.locator(kind).count()]
        assert here
        faults.extend(violations(page, here))
        names = panel.locator(".kit-explorer [role=slider]").evaluate_all("handles => handles.map(handle => handle.getAttribute('aria-label'))")
        assert all(names), names

    body = QUESTION if name == "question" else CELLS[name] + "\nfront"
    sight = lab.run_all(write(kit, f"axe-{name}-{scheme}.ipynb", HEAD.format(root=str(kit)) + body), 5, look, scheme=scheme)
    assert not sight.errors and not faults, faults


def test_a_slider_says_that_the_kernel_is_busy(lab, kit):
    def play(lab, page, panel):
        waiting = panel.locator(".kit-waiting")
        assert waiting.inner_text() == ""
        panel.locator(".jp-CodeCell .cm-content").nth(1).click()
        page.keyboard.press("Control+Enter")
        page.wait_for_timeout(500)
        panel.locator(".noUi-handle").first.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("() => document.querySelector('.kit-waiting').textContent.startsWith('Waiting for the kernel')", timeout=8000)
        page.wait_for_function("() => document.querySelector('.kit-waiting').textContent == ''", timeout=60_000)

    name = write(kit, "busy.ipynb", HEAD.format(root=str(kit)) + CELLS["iou"] + "\nfront", "import time; time.sleep(6)")
    assert not lab.run_all(name, 5, play).errors


def test_a_question_opens_its_answer_after_the_run(lab, kit):
    def play(lab, page, panel):
        question = panel.locator(".kit-question")
        assert question.locator("details[open]").count() == 0
        question.get_by_label("36").check()
        page.wait_for_function("() => document.querySelector('.kit-question details[open]')")  # the next cell has run already
        assert "✗ You said: 36" in question.inner_text() and "forty-two" in question.inner_text()

    assert not lab.run_all(write(kit, "asked.ipynb", HEAD.format(root=str(kit)) + QUESTION, "6 * 7"), 5, play).errors

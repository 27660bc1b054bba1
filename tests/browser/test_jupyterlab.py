"""The notebooks in JupyterLab, in a real browser: opened, run from top to bottom, and looked at."""

import os
from pathlib import Path

import nbformat
import pytest
from audit import AXE, DESK, PHONE, look_at, violations
from conftest import notebooks

from common.notebooks import write_page

pytestmark = pytest.mark.browser

MINUTES = float(os.environ.get("KIT_BROWSER_MINUTES", 40))
# At least so many pictures; a notebook that is not named here must show one.
PICTURES = {"RegionDetector/Face_Detection.ipynb": 20, "TrackDetector/Face_Recognition_task.ipynb": 14}


def write(kit, name, *cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (kit / "small" / name).parent.mkdir(exist_ok=True)
    nbformat.write(notebook, kit / "small" / name)
    return f"small/{name}"


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def mime_types(notebook):
    return [kind for output in outputs(notebook) for kind in output.get("data", {})]


def use_widgets(lab, page, panel):
    """Move the first slider, and choose something else in the first list, as a student would."""
    sliders = panel.locator(".jp-OutputArea-output .widget-slider .noUi-handle:visible")
    if sliders.count():
        sliders.first.scroll_into_view_if_needed()
        sliders.first.focus()
        page.keyboard.press("ArrowRight")
        lab._until_done(page, panel, 5)
    lists = panel.locator(".jp-OutputArea-output .widget-dropdown select:visible")
    if lists.count() and lists.first.locator("option").count() > 1:
        lists.first.select_option(index=1)
        lab._until_done(page, panel, 5)


def test_the_eye_sees_pictures_bars_and_sliders(lab, kit):
    name = write(kit, "good.ipynb",
                 "import matplotlib.pyplot as plt\nfrom tqdm.auto import tqdm\nfrom ipywidgets import interact\nfor _ in tqdm(range(3)): pass",
                 "plt.plot([1, 2, 3]); plt.show()",
                 "def draw(k):\n    print('k is', k)\n    plt.bar(range(k), range(k)); plt.show()\ninteract(draw, k=(1, 9));")
    sight = lab.run_all(name, 3, use_widgets)
    assert not sight.errors and sight.prompts == ["[1]:", "[2]:", "[3]:"]
    assert len(sight.pictures) == 2 and all(sight.pictures)
    assert len(sight.widgets) == 2 and all(sight.widgets) and not sight.lost_widgets
    assert "k is 6" in sight.widget_text  # the slider has moved from 5, and the kernel has drawn again
    assert not sight.page_errors
    assert mime_types(sight.saved).count("image/png") == 1  # the slider's own picture lives in the widget


def test_the_eye_sees_a_cell_that_fails(lab, kit):
    name = write(kit, "broken.ipynb", "1", "raise ValueError('on purpose')", "2")
    sight = lab.run_all(name, 3)
    assert len(sight.errors) == 1 and "on purpose" in sight.errors[0]
    assert sight.prompts == ["[1]:", "[2]:", "[ ]:"]


@pytest.mark.parametrize("notebook", notebooks())
def test_a_notebook_runs_in_jupyterlab(lab, kit, notebook, tmp_path):
    faults = []

    def use(lab, page, panel):
        use_widgets(lab, page, panel)
        assert not panel.locator("a[href^='mailto:']").count()
        ours = [kind for kind in (".kit-explorer", ".kit-question") if panel.locator(kind).count()]
        if AXE.is_file() and ours:
            faults.extend(violations(page, ours))

    sight = lab.run_all(notebook, MINUTES, use)
    assert not faults, faults
    assert not sight.errors, "\n".join(sight.errors)
    assert all(any(map(str.isdigit, prompt)) for prompt in sight.prompts), f"cells that did not run: {sight.prompts}"
    assert all(sight.pictures), "a picture could not be drawn"
    expected = max(PICTURES.get(notebook, 1), mime_types(sight.saved).count("image/png"))
    assert len(sight.pictures) + sight.svgs >= expected, f"{len(sight.pictures)} pictures, at least {expected} expected"
    assert not sight.lost_widgets and all(sight.widgets), "a widget is not to be seen"
    # several outputs may be one widget (a bar that is shown again), so only their presence is compared
    assert bool(sight.widgets) == ("application/vnd.jupyter.widget-view+json" in mime_types(sight.saved))
    assert not [output for output in outputs(sight.saved) if output.output_type == "error"]
    assert not sight.page_errors, sight.page_errors
    page = tmp_path / Path(notebook).with_suffix(".html").name
    write_page(sight.saved, page, home=kit / Path(notebook).parent)
    assert page.stat().st_size <= 3e6
    if AXE.is_file():
        assert [fault for width, scheme in ((PHONE, "light"), (DESK, "dark")) for fault in look_at(lab.browser, page, width, scheme)] == []

"""What a notebook leaves behind when no kernel is alive: the page, and the pictures for the gallery."""

import base64
import io
import re

import nbformat
import numpy as np
import pytest
from PIL import Image

from common.notebooks import ROOT, run_notebook, save_pictures, write_page
from common.pictures import explorers

EXPLORER = f"""import sys
sys.path.insert(0, {str(ROOT)!r})
import numpy as np
from tqdm.auto import tqdm
from common.pictures import explorers
for _ in tqdm(range(3)): pass
explorers.explore_iou([10, 10, 40, 40], np.zeros((60, 60, 3), np.uint8))"""
PLOTS = "from matplotlib import pyplot as plt\nfor width in (3, 5):\n    plt.figure(figsize=(width, 2)); plt.plot([0, 1])\nplt.show()"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    home = tmp_path_factory.mktemp("pages")
    cells = [nbformat.v4.new_code_cell(EXPLORER, metadata={"tags": ["docs:overlap"]}), nbformat.v4.new_code_cell(PLOTS, metadata={"tags": ["docs:two"]}),
             nbformat.v4.new_code_cell("None", metadata={"tags": ["docs:nothing"]})]  # fmt: skip
    nbformat.write(nbformat.v4.new_notebook(cells=cells), home / "in.ipynb")
    return run_notebook(home / "in.ipynb", home / "out.ipynb")


def test_an_explorer_is_a_picture_with_words_in_a_page(executed, tmp_path):
    write_page(executed, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    body = page[page.index("<body") :]
    assert "widget-view+json" not in body and "html-manager" not in page  # would have to be fetched from a network
    found = re.findall(r'<img alt="([^"]*)"[^>]*src="data:image/png;base64,([^"]+)"', body)
    twin = explorers.explore_iou([10, 10, 40, 40], np.zeros((60, 60, 3), np.uint8))
    alt, data = next((alt, data) for alt, data in found if "IoU" in alt)
    assert alt == twin.label
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), np.asarray(Image.open(io.BytesIO(twin.image.value))))
    assert twin.label in re.sub(r"<img[^>]*>", "", body) and "| 0/3 [" not in body  # a bar that has stopped tells nothing


def test_pictures_of_tagged_cells_are_saved_several_as_one(executed, tmp_path):
    saved = save_pictures(executed, tmp_path / "docs")
    assert [path.name for path in saved] == ["overlap.webp", "two.webp"]
    overlap, two = (Image.open(path) for path in saved)
    assert overlap.size == (840, 360) and overlap.format == "WEBP"
    assert two.height > 1.8 * 150 and two.width > 350
    assert two.convert("RGB").getpixel((2, 2)) == (255, 255, 255)


def test_nobody_else_on_the_machine_can_read_along(tmp_path, capfd):
    """A kernel that talks in the clear says so on its standard error; those too old to know better say nothing."""
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(6 * 7)")]), tmp_path / "in.ipynb")
    executed = run_notebook(tmp_path / "in.ipynb", tmp_path / "out.ipynb")
    assert executed.cells[0].outputs[0].text == "42\n"
    assert "without encryption" not in capfd.readouterr().err

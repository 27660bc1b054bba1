"""What a notebook leaves behind when no kernel is alive: the page, and the pictures for the gallery."""

import asyncio
import base64
import io
import os
import re
import signal
import subprocess
import sys
import time

import nbformat
import numpy as np
import psutil
import pytest
from PIL import Image

from common import device, notebooks
from common.notebooks import MAIN, ROOT, run_notebook, save_pictures, told, write_page
from common.pages.writing import printed
from common.pictures import explorers

HEAD = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
EXPLORER = f"""{HEAD}import numpy as np
from tqdm.auto import tqdm
from common.pictures import explorers
for _ in tqdm(range(3)): pass
explorers.explore_iou([10, 10, 40, 40], np.zeros((60, 60, 3), np.uint8))"""
PLOTS = "from matplotlib import pyplot as plt\nfor width in (3, 5):\n    plt.figure(figsize=(width, 2)); plt.plot([0, 1])\nplt.show()"
OURS = f"""{HEAD}import numpy as np
from common import graph
graph.visualize_samples(np.zeros((3, 8, 8, 3), np.uint8), n_rows=1, title="three & no more")
"""
PROSE = """# A title & more

AP@0.5 is a score. [Elsewhere](other.ipynb#there), [here](#A-section).

<details><summary>Hints</summary>

1. The first.
2. The second.

</details>

## A section

| a | b |
|---|---|
| 1 | 2 |
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    home = tmp_path_factory.mktemp("pages")
    cells = [nbformat.v4.new_code_cell(EXPLORER, metadata={"tags": ["docs:overlap"]}), nbformat.v4.new_code_cell(OURS),
             nbformat.v4.new_code_cell(PLOTS, metadata={"tags": ["docs:two"]}),
             nbformat.v4.new_code_cell("None", metadata={"tags": ["docs:nothing"]}), nbformat.v4.new_markdown_cell(PROSE),
             nbformat.v4.new_code_cell("from IPython.display import HTML, Javascript\ndisplay(HTML('<script>alert(1)</script>'), Javascript('alert(2)'))")]  # fmt: skip
    nbformat.write(nbformat.v4.new_notebook(cells=cells), home / "in.ipynb")
    return run_notebook(home / "in.ipynb", home / "out.ipynb")


@pytest.fixture(scope="module")
def page(executed, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "page.html"
    write_page(executed, out, home=ROOT / "RegionDetector")
    return out.read_text(encoding="utf-8")


def test_an_explorer_is_a_picture_with_words_in_a_page(page):
    body = page[page.index("<body") :]
    assert "widget-view+json" not in body and "html-manager" not in page  # would have to be fetched from a network
    pictures = re.findall(r"<img [^>]*>", body)
    twin = explorers.explore_iou([10, 10, 40, 40], np.zeros((60, 60, 3), np.uint8))
    mine = next(picture for picture in pictures if "IoU" in picture)
    assert f'alt="{twin.label}"' in mine
    shown = Image.open(io.BytesIO(base64.b64decode(re.search(r"data:image/webp;base64,([^\"]+)", mine).group(1)))).convert("RGB")
    drawn = Image.open(io.BytesIO(twin.image.value)).convert("RGB")
    assert shown.size == drawn.size and np.abs(np.asarray(shown, int) - np.asarray(drawn, int)).mean() < 3
    assert twin.label in re.sub(r"<img[^>]*>", "", body) and "| 0/3 [" not in body  # a bar that has stopped tells nothing


def test_hints_stay_folded_and_figures_do_not_become_mail(page):
    assert re.search(r"<details><summary>Hints</summary>\s*<ol>\s*<li>The first", page)
    assert "mailto:" not in page and "AP@0.5 is a score" in page


def test_every_picture_has_words_of_its_own(page):
    words = re.findall(r'<img [^>]*alt="([^"]*)"', page)
    assert len(words) == page.count("<img ") == 4
    assert any("3 small patches: three &amp; no more" in text for text in words)
    assert not any("No description" in text or "without a description" in text for text in words)


def test_a_page_has_a_title_and_asks_nobody_for_anything(page):
    assert "<title>A title &amp; more</title>" in page and '<html lang="en">' in page
    assert "<script" not in page and "IPython.core.display.HTML object" in page
    assert not re.search(r"""(src|href)=["'](?:https?:)?//""", page) and "@import" not in page and "default-src 'none'" in page
    for target in re.findall(r'href="#([^"]+)"', page):
        assert re.search(rf'id="{re.escape(target)}"', page), target


def test_links_lead_to_the_page_beside_or_to_the_file(executed, tmp_path):
    (tmp_path / "build").mkdir()
    (tmp_path / "course").mkdir()
    for beside, expected in ((False, "../course/other.ipynb#there"), (True, "other.html#there")):
        if beside:
            (tmp_path / "build" / "other.html").write_text("")
        write_page(executed, tmp_path / "build" / "page.html", home=tmp_path / "course")
        assert f'href="{expected}"' in (tmp_path / "build" / "page.html").read_text(encoding="utf-8")


def test_what_was_printed_over_is_gone_and_tables_keep_their_lines():
    assert printed("1 of 2\r2 of 2\ndone\n") == '<pre class="printed">2 of 2\ndone</pre>'
    assert 'class="printed table" tabindex="0"' in printed("┃ a ┃") and printed("\n") == ""
    assert printed("\x1b[31m<b>\x1b[0m") == '<pre class="printed">&lt;b&gt;</pre>'


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


def test_the_gallery_leads_to_the_pages_that_make_run_writes():
    links = set(re.findall(r'href="([^"#]+)"', (ROOT / "docs" / "index.html").read_text(encoding="utf-8")))
    assert {link for link in links if "build/" in link} == {f"../build/{name.rpartition('/')[2].removesuffix('.ipynb')}.html" for name in MAIN}
    assert not any(link.endswith(".ipynb") for link in links)


def test_who_waits_sees_the_first_pictures_while_the_rest_runs(tmp_path, capsys):
    """The page is there, with the first picture and without the second, when the cell behind it begins."""
    page = tmp_path / "growing.html"
    second = f"seen = open({str(page)!r}, encoding='utf-8').read()\nprint(seen.count('<img'), 'picture,', seen.count('nev' 'er'), 'of what follows')"
    cells = [nbformat.v4.new_markdown_cell("## Before"), nbformat.v4.new_code_cell("print('no picture yet')"), nbformat.v4.new_markdown_cell("## First"),
             nbformat.v4.new_code_cell(PLOTS.replace("(3, 5)", "(3,)")), nbformat.v4.new_markdown_cell("## Second"), nbformat.v4.new_code_cell(second),
             nbformat.v4.new_markdown_cell("## Third"), nbformat.v4.new_code_cell("print('nev' + 'er')")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "in.ipynb")
    executed = run_notebook(tmp_path / "in.ipynb", tmp_path / "out.ipynb", on_heading=told(page, tmp_path))
    assert executed.cells[5].outputs[0]["text"] == "1 picture, 0 of what follows\n"
    said = capsys.readouterr().out
    assert said.count("its first pictures") == 1 and said.index("Second") < said.index("its first pictures") < said.index("Third")


def both(folder, *sources):
    """Notebooks a, b, ... with one cell each, and the arguments that run them."""
    paths = [str(folder / f"{name}.ipynb") for name, _ in zip("ab", sources)]
    for path, source in zip(paths, sources):
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("## Here"), nbformat.v4.new_code_cell(source)]), path)
    return [*paths, "--build", str(folder / "build")]


MEET = """import pathlib, time
pathlib.Path({0!r}, {1!r}).touch()
for _ in range(300):
    if pathlib.Path({0!r}, {2!r}).exists(): break
    time.sleep(0.1)
else: raise RuntimeError("waited in vain")"""


@pytest.mark.parametrize("memory, cores, together", [(1e12, 4, True), (3e9, 4, False), (1e12, 2, False)])
def test_two_notebooks_run_side_by_side_where_there_is_room(tmp_path, capfd, monkeypatch, memory, cores, together):
    """Each waits for the other; one after the other, the first would wait in vain."""
    monkeypatch.setattr(notebooks.device, "cores", lambda: cores)
    monkeypatch.setattr(notebooks.device, "free_memory", lambda: memory)
    meet = MEET if together else MEET.replace("300", "3")
    code = notebooks.main(both(tmp_path, meet.format(str(tmp_path), "one", "two"), meet.format(str(tmp_path), "two", "one")))
    said, complaints = capfd.readouterr()
    if together:
        assert code == 0 and {"a                       Here", "b                       Here"} < set(said.splitlines())
    else:
        assert code == 1 and "side by side" not in said and said.index("a.ipynb") < said.index("b.ipynb") and complaints.count("waited in vain") >= 1
    assert (tmp_path / "build" / "a.ipynb").exists() and (tmp_path / "build" / "b.html").exists()


@pytest.mark.parametrize("source, said", [
    ("1 / 0", "ZeroDivisionError"),
    pytest.param("import os; os.kill(os.getppid(), 9)", "a.ipynb was ended by the system (signal 9)", marks=pytest.mark.skipif(os.name == "nt", reason="POSIX")),
])
def test_one_that_stops_does_not_stop_its_neighbour(tmp_path, capfd, monkeypatch, source, said):
    monkeypatch.setattr(notebooks.device, "cores", lambda: 4)
    monkeypatch.setattr(notebooks.device, "free_memory", lambda: 1e12)
    assert notebooks.main(both(tmp_path, source, "import time; time.sleep(1); print('to the end')")) == 1
    assert said in capfd.readouterr().err and "to the end" in (tmp_path / "build" / "b.html").read_text(encoding="utf-8")


def test_a_task_that_nbclient_forgets_is_not_complained_of(tmp_path, caplog):
    """Another's still is."""
    both(tmp_path, "1")
    run_notebook(tmp_path / "a.ipynb", tmp_path / "out.ipynb")

    class NotebookClient:
        async def looks(self):
            raise AssertionError

    class Another(NotebookClient):
        async def does_not(self):
            raise AssertionError

    async def forgetful():
        tasks = [asyncio.ensure_future(coroutine) for coroutine in (NotebookClient().looks(), Another().does_not())]
        await asyncio.sleep(0)
        del tasks

    asyncio.run(forgetful())
    said = [record.getMessage() for record in caplog.records if record.name == "asyncio"]
    assert len(said) == 1 and "Another.does_not" in said[0]


@pytest.mark.skipif(os.name == "nt", reason="Ctrl+C is another thing on Windows")
def test_ctrl_c_ends_both_and_their_kernels(tmp_path):
    start = ("import sys; from common import device, notebooks; device.cores, device.free_memory = lambda: 4, lambda: 1e12\n"
             "sys.exit(notebooks.main(sys.argv[1:]))")
    source = "import pathlib, time; pathlib.Path({0!r}, {1!r}).touch(); time.sleep(300)"
    run = subprocess.Popen([sys.executable, "-c", start, *both(tmp_path, source.format(str(tmp_path), "one"), source.format(str(tmp_path), "two"))], cwd=ROOT,
                           env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True, stderr=subprocess.PIPE, text=True)  # fmt: skip
    for _ in range(600):
        if (tmp_path / "one").exists() and (tmp_path / "two").exists():
            break
        time.sleep(0.1)
    family = psutil.Process(run.pid).children(recursive=True)
    assert len(family) >= 4, "two Pythons and two kernels"
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(60) == 130
    assert not psutil.wait_procs(family, timeout=20)[1]
    said = run.stderr.read()
    assert said.count("Stopped. What had run until then is in") == 2 and "nbclient" not in said, said  # what a kernel itself complains of is its own
    assert (tmp_path / "build" / "a.ipynb").exists() and (tmp_path / "build" / "b.ipynb").exists()


def test_free_memory_minds_the_limit_of_a_container(tmp_path, monkeypatch):
    monkeypatch.setattr(device, "CGROUP", tmp_path)
    free = device.free_memory()
    assert free > 1e8
    (tmp_path / "memory.stat").write_text("anon 30000000\nfile 900000000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert device.free_memory() > 1e8, "no limit"
    (tmp_path / "memory.max").write_text("100000000\n")
    assert device.free_memory() == 70_000_000, "files that are only remembered make room"
    (tmp_path / "memory.max").write_text("20000000\n")
    assert device.free_memory() == 0
    (tmp_path / "memory.max").unlink()
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.stat").write_text("cache 5\ntotal_rss 20000000\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("50000000\n")
    assert device.free_memory() == 30_000_000


def test_a_run_is_known_by_what_it_was_made_of(tmp_path, monkeypatch):
    """Tests look at the run of `make run` only if nothing has changed since."""
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    (tmp_path / "requirements.lock").write_text("a==1")
    for room in ("common", "RegionDetector", "TrackDetector"):
        (tmp_path / room / "deeper").mkdir(parents=True)
        (tmp_path / room / "deeper" / "module.py").write_text("x = 1")
    names = [notebooks.sources(), notebooks.sources()]
    (tmp_path / "TrackDetector" / "deeper" / "module.py").write_text("x = 2")
    names.append(notebooks.sources())
    (tmp_path / "requirements.lock").write_text("a==2")
    names.append(notebooks.sources())
    (tmp_path / "common" / "weights.npz").write_bytes(b"x")
    names.append(notebooks.sources())
    (tmp_path / "common" / "weights.npz").rename(tmp_path / "common" / "others.npz")
    names.append(notebooks.sources())
    assert names[0] == names[1] and len(set(names)) == 5

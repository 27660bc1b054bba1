"""README and the pages behind its doors: every command on them runs, in order, and every file that they name is there."""

import os
import re
import shutil

import pytest
from pages import Block, blocks, workplace
from PIL import Image
from skimage.data import astronaut

from common.grading.tasks import ROOT
from common.orl import orl_faces

PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/student.md", "docs/instructor.md", "docs/engineer.md", "docs/archives-and-films.md", "docs/from-the-course.md", "docs/galleries.md", "docs/measurements.md"]
# What takes minutes is run elsewhere (.ci/run runs notebooks and tests); here it is enough that the command arrives there
STAND_IN = """
if sys.argv[2] in ("common.notebooks", "jupyterlab", "pytest", "ruff"):
    print("arrived:", *sys.argv[2:])
    raise SystemExit(0)
"""
posix = pytest.mark.skipif(os.name == "nt", reason="the pages' commands are written for a shell")


def lay_out(folder):
    """Photos to look at, and a gallery of two people, under the names that the pages use."""
    images, person = orl_faces()
    (folder / "photos").mkdir()
    Image.fromarray(astronaut()).save(folder / "photos" / "astronaut.png")
    for number, home in ((0, "people"), (1, "people"), (2, "more_people"), (3, "others"), (4, "holiday"), (4, "archive")):
        place = folder / home / (f"person {number}" if number < 4 else "")
        place.mkdir(parents=True)
        for k, image in enumerate(images[person == number][:3]):
            Image.fromarray(image).resize((276, 336)).save(place / f"{k}.png")
    for k, name in ((3, "photo.jpg"), (4, "photo_of_ann.jpg")):
        Image.fromarray(images[person == 4][k]).resize((276, 336)).save(folder / name)


@posix
@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/student.md", "docs/engineer.md", "docs/archives-and-films.md", "docs/galleries.md"])
def test_every_command_on_the_page_runs(page, tmp_path):
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    run = workplace(tmp_path, STAND_IN)
    lay_out(tmp_path)
    if page == "docs/galleries.md":  # somebody else's gallery, with which ours is merged
        run(Block("sh", "python -m TrackDetector gallery build others.npz others", 0))
    found = blocks(ROOT / page)
    assert found
    said = "".join(run(block) for block in found)
    text = "".join(block.text for block in found)
    for command, arrives in (("make run", "common.notebooks"), ("lab", "jupyterlab"), ("make test", "pytest"), ("make lint", "ruff")):
        if re.search(rf"{command}\b", text):
            assert f"arrived: {arrives}" in said, command
    for name in re.findall(r"build/\w+\.json\b", text):
        assert (tmp_path / name).stat().st_size > 2, name


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_points_at_is_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]*)(?:#[^)]*)?\)", text):
        assert not target or ((ROOT / page).parent / target).exists(), f"{page}: {target}"
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*\.md)#([^)]+)\)", text):
        headings = re.findall(r"^#+ (.+)$", ((ROOT / page).parent / path).read_text(encoding="utf-8"), re.M)
        assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}, f"{page}: {anchor}"


def test_the_readme_is_read_in_a_minute():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 90
    spoken = re.sub(r"!\[[^]]*\]\([^)]*\)|\]\([^)]*\)|```.*?```", " ", text, flags=re.S)
    assert len(spoken.split()) <= 3 * 180, "more than three minutes, read aloud"

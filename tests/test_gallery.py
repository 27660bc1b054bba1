"""The gallery and the README's pictures: there, small, described, and from this kit alone."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from committed import committed
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PICTURES = {path.name for path in committed("docs/*.png", "docs/*.webp", "docs/*.svg", "docs/*.jpg")}


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another tag"


@pytest.fixture(scope="module")
def page():
    page = _Page()
    page.feed((DOCS / "index.html").read_text(encoding="utf-8"))
    assert not page.open
    return page.tags


def test_every_picture_is_shown_described_and_has_its_size(page):
    shown = [attrs for tag, attrs in page if tag == "img"]
    assert {attrs["src"] for attrs in shown} == PICTURES
    for attrs in shown:
        width, height = Image.open(DOCS / attrs["src"]).size
        assert abs(int(attrs["width"]) / int(attrs["height"]) / (width / height) - 1) < 0.03, attrs["src"]
        assert len(attrs["alt"].split()) >= 8 and attrs["alt"].isprintable(), attrs["src"]
    assert len({attrs["alt"] for attrs in shown}) == len(shown)


def test_the_pictures_are_small_together():
    assert sum((DOCS / name).stat().st_size for name in PICTURES) < 1_500_000


def test_links_lead_somewhere_and_nothing_comes_from_a_network(page):
    ids = {attrs["id"] for _, attrs in page if "id" in attrs}
    for tag, attrs in page:
        for target in (attrs.get("href"), attrs.get("src")):
            if target and target.startswith("#"):
                assert target[1:] in ids, target
            elif target:
                # pages of build/ are made by `make run`, from the notebooks of the same name
                made = [path for path in ROOT.glob("*/*.ipynb") if target == f"../build/{path.stem}.html"]
                assert "://" not in target and (made or (DOCS / target).resolve().is_file()), target
    assert not any(tag in ("script", "iframe", "link") for tag, _ in page)


def test_headings_step_down_one_by_one(page):
    levels = [int(tag[1]) for tag, _ in page if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:]))
    tags = [tag for tag, _ in page]
    assert all(name in tags for name in ("header", "nav", "main", "footer", "title")) and dict(page)["html"]["lang"] == "en"


def test_the_notebooks_draw_every_picture():
    import nbformat

    from common.notebooks import MAIN

    drawn = {path.relative_to(ROOT).as_posix(): {f"{tag.removeprefix('docs:')}.webp" for cell in nbformat.read(path, 4).cells
                                                 for tag in cell.metadata.get("tags", []) if tag.startswith("docs:")} for path in committed("*.ipynb")}
    assert PICTURES <= set().union(*drawn.values()), "a picture that no notebook draws any more"
    assert set().union(*(drawn[name] for name in MAIN)) <= PICTURES, "make pictures"


def test_every_picture_of_the_readme_is_there_and_described():
    found = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert found
    for alt, target in found:
        assert (ROOT / target).is_file(), target
        assert len(alt.split()) >= 8, f"{target}: say what is to be seen"

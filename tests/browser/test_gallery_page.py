"""The gallery on a phone and on a desk, in the light and in the dark."""

import os
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
PAGE = Path(__file__).resolve().parents[2] / "docs" / "index.html"


def brightness(color):
    """0 to 1; weights of WCAG 2.2 for relative luminance."""
    channels = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_the_gallery_fits_and_can_be_read(browser, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    try:
        page.goto(PAGE.as_uri())
        for picture in page.locator("img").all():
            picture.scroll_into_view_if_needed()
            page.wait_for_function("picture => picture.complete && picture.naturalWidth > 0", arg=picture.element_handle())
            box = picture.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
        assert page.evaluate("document.documentElement.scrollWidth") <= width  # nothing to scroll sideways
        for selector in ("h1", "header p", "li a", "footer p", "ol > li p"):
            ink = page.locator(selector).first.evaluate("e => getComputedStyle(e).color")
            paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
            light, dark = sorted((brightness(ink), brightness(paper)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (selector, ink, paper)
            assert (brightness(paper) > 0.5) == (scheme == "light")
        page.keyboard.press("Home")
        assert all(url.startswith("file:") for url in asked)
        if shots := os.environ.get("KIT_SCREENSHOTS"):
            Path(shots).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=str(Path(shots) / f"gallery-{width}-{scheme}.png"), full_page=True)
    finally:
        context.close()


def test_the_gallery_is_walked_through_with_tab(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    try:
        page.goto(PAGE.as_uri())
        reached = []
        for _ in range(page.locator("a").count()):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.getAttribute('href')"))
        assert reached == page.locator("a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    finally:
        context.close()

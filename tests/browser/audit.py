"""axe-core over a page: what would keep somebody from reading it."""

import os
import re
from pathlib import Path

AXE = Path(os.environ.get("KIT_AXE") or Path(__file__).resolve().parent / "node_modules" / "axe-core" / "axe.min.js")
MISSING = "axe-core is not installed: make test-browser, with npm on the path, or KIT_AXE names its axe.min.js"
PHONE, DESK = 390, 1280
LINES = """() => [...document.querySelectorAll(".prose p")].filter(p => p.textContent.length > 400).map(p => {
    const range = document.createRange(), rows = new Map();
    const walker = document.createTreeWalker(p, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode())
        for (let at = 0; at < node.length; at++) {
            range.setStart(node, at); range.setEnd(node, at + 1);
            const box = range.getBoundingClientRect();
            if (box.width) rows.set(Math.round(box.top / 8), (rows.get(Math.round(box.top / 8)) || 0) + 1);
        }
    return Math.max(...rows.values());
})"""


def violations(page, within=None):
    """What axe-core finds fault with: one line for each rule that is broken.

    Parameters
    ----------
    page : playwright page
    within : list of str, optional
        Selectors; only what lies in them is looked at.
    """
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("within => axe.run(within ? {include: within.map(each => [each])} : document, {resultTypes: ['violations']})", within)["violations"]
    return [f"{each['id']} ({len(each['nodes'])}): {each['nodes'][0]['html'][:200]}" for each in found]


def look_at(browser, path, width, scheme, shots=None):
    """Open a page from its file, with no network, and say what is wrong with it.

    Returns
    -------
    list of str
        Violations, and other faults in words; empty for a good page.
    """
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    try:
        page.goto(Path(path).resolve().as_uri())
        faults = violations(page)
        asked = [url for url in asked if not url.startswith(("file:", "data:"))]
        if asked:
            faults.append(f"asks for {asked[0]}")
        if page.evaluate("document.documentElement.scrollWidth") > width:
            faults.append("has to be scrolled sideways")
        if page.locator("a[href^='mailto:']").count():
            faults.append("has a mail link")
        ground = [int(part) for part in re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]]
        if (sum(ground) > 380) != (scheme == "light"):
            faults.append(f"is not {scheme}: {ground}")
        for words in page.locator("img").evaluate_all("pictures => pictures.map(picture => picture.alt)"):
            if len(words) < 12 or "description" in words.lower():
                faults.append(f"a picture's words are {words!r}")
        if page.locator("details[open]").count():
            faults.append("something is unfolded that should be folded")
        if width == DESK and (longest := page.evaluate(LINES)) and not 62 <= sorted(longest)[len(longest) // 2] <= 84:
            faults.append(f"lines of {sorted(longest)} characters")
        if shots:
            Path(shots).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=str(Path(shots) / f"{Path(path).stem}-{width}-{scheme}.png"), full_page=True)
        return faults
    finally:
        context.close()

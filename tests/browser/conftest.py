"""A JupyterLab of its own, on a copy of the kit, and a browser that sees nothing but it."""

import shutil

import pytest
from committed import ROOT, committed


def pytest_configure(config):
    config.addinivalue_line("markers", "browser: drives JupyterLab in a browser (make test-browser)")


def notebooks():
    return [path.relative_to(ROOT).as_posix() for path in committed("*.ipynb")]


@pytest.fixture(scope="session")
def browser():
    from lab import BROWSERS, chromium, program

    pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: make test-browser")
    if program() is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is on the path: install one, or name its program in KIT_BROWSER")
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def kit(tmp_path_factory):
    """A copy of the kit: a notebook that is run here is saved here, and the real one stays as it is."""
    copy = tmp_path_factory.mktemp("browser") / "kit"
    for path in committed("*"):
        (copy / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy / path.relative_to(ROOT))
    return copy


@pytest.fixture(scope="session")
def lab(browser, kit, tmp_path_factory):
    from lab import JupyterLab
    with JupyterLab(kit, tmp_path_factory.mktemp("jupyter"), browser) as lab:
        yield lab

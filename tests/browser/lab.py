"""JupyterLab as a student meets it: the file browser, a double click, Run All, and what is to be seen then."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat

# Every cell is in the page, not only those in view; and no questions about news.
# The theme follows the browser, light or dark.
SETTINGS = {"notebook-extension/tracker": {"windowingMode": "none"},
            "apputils-extension/themes": {"adaptive-theme": True, "preferred-light-theme": "JupyterLab Light", "preferred-dark-theme": "JupyterLab Dark"},
            "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False}}
NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"
SEEN = """notebook => {
    const all = query => [...notebook.querySelectorAll(query)];
    return {
        prompts: all(".jp-CodeCell .jp-InputPrompt").map(prompt => prompt.textContent.trim()),
        // JupyterLab shows an exception as it shows any other text on stderr
        errors: all(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").map(output => output.textContent)
            .filter(text => /Traceback \\(most recent call last\\)|^\\w+(Error|Exception)\\b/m.test(text)).map(text => text.slice(-2000)),
        pictures: all(".jp-OutputArea-output img, .jp-OutputArea-output canvas").map(
            picture => picture.tagName == "CANVAS" ? picture.width : picture.complete ? picture.naturalWidth : 0),
        svgs: all(".jp-OutputArea-output > svg, .jp-RenderedSVG img").length,
        widgets: all(".jp-OutputArea-output .jupyter-widgets").filter(widget => !widget.parentElement.closest(".jupyter-widgets"))
            .map(widget => widget.getClientRects().length > 0),
        widget_text: all(".jp-OutputArea-output .jupyter-widgets").map(widget => widget.textContent).join("\\n"),
        lost_widgets: all(".jp-OutputArea-output").filter(output => /Error displaying widget|Loading widget\\.\\.\\./.test(output.textContent)).length,
    };
}"""


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")


def program():
    """The browser on this machine, or None."""
    return os.environ.get("KIT_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def chromium():
    """That browser, without a window, asking nobody for anything."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program(), args=[
            "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            *(["--no-sandbox"] if hasattr(os, "getuid") and os.getuid() == 0 else [])])
        yield browser
        browser.close()


@dataclass
class Sight:
    """What is to be seen in a notebook that has run, and what was saved of it.

    Attributes
    ----------
    prompts : list of str
        ``[3]:`` of a cell that has run, ``[ ]:`` of one that has not.
    errors : list of str
    pictures : list of int
        The width of each picture that the browser has drawn; 0 for one that it could not.
    widgets : list of bool
        For each widget whether it is visible.
    widget_text : str
    lost_widgets : int
    svgs : int
    saved : nbformat.NotebookNode
    page_errors : list of str
        Exceptions in the page's own code.
    """

    prompts: list
    errors: list
    pictures: list
    svgs: int
    widgets: list
    widget_text: str
    lost_widgets: int
    saved: object = None
    page_errors: tuple = ()


class JupyterLab:
    """A server in a folder, and a page on it."""

    def __init__(self, root, home, browser):
        self.root, self.home, self.browser, self.token = Path(root), Path(home), browser, secrets.token_hex(16)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"

    def __enter__(self):
        for name, values in SETTINGS.items():
            file = self.home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values), encoding="utf-8")
        folders = {name: str(self.home / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_WORKSPACES_DIR")}
        self.log = open(self.home / "lab.log", "w+", encoding="utf-8")
        self.server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={self.address.rsplit(':', 1)[1]}",
             "--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.root}", "--LabApp.extension_manager=readonly",
             *(["--allow-root"] if hasattr(os, "getuid") and os.getuid() == 0 else [])],
            stdout=self.log, stderr=subprocess.STDOUT, cwd=self.root,
            # the tests' own MPLBACKEND would keep the pictures out of the notebook
            env={**{name: value for name, value in os.environ.items() if name != "MPLBACKEND"}, **folders, "JUPYTERLAB_SETTINGS_DIR": str(self.home / "settings"), "JUPYTER_TOKEN": self.token})
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{self.address}/api", timeout=2):
                    return self
            except OSError:
                if self.server.poll() is not None:
                    break
                time.sleep(0.2)
        self.__exit__()
        raise RuntimeError("JupyterLab did not start:\n" + (self.home / "lab.log").read_text(encoding="utf-8")[-3000:])

    def __exit__(self, *_):
        self.server.terminate()
        try:
            self.server.wait(20)
        except subprocess.TimeoutExpired:
            self.server.kill()
        self.log.close()

    def run_all(self, notebook, minutes=30, then=None, width=1400, scheme="light"):
        """Open a notebook from the file browser, run all its cells, and look.

        Parameters
        ----------
        notebook : str
            Its path below the root, with forward slashes.
        minutes : float
            How long it may run.
        then : callable, optional
            Called with this object, the page and the notebook's panel once all has run; looked at again after that.
        width : int
            Of the window, in pixels.
        scheme : {"light", "dark"}

        Returns
        -------
        Sight
        """
        page_errors, strangers = [], []
        context = self.browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme)
        context.set_default_timeout(120_000)  # on a busy machine a page takes its time
        page = context.new_page()
        page.on("pageerror", lambda error: page_errors.append(str(error)))
        # the kit must look right in a room without a network
        page.route("**/*", lambda route: route.continue_() if route.request.url.startswith((self.address, "data:", "blob:"))
                   else (strangers.append(route.request.url), route.abort()))
        try:
            page.goto(f"{self.address}/lab/workspaces/auto-test/?reset&token={self.token}")
            *folders, name = notebook.split("/")
            for each in folders:
                self._item(page, each).dblclick()
            self._item(page, name).dblclick()
            panel = page.locator(NOTEBOOK)
            panel.locator(".jp-Cell").first.wait_for(timeout=60_000)
            if width < 1000:
                page.keyboard.press("Control+b")  # the file browser would leave no room for the notebook
            self._until_connected(page, notebook)
            page.get_by_role("menuitem", name="Run", exact=True).click()
            page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
            sight = self._until_done(page, panel, minutes)
            if then is not None:
                then(self, page, panel)
                sight = self._until_done(page, panel, minutes)
            self._save(page, notebook)
            if shots := os.environ.get("KIT_SCREENSHOTS"):
                self._photograph(page, panel, Path(shots), name)
        finally:
            for session in self._api("sessions"):
                self._api(f"sessions/{session['id']}", "DELETE")
            context.close()
        sight.saved = nbformat.read(self.root / notebook, as_version=4)
        sight.page_errors = tuple(page_errors) + tuple(f"asked for {url}" for url in strangers)
        return sight

    def _item(self, page, name):
        return page.locator(".jp-DirListing-item", has=page.get_by_text(name, exact=True))

    def _until_connected(self, page, notebook):
        """Wait until the kernel has started and this page talks to it: cells run earlier would ask for a kernel."""
        for _ in range(600):
            page.wait_for_timeout(200)
            kernels = [each["kernel"] for each in self._api("sessions") if each["path"] == notebook and each.get("kernel")]
            ready = kernels and kernels[0]["connections"] and kernels[0]["execution_state"] == "idle"
            name = page.locator(f"{NOTEBOOK} .jp-Toolbar-kernelName")  # a narrow window has no room for it
            if ready and (not name.count() or name.inner_text().strip() not in ("", "No Kernel")):
                return
        raise AssertionError("no kernel has started for this notebook")

    def _until_done(self, page, panel, minutes):
        """Wait until no cell waits or runs and the kernel has been idle twice in a row."""
        end, quiet = time.monotonic() + minutes * 60, 0
        while time.monotonic() < end:
            page.wait_for_timeout(400)
            if page.locator("dialog.jp-Dialog").count():
                raise AssertionError("JupyterLab asks: " + page.locator("dialog.jp-Dialog").first.inner_text())
            seen = panel.evaluate(SEEN)
            busy = any("*" in prompt for prompt in seen["prompts"]) or not any(any(map(str.isdigit, prompt)) for prompt in seen["prompts"])
            idle = panel.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").count()
            quiet = 0 if busy or not idle else quiet + 1
            if quiet == 3:
                return Sight(**seen)
        raise AssertionError(f"still running after {minutes:g} minutes; the cells show {seen['prompts']}")

    def _save(self, page, notebook):
        before = (self.root / notebook).stat().st_mtime_ns
        page.keyboard.press("Control+s")
        for _ in range(100):
            page.wait_for_timeout(100)
            if (self.root / notebook).stat().st_mtime_ns != before:
                return
        raise AssertionError(f"{notebook} was not saved")

    def _photograph(self, page, panel, folder, name):
        folder.mkdir(parents=True, exist_ok=True)
        cells = panel.locator(".jp-Cell")
        for k in range(0, cells.count(), 6):
            cells.nth(k).scroll_into_view_if_needed()
            page.screenshot(path=str(folder / f"{name}-{k:03d}.png"))

    def _api(self, path, method="GET"):
        request = urllib.request.Request(f"{self.address}/api/{path}", method=method, headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = answer.read()
        return json.loads(body) if body else None

"""Running notebooks from outside: `make run`, and the tests.

``python -m common.notebooks`` runs the main notebooks headless and writes, to ``build/``, each one as it
was run, as an HTML page with its pictures, and its results card.
"""

import argparse
import base64
import hashlib
import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from common import device
from common.console import prepare_outputs, print_any_name
from common.pages.writing import write_page

ROOT = Path(__file__).resolve().parent.parent
MAIN = {
    "RegionDetector/Face_Detection.ipynb": "face_detection.json",
    "TrackDetector/Face_Recognition_task.ipynb": "face_recognition.json",
}
MEMORY = 2e9  # bytes for each that runs beside another, with some room
CORES = 2  # for each: on two cores, both together took as long as one after the other


class NotebookFailed(RuntimeError):
    """A cell raised; the message has the cell and the traceback."""


def run_notebook(path, out, parameters=None, cell_seconds=1800, on_heading=None):
    """Run a notebook from its first cell to its last.

    Parameters
    ----------
    path : path
        The notebook; it is not changed.
    out : path
        Where the executed copy goes, also when a cell fails.
    parameters : dict, optional
        Values put in a cell behind the one with the tag "parameters".
    cell_seconds : int
        How long one cell may take.
    on_heading : callable, optional
        Called with every heading that is reached, and the notebook as far as it has run.

    Returns
    -------
    nbformat.NotebookNode
        The executed notebook.

    Raises
    ------
    NotebookFailed
        If a cell raises or takes too long.
    ValueError
        If there are parameters and the notebook has no cell for them.
    """
    from common.exercises.notebook_format import nbformat  # before nbclient, which loads it, too

    from nbclient import NotebookClient  # isort: skip
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    logging.getLogger("asyncio").addFilter(_not_left_by_nbclient)
    path, out = Path(path), Path(out)
    notebook = nbformat.read(path, as_version=4)
    if parameters:
        at = [i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])]
        if not at:
            raise ValueError(f"{path} has no cell with the tag 'parameters'")
        lines = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
        notebook.cells.insert(at[0] + 1, nbformat.v4.new_code_cell(lines))

    def tell(cell, cell_index):
        before = notebook.cells[cell_index - 1] if cell_index else None
        if on_heading and before is not None and before.cell_type == "markdown":
            for line in before.source.splitlines():
                if line.startswith("#"):
                    on_heading(line.lstrip("# "), notebook)

    client = NotebookClient(
        notebook, timeout=cell_seconds, startup_timeout=300, resources={"metadata": {"path": str(path.parent)}}, on_cell_start=tell
    )
    client.create_kernel_manager()
    if client.km.has_trait("transport_encryption"):  # not in older versions of jupyter_client
        with suppress(Exception):  # refused where pyzmq was built without; the kernel is at 127.0.0.1, with a key, in any case
            client.km.transport_encryption = "auto"
    # pictures go into the notebook, whatever the caller's own plots use
    environment = {**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    try:
        client.execute(env=environment)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        if getattr(error, "ename", "") == "KeyboardInterrupt":  # Ctrl+C, and the kernel was the first to hear of it
            raise KeyboardInterrupt from None
        raise NotebookFailed(f"{path.name} stopped: {error}") from error
    except (AssertionError, AttributeError):  # at Ctrl+C nbclient ends the kernel, and at its own end it finds none to end; which of the two depends on its version
        if client.km is not None:
            raise
        raise KeyboardInterrupt from None
    finally:
        out.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, out)
    return notebook


def _not_left_by_nbclient(record):
    """A filter of asyncio's log: at Ctrl+C nbclient ends its kernel but not its task that asks whether the kernel lives, whose failure would be printed."""
    return "NotebookClient" not in record.getMessage()


def sources():
    """A digest of all that a run depends on: code, notebooks, weights, packages and Python; it changes when one of them does."""
    rooms = (ROOT / room for room in ("common", "RegionDetector", "TrackDetector"))
    files = [ROOT / "requirements.lock", *(path for room in rooms for path in room.rglob("*") if path.suffix in (".py", ".ipynb", ".npz", ".json"))]
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(files):
        digest.update(f"{path.relative_to(ROOT)} {path.stat().st_size} ".encode() + path.read_bytes())
    return digest.hexdigest()


def save_pictures(notebook, folder, quality=82):
    """Save the pictures of the cells with a tag ``docs:NAME`` as ``NAME.webp``; several of one cell one below the other.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        As it was run.
    folder : path-like
    quality : int
        Of WebP, 0 to 100.

    Returns
    -------
    list of pathlib.Path
    """
    from PIL import Image

    saved = []
    for cell in notebook.cells:
        for tag in (tag for tag in cell.metadata.get("tags", []) if tag.startswith("docs:")):
            shown = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
            parts = [Image.open(io.BytesIO(base64.b64decode(each))).convert("RGB") for each in shown]
            if not parts:
                continue  # nothing to show in this run, such as mistakes where there are none
            page = Image.new("RGB", (max(part.width for part in parts), sum(part.height for part in parts)), "white")
            for k, part in enumerate(parts):
                page.paste(part, ((page.width - part.width) // 2, sum(each.height for each in parts[:k])))
            saved.append(Path(folder) / f"{tag.removeprefix('docs:')}.webp")
            saved[-1].parent.mkdir(parents=True, exist_ok=True)
            page.save(saved[-1], quality=quality, method=6)
    return saved


def flat(card, prefix=""):
    """A results card as lines of name and figure."""
    for name, value in card.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", f"{value:.4g}" if isinstance(value, float) else str(value)


def told(page, home, pause=60):
    """A callback for `run_notebook` that prints every heading and writes the page as far as it has come, so that somebody who waits sees the first pictures.

    Parameters
    ----------
    page : pathlib.Path
    home : path
        The notebook's folder.
    pause : float
        Seconds between two pages.
    """
    written = None

    def tell(text, notebook):
        nonlocal written
        print(f"  {text}", flush=True)
        shown = any("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))
        if shown and (written is None or time.monotonic() - written > pause):
            write_page(notebook, page, home=home)
            if written is None:
                print(f"  its first pictures: {page}, which grows as the notebook runs", flush=True)
            written = time.monotonic()

    return tell


def run_all(notebooks, build, pictures=None):
    """Run notebooks one after the other, and write what each leaves: itself as it was run, its page, its pictures, its card.

    Returns
    -------
    pages : list of Path
    failed : list of str
        The notebooks that stopped.
    """
    from common.exercises.notebook_format import nbformat

    failed, pages = [], []
    for name in notebooks:
        path, start = ROOT / name, time.perf_counter()
        print(f"\n{name}", flush=True)
        executed, made_of = build / path.name, sources()
        try:
            notebook = run_notebook(path, executed, on_heading=told(executed.with_suffix(".html"), path.parent))
        except NotebookFailed as error:
            failed.append(name)
            print(f"{error}\nThe notebook up to there: {executed}", file=sys.stderr)
            continue
        write_page(notebook, executed.with_suffix(".html"), home=path.parent)
        if pictures:
            print("  pictures:", *save_pictures(notebook, pictures))
        pages.append(executed.with_suffix(".html"))
        print(f"  took {time.perf_counter() - start:.0f} s")
        card = build / MAIN.get(name, "")
        if card.is_file():
            results = json.loads(card.read_text(encoding="utf-8"))
            for key, value in flat(results):
                print(f"    {key:40} {value}")
            # the tests look at this run, where it is of the same sources, and need not run the notebook again
            notebook.metadata["face_detectors"] = {"sources": made_of, "card": results}
            nbformat.write(notebook, executed)
    return pages, failed


def side_by_side(notebooks, arguments):
    """Run each notebook in a Python of its own, all at the same time; what they say is shown as it comes, behind the notebook's name.

    Parameters
    ----------
    notebooks : list of str
    arguments : list of str
        Of ``python -m common.notebooks``, but for the notebooks.

    Returns
    -------
    int
        0 if all ran to their end.
    """
    print("\nside by side:", *notebooks, flush=True)
    running = [subprocess.Popen([sys.executable, "-m", "common.notebooks", name, *arguments], stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="backslashreplace",
                                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}) for name in notebooks]  # fmt: skip

    def show(name, lines):
        for line in lines:
            if line.strip():
                print(f"{Path(name).stem:22}{line.rstrip()}", flush=True)

    threads = [threading.Thread(target=show, args=(name, each.stdout)) for name, each in zip(notebooks, running)]
    try:
        for thread in threads:
            thread.start()
        codes = [each.wait() for each in running]
    except KeyboardInterrupt:  # it has reached each of them too, and they end their kernels
        for each in running:
            with suppress(subprocess.TimeoutExpired):
                each.wait(20)
        return 130
    finally:
        for each in running:
            each.terminate()
        for thread in threads:
            thread.join()
    for name, code in zip(notebooks, codes):
        if code < 0:
            print(f"{name} was ended by the system (signal {-code}): perhaps it had not enough memory; run it alone: python -m common.notebooks {name}", file=sys.stderr)
    return 1 if any(codes) else 0


def main(arguments=None):
    """Run the main notebooks that exist; end with 1 if one of them stopped."""
    parser = argparse.ArgumentParser(prog="python -m common.notebooks", description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", default=[name for name in MAIN if (ROOT / name).is_file()])
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--pictures", type=Path, help="save the README's pictures here; takes the built-in data, which may be shown")
    options = parser.parse_args(arguments)
    print_any_name()
    if missing := [name for name in options.notebooks if not (ROOT / name).is_file()]:
        parser.error(f"there is no notebook {', '.join(missing)}")
    if options.pictures:
        os.environ["KIT_SOURCE"] = "demo"
    os.environ["KIT_BUILD"] = str(options.build.resolve())
    try:
        prepare_outputs({"--build": options.build / "page.html"})
    except ValueError as error:
        sys.exit(str(error))
    count = len(options.notebooks)
    if count > 1 and device.cores() >= CORES * count and device.free_memory() > MEMORY * count:
        return side_by_side(options.notebooks, [f"--build={options.build}", *([f"--pictures={options.pictures}"] if options.pictures else [])])
    try:
        pages, failed = run_all(options.notebooks, options.build, options.pictures)
    except KeyboardInterrupt:
        print(f"Stopped. What had run until then is in {options.build}.", file=sys.stderr)
        return 130
    print("\nOpen in a browser:", *(f"  {page}" for page in pages), sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""The package for students: notebooks, data code and checks, without any answer. ``python -m common.grading.student_package`` writes build/student.zip."""

import argparse
import ast
import json
import posixpath
import re
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from common.console import a_path, print_any_name, say
from common.exercises.reference import answer_names
from common.files import whole_file

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ("RegionDetector/Face_Detection.ipynb", "RegionDetector/prepare_data.ipynb", "TrackDetector/Face_Recognition_task.ipynb")
FILES = ("LICENSE", "kit.py", "requirements.in", "requirements.lock", "requirements-setup.lock", "environment.yml", "docs/from-the-course.md")
PAGE, WHOLE_KIT = "docs/student.md", "## With the whole kit"  # what stands below this heading is not in the package
# Whole rooms that are answers, or the instructor's business
_LEFT_OUT = {
    "RegionDetector": {"__main__", "commands.finding", "hard_negatives", "multiscale", "networks.conversion", "checks.measured", "pyramid.samples", "pyramid.training",
                       "one_pass.__main__", "one_pass.refining", "one_pass.samples", "one_pass.training",
                       "fddb.__main__", "fddb.evaluation", "fddb.folds", "fddb.plots", "fddb.report"},
    # the commands need the kit's own Classifier; the notebook imports one of them, `opening`, which says so
    "TrackDetector": {"__main__", "checks.measured", *(f"commands.{room}" for room in ("answering", "camera", "finding", "galleries", "naming", "strangers"))},
    "common": {"notebooks", "grading", "pages"},
}
_SANDBOX = {"grading.__init__", "grading.sandbox_worker", "grading.confinement", "grading.private_root", "grading.rebuilt", "grading.codec", "grading.weights"}
# Kept functions that an answer is written in are dropped as well, or ask the student's function
_DROPPED = {"RegionDetector.samples": {"get_samples"}, "TrackDetector.commands.opening": {"open_gallery"}}
_REPLACED = {
    "common.scores": {
        "_curve": '''def _curve(hit, confidence, n_true):
    """Ask the student's precision_recall_curve: detections on faces of their own, or on none."""
    from RegionDetector.exercises import TASK

    place = np.where(hit, np.cumsum(hit) - 1, n_true + 1 + np.arange(len(hit)))
    boxes = np.array([[0, 100 * p, 0, 100 * p + 50, 50] for p in (*range(n_true), *place)], float).reshape(-1, 5)
    return TASK.current("precision_recall_curve")(boxes[n_true:], boxes[:n_true], confidence)
'''
    },
    "TrackDetector.commands.opening": {
        "open_gallery": '''def open_gallery(*args, **settings):
    """Needs the kit's own Classifier."""
    raise NotImplementedError("the kit's Classifier is not in this package: fit your own on the photos of your people, and ask that")
'''
    },
}


def without_answers(text, module, hidden):
    """The source of a module without the answers in it, and without imports of answers.

    Parameters
    ----------
    text : str
    module : str
    hidden : dict of str to set of str
        Names by module, from `common.exercises.reference.answer_names`.
    """
    lines, new = text.split("\n"), {}
    gone, replaced = hidden.get(module, set()) | _DROPPED.get(module, set()), _REPLACED.get(module, {})
    if not gone and not any(name in text for name in hidden):
        return text  # most modules hold no answer and import none, and to read them takes a second
    for node in ast.walk(ast.parse(text)):
        first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.col_offset == 0 and node.name in gone:
            new[min([first, *(d.lineno for d in node.decorator_list)]), last] = replaced.get(node.name, "").rstrip()
        elif isinstance(node, ast.Assign) and node.col_offset == 0 and {getattr(t, "id", "") for t in node.targets} & gone:
            new[first, last] = ""
        elif isinstance(node, ast.ImportFrom) and any(a.name in hidden.get(node.module, set()) for a in node.names):
            kept = [a for a in node.names if a.name not in hidden[node.module]]
            new[first, last] = " " * node.col_offset + (ast.unparse(ast.ImportFrom(node.module, kept, node.level)) if kept else "pass" if node.col_offset else "")
    for (first, last), piece in sorted(new.items(), reverse=True):
        lines[first - 1 : last] = [piece]
    return "\n".join(lines)


def readme():
    """The student's page as the README of the package: without what only the whole kit has, and with links from where it lies then."""
    text = (ROOT / PAGE).read_text(encoding="utf-8").partition(f"\n{WHOLE_KIT}\n")[0]
    return re.sub(r"\]\((?!\w+:|#)([^)]+)\)", lambda link: f"]({posixpath.normpath(posixpath.join(posixpath.dirname(PAGE), link[1]))})", text)


def write_tree(folder, notebooks=True, sandbox=False):
    """Write the student's tree.

    Parameters
    ----------
    folder : path-like
        An empty folder.
    notebooks : bool
        With the notebooks and the files around them.
    sandbox : bool
        With what the grader's sandbox runs.
    """
    folder, hidden = Path(folder), answer_names()
    for room, left_out in _LEFT_OUT.items():
        (folder / room).mkdir(parents=True, exist_ok=True)
        for path in sorted((ROOT / room).rglob("*")):
            inside = path.relative_to(ROOT / room).with_suffix("").parts
            name, copy = ".".join(inside), folder / path.relative_to(ROOT)
            wanted = not {name, inside[0]} & left_out or (sandbox and name in _SANDBOX)
            if path.suffix in (".py", ".sha256") and wanted:
                copy.parent.mkdir(exist_ok=True)
            if path.suffix == ".py" and wanted:
                copy.write_text(without_answers(path.read_text(encoding="utf-8"), f"{room}.{name.removesuffix('.__init__')}", hidden), encoding="utf-8")
            elif path.suffix == ".sha256" and wanted and not sandbox:
                shutil.copyfile(path, copy)
    if notebooks:
        for name in NOTEBOOKS:
            (folder / name).write_text(json.dumps(_clean(json.loads((ROOT / name).read_text(encoding="utf-8"))), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        for name in FILES:
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(ROOT / name, folder / name)
        (folder / "README.md").write_text(readme(), encoding="utf-8")
        write_targets(folder)
    if sandbox:
        for path in (folder, *folder.rglob("*")):  # also for the user without rights who works there
            path.chmod(0o755 if path.is_dir() else 0o644)


def _clean(notebook):
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return notebook


def write_targets(folder):
    """The pictures of what the references do, for `target`."""
    from common.exercises.targets import draw_targets

    draw_targets(Path(folder))


def write_zip(path="build/student.zip"):
    """Write the package.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    pathlib.Path
    """
    path = Path(path)
    with whole_file(path, "wb") as whole, tempfile.TemporaryDirectory() as scratch:
        write_tree(scratch)
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(p for p in Path(scratch).rglob("*") if p.is_file()):
                info = zipfile.ZipInfo("face_detectors/" + file.relative_to(scratch).as_posix())  # without a date: the same bytes every time
                info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                archive.writestr(info, file.read_bytes())
    return path


def main(arguments=None):
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description="Write the package for students.")
    parser.add_argument("--out", type=a_path, default="build/student.zip")
    parser.add_argument("--folder", type=a_path, help="write the files into this folder, and no zip")
    options = parser.parse_args(arguments)
    print_any_name()
    try:
        if options.folder:
            write_tree(options.folder)
            return 0
        path = write_zip(options.out)
    except OSError as error:
        say(f"{error.filename or options.folder or options.out}: cannot be written ({error.strerror or error})", sys.stderr)
        return 2
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

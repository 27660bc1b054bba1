"""What a class has handed in: notebooks, with weights beside them, in one folder."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

WEIGHTS = (".weights.h5", ".keras", ".h5")
_MOST_WEIGHTS = 1 << 30


@dataclass(frozen=True)
class Submission:
    """What one student handed in."""

    name: str
    notebook: Path
    weights: tuple = ()

    def digest(self):
        """Changes when the submission changes."""
        digest = hashlib.sha256()
        for path in (self.notebook, *self.weights):
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()


def _shown(name):
    """A file's name as text that can be written anywhere: file systems allow bytes that are no letters."""
    return name.encode("utf-8", "backslashreplace").decode()


def _is_file(path):
    """Only a file that lies here: links lead out of the folder, and reading a pipe would wait for ever."""
    return path.is_file() and not path.is_symlink()


def find_submissions(folder):
    """The submissions in a folder, sorted by name; each has a name of its own.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    folder, found = Path(folder), []
    for path in _entries(folder):
        if path.suffix == ".ipynb" and _is_file(path):
            found.append((path.stem, path, _weights(folder, path.stem)))
        elif path.is_dir() and not path.is_symlink():
            books = [p for p in sorted(path.rglob("*.ipynb")) if ".ipynb_checkpoints" not in p.parts and _is_file(p)]
            if books:
                found.append((path.name, max(books, key=lambda p: p.stat().st_size), _weights(path, "")))
    if not found:
        raise FileNotFoundError(f"there is no notebook in {folder}: expected NAME.ipynb, or folders with one notebook each")
    taken, answer = set(), []
    for name, notebook, weights in found:
        shown, number = _shown(name), 2
        while shown.casefold() in taken:  # a file and a folder of one name; names that some file systems take for the same
            shown, number = f"{_shown(name)} ({number})", number + 1
        taken.add(shown.casefold())
        answer.append(Submission(shown, notebook, weights))
    return answer


def left_out(folder):
    """What lies in a folder and is no submission, though somebody may take it for one: dict of name to reason."""
    answer = {}
    for path in _entries(Path(folder)):
        if path.is_symlink() and path.suffix in ("", ".ipynb"):
            answer[_shown(path.name)] = "a link; hand in the file itself"
        elif path.is_dir() and not any(_is_file(p) for p in path.rglob("*.ipynb")):
            answer[_shown(path.name)] = "a folder without a notebook"
        elif path.suffix == ".ipynb" and not path.is_dir() and not path.is_file():
            answer[_shown(path.name)] = "no file"
    return answer


def _entries(folder):
    return [p for p in sorted(folder.iterdir()) if not p.name.startswith(".")] if folder.is_dir() else []


def _weights(folder, stem):
    files = [p for p in sorted(folder.iterdir()) if p.name.startswith(stem) and p.name.endswith(WEIGHTS) and _is_file(p)
             and p.stat().st_size <= _MOST_WEIGHTS and (not stem or p.name[len(stem) :] in WEIGHTS)]
    return tuple(files[:1])

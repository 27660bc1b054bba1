"""Results that are kept from run to run, one file for each submission: what was graded already is not graded again."""

import contextlib
import hashlib
import json
from dataclasses import asdict

from common.commands.versions import versions
from common.files import whole_file
from common.grading.handback.anonymity import is_number
from common.grading.names import safe_name
from common.grading.refused import Refused


def fits(out, task_name, by_number):
    """Refuse a folder that holds another task's marks, which would be written over, or the names that anonymous pages are to be without.

    Parameters
    ----------
    out : pathlib.Path
        Of the pages.
    task_name : str
    by_number : bool
        Whether the class is graded anonymously.

    Raises
    ------
    common.grading.refused.Refused
    """
    for path in sorted((out / "results").glob("*.json")):
        try:
            old = json.loads(path.read_text(encoding="utf-8"))
            task, name = json.loads(old["way"])["task"], str(old["student"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # it is graded anew
        if task != task_name:
            raise Refused(f"{out} holds the marks of {task}: name another folder for {task_name} with --out")
        if by_number and not is_number(name):
            raise Refused(f"{out} holds pages by name: for --anonymous name another folder with --out")


class Kept:
    """The folder ``results`` beside the pages.

    Parameters
    ----------
    folder : pathlib.Path
    way : common.grading.desk.Way
    """

    def __init__(self, folder, way):
        self.folder = folder
        self.key = json.dumps([versions(), asdict(way)])  # another Python may read a notebook that this one does not
        self.way = json.dumps(asdict(way))
        folder.mkdir(parents=True, exist_ok=True)

    def _path(self, submission):
        name = safe_name(submission.name)
        if name != submission.name or name != name.casefold():  # another student's name may come out the same on this disk
            name += "-" + hashlib.sha256(submission.name.encode()).hexdigest()[:8]
        return self.folder / f"{name}.json"

    def _read(self, submission):
        with contextlib.suppress(OSError, ValueError):
            old = json.loads(self._path(submission).read_text(encoding="utf-8"))
            if isinstance(old, dict) and old.get("student") == submission.name and old.get("files") == submission.digest() and "rows" in old:
                return old
        return None

    def fresh(self, submission):
        """The result of this very submission by this very kit in this way; None if there is none."""
        old = self._read(submission)
        return old if old is not None and old.get("key") == self.key else None

    def earlier(self, submission):
        """The result of this very submission in this way by whatever kit; None if there is none."""
        old = self._read(submission)
        return old if old is not None and old.get("way") == self.way else None

    def seconds(self, submission):
        """How long grading this very submission has taken, in whatever way; None if that is not known."""
        took = (self._read(submission) or {}).get("seconds")
        return float(took) if isinstance(took, (int, float)) else None

    def keep(self, submission, result):
        """Write a result, whole or not at all."""
        result.update(key=self.key, way=self.way, files=submission.digest())
        with whole_file(self._path(submission)) as file:
            json.dump(result, file, indent=1)

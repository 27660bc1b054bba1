"""For Gradescope: what its autograder leaves in ``results.json``, and an autograder that only looks marks up which were made here.

The form is that of Gradescope's autograder specifications: ``score``, ``output`` and for each test ``score``, ``max_score``, ``status``, ``name``,
``output``. Gradescope reads no table of marks; it runs an autograder. That of ``--for gradescope`` has the marks in it: upload it, and rerun.
"""

import json

from common.grading.handback.feedback import summary, write_table, write_zip
from common.grading.names import cell

_SETUP = "#!/usr/bin/env bash\n# Nothing to set up: the marks are in this archive.\n"
_RUN = '''#!/usr/bin/env python3
"""Look up the marks of this submission: by its number, else by its students' addresses."""
import json
import pathlib
import shutil

home = pathlib.Path(__file__).resolve().parent
about = json.loads((home / "submission_metadata.json").read_text(encoding="utf-8"))
marks = home / "source" / "marks"
table = json.loads((home / "source" / "marks.json").read_text(encoding="utf-8"))
keys = [str(about.get("id")), *(str(u.get("email", "")).lower() for u in about.get("users", []))]
found = next((table[k] for k in keys if k in table), None)
results = home / "results"
results.mkdir(exist_ok=True)
if found is None:
    (results / "results.json").write_text(json.dumps({"score": 0, "output": "No marks were made for this submission; ask your instructor."}), encoding="utf-8")
else:
    shutil.copyfile(marks / found, results / "results.json")
'''


def result_of(result):
    """A result in the form of ``results.json``.

    Parameters
    ----------
    result : dict

    Returns
    -------
    dict
    """
    tests = [{"name": r["name"], "number": str(k), "score": r["marks"], "max_score": r["of"], "status": "passed" if r["status"] == "right" else "failed",
              "output": f"{r['status']}. {r['message']}" + (f"\nGiven by your instructor: {r['reason']}" if "automatic" in r else ""), "output_format": "text",
              "visibility": "visible"} for k, r in enumerate(result["rows"], 1) if r["of"] or r["status"] != "not attempted"]
    notes = [line for line in summary(result) if not any(line.startswith(f"{r['name']}: ") for r in result["rows"])]
    return {"score": result["total"], "output": "\n".join(notes), "output_format": "text", "tests": tests}


def ready(task, roster=None, assignment=None):
    """See `common.grading.handback.moodle.ready`."""


def write(folder, task, graded, pages, roster=None, assignment=None):
    """Write ``grades.csv`` (in the columns of Gradescope's own), ``marks/*.json`` and ``autograder-with-marks.zip``."""
    rows, files, table, together = [], {"setup.sh": _SETUP, "run_autograder": _RUN}, {}, {}
    for number, (item, result) in enumerate(graded):
        name, owner = f"{number:05d}.json", item.owner
        first, _, last = owner.name.rpartition(" ")
        together.setdefault(owner.team or item.name, {})[item.name] = result["total"]
        possible = sum(r["of"] for r in result["rows"])
        rows.append([*map(cell, (first, last, owner.login, owner.email)), f"{result['total']:g}", f"{possible:g}", "Graded",
                     cell(owner.place.removeprefix("submission_"))])
        files[f"marks/{name}"] = json.dumps(result_of(result), ensure_ascii=True)
        table |= {key: name for key in (owner.place.removeprefix("submission_"), owner.email.casefold()) if key}
    files["marks.json"] = json.dumps(table)
    write_table(folder / "grades.csv", [["First Name", "Last Name", "SID", "Email", "Total Score", "Max Points", "Status", "Submission ID"], *rows])
    write_zip(folder / "autograder-with-marks.zip", files)
    apart = [f"{', '.join(f'{name} ({total:g})' for name, total in members.items())} handed in together, and Gradescope has one mark for them: the last of these"
             for members in together.values() if len(set(members.values())) > 1]
    return [f"autograder-with-marks.zip: Configure Autograder, upload it, then Manage Submissions, Regrade All; grades.csv is for you; {len(rows)} students", *apart]

"""What is handed back on every platform: a few lines for each student, tables, pages in one zip."""

import csv
import re
import zipfile

from common.files import whole_file
from common.grading.refused import Refused


class HandBackError(Refused):
    """What the platform wants to know is missing; the message says what."""


def points(text):
    """A number of points as a platform's table has it, in English or German: 12.5, 12,5, 1,000, 1,000.00, 1.000,00; None if it is none.

    Examples
    --------
    >>> points("1,000.00"), points("1.234.567,5"), points("1,000"), points("12,5"), points("0.125"), points("(read only)")
    (1000.0, 1234567.5, 1000.0, 12.5, 0.125, None)
    """
    text = re.sub(r"\s", "", text)
    thousands = re.fullmatch(r"[1-9]\d{0,2}(?:(?:,\d{3})+(?:\.\d+)?|(?:\.\d{3})+,\d+)", text)
    text = text.replace(re.search("[.,]", text)[0], "") if thousands else text
    return float(text.replace(",", ".")) if re.fullmatch(r"\d+(?:[.,]\d+)?", text) else None


def summary(result, most=4000):
    """Marks and messages of a result, line by line, as plain text.

    Parameters
    ----------
    result : dict
    most : int
        Characters.

    Returns
    -------
    list of str
    """
    possible = sum(r["of"] for r in result["rows"])
    lines = [f"{result['total']:g} of {possible:g} marks."]
    lines += [f"Handed in: {result['late']['text']}."] if result.get("late") else []
    lines += [*result.get("head", ()), *result.get("notes", ())]
    for row in result["rows"]:
        if row["of"] or row["status"] == "wrong":
            by_hand = f" Given by your instructor instead of {row['automatic']:g}: {row['reason']}." if "automatic" in row else ""
            lines.append(f"{row['name']}: {row['marks']:g} of {row['of']:g}, {row['status']}. {row['message'][:400]}{by_hand}".strip())
    answer, size = [], 0
    for line in lines:
        size += len(line)
        if size > most:
            answer.append("More stands on your page.")
            break
        answer.append("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line.encode("utf-8", "replace").decode()))
    return answer


def write_table(path, rows):
    """Write a CSV as platforms read it: UTF-8, commas."""
    with whole_file(path) as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def write_zip(path, files):
    """Write texts into a zip, whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
    files : dict of str to str
    """
    with whole_file(path, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, (0o755 if text.startswith("#!") else 0o644) << 16
            archive.writestr(info, text)

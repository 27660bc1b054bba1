"""Answers as one file that is whole: JSON, or a table (CSV) with one line a face."""

import csv
import json
import unicodedata


def write_json(file, answers, head=None, name="files"):
    """Write answers as JSON: a list, or the list under a name behind what is said once.

    Parameters
    ----------
    file : text file
    answers : iterable of dict
        They need not fit into the memory together.
    head : dict, optional
    name : str
        Of the list, if there is a head.
    """
    if head is not None:
        file.write(json.dumps(head, indent=1)[:-2] + f",\n {json.dumps(name)}: ")
    file.write("[")
    for number, answer in enumerate(answers):
        file.write(("," if number else "") + "\n  " + json.dumps(answer))
    file.write("\n]" + ("\n}\n" if head is not None else "\n"))


def _cell(value):
    """A text that begins like a formula must not become one in a spreadsheet."""
    if not isinstance(value, str):
        return value
    value = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in value)
    return "'" + value if value.lstrip()[:1] in ("=", "+", "-", "@") else value


def write_csv(file, answers, columns, rows):
    """Write answers as a table.

    Parameters
    ----------
    file : text file
    answers : iterable of dict
    columns : sequence of str
    rows : callable
        From an answer to its lines: dictionaries by column; what is not in them stays empty.
    """
    table = csv.writer(file, lineterminator="\n")
    table.writerow(columns)
    for answer in answers:
        table.writerows([_cell(row.get(column, "")) for column in columns] for row in rows(answer))

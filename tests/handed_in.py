"""Classes as learning platforms hand them out: made-up names, written to a folder or a zip."""

import json
import zipfile
from pathlib import Path

import yaml
from coursework import code_notebook

# first names, surname, login: umlauts and other letters, hyphens, two first names, particles, equal surnames and equal names
PEOPLE = (("Anna", "Müller", "amueller"), ("Anna Maria", "Müller", "ammueller"), ("Jörg", "Weiß", "jweiss"), ("Åsa", "Lindström", "asal"),
          ("Jean-Luc", "Saint-Pierre", "jlsp"), ("Zoë", "van der Berg", "zvdberg"), ("Lê", "Nguyễn", "lnguyen"), ("Ольга", "Иванова", "oivanova"),
          ("小明", "王", "xwang"), ("José María", "García-López", "jmgl"), ("Anna", "Müller", "amueller2"), ("Ben", "O'Neill", "boneill"),
          ("Łukasz", "Żółć", "lzolc"), ("Anna-Lena", "Schmidt", "alschmidt"), ("Lena", "Schmidt", "lschmidt"), ("Max", "Schmidt-Meier", "msmeier"),
          ("D.", "Smith 3rd", "dsmith3"), ("Öykü", "Yılmaz", "oyilmaz"), ("Ada", "Lovelace", "ada-l"), ("Al", "Ad", "al-ad"))
_ASCII = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"})


def ident(number):
    """The platform's number for a student."""
    return 10_000 + 37 * number


def letters(text):
    """As ILIAS writes names: in ASCII."""
    import unicodedata

    plain = unicodedata.normalize("NFKD", text.translate(_ASCII))
    return "".join(c if c.isascii() else "" if unicodedata.combining(c) else "x" for c in plain)


def marked(number, when=None):
    """A notebook that says whose it is."""
    book = code_notebook([f"def get_threshold(t, r):\n    return {number}"])
    return json.dumps(book).encode()


def whose(path):
    """The number of the student who wrote a notebook."""
    text = json.loads(Path(path).read_bytes())["cells"][0]["source"]
    return int(text.rsplit(" ", 1)[1])


def canvas_stem(number, late=False, attachment=None):
    """What Canvas writes before the student's own file name."""
    first, last, _ = PEOPLE[number]
    name = "".join(c for c in f"{last}, {first}".lower() if c.isalnum() or c == "_" or ord(c) > 0x2FF)
    return f"{name}{'_LATE' if late else ''}_{ident(number)}_{attachment or 900_000 + number}"


def files_of(platform):
    """Name to bytes of all that a platform hands out for a class of twenty."""
    files = {}
    for number, (first, last, login) in enumerate(PEOPLE):
        book = marked(number)
        if platform == "moodle":
            files[f"{first} {last}_{ident(number)}_assignsubmission_file_{'' if number % 2 else '/'}{'/' if number % 2 else ''}my notebook.ipynb"] = book
        elif platform == "moodle flat":
            files[f"{first} {last}_{ident(number)}_assignsubmission_file_Face_Detection.ipynb"] = book
        elif platform == "canvas":
            files[f"{canvas_stem(number, late=number % 5 == 0)}_face detection-{number % 3}.ipynb"] = book
        elif platform == "gradescope":
            files[f"assignment_4711_export/submission_{ident(number)}/Face_Detection.ipynb"] = book
        elif platform == "github":
            files[f"face-detection-submissions/face-detection-{login}/RegionDetector/Face_Detection.ipynb"] = book
            files[f"face-detection-submissions/face-detection-{login}/.git/config"] = b"[core]"
        elif platform == "ilias":
            files[f"{letters(last)}_{letters(first)}_{login}_{ident(number)}/{'Late Submission - ' if number % 4 == 0 else ''}Uebung.ipynb"] = book
        elif platform == "blackboard":
            stem = f"Face Detection_part 1_{login}_attempt_2026-11-{1 + number:02d}-12-30-45"
            files[f"{stem}_Face Detection_1.ipynb"] = book
            files[f"{stem}.txt"] = f"Name: {first} {last} ({login})\nAssignment: Face Detection\n".encode()
    if platform == "gradescope":
        files["assignment_4711_export/submission_metadata.yml"] = yaml.safe_dump({
            f"submission_{ident(n)}": {":submitters": [{":name": f"{f} {s}", ":sid": str(n), ":email": f"{login}@example.edu"}], ":score": None}
            for n, (f, s, login) in enumerate(PEOPLE)}, allow_unicode=True).encode()
    return files


def write_folder(files, folder):
    """Write the files below a folder."""
    for name, data in files.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return Path(folder)


def write_zip(files, path, when=(2026, 11, 20, 12, 0, 0)):
    """Write the files into a zip."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, when), data)
    return Path(path)

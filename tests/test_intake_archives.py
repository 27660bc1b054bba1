"""Archives that students hand in: one in another, damaged, locked, too large, with names that lead out; each costs its own student."""

import gzip
import io
import os
import struct
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile

import pytest
from coursework import ROOT, code_notebook, hand_in
from handed_in import PEOPLE, files_of, ident, marked, whose, write_zip

from common.grading.intake.files import _MOST, NOTEBOOKS
from common.grading.submissions import take_in


def test_a_zip_for_each_student_and_zips_in_zips(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("deep/er/Face_Detection.ipynb", marked(2))
        archive.writestr("__MACOSX/deep/._Face_Detection.ipynb", b"\0")
        archive.writestr("deep/.ipynb_checkpoints/Face_Detection.ipynb", marked(3))
    write_zip({"work.zip": inner.getvalue()}, tmp_path / "ben.zip")
    write_zip({"x.ipynb": marked(1), "x.weights.h5": b"w"}, tmp_path / "anna.zip")
    (tmp_path / "empty.zip").write_bytes(b"PK\5\6" + bytes(18))
    (tmp_path / "broken.zip").write_bytes(b"PK\3\4 and then nothing")
    (tmp_path / "old.rar").write_bytes(b"Rar!")
    taken = take_in(tmp_path)
    assert [(s.name, whose(s.notebook), len(s.weights)) for s in taken.submissions] == [("anna", 1, 1), ("ben", 2, 0)]
    assert set(taken.left_out) == {"empty.zip", "broken.zip", "old.rar"} and "cannot be read" in taken.left_out["broken.zip"]


def test_names_that_lead_out_of_an_archive_cost_that_file_only(tmp_path):
    files = {"../../escaped.ipynb": marked(0), "/absolute.ipynb": marked(0), "anna.ipynb": marked(1), "a:b?.ipynb": marked(2), "con.ipynb": marked(3)}
    taken = take_in(write_zip(files, tmp_path / "in" / "class.zip"))
    assert {s.name: whose(s.notebook) for s in taken.submissions} == {"anna": 1, "a:b?": 2, "con": 3}
    assert not list(tmp_path.rglob("*escaped*")) and not os.path.exists("/absolute.ipynb")


def spoiled(files, name, how, path):
    """A zip of a class in which one entry, and only that, is not as it should be."""
    write_zip(files, path)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    at, listed = infos[[i.filename for i in infos].index(name)].header_offset, -1
    for _ in range([i.filename for i in infos].index(name) + 1):
        listed = data.find(b"PK\1\2", listed + 1)
    if how == "a wrong byte":
        data[data.find(b"cells", at)] ^= 1
    elif how == "locked":
        data[listed + 8] |= 1
    elif how == "packed in a way that is not known here":  # Deflate64, as Windows packs what is large
        data[listed + 10] = data[at + 8] = 9
    elif how == "laid over another":
        data[listed + 42 : listed + 46] = (infos[0].header_offset).to_bytes(4, "little")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("how", ["a wrong byte", "locked", "packed in a way that is not known here", "laid over another"])
def test_what_is_damaged_in_the_zip_of_a_class_costs_one_student(how, tmp_path):
    """And not all who come after him or her."""
    files = files_of("moodle")
    name = next(n for n in files if f"_{ident(3)}_" in n)
    taken = take_in(spoiled(files, name, how, tmp_path / "class.zip"), ("get_threshold",))
    assert {whose(s.notebook) for s in taken.submissions} == set(range(len(PEOPLE))) - {3}
    ((lost, why),) = taken.left_out.items()
    assert lost == name.replace("//", "/") and why and "\n" not in why


def test_links_in_an_archive_and_names_that_lead_out_of_it_are_said(tmp_path):
    path = write_zip({"anna.ipynb": marked(1), "../up.ipynb": marked(2), "work/deep/r.pdf": b"%PDF"}, tmp_path / "class.zip")
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("ben.ipynb")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("/".join("d" * 30) + "/x.ipynb", marked(3))
    taken = take_in(path)
    assert [s.name for s in taken.submissions] == ["anna"]
    assert {name[-10:]: why[:12] for name, why in taken.left_out.items()} == {
        "../up.ipynb"[-10:]: "its name lea", "ben.ipynb": "a link; hand", "/d/x.ipynb": "in too many ", "work": "no notebook "}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the size of files is limited on Unix")
def test_where_there_is_no_room_for_what_was_handed_in_nobody_is_graded(tmp_path):
    """It is no fault of those for whom there is none: they would be missing in the marks."""
    resource = pytest.importorskip("resource")
    path = write_zip(files_of("moodle") | {f"Zoë_{ident(5)}_assignsubmission_file_/net.weights.h5": bytes(100_000)}, tmp_path / "class.zip")
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from common import files; files.FULL.add(27); from common.grading.submissions import take_in; take_in({str(path)!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)))
    assert "OSError" in done.stderr.splitlines()[-1] and "no room to unpack" in done.stderr.splitlines()[-1]


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="who gives a folder to somebody else is root")
def test_what_may_not_be_read_costs_itself_only(open_folder):
    for name in ("anna", "ben"):
        hand_in(open_folder / "in", name, code_notebook([]))
    (open_folder / "in" / "carl").mkdir()
    (open_folder / "in" / "carl").chmod(0)
    (open_folder / "in" / "ben.ipynb").chmod(0)
    program = f"import os, sys; sys.path.insert(0, {str(ROOT)!r}); from common.grading.submissions import take_in; os.setuid(65534); t = take_in({str(open_folder / 'in')!r}); print([s.name for s in t.submissions], sorted(t.left_out))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "['anna'] ['ben.ipynb', 'carl']\n", done.stderr[-500:]


def test_names_in_utf8_that_do_not_say_so(tmp_path):
    path = write_zip({"Jorg WeiB_77_assignsubmission_file_/x.ipynb": marked(1)}, tmp_path / "class.zip")
    path.write_bytes(path.read_bytes().replace(b"Jorg WeiB", "Jör Weß".encode()[:9]))
    assert take_in(path).submissions[0].name == "Jör Weß"


def test_bombs_cost_their_own_student(tmp_path, monkeypatch):
    monkeypatch.setitem(_MOST, NOTEBOOKS, 1 << 20)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.ipynb", bytes(8 << 20))
    taken = take_in(write_zip({"anna.ipynb": marked(1), "bomb.zip": inner.getvalue()}, tmp_path / "class.zip"))
    assert [s.name for s in taken.submissions] == ["anna"] and "larger than 1 MB" in str(taken.left_out)


@pytest.mark.parametrize("name", ["class.zip", "class.tar"])
def test_where_there_is_nothing_to_grade_the_reason_is_said(name, tmp_path):
    """As after a download that broke off."""
    path = tmp_path / name
    if name == "class.zip":
        write_zip({"anna.ipynb": marked(1), "ben.ipynb": marked(2)}, path)
    else:
        with tarfile.open(path, "w") as archive:
            archive.add(hand_in(tmp_path, "anna", code_notebook([])), "anna.ipynb")
    path.write_bytes(path.read_bytes()[:-60] if name == "class.zip" else path.read_bytes()[:700])
    with pytest.raises(FileNotFoundError, match=f"no notebook in .*; {name}: an archive that cannot be read: .*download it again") as told:
        take_in(path)
    assert "\n" not in str(told.value)


def test_an_archive_of_many_notebooks_does_not_fill_the_disk(tmp_path, monkeypatch):
    """None of them is too large by itself; what is in archives within counts for those around them, and the others are taken."""
    monkeypatch.setattr("common.grading.intake.files._LITTLE", 100_000)

    def packed(files):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return out.getvalue()

    inner = {f"{k}.zip": packed({"x.ipynb": bytes(90_000)}) for k in range(40)}
    files = {"bomb/work.zip": packed({f"{k}.ipynb": bytes(90_000) for k in range(40)}), "bombs/work.zip": packed(inner), "anna/work.zip": packed({"x.ipynb": marked(1)}), "ben.ipynb": marked(2)}
    scratch = []
    monkeypatch.setattr("common.grading.submissions.temporary_folder", lambda prefix: scratch.append(tmp_path / "scratch") or scratch[0])
    taken = take_in(write_zip(files, tmp_path / "class.zip"), ("get_threshold",))
    assert {whose(s.notebook) for s in taken.submissions if s.name in ("anna", "ben")} == {1, 2}
    assert {name for name, why in taken.left_out.items() if "as an archive bomb does" in why} >= {"bomb/work.zip"} and 2 <= len(taken.left_out) < 12
    assert sum(path.stat().st_size for path in scratch[0].rglob("*") if path.is_file()) < 40 * 90_000


def many_names(number):
    """A zip whose list names one empty file over and over."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", b"")
        archive.writestr("b", b"")
    data = out.getvalue()
    first, second, end = data.index(b"PK\1\2"), data.rindex(b"PK\1\2"), data.index(b"PK\5\6")
    line = data[first:second]
    return data[:first] + line * number + data[end : end + 8] + struct.pack("<HHLLH", 65535, 65535, len(line) * number, first, 0)


def long_header(size):
    """A packed tar whose header of attributes is nearly as long as the memory."""
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, size
    return gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + bytes(size), 1)


@pytest.mark.parametrize("name, make", [("bomb.zip", lambda: many_names(40_000)), ("bomb.tar.gz", lambda: long_header(48 << 20))], ids=["zip", "tar"])
def test_a_bomb_that_is_in_the_list_of_an_archive_takes_no_memory(name, make, tmp_path, monkeypatch):
    monkeypatch.setattr("common.grading.intake.files._MOST_FILES", 2000)
    (tmp_path / name).write_bytes(make())
    (tmp_path / "anna.ipynb").write_bytes(marked(1))
    tracemalloc.start()
    try:
        taken = take_in(tmp_path)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [s.name for s in taken.submissions] == ["anna"] and "as an archive bomb does" in taken.left_out[name]
    assert most < 12 << 20, most


def test_a_bomb_of_what_nobody_grades_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("common.grading.intake.files._LITTLE", 100_000)
    monkeypatch.setattr("common.grading.intake.files._MOST_FILES", 100)
    with tarfile.open(tmp_path / "bomb.tar.xz", "w:xz") as archive:
        film = tarfile.TarInfo("film.mp4")
        film.size = 8 << 20
        archive.addfile(film, io.BytesIO(bytes(film.size)))
    (tmp_path / "anna.ipynb").write_bytes(marked(1))
    taken = take_in(tmp_path)
    assert [s.name for s in taken.submissions] == ["anna"] and "as an archive bomb does" in taken.left_out["bomb.tar.xz"]

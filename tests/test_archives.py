"""Archives made by strangers: whole or not at all, nothing outside the folder, whatever is in them."""

import bz2
import gzip
import io
import os
import random
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile

import pytest
from committed import ROOT

from common.downloads import archives
from common.downloads.archives import ArchiveError, check, unpack

CONTENT = {"data/a.csv": b"a,b\n" * 40, "data/photos/img_1.jpg": bytes(range(256)) * 30, "data/photos/img_2.jpg": b"\xff\xd8" + bytes(999)}


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def a_zip(content=CONTENT, change=None):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o100644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            if change:
                change(info)
            archive.writestr(info, data)
    return out.getvalue()


def a_tar(content=CONTENT, mode="w:gz", change=None, more=()):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            if change:
                change(member)
            archive.addfile(member, io.BytesIO(data))
        for member in more:
            archive.addfile(member)
    return out.getvalue()


def tar_member(name, kind, link=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def zip_link(name, target, mode=stat.S_IFLNK):
    out = io.BytesIO(a_zip())
    with zipfile.ZipFile(out, "a") as archive:
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, (mode | 0o644) << 16
        archive.writestr(info, target)
    return out.getvalue()


@pytest.fixture
def place(tmp_path):
    """A folder to unpack into, in a room where anything that is written outside it would be seen."""
    room = tmp_path / "room"
    room.mkdir()
    (room / "precious.txt").write_text("as it was")
    return room / "here"


def refuse(place, data, name="archive.zip", match=None, **how):
    """It is refused, and the room is as it was."""
    archive = place.parent.parent / name
    archive.write_bytes(data)
    before = tree(place.parent.parent)
    with pytest.raises(ArchiveError, match=match) as caught:
        unpack(archive, place, **how)
    assert name in str(caught.value)
    assert tree(place.parent.parent) == before
    assert sorted(os.listdir(place.parent)) == sorted({path.split("/")[1] for path in before if path.startswith("room/")})


@pytest.mark.parametrize("data", [a_zip(), a_tar(), a_tar(mode="w:"), a_tar(mode="w:bz2"), a_tar(mode="w:xz"),
                                  a_tar(mode="w:gz", change=lambda member: member.pax_headers.update(comment="x" * 300))],
                         ids=["zip", "tar.gz", "tar", "tar.bz2", "tar.xz", "pax"])
@pytest.mark.parametrize("into", ["nothing", "an empty folder", "a folder in use"])
def test_a_good_archive_unpacks_whole(place, data, into):
    archive = place.parent.parent / "archive.bin"  # the name does not decide what it is
    archive.write_bytes(data)
    if into != "nothing":
        place.mkdir()
    if into == "a folder in use":
        (place / "own.txt").write_text("mine")
    check(archive)
    assert unpack(archive, place) == place
    assert tree(place) == CONTENT | ({"own.txt": b"mine"} if into == "a folder in use" else {})
    assert sorted(os.listdir(place.parent)) == ["here", "precious.txt"]


def test_only_the_folder_that_is_needed(place):
    content = {"Repo-master/README.md": b"no", "Repo-master/Track/Faces/train/y.csv": b"yes", "Repo-master/Track/Faces2/x": b"no"}
    archive = place.parent.parent / "archive.zip"
    archive.write_bytes(a_zip(content))
    unpack(archive, place, "*/Track/Faces")
    assert tree(place) == {"Faces/train/y.csv": b"yes"}
    with pytest.raises(ArchiveError, match="holds no .*Nowhere"):
        unpack(archive, place, "*/Nowhere")


def test_what_is_there_is_not_touched(place):
    archive = place.parent.parent / "archive.zip"
    archive.write_bytes(a_zip())
    (place / "DATA").mkdir(parents=True)
    (place / "DATA" / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="already holds DATA"):
        unpack(archive, place)
    assert tree(place) == {"DATA/notes.txt": b"mine"}


@pytest.mark.parametrize("name", ["/etc/passwd", "\\evil", "C:\\evil", "c:evil", "\\\\host\\share\\x", "../evil", "a/../../evil", "a\\..\\..\\evil",
                                  "data/a.csv/..", "con", "data/NUL.txt", "aux .jpg", "com1.csv", "x/lpt9", "a:stream", "what?.jpg", "end.", "end ",
                                  "new\nline", "bell\x07", "long" * 70, "/".join("d" * 70)])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_would_do_harm(place, kind, name):
    content = {**CONTENT, name: b"x"}
    refuse(place, a_zip(content) if kind == "zip" else a_tar(content), f"archive.{kind}")


def test_a_name_with_a_hidden_end(place):
    data = a_zip({**CONTENT, "data/goodXevil": b"x"}).replace(b"goodXevil", b"good\0evil")
    refuse(place, data, match="control character")


@pytest.mark.parametrize("names", [("data/a.txt", "data/A.txt"), ("data/x", "DATA/y"), ("stra\u00dfe", "STRASSE"),
                                   ("caf\u00e9", "cafe\u0301"), ("data", "data/inside"), ("data/inside", "data"), ("a/./b", "a/b")])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_are_one_on_another_disk(place, kind, names):
    content = dict.fromkeys(names, b"x")
    refuse(place, a_zip(content) if kind == "zip" else a_tar(content), f"archive.{kind}", match="clash")


def test_the_same_name_twice(place):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a", b"1")
        archive.writestr("a", b"2")
    refuse(place, out.getvalue(), match="clash")


@pytest.mark.parametrize("target", ["/etc/passwd", "../../precious.txt", "C:\\x", "..\\..\\precious.txt", "photos/img_1.jpg", "data/link", "."])
def test_links_wherever_they_lead(place, target):
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        refuse(place, a_tar(more=[tar_member("data/link", kind, target)]), "archive.tar", match="is a link")
    refuse(place, zip_link("data/link", target), match="is a link")


def test_writing_through_a_link(place):
    members = [tar_member("data/out", tarfile.SYMTYPE, "photos"), tar_member("data/out/evil", tarfile.REGTYPE)]
    refuse(place, a_tar(more=members), "archive.tar", match="is a link")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices(place, kind):
    refuse(place, a_tar(more=[tar_member("data/device", kind)]), "archive.tar", match="device")
    refuse(place, zip_link("data/device", "x", stat.S_IFIFO), match="device")


def test_bombs_by_what_they_declare(place):
    refuse(place, a_zip({"zeros": bytes(3_000_000)}), match="unpack to", max_bytes=1_000_000)
    refuse(place, a_tar({"zeros": bytes(9_000_000)}), "archive.tar", match="unpack", max_bytes=1_000_000)
    refuse(place, a_zip({f"f{k}": b"" for k in range(50)}), match="more than 40 files", max_files=40)
    refuse(place, a_tar({f"f{k}": b"" for k in range(50)}), "archive.tar", match="more than 40 files", max_files=40)


def test_bombs_by_what_they_really_hold(place):
    honest = a_zip({"zeros": bytes(3_000_000)})
    lying = honest.replace(struct.pack("<I", 3_000_000), struct.pack("<I", 1000))
    assert lying != honest
    refuse(place, lying, max_bytes=1_000_000)
    # a tar whose header of attributes claims to be gigabytes long
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 3_000_000_000
    refuse(place, gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + bytes(2_000_000)), "archive.tar", match="archive bomb")


def test_files_that_share_their_bytes(place):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", bytes(5000))
        info = archive.getinfo("a")
        twin = zipfile.ZipInfo("b")
        twin.header_offset, twin.CRC, twin.file_size, twin.compress_size = info.header_offset, info.CRC, info.file_size, info.compress_size
        archive.filelist.append(twin)
        archive.NameToInfo["b"] = twin
    refuse(place, out.getvalue(), match="overlap")


@pytest.mark.parametrize("data, says", [(b"", "is empty"), (b"<html>log in</html>", "web page"), (b"GIF89a", "neither zip nor tar")])
def test_what_is_no_archive(place, data, says):
    refuse(place, data, match=says)


def test_a_locked_archive_says_so(place):
    data = bytearray(a_zip())
    for start in (data.find(b"PK\1\2"),):
        data[start + 8] |= 1
    refuse(place, bytes(data), match="password")


def test_a_full_disk_is_said_before_anything_is_written(place, monkeypatch):
    archive = place.parent.parent / "archive.zip"
    archive.write_bytes(a_zip())
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match="make room"):
        unpack(archive, place)
    assert not place.exists()


def test_a_disk_that_fails_halfway_leaves_nothing(place, monkeypatch):
    archive = place.parent.parent / "archive.zip"
    archive.write_bytes(a_zip({"one/a": b"1", "two/b": b"2", "three/c": b"3"}))
    place.mkdir()
    (place / "own.txt").write_text("mine")
    real, moved = os.replace, []

    def third_fails(source, target):
        moved.append(target)
        if len(moved) == 3:
            raise OSError(28, "No space left on device")
        return real(source, target)

    monkeypatch.setattr(archives.os, "replace", third_fails)
    with pytest.raises(OSError, match="No space"):
        unpack(archive, place)
    assert tree(place) == {"own.txt": b"mine"} and os.listdir(place) == ["own.txt"]


@pytest.mark.skipif(os.name == "nt", reason="Windows locks no folder in this way")
def test_what_was_unpacked_when_the_power_went_goes_with_the_next_try(place):
    archive = place.parent.parent / "archive.zip"
    archive.write_bytes(a_zip())
    program = ("import os, signal, sys\nfrom common.downloads import archives\n"
               "archives._move_in = lambda *what: os.kill(os.getpid(), signal.SIGKILL)\narchives.unpack(*sys.argv[1:])")
    subprocess.run([sys.executable, "-c", program, str(archive), str(place)], cwd=ROOT, check=False)
    assert any(".unpacking-" in name for name in os.listdir(place.parent)) and not place.exists()
    subprocess.run([sys.executable, "-c", program.replace("archives._move_in =", "archives.nothing ="), str(archive), str(place)], cwd=ROOT, check=True)
    assert sorted(os.listdir(place.parent)) == ["here", "precious.txt"]


def damage(rng):
    """One archive with something wrong in it, and how it was made."""
    kind = rng.choice(["zip", "tar.gz", "tar", "tar.bz2", "tar.xz"])
    content = {f"data/{k}/img_{k}.bin": rng.randbytes(rng.randrange(1, 3000)) for k in range(rng.randrange(1, 6))}
    way = rng.choice(["cut", "cut", "flip", "zeros", "swap", "evil name", "clash", "link", "device", "insert", "front"])
    mode = {"tar": "w:", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}.get(kind)
    if way == "evil name":
        bad = rng.choice(["../evil", "/evil", "..\\evil", "C:/evil", "a/../../evil", "nul", "x/con.txt", "a\x01b"])
        content = {**content, bad: b"evil"} if rng.random() < 0.5 else {bad: b"evil", **content}
    if way == "clash":
        content[rng.choice(["DATA/0/x", "data", "Data/0/img_0.bin"])] = b"x"
    more = []
    if way == "link":
        target = rng.choice(["/etc/passwd", "../../../evil", "../..", "missing"])
        more = [tar_member("data/link", rng.choice([tarfile.SYMTYPE, tarfile.LNKTYPE]), target)]
    if way == "device":
        more = [tar_member("data/tty", rng.choice([tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.BLKTYPE]))]
    if way in ("link", "device"):
        kind, mode = ("tar.gz", "w:gz") if kind == "zip" else (kind, mode)
    data = bytearray(a_zip(content) if kind == "zip" else a_tar(content, mode, more=more))
    spot = rng.randrange(len(data))
    if way == "cut":
        del data[spot:]
    elif way == "flip":
        for _ in range(rng.choice([1, 1, 4, 30])):
            data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
    elif way == "zeros":
        data[spot:spot + 700] = bytes(len(data[spot:spot + 700]))
    elif way == "swap":
        other = rng.randrange(len(data))
        data[spot:spot + 64], data[other:other + 64] = data[other:other + 64], data[spot:spot + 64]
    elif way == "insert":
        data[spot:spot] = rng.randbytes(rng.randrange(1, 600))
    elif way == "front":
        data[:0] = rng.randbytes(rng.randrange(1, 600))
    return bytes(data), f"{way}.{kind}", content


def test_five_hundred_malformed_archives(tmp_path):
    refused = harmless = 0
    for seed in range(2000):
        if refused == 500:
            break
        data, name, content = damage(random.Random(seed))
        room = tmp_path / str(seed)
        room.mkdir()
        (room / name).write_bytes(data)
        try:
            unpack(room / name, room / "here", max_bytes=10_000_000)
        except ArchiveError as error:
            refused += 1
            assert name in str(error) and len(str(error)) < 600, (seed, error)
            assert os.listdir(room) == [name], seed
        else:
            # damage that no format notices: a date, an attribute, bytes behind the end; or a plain tar, which has no checksum
            harmless += 1
            assert sorted(os.listdir(room)) == sorted([name, "here"]), seed
            assert not any(path.is_symlink() for path in room.rglob("*")), seed
            if not name.endswith(".tar"):
                assert sorted(tree(room / "here").values()) == sorted(content.values()), (seed, name)
        assert os.listdir(tmp_path) == [str(seed)]
        for path in sorted(room.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        room.rmdir()
    assert refused == 500, f"only {refused} were refused, {harmless} were harmless"


def test_bz2_that_is_no_tar(place):
    refuse(place, bz2.compress(b"just text" * 1000), match="damaged")

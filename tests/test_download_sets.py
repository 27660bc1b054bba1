"""The data sets that are loaded: archives that unpack to their place, FDDB file by file."""

import io
import random
import zipfile
from dataclasses import replace

import pytest
from downloading import a_zip, clean, plain_surroundings, quiet, sha  # noqa: F401  (plain_surroundings is a fixture)
from misbehaving import Mirrors

from common.downloads.fetching import DownloadError, fetch_fddb, fetch_unpacked
from common.downloads.sources import FDDB_MANIFEST, SOURCES, fddb_addresses, fddb_files
from common.downloads.transfer import Job, wrong


def test_archives_of_the_table_unpack_to_their_place(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("FaceDetectors-master/README.md", "not wanted")
        archive.writestr("FaceDetectors-master/TrackDetector/Face_Recognition_data/image_classification/train/y_train.csv", "a")
    repository = file.getvalue()
    with Mirrors({"data.zip": a_zip(1), "original_data.zip": a_zip(2), "master.zip": repository}, []) as mirrors:
        local = {name: replace(SOURCES[name], urls=(mirrors.url(0, remote),), about=1_000_000) for name, remote in (
            ("data.zip", "data.zip"), ("original_data.zip", "original_data.zip"), ("Face_Recognition_data", "master.zip"))}
        assert fetch_unpacked("data.zip", tmp_path, sources=local, **quiet()) == tmp_path / "data"
        assert fetch_unpacked("original_data.zip", tmp_path, sources=local, **quiet()) == tmp_path / "original" / "data"
        place = fetch_unpacked("Face_Recognition_data", tmp_path, keep=False, sources=local, **quiet())
        assert (place / "image_classification" / "train" / "y_train.csv").read_text() == "a"
        clean(tmp_path, "data", "data.zip", "original", "original_data.zip", "Face_Recognition_data")
        asked = len(mirrors.asked)
        fetch_unpacked("Face_Recognition_data", tmp_path, sources=local, **quiet())
        assert len(mirrors.asked) == asked
    with pytest.raises(ValueError, match="no archive 'pairs.txt'"):
        fetch_unpacked("pairs.txt", tmp_path)


def small_fddb(number=40):
    rng = random.Random(7)
    files = {f"originalPics/2002/08/{k % 7:02d}/big/img_{k}.jpg": rng.randbytes(200 + k) for k in range(number)}
    files["FDDB-folds/FDDB-fold-01.txt"] = b"2002/08/00/big/img_0\n"
    return files, [(path, len(data), sha(data)) for path, data in files.items()]


def below(files, short=True):
    return {path.removeprefix("originalPics/") if short else path: data for path, data in files.items()}


@pytest.mark.parametrize("short", [True, False], ids=["photos at the top", "photos below originalPics"])
def test_fddb_comes_file_by_file_and_goes_on_where_it_stopped(tmp_path, short):
    files, rows = small_fddb()
    (tmp_path / "FDDB-folds").mkdir()
    (tmp_path / "FDDB-folds" / "FDDB-fold-01.txt").write_bytes(files["FDDB-folds/FDDB-fold-01.txt"])
    damaged = tmp_path / rows[0][0]
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"half a photo")
    with Mirrors(below(files, short), [["drops", "500", "html", "resets", "flips a byte", "416"]]) as mirrors:
        fetch_fddb(tmp_path, files=rows, mirrors=[mirrors.url(0, "").rstrip("/")], **quiet(tries=8))
        assert "FDDB-folds/FDDB-fold-01.txt" not in {asked[1] for asked in mirrors.asked}
        asked = len(mirrors.asked)
        fetch_fddb(tmp_path, files=rows, mirrors=[mirrors.url(0, "").rstrip("/")], **quiet())
        assert len(mirrors.asked) == asked
    there = {str(path.relative_to(tmp_path).as_posix()): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert there == files


def test_fddb_takes_a_second_mirror_and_says_which_files_are_missing(tmp_path):
    files, rows = small_fddb()
    half = dict(list(below(files).items())[:20])
    half["FDDB-folds/FDDB-fold-01.txt"] = files["FDDB-folds/FDDB-fold-01.txt"]
    with Mirrors(half, [["404", "always"], []]) as mirrors:
        where = [mirrors.url(k, "").rstrip("/") for k in (0, 1)]
        with pytest.raises(DownloadError, match=r"21 of 41 files could not be downloaded") as caught:
            fetch_fddb(tmp_path, files=rows, mirrors=where, **quiet())
        assert not (tmp_path / "FDDB-folds").exists()  # where that folder is, FDDB is whole
        assert {url.split("/")[3] for url, _ in caught.value.tried} == {"0", "1"}
        assert "FDDB_DIR" in str(caught.value) and "is kept" in str(caught.value)
        mirrors.files.update(below(files))
        fetch_fddb(tmp_path, files=rows, mirrors=where, **quiet())
    assert all((tmp_path / path).read_bytes() == data for path, data in files.items())


def test_fddb_gives_up_soon_where_there_is_no_network(tmp_path):
    waits = []
    _, rows = small_fddb()
    with pytest.raises(DownloadError, match="41 of 41 files"):
        fetch_fddb(tmp_path, files=rows, mirrors=["http://127.0.0.1:9"], progress=False, sleep=waits.append)
    clean(tmp_path)
    assert len(waits) <= 8  # one for each address that each of the four connections tried, not for each file


def test_the_manifest_is_fddb():
    rows = fddb_files()
    photos = [path for path, _, _ in rows if path.startswith("originalPics/")]
    assert len(photos) == 2845 and len(rows) == 2865
    assert sum(size for _, size, _ in rows) == 58_025_661
    assert all(len(digest) == 64 for _, _, digest in rows) and FDDB_MANIFEST.stat().st_size < 1_000_000
    assert fddb_addresses("originalPics/2002/a.jpg", "https://m") == ("https://m/2002/a.jpg", "https://m/originalPics/2002/a.jpg")
    assert fddb_addresses("FDDB-folds/x.txt", "https://m") == ("https://m/FDDB-folds/x.txt",)


@pytest.mark.real
def test_the_manifest_matches_the_real_photos(fddb_folder):
    different = [path for path, size, sha256 in fddb_files() if wrong(fddb_folder / path, Job(path, fddb_folder, sha256)) or (fddb_folder / path).stat().st_size != size]
    assert not different

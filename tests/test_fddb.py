"""Reading FDDB: a small copy made here, whole and broken in every way; photos of every kind."""

import os
import struct

import numpy as np
import pytest
from PIL import Image

from common import files, photos
from common.photos import PhotoError
from RegionDetector.fddb import reading

NAMES = ["2002/08/11/big/img_1", "2002/08/11/big/img_2", "2003/01/01/big/img_3"]
LIST = (f"{NAMES[0]}\n1\n20.5 10.25 1.5 30 31.5  1\n"
        f"{NAMES[1]}\n2\n12 8 -1.25 10 11  1\n6 4 0 40 20  1\n"
        f"{NAMES[2]}\n1\n9 9 0 20 20  1\n")


@pytest.fixture
def folder(tmp_path):
    """FDDB with a single fold of three photos of 48 × 64 pixels."""
    (tmp_path / "FDDB-folds").mkdir()
    (tmp_path / "FDDB-folds/FDDB-fold-01-ellipseList.txt").write_text(LIST)
    (tmp_path / "FDDB-folds/FDDB-fold-01.txt").write_text("\n".join(NAMES))
    for name in NAMES:
        path = tmp_path / "originalPics" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48), (10, 200, 30)).save(path)
    return tmp_path


def rewrite(folder, text):
    (folder / "FDDB-folds/FDDB-fold-01-ellipseList.txt").write_bytes(text.encode())


# Where it lies

def test_folder_given_goes_before_the_environment(folder, monkeypatch, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "FDDB-folds").mkdir()
    monkeypatch.setenv("FDDB_DIR", str(other))
    assert reading.find_fddb(folder) == folder
    assert reading.find_fddb() == other


@pytest.mark.parametrize("value", [None, ""])
def test_nothing_named_is_none(monkeypatch, value):
    monkeypatch.delenv("FDDB_DIR", raising=False)
    if value is not None:
        monkeypatch.setenv("FDDB_DIR", value)
    assert reading.find_fddb() is None
    with pytest.raises(FileNotFoundError, match="originalPics"):
        reading.read_folds(None)


def test_a_named_folder_that_is_not_there_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("FDDB_DIR", str(tmp_path / "slip"))
    with pytest.raises(FileNotFoundError, match="FDDB_DIR says .*slip.*no such folder"):
        reading.find_fddb()
    with pytest.raises(FileNotFoundError, match="no folder FDDB-folds.*unpack both"):
        reading.find_fddb(tmp_path)


# The lists

def test_reads_the_records(folder):
    records = reading.read_folds(folder, 1)
    assert [record.name for record in records] == NAMES
    assert [record.fold for record in records] == [1, 1, 1]
    assert all(record.path.is_file() for record in records)
    np.testing.assert_array_equal(records[0].ellipses, [[20.5, 10.25, 1.5, 30, 31.5]])
    np.testing.assert_array_equal(records[1].ellipses, [[12, 8, -1.25, 10, 11], [6, 4, 0, 40, 20]])


def test_photos_beside_the_lists_windows_ends_and_a_photo_without_faces(folder):
    for year in ("2002", "2003"):
        (folder / "originalPics" / year).rename(folder / year)
    (folder / "originalPics").rmdir()
    rewrite(folder, "\ufeff" + LIST.replace("1\n9 9 0 20 20  1\n", "0\n").replace("\n", "\r\n") + "\r\n\r\n")
    records = reading.read_folds(folder, [1])
    assert [record.ellipses.shape for record in records] == [(1, 5), (2, 5), (0, 5)]
    assert records[0].path == folder / f"{NAMES[0]}.jpg"


def test_missing_lists_are_counted(folder):
    with pytest.raises(FileNotFoundError, match=r"9 of 10 ellipse lists .*fold-02.*unpack both"):
        reading.read_folds(folder)


@pytest.mark.parametrize("folds", [0, 11, [1, 12], [], "1"])
def test_folds_out_of_range(folder, folds):
    with pytest.raises(ValueError, match="folds 1 to 10"):
        reading.read_folds(folder, folds)


def test_half_unpacked_photos(folder):
    (folder / f"originalPics/{NAMES[2]}.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=rf"1 of 3 photos are missing .*{NAMES[2]}.*half unpacked"):
        reading.read_folds(folder, 1)
    with pytest.warns(UserWarning, match="1 of 3 photos are missing"):
        records = reading.read_folds(folder, 1, missing="skip")
    assert [record.name for record in records] == NAMES[:2]
    for name in NAMES[:2]:
        (folder / f"originalPics/{name}.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="3 of 3 photos"):
        reading.read_folds(folder, 1, missing="skip")


@pytest.mark.parametrize("old, new, message", [
    ("12 8 -1.25 10 11  1", "12 8 -1.25 1O 11  1", r"line 6: expected ellipse 1 of 2 of .*img_2 \(5 or 6 numbers"),
    ("12 8 -1.25 10 11  1", "12 8 -1.25", "line 6: expected ellipse 1 of 2"),
    ("6 4 0 40 20  1", "6 4 0 40 20", "line 7: expected ellipse 2 of 2"),
    ("12 8 -1.25 10 11  1", "12 -8 -1.25 10 11  1", "line 6: expected an ellipse .* radii above 0"),
    ("6 4 0 40 20  1", "6 4 nan 40 20  1", "line 7: expected an ellipse .* finite"),
    ("6 4 0 40 20  1", "6 4 90 40 20  1", "line 7: expected an angle in radians, found 90.*degrees"),
    ("img_2\n2", "img_2\n1", "line 7: expected a photo's name .* count of the photo before"),
    ("img_2\n2", "img_2\n3", "line 8: expected ellipse 3 of 3"),
    ("img_2\n2", "img_2\n2.5", "line 5: expected how many ellipses .*img_2 .*found '2.5'"),
    ("img_2\n2", "img_2\n-2", "line 5: expected how many ellipses"),
    pytest.param("img_2\n2", "img_2\n" + "2" * 5000, "line 5: expected how many ellipses", id="thousands of digits"),
    ("9 9 0 20 20  1\n", "", "file ends after 0 of the 1 ellipses of .*img_3"),
    ("1\n9 9 0 20 20  1\n", "", "line 9: .*found 'the end of the file'"),
    (NAMES[2] + "\n1\n9 9 0 20 20  1\n", "", "lacks 1 photos that FDDB-fold-01.txt names .*img_3"),
    (NAMES[2], NAMES[1], "lists 1 photos more than once"),
    (NAMES[2], "../../secret", "line 8: .*outside the folder"),
    (NAMES[2], "/etc/secret", "line 8: .*outside the folder"),
    (LIST, "", "is empty"),
])
def test_broken_list_names_file_line_and_expectation(folder, old, new, message):
    assert old in LIST
    rewrite(folder, LIST.replace(old, new))
    with pytest.raises(ValueError, match=message) as caught:
        reading.read_folds(folder, 1)
    assert "FDDB-fold-01-ellipseList.txt" in str(caught.value)


def test_a_list_of_noise_is_an_error_not_a_crash(folder):
    (folder / "FDDB-folds/FDDB-fold-01-ellipseList.txt").write_bytes(bytes(range(256)) * 20)
    with pytest.raises(ValueError, match="FDDB-fold-01-ellipseList.txt, line"):
        reading.read_folds(folder, 1)


# Photos

@pytest.fixture
def corners():
    """A photo of 6 × 8 with another colour in every corner, so that a turn or a flip shows."""
    pixels = np.full((6, 8, 3), 90, np.uint8)
    pixels[0, 0], pixels[0, -1], pixels[-1, 0], pixels[-1, -1] = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
    return pixels


def check(path, expected):
    photo = photos.read_photo(path)
    assert photo.dtype == np.uint8 and photo.flags.writeable
    np.testing.assert_array_equal(photo, expected)
    assert photos.photo_shape(path) == photo.shape[:2]


def test_rgb_and_palette(tmp_path, corners):
    Image.fromarray(corners).save(tmp_path / "rgb.png")
    check(tmp_path / "rgb.png", corners)
    Image.fromarray(corners).quantize(8).save(tmp_path / "palette.png")
    check(tmp_path / "palette.png", corners)


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey_and_black_and_white(tmp_path, mode):
    grey = np.array([[0, 255, 0], [255, 0, 255]], np.uint8)
    Image.fromarray(grey).convert(mode).save(tmp_path / "grey.png")
    check(tmp_path / "grey.png", np.repeat(grey[..., None], 3, 2))


def test_transparent_parts_are_laid_on_white(tmp_path, corners):
    alpha = np.full((6, 8), 255, np.uint8)
    alpha[0, 0] = 0
    Image.fromarray(np.dstack([corners, alpha])).save(tmp_path / "alpha.png")
    expected = corners.copy()
    expected[0, 0] = 255
    check(tmp_path / "alpha.png", expected)
    Image.fromarray(np.dstack([corners[..., 1], alpha]), "LA").save(tmp_path / "grey_alpha.png")
    grey = np.repeat(corners[..., 1:2], 3, 2)
    grey[0, 0] = 255
    check(tmp_path / "grey_alpha.png", grey)


def test_sixteen_bits_and_floats(tmp_path):
    grey = np.array([[0, 257, 257 * 128], [65535, 257 * 254, 300]], np.uint16)
    expected = np.repeat(np.array([[0, 1, 128], [255, 254, 1]], np.uint8)[..., None], 3, 2)
    Image.fromarray(grey).save(tmp_path / "deep.png")
    check(tmp_path / "deep.png", expected)
    Image.fromarray(grey.astype(np.int32)).save(tmp_path / "deep.tiff")
    check(tmp_path / "deep.tiff", expected)
    Image.fromarray(np.array([[0, 0.5, 1, np.nan]], np.float32)).save(tmp_path / "float.tiff")
    check(tmp_path / "float.tiff", np.repeat(np.array([[0, 128, 255, 0]], np.uint8)[..., None], 3, 2))


@pytest.mark.parametrize("orientation, turned", [
    (1, lambda a: a), (2, lambda a: a[:, ::-1]), (3, lambda a: a[::-1, ::-1]), (4, lambda a: a[::-1]),
    (5, lambda a: a.transpose(1, 0, 2)), (6, lambda a: np.rot90(a, -1)),
    (7, lambda a: a[::-1, ::-1].transpose(1, 0, 2)), (8, lambda a: np.rot90(a)),
])
def test_exif_rotation_is_carried_out(tmp_path, corners, orientation, turned):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("turned.png", "turned.tiff", "turned.webp"):
        Image.fromarray(corners).save(tmp_path / name, exif=exif, lossless=True)
        check(tmp_path / name, turned(corners))


def test_a_photo_is_not_lost_for_its_notes(tmp_path, corners):
    """A tag of the wrong type, as some cameras write; and notes that are none."""
    kinds = struct.pack("<HHHIIHHII", 2, 0x0112, 3, 1, 6, 0x011A, 7, 4, 0x01020304) + struct.pack("<I", 0)
    Image.fromarray(corners).save(tmp_path / "odd.png", exif=b"Exif\0\0II*\0\x08\0\0\0" + kinds)
    check(tmp_path / "odd.png", np.rot90(corners, -1))
    for name in ("junk.png", "junk.webp"):
        Image.fromarray(corners).save(tmp_path / name, exif=b"Exif\0\0" + b"no notes at all", lossless=True)
        check(tmp_path / name, corners)


def test_no_other_program_is_asked(tmp_path, monkeypatch):
    """Pillow hands PostScript to Ghostscript, whatever the file's name."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path / 'asked'}\n")
    (tmp_path / "bin" / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    (tmp_path / "page.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n")
    with pytest.raises(PhotoError, match="page.jpg: cannot be read as a photo"):
        photos.read_photo(tmp_path / "page.jpg")
    assert not (tmp_path / "asked").exists()


def test_one_pixel(tmp_path):
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "one.png")
    check(tmp_path / "one.png", [[[1, 2, 3]]])


def test_unreadable_photos_are_named(tmp_path, corners):
    with pytest.raises(PhotoError, match="none.jpg: no such file"):
        photos.read_photo(tmp_path / "none.jpg")
    (tmp_path / "text.jpg").write_text("404 not found")
    (tmp_path / "empty.jpg").touch()
    for name in ("text.jpg", "empty.jpg"):
        for read in (photos.read_photo, photos.photo_shape):
            with pytest.raises(OSError, match=f"{name}: cannot be read as a photo"):
                read(tmp_path / name)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    (tmp_path / "less.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:1200])
    with pytest.raises(OSError, match="less.jpg: cannot be read as a photo"):
        photos.read_photo(tmp_path / "less.jpg")


def test_a_name_typed_in_the_kits_folder_holds_in_a_notebooks_folder(folder, monkeypatch, tmp_path):
    """``FDDB_DIR=../shared/... make run``: a notebook runs in the folder that it lies in."""
    monkeypatch.setattr(files, "ROOT", tmp_path / "kit")
    for name in ("kit", "kit/RegionDetector"):
        (tmp_path / name).mkdir()
    (tmp_path / "beside").symlink_to(folder)
    monkeypatch.setenv("FDDB_DIR", "../beside")
    for place in ("kit", "kit/RegionDetector"):
        monkeypatch.chdir(tmp_path / place)
        assert len(reading.read_folds(reading.find_fddb(), 1)) == 3

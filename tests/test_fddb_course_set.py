"""Preparing and loading data: the rule, damaged input, caches, and pickles that want more than numbers."""

import errno
import os
import pickle

import numpy as np
import pytest
from PIL import Image

from RegionDetector import get_data
from RegionDetector.fddb import course_set
from RegionDetector.fddb.course_archive import read_numbers
from RegionDetector.fddb.course_set import course_scale, load_split, on_canvas, prepare_fddb, save_split, split_indices, whole_boxes
from RegionDetector.get_data import data_name, load_dataset


@pytest.fixture
def small_fddb(tmp_path):
    """Ten photos in FDDB's layout, each with one face of 100 x 66 pixels."""
    folder = tmp_path / "FDDB"
    (folder / "FDDB-folds").mkdir(parents=True)
    lines = []
    for k in range(10):
        name = f"2002/08/{k + 1:02d}/big/img_{k}"
        path = folder / "originalPics" / f"{name}.jpg"
        path.parent.mkdir(parents=True)
        Image.fromarray(np.full((200, 300, 3), 20 * k, np.uint8)).save(path)
        lines += [name, "1", f"50 33 1.5707963 {100 + k} 90 1"]
    for fold in range(1, 11):
        part = lines[3 * (fold - 1) : 3 * fold]
        (folder / "FDDB-folds" / f"FDDB-fold-{fold:02d}-ellipseList.txt").write_text("\n".join(part) + "\n")
        (folder / "FDDB-folds" / f"FDDB-fold-{fold:02d}.txt").write_text(part[0] + "\n")
    return folder


def test_the_scale_brings_the_mean_of_heights_and_widths_to_32():
    boxes = np.array([[0, 0, 55, 41], [10, 100, 65, 145.0]])
    assert course_scale(boxes, (250, 200)) == 32 / 49
    assert course_scale(boxes, (500, 200)) is None and course_scale(boxes, (50, 200)) is None
    assert course_scale(np.array([[0, 0, 60, 40], [0, 50, 30, 70.0]]), (200, 200)) is None
    assert course_scale(np.zeros((0, 4)), (200, 200)) is None and course_scale(np.zeros((2, 4)), (200, 200)) is None


def test_boxes_are_rounded_outwards_and_cut_to_the_photo():
    assert whole_boxes([[20.5, 10, 0, 15, 60]], (65, 100)).tolist() == [[50, 0, 65, 36]]


def test_the_photo_lies_at_the_top_left_and_its_boxes_inside_it():
    photo = np.full((99, 201, 3), 255, np.uint8)
    canvas, boxes, shape = on_canvas(photo, np.array([[0, 150, 99, 201.0]]), 0.5)
    assert shape == (50, 101, 3) and (canvas[:50, :101] == 255).all() and not canvas[50:].any() and not canvas[:, 101:].any()
    assert boxes.tolist() == [[0, 75, 49.5, 100.5]]


def test_splits_are_disjoint_whole_and_the_same_every_time():
    parts = split_indices(1531)
    assert [len(parts[name]) for name in ("train", "val", "test")] == [918, 306, 307]
    assert sorted(np.concatenate(list(parts.values()))) == list(range(1531))
    assert all((parts[name] == split_indices(1531)[name]).all() for name in parts)


def test_fddb_becomes_canvases_and_the_second_call_reads_the_cache(small_fddb, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FDDB_DIR", str(small_fddb))
    images, bboxes, shapes = load_dataset(tmp_path / "data", "train", progress=False)
    assert images.shape == (6, 176, 176, 3) and bboxes.shape == (6, 5) and shapes.shape == (6, 3)
    assert "FDDB from" in capsys.readouterr().out and data_name(tmp_path / "data") == "FDDB"
    monkeypatch.setattr(get_data, "prepare_fddb", lambda *_: pytest.fail("prepared again"))
    again = load_dataset(tmp_path / "data", "train", progress=False)
    assert all((a == b).all() for a, b in zip((images, bboxes, shapes), again))
    assert not list((tmp_path / "data").glob("*.part"))


def test_where_nothing_can_be_written_it_is_prepared_once_aside(small_fddb, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FDDB_DIR", str(small_fddb))
    (tmp_path / "file").touch()  # nobody writes below a file, root neither
    made = []
    monkeypatch.setattr(get_data, "prepare_fddb", lambda *how: made.append(how) or prepare_fddb(*how))
    sizes = [len(load_dataset(tmp_path / "file" / "data", name, progress=False)[0]) for name in ("train", "val", "test")]
    said = capsys.readouterr().out.splitlines()
    assert sizes == [6, 2, 2] and len(made) == 1 and len(said) == 4
    assert said[0].startswith(f"{tmp_path / 'file' / 'data'} cannot be written (")


@pytest.mark.parametrize("number, said", [(errno.EACCES, "cannot be written (Permission denied)"), (errno.EROFS, "cannot be written (Read-only file system)"), (errno.ENOSPC, "is full")])
def test_without_fddb_the_scenes_are_made_where_nothing_can_be_written(tmp_path, monkeypatch, capsys, number, said):
    def refused(path, *parts, **notes):
        if path.is_relative_to(tmp_path):
            raise OSError(number, os.strerror(number), str(path))
        save_split(path, *parts, **notes)

    def no_folder(folder, **how):
        raise OSError(number, os.strerror(number), str(folder))

    scenes = np.zeros((2, 176, 176, 3), np.uint8), np.zeros((3, 5)), np.full((2, 3), 176)
    monkeypatch.delenv("FDDB_DIR", raising=False)
    monkeypatch.setattr("common.files._instead", {})  # what was said of a folder is not said again, and older pytest gives each of these the same
    for name, instead in (("save_split", refused), ("fetch_fddb", no_folder), ("make_scenes", lambda *how, **more: scenes)):
        monkeypatch.setattr(get_data, name, instead)
    assert len(load_dataset(tmp_path / "data", "val", progress=False)[0]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"val: no FDDB here and no download ({os.strerror(number)})" and lines[1].startswith(f"{tmp_path / 'data'} {said}: ")
    with pytest.raises(FileNotFoundError, match=f"cannot be downloaded: .*{os.strerror(number)}"):
        load_dataset(tmp_path / "data", "val", "fddb", progress=False)


def test_what_was_prepared_serves_when_fddb_is_gone(small_fddb, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FDDB_DIR", str(small_fddb))
    images, _, _ = load_dataset(tmp_path / "data", "train", progress=False)
    monkeypatch.delenv("FDDB_DIR")
    monkeypatch.setenv("FACE_KIT_OFFLINE", "1")
    assert (load_dataset(tmp_path / "data", "train", progress=False)[0] == images).all()
    assert "as it was prepared" in capsys.readouterr().out and data_name(tmp_path / "data") == "FDDB"


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"half a file"), lambda file: np.savez(file, images=np.zeros((1, 176, 176, 3)))])
def test_what_was_prepared_is_not_mixed_with_demo_scenes(small_fddb, tmp_path, monkeypatch, damage):
    """Of a part that is lost there were scenes beside the photos of the others, and the plots said FDDB."""
    monkeypatch.setenv("FDDB_DIR", str(small_fddb))
    load_dataset(tmp_path / "data", "train", progress=False)
    monkeypatch.delenv("FDDB_DIR")
    monkeypatch.setenv("FACE_KIT_OFFLINE", "1")
    monkeypatch.setattr(get_data, "make_scenes", lambda *_, **__: pytest.fail("scenes"))
    damage(tmp_path / "data" / "fddb-val.npz")
    with pytest.raises(FileNotFoundError, match=r"as prepared from FDDB, but fddb-val.npz is missing, damaged .*FDDB_DIR"):
        load_dataset(tmp_path / "data", "val", progress=False)
    assert len(load_dataset(tmp_path / "data", "train", progress=False)[0]) == 6


def test_another_fddb_is_not_taken_from_the_cache(small_fddb, tmp_path, monkeypatch):
    monkeypatch.setenv("FDDB_DIR", str(small_fddb))
    _, before, _ = load_dataset(tmp_path / "data", "test", progress=False)
    for path in (small_fddb / "FDDB-folds").glob("*ellipseList.txt"):
        path.write_text(path.read_text().replace("50 33", "60 40"))
    _, after, shapes = load_dataset(tmp_path / "data", "test", progress=False)
    assert shapes[0][0] < 66 and len(after) == len(before)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 half a zip", b"no zip at all", "an array"])
def test_a_damaged_cache_is_made_anew(small_fddb, tmp_path, monkeypatch, damage):
    monkeypatch.setenv("FDDB_DIR", str(small_fddb))
    (tmp_path / "data").mkdir()
    with open(tmp_path / "data" / "fddb-val.npz", "wb") as file:
        np.save(file, np.zeros(3)) if damage == "an array" else file.write(damage)
    assert len(load_dataset(tmp_path / "data", "val", progress=False)[0]) == 2


def test_a_cache_with_a_single_wrong_bit_is_no_error(tmp_path):
    path = tmp_path / "x.npz"
    save_split(path, np.ones((1, 2, 2, 3), np.uint8), np.zeros((0, 5)), np.ones((1, 3), int))
    whole, seen = path.read_bytes(), set()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        seen.add(load_split(path) is None)
    assert seen == {True, False}


def test_a_failed_second_run_loses_nothing(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    save_split(path, np.ones((1, 2, 2, 3)), np.zeros((0, 5)), np.ones((1, 3)), lists="a")
    monkeypatch.setattr(course_set.np, "savez", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_split(path, np.zeros((1, 2, 2, 3)), np.zeros((0, 5)), np.ones((1, 3)), lists="a")
    assert load_split(path, lists="a")[0].all() and load_split(path, lists="b") is None and os.listdir(tmp_path) == ["x.npz"]


def test_an_unreadable_photo_is_left_out_and_named(small_fddb):
    broken = small_fddb / "originalPics/2002/08/04/big/img_3.jpg"
    broken.write_bytes(b"no photo")
    with pytest.warns(UserWarning, match="1 photos could not be read.*img_3"):
        parts = prepare_fddb(small_fddb, progress=False)
    assert sum(len(parts[name][0]) for name in ("train", "val", "test")) == 9


def test_unreadable_photos_of_any_size_are_left_out_and_named(small_fddb, tmp_path, monkeypatch):
    monkeypatch.setenv("FDDB_DIR", str(small_fddb))
    pictures = []
    for fold in (3, 4, 5):
        path = small_fddb / f"FDDB-folds/FDDB-fold-{fold:02d}-ellipseList.txt"
        path.write_text(path.read_text().replace("50 33", "90 10"))  # too narrow for the course set
        pictures.append(small_fddb / "originalPics" / f"{path.read_text().split()[0]}.jpg")
    before = load_dataset(tmp_path, "original", progress=False)
    assert len(before[0]) == 3
    pictures[0].write_bytes(pictures[0].read_bytes()[:640])  # its size is still there, its pixels are not
    with pytest.warns(UserWarning, match="1 photos could not be read.*img_2.jpg: cannot be read as a photo"):
        after = load_dataset(tmp_path, "original", progress=False)
    assert len(after[0]) == 2 and after[1][:, 0].tolist() == [0, 1] and (after[0][0] == before[0][1]).all()
    for picture in pictures:
        picture.write_bytes(b"no photo")
    with pytest.raises(ValueError, match="no photo that can be read"):
        load_dataset(tmp_path, "original", progress=False)


def test_grey_and_transparent_photos_are_read(small_fddb):
    path = small_fddb / "originalPics/2002/08/01/big/img_0.jpg"
    Image.fromarray(np.full((200, 300), 99, np.uint8)).save(path)
    parts = prepare_fddb(small_fddb, progress=False)
    assert any((canvas[0, 0] == 99).all() for name in ("train", "val", "test") for canvas in parts[name][0])


def test_too_few_photos_to_split_is_said(small_fddb):
    for path in (small_fddb / "FDDB-folds").glob("*ellipseList.txt"):
        path.write_text(path.read_text().replace("50 33", "90 10"))
    with pytest.raises(ValueError, match="only 0 photos"):
        prepare_fddb(small_fddb, progress=False)


def test_a_broken_line_names_file_and_line(small_fddb):
    path = small_fddb / "FDDB-folds/FDDB-fold-03-ellipseList.txt"
    path.write_text(path.read_text().replace("50 33", "50 x"))
    with pytest.raises(ValueError, match="FDDB-fold-03-ellipseList.txt.*3"):
        prepare_fddb(small_fddb, progress=False)


def test_a_wrong_folder_part_or_source_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("FDDB_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_dataset(tmp_path, "train")
    with pytest.raises(ValueError, match="train, val, test, original"):
        load_dataset(tmp_path, "trian")
    with pytest.raises(ValueError, match="source"):
        load_dataset(tmp_path, "train", source="web")
    with pytest.raises(FileNotFoundError, match="data.zip"):
        load_dataset(tmp_path, "train", source="published")


def test_without_fddb_and_network_the_demo_scenes_stand_in_and_say_so(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("FDDB_DIR", raising=False)
    monkeypatch.setenv("FACE_KIT_OFFLINE", "1")
    images, bboxes, _ = load_dataset(tmp_path, "val", progress=False)
    said = capsys.readouterr().out
    assert len(images) == 306 and "no FDDB here and no download" in said and "built-in demo scenes" in said
    assert data_name(tmp_path) == "built-in demo scenes"
    with pytest.raises(FileNotFoundError, match="cannot be downloaded"):
        load_dataset(tmp_path, "val", source="fddb", progress=False)


@pytest.fixture
def published(tmp_path):
    """The published archive's layout: rows of index, four sides, height and width."""
    for k in range(2):
        (tmp_path / "convertedPics").mkdir(exist_ok=True)
        Image.fromarray(np.full((176, 176, 3), 100 + k, np.uint8)).save(tmp_path / "convertedPics" / f"{k}.png")
    (tmp_path / "train_fnames.csv").write_text("convertedPics/0.png\nconvertedPics/1.png\n")
    (tmp_path / "train_bboxes.pkl").write_bytes(pickle.dumps([[0, 1, 2, 33, 34, 90, 80], [1, 5, 6, 37, 38, 176, 120]], protocol=2))
    return tmp_path


def test_the_published_archive_is_read(published, capsys):
    images, bboxes, shapes = load_dataset(published, "train")
    assert images.shape == (2, 176, 176, 3) and images[1, 0, 0, 0] == 101
    assert bboxes.tolist() == [[0, 1, 2, 33, 34], [1, 5, 6, 37, 38]] and shapes.tolist() == [[90, 80, 3], [176, 120, 3]]
    assert "published course archive" in capsys.readouterr().out


def test_a_missing_photo_of_the_archive_takes_its_boxes_along(published):
    (published / "convertedPics/0.png").unlink()
    with pytest.warns(UserWarning, match="1 of 2 photos"):
        images, bboxes, shapes = load_dataset(published, "train")
    assert len(images) == len(shapes) == 1 and bboxes.tolist() == [[0, 5, 6, 37, 38]]


@pytest.mark.parametrize("name", ["../secret.png", "/etc/secret.png", "..\\secret.png", "C:\\secret.png"])
def test_names_that_leave_the_folder_are_refused(published, name):
    (published / "train_fnames.csv").write_text(f"{name}\n")
    with pytest.raises(ValueError, match="outside"):
        load_dataset(published, "train")


def test_lists_that_do_not_belong_together_and_canvases_of_two_sizes_are_refused(published):
    Image.fromarray(np.zeros((90, 176, 3), np.uint8)).save(published / "convertedPics/1.png")
    with pytest.raises(ValueError, match=r"\(176, 176\) and \(90, 176\)"):
        load_dataset(published, "train")
    (published / "train_fnames.csv").write_text("convertedPics/0.png\n")
    with pytest.raises(ValueError, match="a box on photo 1, but train_fnames.csv names 1"):
        load_dataset(published, "train")


def test_half_an_archive_is_not_mixed_with_other_data(published):
    with pytest.raises(FileNotFoundError, match="holds train of the published course archive, and no val"):
        load_dataset(published, "val")


def test_lists_saved_by_a_spreadsheet_and_photos_without_a_pixel(published):
    names = (published / "train_fnames.csv").read_text()
    (published / "train_fnames.csv").write_text(names, encoding="utf-8-sig")
    assert len(load_dataset(published, "train")[0]) == 2
    (published / "train_bboxes.pkl").write_bytes(pickle.dumps([[0, 1, 2, 33, 34, -5, 0]]))
    with pytest.raises(ValueError, match="less than one pixel"):
        load_dataset(published, "train")


class Runs:
    def __init__(self, flag):
        self.flag = flag

    def __reduce__(self):
        return open, (self.flag, "w")


@pytest.mark.parametrize("kind", ["code", "array", "words", "ragged", "dict", "bools", "cut", "empty", "nan", "huge", "often", "often and wide", "far", "far in words"])
def test_pickles_of_anything_but_numbers_are_refused_and_not_run(tmp_path, kind):
    flag = tmp_path / "executed"
    content = {
        "code": lambda: pickle.dumps([Runs(str(flag))]), "array": lambda: pickle.dumps(np.ones((2, 5))),
        "words": lambda: pickle.dumps([["a", 1]]), "ragged": lambda: pickle.dumps([[1, 2], [1]]), "dict": lambda: pickle.dumps({}),
        "bools": lambda: pickle.dumps([[True]]), "cut": lambda: pickle.dumps([[1, 2]] * 100)[:-9], "empty": lambda: b"",
        "nan": lambda: pickle.dumps([[0, 1, float("nan"), 3, 4]]), "huge": lambda: pickle.dumps([[0, 1, 2, 3, 10**400]]),
        # one row of a hundred numbers, named two hundred thousand times
        "often": lambda: b"\x80\x02]q\x00]q\x01(" + b"K\x01" * 100 + b"ea(" + b"h\x01" * 200_000 + b"e.",
        # ten million million numbers, and a place for each of two thousand million parts
        "often and wide": lambda: b"\x80\x02](](" + b"K\x01" * 10**6 + b"eq\x01" + b"h\x01" * 10**6 + b"e.",
        "far": lambda: b"\x80\x02]r\xff\xff\xff\x0f.", "far in words": lambda: b"]p2147483647\n.",
    }[kind]()  # fmt: skip
    path = tmp_path / "boxes.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="refused"):
        read_numbers(path)
    assert not flag.exists()

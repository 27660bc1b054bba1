"""Photos, clips and tables: of every kind, in every state."""

import csv
import warnings

import cv2
import numpy as np
import pytest
from PIL import Image

from common import download
from common.photos import PhotoError, read_photo
from TrackDetector import get_data
from TrackDetector.demo import people as demo_people
from TrackDetector.get_data import load_image_data, load_strangers, load_video_data, read_labels
from TrackDetector.photos import in_numeric_order, read_video

RAMP = np.dstack([np.tile(np.arange(0, 240, 4, dtype=np.uint8), (40, 1))] * 2 + [np.full((40, 60), 200, np.uint8)])


@pytest.fixture(autouse=True)
def no_local_copy(monkeypatch):
    monkeypatch.delenv("FACE_RECOGNITION_DIR", raising=False)


def write_table(path, rows, header="filename,class_id"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


@pytest.fixture
def course(tmp_path):
    """Two people, two photos each, one clip each with twelve frames, in the course's folders."""
    images, video = tmp_path / "faces" / "image_classification", tmp_path / "faces" / "video_classification"
    for folder, name in ((images / "train", "train"), (images / "test", "test"), (video / "train", "train")):
        (folder / "images").mkdir(parents=True)
        rows = [f"{i}.png,{'Ann' if i < 2 else 'Bob'}" for i in range(4)]
        for i in range(4):
            Image.fromarray(RAMP + np.uint8(i)).save(folder / "images" / f"{i}.png")
        write_table(folder / f"y_{name}.csv", rows)
    for clip in ("3", "20"):
        (video / "test" / "videos" / clip).mkdir(parents=True)
        for t in range(12):
            Image.fromarray(np.full((8, 8, 3), t, np.uint8)).save(video / "test" / "videos" / clip / f"{t}.png")
    write_table(video / "test" / "y_test.csv", ["3,Ann", "20,Bob"])
    return tmp_path / "faces"


# --- photos ---------------------------------------------------------------------------------------


def test_rgb_stays_rgb(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png"), RAMP)


def test_grey_palette_and_one_bit(tmp_path):
    grey = Image.fromarray(RAMP[:, :, 0])
    for mode in ("L", "P", "1", "LA", "CMYK"):
        grey.convert(mode).save(tmp_path / f"{mode}.tif")
        photo = read_photo(tmp_path / f"{mode}.tif")
        assert photo.shape == (40, 60, 3) and photo.dtype == np.uint8
        assert (photo[:, :, 0] == photo[:, :, 2]).all()
        if mode != "1":
            assert np.abs(photo[:, :, 0].astype(int) - RAMP[:, :, 0]).max() <= 2


@pytest.mark.parametrize("most, expected", [(65535, 255), (32768, 128), (200, 200)])
def test_sixteen_bits(tmp_path, most, expected):
    values = np.zeros((10, 12), np.uint16)
    values[:, 6:] = most
    Image.fromarray(values).save(tmp_path / "deep.png")
    photo = read_photo(tmp_path / "deep.png")
    assert photo[0, 0].tolist() == [0, 0, 0] and photo[0, 11].tolist() == [expected] * 3


def test_sixteen_bits_in_colour(tmp_path):
    deep = np.zeros((10, 12, 3), np.uint16)
    deep[:, :, 2] = 65535  # red, for OpenCV writes blue first
    (tmp_path / "deep.png").write_bytes(cv2.imencode(".png", deep)[1].tobytes())
    assert read_photo(tmp_path / "deep.png")[5, 5].tolist() == [255, 0, 0]


def test_what_is_transparent_is_white(tmp_path):
    alpha = np.dstack([RAMP, np.full((40, 60), 255, np.uint8)])
    alpha[:20, :, 3] = 0
    Image.fromarray(alpha).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert (photo[:20] == 255).all()
    np.testing.assert_array_equal(photo[20:], RAMP[20:])


@pytest.mark.parametrize("turn, upright", [(1, lambda a: a), (3, lambda a: a[::-1, ::-1]), (6, lambda a: np.rot90(a, -1)), (8, np.rot90), (2, np.fliplr)])
def test_a_phone_held_sideways(tmp_path, turn, upright):
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(RAMP).save(tmp_path / "phone.png", exif=exif)
    np.testing.assert_array_equal(read_photo(tmp_path / "phone.png"), upright(RAMP))


@pytest.mark.parametrize("content", [b"", b"no photo at all", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"GIF89a" + b"\xff" * 30])
def test_files_that_are_no_photo(tmp_path, content):
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(PhotoError, match="bad.jpg"):
        read_photo(path)


@pytest.mark.parametrize("suffix, there", [("png", 0.5), ("jpg", 0.3), ("bmp", 0.5), ("tif", 0.5)])  # of a JPEG the half is enough
def test_photos_cut_short(tmp_path, suffix, there):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8)).save(tmp_path / f"whole.{suffix}")
    data = (tmp_path / f"whole.{suffix}").read_bytes()
    (tmp_path / f"cut.{suffix}").write_bytes(data[: int(len(data) * there)])
    with pytest.raises(PhotoError, match=f"cut.{suffix}"):
        read_photo(tmp_path / f"cut.{suffix}")


# --- videos ---------------------------------------------------------------------------------------


def write_video(path, frames, rate=10):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), rate, frames[0].shape[1::-1])
    for frame in frames:
        writer.write(frame[:, :, ::-1])
    writer.release()


def test_a_video_gives_its_frames_in_rgb(tmp_path):
    frames = [np.full((64, 80, 3), (10 + 20 * t, 100, 200), np.uint8) for t in range(10)]
    write_video(tmp_path / "v.mp4", frames)
    read, rate = read_video(tmp_path / "v.mp4")
    assert len(read) == 10 and abs(rate - 10) < 0.1
    for frame, expected in zip(read, frames):
        np.testing.assert_allclose(frame.mean(axis=(0, 1)), expected[0, 0], atol=12)
    assert len(read_video(tmp_path / "v.mp4", every=3)[0]) == 4
    assert len(read_video(tmp_path / "v.mp4", most_frames=2)[0]) == 2


@pytest.mark.parametrize("content", [b"", b"no video" * 100])
def test_videos_that_cannot_be_decoded(tmp_path, content):
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(PhotoError, match="bad.mp4: cannot be decoded"):
        read_video(tmp_path / "bad.mp4")
    with pytest.raises(PhotoError, match="no such file"):
        read_video(tmp_path / "gone.mp4")


# --- tables ---------------------------------------------------------------------------------------


def test_numeric_order(tmp_path):
    names = ["10.jpg", "2.jpg", "1.jpg", "frame_12.png", "frame_3.png", "b.jpg"]
    assert [p.name for p in in_numeric_order(names)] == ["1.jpg", "2.jpg", "10.jpg", "b.jpg", "frame_3.png", "frame_12.png"]


def test_a_table_with_a_byte_order_mark_spaces_and_more_columns(tmp_path):
    path = tmp_path / "y.csv"
    path.write_bytes("﻿class_id, filename, note\nAnn, 1.jpg, x\nJosé, 2.jpg, y\n".encode())
    assert read_labels(path) == {"1.jpg": "Ann", "2.jpg": "José"}


@pytest.mark.parametrize("text", ["filename;class_id\r\n1.jpg;Ann\r\n2.jpg;\"Li, Bo\"\r\n", "class_id\tfilename\nAnn\t1.jpg\nLi, Bo\t2.jpg\n",
                                  "\n\nfilename , class_id \n1.jpg , Ann\n\n2.jpg,\"Li, Bo\" \n"])
def test_tables_that_a_spreadsheet_or_a_hand_wrote(tmp_path, text):
    (tmp_path / "y.csv").write_bytes(text.encode())
    assert read_labels(tmp_path / "y.csv") == {"1.jpg": "Ann", "2.jpg": "Li, Bo"}


@pytest.mark.parametrize("rows, header, message", [
    (["1.jpg,Ann"], "file,person", "expected the columns filename,class_id, got file,person"), (["1.jpg,"], "filename,class_id", "line 2: expected a file name and a label"),
    (["1.jpg"], "filename,class_id", "line 2"), (["1.jpg,Ann", "1.jpg,Bob"], "filename,class_id", "line 3: 1.jpg is Ann already"), ([], "", "got nothing"),
])
def test_tables_that_are_wrong(tmp_path, rows, header, message):
    write_table(tmp_path / "y.csv", rows, header)
    with pytest.raises(ValueError, match=message):
        read_labels(tmp_path / "y.csv")


def test_a_table_that_is_no_text(tmp_path):
    (tmp_path / "y.csv").write_bytes(b"\xff\xfe\x00filename")
    with pytest.raises(ValueError, match="y.csv"):
        read_labels(tmp_path / "y.csv")
    with pytest.raises(FileNotFoundError, match="gone.csv"):
        read_labels(tmp_path / "gone.csv")


# --- the dictionaries of the course ---------------------------------------------------------------


def test_the_four_dictionaries(course, capsys):
    train, train_labels, test, test_labels = load_image_data(course / "image_classification")
    assert list(train) == list(train_labels) == ["0.png", "1.png", "2.png", "3.png"]
    assert set(test_labels.values()) == {"Ann", "Bob"} and len(test) == 4
    np.testing.assert_array_equal(train["2.png"], RAMP + np.uint8(2))
    assert "image_classification" in capsys.readouterr().out


def test_frames_come_in_the_order_of_time(course):
    train, train_labels, videos, labels = load_video_data(course / "video_classification")
    assert len(train) == 4 and labels == {"3": "Ann", "20": "Bob"}
    assert [int(frame[0, 0, 0]) for frame in videos["3"]] == list(range(12))


def test_a_clip_may_be_a_video_file(course):
    folder = course / "video_classification" / "test"
    write_video(folder / "videos" / "7.mp4", [np.full((64, 64, 3), 50, np.uint8)] * 5)
    write_table(folder / "y_test.csv", ["3,Ann", "7,Bob", "20,Bob"])
    videos = load_video_data(course / "video_classification")[2]
    assert list(videos) == ["3", "7", "20"] and len(videos["7"]) == 5


def test_bad_photos_among_good_ones_are_skipped_counted_and_named(course):
    folder = course / "image_classification" / "train"
    (folder / "images" / "1.png").write_bytes(b"broken")
    (folder / "images" / "2.png").unlink()
    Image.fromarray(RAMP).save(folder / "images" / "extra.png")
    with pytest.warns(UserWarning) as warned:
        train, labels, _, _ = load_image_data(course / "image_classification")
    text = " ".join(str(w.message) for w in warned)
    assert "1 of 3 photos skipped" in text and "1.png" in text
    assert {w.filename for w in warned} == {__file__}, "shown with the line that called"
    assert "1 labels without photos skipped: 2.png" in text and "1 photos without a label skipped: extra.png" in text
    assert list(train) == list(labels) == ["0.png", "3.png"]


def test_bad_frames_and_empty_clips(course):
    videos = course / "video_classification" / "test" / "videos"
    (videos / "3" / "4.png").write_bytes(b"broken")
    for frame in (videos / "20").iterdir():
        frame.unlink()
    with pytest.warns(UserWarning) as warned:
        _, _, clips, labels = load_video_data(course / "video_classification")
    text = " ".join(str(w.message) for w in warned)
    assert "1 of 12 frames skipped" in text and "1 of 2 clips skipped" in text and "20: a clip without a frame" in text
    assert list(clips) == list(labels) == ["3"] and len(clips["3"]) == 11


def test_an_accent_that_a_mac_wrote(course):
    folder = course / "image_classification" / "train"
    (folder / "images" / "0.png").rename(folder / "images" / "Zoe\u0308.png")
    write_table(folder / "y_train.csv", ["Zo\u00eb.png,Zo\u00eb", "1.png,Zoe\u0308", "2.png,Bob", "3.png,Bob"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images, labels = load_image_data(course / "image_classification", verbose=False)[:2]
    assert list(images) == ["Zo\u00eb.png", "1.png", "2.png", "3.png"] and list(labels.values()) == ["Zo\u00eb", "Zo\u00eb", "Bob", "Bob"]


def test_what_the_finder_leaves_among_clips_is_no_clip(course):
    (course / "video_classification" / "test" / "videos" / ".DS_Store").write_bytes(b"x")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load_video_data(course / "video_classification", verbose=False)[2]) == 2


def test_nothing_that_can_be_read(course):
    for photo in (course / "image_classification" / "train" / "images").iterdir():
        photo.unlink()
    with pytest.warns(UserWarning, match="4 labels without photos"), pytest.raises(ValueError, match="not one photo"):
        load_image_data(course / "image_classification")


def test_a_wrong_folder_says_what_lies_in_it(course, tmp_path):
    with pytest.raises(FileNotFoundError, match="in it: faces"):
        load_image_data(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        load_image_data(tmp_path / "nowhere" / "image_classification", source="folder")
    with pytest.raises(ValueError, match="'demo'"):
        load_image_data(course / "image_classification", source="internet")


def test_the_local_copy_that_the_user_names(course, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FACE_RECOGNITION_DIR", str(course))
    train = load_image_data(tmp_path / "elsewhere" / "image_classification")[0]
    assert len(train) == 4 and "FACE_RECOGNITION_DIR" in capsys.readouterr().out
    monkeypatch.setenv("FACE_RECOGNITION_DIR", str(tmp_path / "wrong"))
    with pytest.raises(FileNotFoundError, match="FACE_RECOGNITION_DIR is .*wrong"):
        load_image_data(tmp_path / "elsewhere" / "image_classification")


def test_strangers_with_and_without_names(course):
    assert load_strangers(course / "image_classification") == ({}, {})
    folder = course / "image_classification" / "unknown"
    (folder / "images").mkdir(parents=True)
    for name in ("a.png", "b.png"):
        Image.fromarray(RAMP).save(folder / "images" / name)
    assert load_strangers(course / "image_classification", verbose=False)[1] == {"a.png": "a", "b.png": "b"}
    write_table(folder / "y_unknown.csv", ["a.png,Eve", "b.png,Eve"])
    assert set(load_strangers(course / "image_classification")[1].values()) == {"Eve"}


# --- the built-in people --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("data") / "Face_Recognition_data"


def test_they_are_laid_out_aside_where_nothing_can_be_written_and_read_where_they_lie_already(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    folder, line = get_data.find_data(tmp_path / "file" / "faces" / "image_classification")
    said = capsys.readouterr().out
    assert said.startswith(f"{tmp_path / 'file' / 'faces'} cannot be written (") and "built-in" in line
    assert (folder / "train" / "y_train.csv").is_file() and folder.parent.name == "built-in-0" and tmp_path not in folder.parents
    assert get_data.find_data(tmp_path / "file" / "faces" / "video_classification")[0] == folder.parent / "video_classification"
    monkeypatch.setattr(demo_people, "only_one", lambda *how: pytest.fail("a lock where nobody may write"))
    assert get_data.find_data(folder.parents[1] / "image_classification")[0] == folder
    assert not capsys.readouterr().out


def test_the_built_in_people(home, capsys):
    train, train_labels, test, test_labels = load_image_data(home / "image_classification", source="demo")
    strangers, names = load_strangers(home / "image_classification", source="demo")
    assert (len(train), len(test), len(strangers)) == (90, 210, 100)
    assert len(set(train_labels.values())) == 30 and set(train_labels.values()) == set(test_labels.values())
    assert len(set(names.values())) == 10 and not set(names.values()) & set(train_labels.values())
    photos = [image.tobytes() for image in (*train.values(), *test.values(), *strangers.values())]
    assert len(set(photos)) == 400  # no photo is used twice
    out = capsys.readouterr().out
    assert "built-in" in out and "simulated" in out


def test_the_simulated_clips(home):
    train, _, videos, labels = load_video_data(home / "video_classification", source="demo")
    assert len(videos) == 30 and all(len(frames) == 20 for frames in videos.values())
    for frames in videos.values():
        empty, seen = frames[demo_people.FACELESS[0]], frames[demo_people.FACELESS[0] + 1]
        assert np.abs(empty.astype(int) - seen).mean() > 5 and frames[0].shape == (demo_people.HEIGHT, demo_people.WIDTH, 3)


def test_laid_out_once_and_alike_for_the_same_seed(home, tmp_path):
    stamp = (home / "built-in-0" / "built-in.txt").stat().st_mtime_ns
    load_image_data(home / "image_classification", source="demo", verbose=False)
    assert (home / "built-in-0" / "built-in.txt").stat().st_mtime_ns == stamp
    people, strangers = demo_people.orl_people(0)
    few = {name: people[name][:5] for name in list(people)[:2]}
    one, two, three = (demo_people.lay_out(few, {}, tmp_path / str(i), seed=i // 2) for i in range(3))
    files = sorted(p.relative_to(one) for p in one.rglob("*.*g"))
    assert files and all((one / f).read_bytes() == (two / f).read_bytes() for f in files)
    assert any((one / f).read_bytes() != (three / f).read_bytes() for f in files)
    assert not list(tmp_path.glob("*.part"))


def test_an_older_layout_is_replaced(tmp_path):
    people, _ = demo_people.orl_people(0)
    few = {"s01": next(iter(people.values()))[:5]}
    folder = tmp_path / "built-in"
    (folder / "image_classification").mkdir(parents=True)
    (folder / "built-in.txt").write_text("0 old")
    (folder / "image_classification" / "junk").write_text("x")
    demo_people.lay_out(few, {}, folder)
    assert not (folder / "image_classification" / "junk").exists()
    with open(folder / "image_classification" / "train" / "y_train.csv", newline="") as file:
        assert list(csv.reader(file))[0] == ["filename", "class_id"]


def test_too_few_photos_to_train_and_test_on(tmp_path):
    with pytest.raises(ValueError, match="Ann: expected more than 3"):
        demo_people.lay_out({"Ann": [RAMP] * 3}, {}, tmp_path / "x")


def test_unpack_hands_on(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("Face_Recognition_data/x.txt", "x")
    assert get_data.unpack(tmp_path / "a.zip") == tmp_path
    assert (tmp_path / "Face_Recognition_data" / "x.txt").read_text() == "x"
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../evil.txt", "x")
    with pytest.raises(ValueError):
        get_data.unpack(tmp_path / "evil.zip", tmp_path / "out")
    assert not (tmp_path / "evil.txt").exists()


def test_the_data_that_are_fetched(tmp_path, monkeypatch, course):
    asked = []
    monkeypatch.setattr(download, "fetch_unpacked", lambda name, folder: asked.append((name, folder)) or course)
    train = load_image_data(tmp_path / "Face_Recognition_data" / "image_classification", source="download")[0]
    assert len(train) == 4 and asked == [("Face_Recognition_data", tmp_path)]


def test_people_of_lfw_are_laid_out_like_the_others(tmp_path, monkeypatch, capsys):
    import sklearn.datasets

    class Lfw:
        images = np.random.default_rng(0).random((96, 50, 50, 3)).astype(np.float32)
        target = np.repeat(np.arange(8), 12)
        target_names = np.array([f"Person {i}" for i in range(8)])

    monkeypatch.setattr(sklearn.datasets, "fetch_lfw_people", lambda **settings: Lfw)
    train, labels, test, _ = load_image_data(tmp_path / "x" / "image_classification", source="lfw")
    assert (len(train), len(test), len(set(labels.values()))) == (42, 30, 6) and "Person_1" in labels.values()
    np.testing.assert_array_equal(train["0.png"], np.round(Lfw.images[12] * 255).astype(np.uint8))
    assert len(load_strangers(tmp_path / "x" / "image_classification", source="lfw")[0]) == 10
    assert len(load_video_data(tmp_path / "x" / "video_classification", source="lfw")[2]) == 6
    assert "LFW" in capsys.readouterr().out

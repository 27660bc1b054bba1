"""``python -m RegionDetector`` on photos that may be shown, on damaged ones and on none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from common.boxes import iou
from common.detection import faces, network
from RegionDetector.commands import finding as command

ROOT = Path(__file__).resolve().parents[1]
YUNET = ROOT.parent / "shared/data/peers/face_detection_yunet_2026may.onnx"
ASTRONAUT = np.array([[60.0, 170, 215, 280]])  # her face, marked by hand


@pytest.fixture
def folder(tmp_path):
    """A photo, a copy half its size on its side in a folder below, a damaged file and a text."""
    photos = tmp_path / "photos"
    (photos / "more").mkdir(parents=True)
    Image.fromarray(astronaut()).save(photos / "a.png")
    turned = Image.fromarray(astronaut()).resize((256, 256)).rotate(90, expand=True)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(photos / "more" / "a.jpg", exif=exif)
    (photos / "broken.jpg").write_bytes((photos / "more" / "a.jpg").read_bytes()[:900])
    (photos / "notes.txt").write_text("no photo")
    return photos


def test_a_folder_with_a_damaged_photo(folder, tmp_path, capsys):
    out = tmp_path / "out.json"
    assert command.main([str(folder), "--json", str(out), "--draw", str(tmp_path / "drawn"), "--threshold", "0.5"]) == 1
    answers = {Path(answer["image"]).name if "more" not in answer["image"] else "more/a.jpg": answer for answer in json.loads(out.read_text())}
    assert set(answers) == {"a.png", "more/a.jpg", "broken.jpg"}
    assert answers["broken.jpg"]["boxes"] == [] and "broken.jpg" in answers["broken.jpg"]["error"]
    assert "1 of 3 photos could not be read or drawn" in capsys.readouterr().err
    for name, size in (("a.png", 1.0), ("more/a.jpg", 0.5)):
        assert (answers[name]["height"], answers[name]["width"]) == (512 * size, 512 * size)
        assert answers[name]["box_order"] == "min_row min_col max_row max_col probability"
        best = np.array(answers[name]["boxes"][0])
        assert best[4] > 0.8 and iou([best[:4]], ASTRONAUT * size)[0, 0] > 0.5, name
        assert (best[:4] >= 0).all() and (best[:4] <= 512 * size).all()
    drawn = sorted(path.relative_to(tmp_path / "drawn").as_posix() for path in (tmp_path / "drawn").rglob("*.jpg"))
    assert drawn == ["a.png.faces.jpg", "more/a.jpg.faces.jpg"]
    difference = np.abs(np.asarray(Image.open(tmp_path / "drawn" / "a.png.faces.jpg")).astype(int) - astronaut())
    assert difference.max() > 100 and np.median(difference) < 8


def test_the_settings_are_used(folder, tmp_path):
    counts = {}
    for name, more in {"loose": ["--threshold", "0.5"], "strict": ["--threshold", "1"], "large": ["--threshold", "0.5", "--min-face", "300"]}.items():
        out = tmp_path / f"{name}.json"
        assert command.main([str(folder / "a.png"), "--json", str(out), *more]) == 0
        boxes = np.array(json.loads(out.read_text())[0]["boxes"]).reshape(-1, 5)
        counts[name] = len(boxes)
        assert (boxes[:, 4] >= float(more[1])).all() and (np.diff(boxes[:, 4]) <= 0).all()
    assert counts["loose"] >= 1 and counts["strict"] < counts["loose"] and counts["large"] < counts["loose"]


def test_what_cannot_be_done_is_said(tmp_path, capsys, monkeypatch):
    (tmp_path / "empty").mkdir()
    assert command.main([str(tmp_path / "empty")]) == 2
    assert "no photo" in capsys.readouterr().err
    for wrong in (["--threshold", "2"], ["--min-face", "0"], ["--min-face", "nan"]):
        with pytest.raises(SystemExit):
            command.main([str(tmp_path), *wrong])
    assert command.main([str(tmp_path / "nowhere.jpg")]) == 1
    assert "nowhere.jpg" in capsys.readouterr().err
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    assert command.main([str(tmp_path / "film.mp4")]) == 1
    assert "films are for python -m TrackDetector" in capsys.readouterr().err
    (tmp_path / "bad.npz").write_bytes(b"not weights")
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "yunet.onnx").write_bytes(b"\x08\x06\x12\x07pytorch")
    Image.fromarray(astronaut()).save(tmp_path / "a.png")
    for wrong, said in ((["--weights", str(tmp_path / "bad.npz")], "bad.npz: these are not weights"), (["--weights", str(tmp_path / "array.npy")], "array.npy: these are not weights"), (["--weights", str(tmp_path / "gone.npz")], "gone.npz: no such file of weights"),
                        (["--weights", str(tmp_path / "yunet.onnx")], "expected a file .npz; if it is YuNet's, say --detector yunet"),
                        (["--detector", "yunet"], "name it with --weights"), (["--detector", "yunet", "--weights", str(tmp_path / "bad.npz")], "cannot read it as YuNet")):
        assert command.main([str(tmp_path / "a.png"), *wrong]) == 2
        told = capsys.readouterr().err
        assert told.startswith("error: ") and said in told


def test_answers_of_weights_that_are_others_now_are_not_taken_for_theirs(folder, tmp_path, capsys, monkeypatch):
    """A training writes its weights under one name again: the same command must not say what the old ones found."""
    monkeypatch.setattr(faces, "detector", lambda *_: None)
    monkeypatch.setattr(command, "asker", lambda *_, **__: lambda *_: {"height": 1, "width": 1, "boxes": [], "points": []})
    command_line = [str(folder / "a.png"), "--out", str(tmp_path / "out.jsonl"), "--weights", str(tmp_path / "mine.npz")]
    (tmp_path / "mine.npz").write_bytes(b"old")
    assert command.main(command_line) == 0 and command.main(command_line) == 0
    assert "1 of 1 photo were answered before" in capsys.readouterr().err
    (tmp_path / "mine.npz").write_bytes(b"new")
    assert command.main(command_line) == 2 and "other settings" in capsys.readouterr().err


def test_weights_of_ones_own_are_loaded_as_quietly_and_quickly_as_the_carried_ones(folder):
    bare = {name: value for name, value in os.environ.items() if name not in ("TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS")}
    program = "import os, sys; from common import device; device.prepare = lambda **kwargs: sys.exit(f'prepared, Keras is {sys.modules.get(\"keras\")}'); " \
              "from RegionDetector.commands.finding import main; main(sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", program, str(folder / "a.png"), "--weights", str(network.WEIGHTS)], capture_output=True, text=True, cwd=ROOT, env=bare)
    assert done.stderr == "prepared, Keras is None\n"


def boxes_of(file, tmp_path, *more):
    """Boxes and points that the command writes for a photo."""
    out = tmp_path / "answers.json"
    assert command.main([str(file), "--json", str(out), *more]) == 0
    answer = json.loads(out.read_text())[0]
    return np.array(answer["boxes"]).reshape(-1, 5), np.array(answer["points"]).reshape(-1, 5, 2)


def test_boxes_of_heads_and_of_faces_and_five_points(folder, tmp_path):
    head, points = boxes_of(folder / "a.png", tmp_path)
    face, same = boxes_of(folder / "a.png", tmp_path, "--box", "face")
    assert face[0, 0] > head[0, 0] and np.prod(face[0, 2:4] - face[0, :2]) < np.prod(head[0, 2:4] - head[0, :2])
    np.testing.assert_array_equal(points, same)
    assert ((points[0] > face[0, :2]) & (points[0] < face[0, 2:4])).all() and points.shape == (len(head), 5, 2)


def test_a_photo_on_its_head_is_turned_unless_that_is_not_wanted(folder, tmp_path, monkeypatch):
    asked = []
    find = faces.search.search
    monkeypatch.setattr(faces.search, "search", lambda look, photo, min_face, least, turns: asked.append(turns) or find(look, photo, min_face, least, turns))
    for word, turns in (("auto", None), ("always", True), ("never", False)):
        boxes_of(folder / "a.png", tmp_path, "--turns", word)
        assert asked.pop() is turns
    boxes_of(folder / "more" / "a.jpg", tmp_path)
    assert asked.pop() is False, "the camera noted how it was held"


@pytest.mark.skipif(not YUNET.is_file(), reason="YuNet's file is not beside the project")
def test_YuNet_looks_for_those_who_have_its_file(folder, tmp_path):
    boxes, _ = boxes_of(folder / "a.png", tmp_path, "--detector", "yunet", "--weights", str(YUNET))
    assert len(boxes) == 1 and iou(boxes[:, :4], ASTRONAUT)[0, 0] > 0.5


def test_photos_of_one_name_keep_their_copies_apart(folder, tmp_path):
    names = ["--draw", str(tmp_path / "drawn"), "--threshold", "0.9"]
    assert command.main([str(folder / "a.png"), str(folder / "a.png"), str(folder / "more" / ".." / "a.png"), *names]) == 0
    assert [path.name for path in (tmp_path / "drawn").rglob("*.jpg")] == ["a.png.faces.jpg"]
    Image.fromarray(astronaut()[:, ::-1]).save(folder / "more" / "a.png")
    assert command.main([str(folder / "a.png"), str(folder / "more" / "a.png"), str(folder / "more"), *names]) == 0
    drawn = {path.relative_to(tmp_path / "drawn").as_posix(): np.asarray(Image.open(path)) for path in (tmp_path / "drawn").rglob("*.jpg")}
    assert set(drawn) == {"a.png.faces.jpg", "2/a.png.faces.jpg", "a.jpg.faces.jpg"}
    assert np.abs(drawn["a.png.faces.jpg"].astype(int) - drawn["2/a.png.faces.jpg"]).mean() > 20


@pytest.mark.parametrize("option, where", [("--draw", "a.png"), ("--draw", "a.png/x"), ("--json", "a.png/o.json"), ("--json", "more")])
def test_output_that_cannot_be_written_is_said_before_the_work(folder, capsys, monkeypatch, option, where):
    monkeypatch.setattr(faces, "detector", lambda *_: pytest.fail("the work has begun"))
    assert command.main([str(folder / "a.png"), option, str(folder / where)]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert np.asarray(Image.open(folder / "a.png")).shape == (512, 512, 3)


def test_a_photo_too_wide_for_a_jpeg_and_folders_to_come(folder, tmp_path, capsys):
    Image.new("L", (65501, 12)).save(folder / "more" / "strip.png")
    out = tmp_path / "new" / "folder" / "out.json"
    assert command.main([str(folder / "more"), "--draw", str(tmp_path / "drawn"), "--json", str(out)]) == 1
    assert [len(answer["boxes"]) > 0 for answer in json.loads(out.read_text())] == [True, False]
    err = capsys.readouterr().err
    assert "strip.png" in err and "more than a JPEG can have" in err


def test_a_full_disk_loses_no_answers_of_before(folder, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out.json"
    assert command.main([str(folder / "more"), "--json", str(out)]) == 0
    before = out.read_text()

    def full(*args, **more):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(command.ANSWERS.__class__, "write", lambda self, out: full)
        assert command.main([str(folder / "more"), "--json", str(out)]) == 2
    part = tmp_path / "out.json.part.jsonl"
    told = capsys.readouterr().err
    assert "No space left" in told and str(part) in told and out.read_text() == before and list(tmp_path.glob(".*")) == []
    monkeypatch.setattr(command, "asker", lambda *_, **__: pytest.fail("it was answered before"))
    assert command.main([str(folder / "more"), "--json", str(out)]) == 0
    assert out.read_text() == before and not part.exists()


def test_a_disk_too_full_for_a_copy_ends_the_work(folder, tmp_path, capsys, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "write_drawn", full)
    out = tmp_path / "out.jsonl"
    assert command.main([str(folder), "--json", str(out), "--draw", str(tmp_path / "drawn")]) == 2
    assert "No space left" in capsys.readouterr().err and out.read_text() == ""


def test_what_goes_wrong_with_a_copy_costs_the_copy_and_not_the_faces(folder, tmp_path, capsys, monkeypatch):
    for error, note in ((RuntimeError("odd"), f"{folder / 'a.png'}: RuntimeError: odd"), (PermissionError(13, "denied"), "[Errno 13] denied")):
        monkeypatch.setattr(command, "draw", lambda *_, error=error: (_ for _ in ()).throw(error))
        out = tmp_path / f"{type(error).__name__}.jsonl"
        assert command.main([str(folder / "a.png"), "--json", str(out), "--draw", str(tmp_path / "drawn")]) == 1
        answer = json.loads(out.read_text())
        assert len(answer["boxes"]) == 1 and answer["not_drawn"] == note and f"not drawn: {note}\n" in capsys.readouterr().err


def test_a_copy_that_could_not_be_written_is_tried_again(folder, tmp_path, capsys, monkeypatch):
    arguments = [str(folder / "a.png"), "--out", str(tmp_path / "out.jsonl"), "--draw", str(tmp_path / "drawn")]
    with monkeypatch.context() as broken:
        broken.setattr(command, "draw", lambda *_: (_ for _ in ()).throw(PermissionError(13, "denied")))
        assert command.main(arguments) == 1
        capsys.readouterr()
        assert command.main(arguments) == 1 and "denied" in capsys.readouterr().err, "said each time, with its reason"
    assert command.main(arguments) == 0 and "could not be" not in capsys.readouterr().err
    assert (tmp_path / "drawn" / "a.png.faces.jpg").is_file()


def test_a_photo_that_was_left_out_is_not_counted_any_more(folder, tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    assert command.main([str(folder), "--out", str(out)]) == 1 and "1 of 3 photos could not be" in capsys.readouterr().err
    (folder / "broken.jpg").unlink()
    for paths in ([folder], [folder / "a.png"]):
        assert command.main([*map(str, paths), "--out", str(out)]) == 0
        assert "could not be" not in capsys.readouterr().err
    assert any("error" in json.loads(line) for line in out.read_text().splitlines()), "what was answered stays"


def test_a_copy_that_was_deleted_is_drawn_again(folder, tmp_path, monkeypatch):
    arguments = [str(folder / "more"), "--out", str(tmp_path / "out.jsonl"), "--draw", str(tmp_path / "drawn")]
    assert command.main(arguments) == 0
    copy = tmp_path / "drawn" / "a.jpg.faces.jpg"
    assert json.loads((tmp_path / "out.jsonl").read_text())["drawn"] == str(copy)
    copy.unlink()
    assert command.main(arguments) == 0 and copy.is_file()
    monkeypatch.setattr(command, "asker", lambda *_, **__: pytest.fail("it was answered before"))
    assert command.main(arguments) == 0


def test_without_dask_there_is_no_answer_to_go_on_from(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert command.main([str(folder / "a.png"), "--cluster", "--out", str(tmp_path / "out.json")]) == 2
    told = capsys.readouterr().err
    assert "requirements-cluster.lock" in told and "ended after 0 of 1 photo\n" in told and "the answers are in" not in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


def test_its_own_copies_are_no_photos(folder, tmp_path):
    for _ in range(2):
        assert command.main([str(folder / "more"), "--draw", str(folder / "more"), "--json", str(tmp_path / "out.json")]) == 0
    assert sorted(path.name for path in (folder / "more").iterdir()) == ["a.jpg", "a.jpg.faces.jpg"]
    assert len(json.loads((tmp_path / "out.json").read_text())) == 1


def test_it_runs_as_a_module_and_says_nothing_of_gpus(tmp_path):
    Image.fromarray(astronaut()).save(tmp_path / "a.png")
    run = subprocess.run([sys.executable, "-m", "RegionDetector", str(tmp_path / "a.png"), "--json", str(tmp_path / "out.json")],
                         cwd=ROOT, capture_output=True, text=True, timeout=300, env={k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"})
    assert run.returncode == 0 and run.stderr == "", run.stderr
    assert "face" in run.stdout and "Traceback" not in run.stderr and len(json.loads((tmp_path / "out.json").read_text())) == 1


PREPARED = """
import sys
from common import device
device.BESIDE = eval(sys.argv[1])
device._leaves_quietly = lambda: True
device.prepare(alone=True)
print(sorted(set(device.BESIDE) & set(sys.modules)))
import keras, numpy, matplotlib.pyplot, pandas, sklearn.neighbors
print(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).predict(numpy.zeros((3, 2)), verbose=0).shape)
"""


@pytest.mark.parametrize("beside, loaded", [("device.BESIDE", "[]"), ("('pandas', 'ml_dtypes')", "['ml_dtypes', 'pandas']")], ids=["as it is", "if Keras cannot do without one"])
def test_a_command_loads_keras_alone_and_finds_the_others_later(beside, loaded):
    done = subprocess.run([sys.executable, "-c", PREPARED, beside], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines() == [loaded, "(3, 1)"], done.stderr


# --- odd names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["y" * 247 + ".jpg", "y" * 240 + ".jpg", "李" * 83 + ".png", "e\u0301" * 83 + ".jpg"])
def test_a_copy_of_a_photo_with_a_long_name_has_room_for_its_own(folder, tmp_path, name):
    with (folder / "a.png").open("rb") as photo:
        (folder / "more" / name).write_bytes(photo.read())
    (folder / "more" / "a.jpg").unlink()
    arguments = [str(folder / "more"), "--draw", str(tmp_path / "drawn"), "--out", str(tmp_path / "out.jsonl")]
    assert command.main(arguments) == 0
    copies = list((tmp_path / "drawn").iterdir())
    assert len(copies) == 1 and copies[0].name.endswith(".faces.jpg") and copies[0].name[:40] == name[:40]
    assert Image.open(copies[0]).size == (512, 512)
    assert command.main([str(tmp_path / "drawn")]) == 2, "it is known as a copy"


def test_a_photo_called_as_a_copy_is_not_written_over(folder, capsys, monkeypatch):
    monkeypatch.setattr(command, "asker", lambda *_, **__: pytest.fail("the work has begun"))
    mine = folder / "more" / "a.jpg.faces.jpg"
    mine.write_bytes((folder / "a.png").read_bytes())
    (folder / "link").symlink_to(folder / "more")
    for place in ("more", "link", "."):
        assert command.main([str(folder / "more" / "a.jpg"), str(mine), "--draw", str(folder / place)]) == 2
        assert f"{mine} is called as the copies there" in capsys.readouterr().err
    assert mine.read_bytes() == (folder / "a.png").read_bytes()


@pytest.mark.parametrize("out, drawn", [("made", "made"), ("made.json", "made.json/more"), ("made.jsonl", "made.jsonl")])
def test_the_folder_of_the_copies_is_no_file_of_answers(folder, tmp_path, capsys, monkeypatch, out, drawn):
    monkeypatch.setattr(command, "asker", lambda *_, **__: pytest.fail("the work has begun"))
    assert command.main([str(folder / "a.png"), "--out", str(tmp_path / out), "--draw", str(tmp_path / drawn)]) == 2
    assert f"--out {tmp_path / out}: that is a folder" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[""], ["a.png", "--draw", ""], ["a.png", "--out", ""], ["a.png", "--weights="]])
def test_a_name_that_a_shell_has_left_empty_is_no_folder(folder, capsys, monkeypatch, arguments):
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2 and "expected a name, got none" in capsys.readouterr().err

"""Films as people have them: uneven, with sound, on their side, cut short; two people at once; copies, subtitles, blurred faces."""

import json
import struct
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

pytest.importorskip("keras")

from common.orl import orl_faces
from common.photos import PhotoError
from TrackDetector.__main__ import main
from TrackDetector.classifier import Classifier
from TrackDetector.commands import camera
from TrackDetector.commands.answering import lines, name_faces, rows
from TrackDetector.commands.camera import open_camera
from TrackDetector.films.copies import by_frame
from TrackDetector.films.people import clock, people, spans
from TrackDetector.films.reading import Film, read_video
from TrackDetector.films.subtitles import cues, srt, vtt
from TrackDetector.films.tracks import Track
from TrackDetector.neighbors.predictions import Answer

EVEN = [t / 10 for t in range(12)]
UNEVEN = [0, 0.1, 0.2, 0.3, 0.8, 1.3, 1.8, 1.9, 2.0, 3.0, 3.1, 3.2]
STRANGER = 30


def head(person, number):
    return np.repeat(orl_faces()[0][10 * person + number][:, :, None], 3, axis=2)


def meeting(absent=(5, 6)):
    """Bob and somebody else, who move towards each other; he is not there all the time."""
    frames = []
    for t in range(12):
        frame = np.full((160, 400, 3), 120, np.uint8)
        frame[20 : 20 + 112, 10 + 4 * t : 102 + 4 * t] = head(1, 5)
        if t not in absent:
            frame[20 : 20 + 112, 290 - 4 * t : 382 - 4 * t] = head(3, 6)
        frames.append(frame)
    return frames


def write(path, frames, seconds=EVEN, codec="libx264", sound=None, side=None, rate=48_000, layout="stereo"):
    """A film; `sound` is a codec for a tone as long as the film, `side` its quarter turns as a phone notes them."""
    if codec not in av.codecs_available or sound and sound not in av.codecs_available:
        pytest.skip(f"this build of FFmpeg has no {codec if codec not in av.codecs_available else sound}")
    length = seconds[-1] + seconds[-1] - seconds[-2]
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=10)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        if codec == "libx264":
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
            stream.options = {"bf": "0"}
        if sound:
            tone = out.add_stream(sound, rate=rate)
            tone.codec_context.layout = layout
        for frame, second in zip(frames, seconds):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts, picture.time_base = round(second * 1000), Fraction(1, 1000)
            out.mux(stream.encode(picture))
        if sound:
            resampler = av.AudioResampler(tone.codec_context.format.name, tone.codec_context.layout.name, rate)
            for start in range(0, int(length * rate), 1024):
                wave = np.sin(2 * np.pi * 440 * (start + np.arange(1024)) / rate).astype(np.float32)
                piece = av.AudioFrame.from_ndarray(np.stack([wave] * (1 if layout == "mono" else 2)), format="fltp", layout=layout)
                piece.sample_rate, piece.pts, piece.time_base = rate, start, Fraction(1, rate)
                for whole in resampler.resample(piece):
                    out.mux(tone.encode(whole))
            out.mux(tone.encode(None))
        out.mux(stream.encode(None))
    if side:
        data, turn = path.read_bytes(), {1: (0, 1, -1, 0), 2: (-1, 0, 0, -1), 3: (0, -1, 1, 0)}[side]
        a, b, c, d = (65536 * each for each in turn)
        at = data.index(struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 0x40000000), data.index(b"tkhd"))
        path.write_bytes(data[:at] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000) + data[at + 36 :])
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module")
def classifier():
    images = {f"{name}/{k}": head(number, k) for number, name in enumerate(("ann", "bob", "cleo", "Zoë Åse")) for k in range(4)}
    return Classifier(threshold=0.37).fit(images, {key: key.split("/")[0] for key in images})


# --- reading ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, codec, seconds", [
    ("even.mp4", "libx264", EVEN), ("uneven.mp4", "libx264", UNEVEN), ("uneven.mkv", "libx264", UNEVEN), ("tv.ts", "libx264", EVEN),
    ("av1.mp4", "libsvtav1", EVEN), ("av1.webm", "libsvtav1", EVEN), ("old.avi", "mpeg4", EVEN), ("vp8.webm", "libvpx", EVEN),
])
def test_every_frame_has_its_second(tmp_path, name, codec, seconds):
    film = Film(write(tmp_path / name, meeting(), seconds, codec))
    found = list(film.frames())
    assert [number for number, _, _ in found] == list(range(12)) and film.notes == []
    np.testing.assert_allclose([second for _, second, _ in found], seconds, atol=0.003)
    assert all(frame.shape == (160, 400, 3) == (film.height, film.width, 3) for _, _, frame in found)
    assert max(np.abs(frame.astype(int) - truth).mean() for (_, _, frame), truth in zip(found, meeting())) < 8
    assert [number for number, _, _ in film.frames(every=5)] == [0, 5, 10] and film.read == 12


@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_film_of_a_phone_on_its_side_is_shown_upright(tmp_path, side):
    shown = Film(write(tmp_path / "a.mp4", meeting(), side=side))
    truth = np.rot90(meeting()[0], -side)  # the note says how it is turned for being shown, clockwise
    _, _, frame = next(shown.frames())
    assert frame.shape == truth.shape == (shown.height, shown.width, 3) and np.abs(frame.astype(int) - truth).mean() < 8


def test_squeezed_pixels_are_made_square(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 160, 200, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)
        for frame in meeting():
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:, ::2]), format="rgb24")))
        out.mux(stream.encode(None))
    film = Film(path)
    assert (film.height, film.width) == (160, 400) and np.abs(next(film.frames())[2].astype(int) - meeting()[0]).mean() < 10


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_film_cut_short_is_read_as_far_as_it_goes(tmp_path, name):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(60)]
    path = write(tmp_path / name, frames, [t / 10 for t in range(60)])
    with av.open(str(path)) as whole, av.open(str(tmp_path / f"fast-{name}"), "w", options={"movflags": "+faststart"} if name == "a.mp4" else {}) as out:
        stream = out.add_stream_from_template(whole.streams.video[0]) if hasattr(out, "add_stream_from_template") else out.add_stream(template=whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    data = (tmp_path / f"fast-{name}").read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    film = Film(path)
    count = sum(1 for _ in film.frames())
    assert 30 <= count <= 40 and len(film.notes) == 1 and "cut short" in film.notes[0] and "of 6.0 seconds" in film.notes[0]
    with pytest.warns(UserWarning, match=f"{name}: the film is cut short"):
        assert len(read_video(path)[0]) == count


def test_a_transport_stream_that_ends_in_a_packet_was_cut(tmp_path):
    data = write(tmp_path / "a.ts", meeting() * 4, [t / 10 for t in range(48)], sound="mp2").read_bytes()
    for size, notes in ((len(data) * 6 // 10 // 188 * 188 + 100, 1), (len(data), 0)):
        (tmp_path / "a.ts").write_bytes(data[:size])
        film = Film(tmp_path / "a.ts")
        assert sum(1 for _ in film.frames()) > 20 and len(film.notes) == notes
        assert all("the film is cut short" in note and " of " not in note.partition(":")[2].partition(" seconds")[0] for note in film.notes)


def test_what_is_no_film(tmp_path):
    (tmp_path / "text.mp4").write_text("hello\n" * 500)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{write(tmp_path / 'a.ts', meeting())}\n#EXT-X-ENDLIST\n")
    (tmp_path / "head.mp4").write_bytes(write(tmp_path / "whole.mp4", meeting()).read_bytes()[:2000])
    for name in ("text.mp4", "empty.mp4", "list.mp4", "head.mp4", "gone.mp4"):
        with pytest.raises(PhotoError, match=name):
            Film(tmp_path / name)


# --- who is in it -----------------------------------------------------------------------------------


def test_people_of_an_uneven_film_with_their_seconds(home, classifier):
    report = name_faces(write(home / "uneven.mp4", meeting(), UNEVEN), classifier)
    assert report["frames"] == 12 and (report["height"], report["width"]) == (160, 400) and 3.2 < report["seconds"] < 3.6
    faces = {face["name"]: face for face in report["faces"]}
    assert set(faces) == {"bob", "Zoë Åse"} and len(report["faces"]) == 2
    zoe = faces["Zoë Åse"]
    assert not {5, 6} & set(zoe["frames"]) and zoe["seconds"] == [pytest.approx(UNEVEN[frame], abs=0.003) for frame in zoe["frames"]]
    assert zoe["seen"][0][0] < 0.2 and zoe["seen"][-1][1] > 3.1 and 0.5 < zoe["sure"] <= 1
    table = "\n".join(lines({"file": "uneven.mp4", **report}))
    assert "2 people" in table and "Zoë Åse" in table and "0:03." in table and "distance" in table
    told = rows({"file": "uneven.mp4", **report})
    assert {row["name"] for row in told} == {"bob", "Zoë Åse"} and all(row["from"] < row["to"] for row in told)
    json.dumps(report)


def answered(name, frames, direction, distance=0.2):
    track = Track(list(frames), [np.array([0.0, 0, 9, 9])] * len(frames), [direction] * len(frames))
    track.answer = Answer(name, name if name != "unknown" else "ann", distance, True, [], [(t, name, distance) for t in frames])
    return track


class Plain:
    """A classifier that knows two directions."""

    threshold = 0.37

    def answer_clip(self, descriptors, frames):
        name = "ann" if descriptors[0][0] > 0.9 else "unknown"
        return Answer(name, "ann", 0.1, True, [], [(t, name, 0.1) for t in frames])


def test_tracks_of_one_person_are_joined_and_two_at_once_are_not():
    x, y, z = np.eye(3)
    near = np.array([0.0, 0.99, 0.1])
    tracks = [answered("ann", range(5), x), answered("ann", range(20, 25), x), answered("unknown", range(5), y), answered("unknown", range(30, 35), near),
              answered("unknown", range(50, 55), z), answered("unknown", range(30, 33), y)]
    joined, notes = people(tracks, Plain())
    assert [(person.answer.label, person.frames[0], len(person.frames)) for person in joined] == [
        ("ann", 0, 10), ("unknown", 0, 8), ("unknown", 30, 5), ("unknown", 50, 5)] or [
        (person.answer.label, person.frames[0], len(person.frames)) for person in joined] == [
        ("ann", 0, 10), ("unknown", 0, 10), ("unknown", 30, 3), ("unknown", 50, 5)]
    assert notes == []


def test_two_faces_at_once_are_not_both_ann():
    x, y, _ = np.eye(3)
    joined, notes = people([answered("ann", range(5), x, 0.3), answered("ann", range(3, 9), y, 0.1)], Plain())
    assert [(person.answer.label, person.frames[0]) for person in joined] == [("unknown", 0), ("ann", 3)]
    assert len(notes) == 1 and "two faces at once look like ann" in notes[0]


def test_seconds_in_words():
    assert spans([0, 1, 2, 9], [1, 2, 3, 10]) == [[0, 3], [9, 10]]
    assert [clock(each) for each in (0, 59.96, 3599.95, 3600)] == ["0:00.0", "0:59.9", "59:59.9", "1:00:00.0"]


def test_a_film_is_as_long_as_its_pictures_say(home, classifier):
    """However seldom it is looked at, how uneven it is and how long its sound goes on; one that was cut ends where it ends."""
    seconds = [*UNEVEN[:-1], 5.0]
    source = write(home / "long.mp4", meeting(), seconds, sound="aac")
    with av.open(str(source)) as film:
        length = float(film.streams.video[0].duration * film.streams.video[0].time_base)
    assert length > 5 and Film(source).length > length + 1  # the sound, see `write`
    for every in (1, 5):
        report = name_faces(source, classifier, every=every)
        assert report["seconds"] == pytest.approx(length, abs=0.003) and report["every"] == every
        assert all(face["seen"][-1][1] <= report["seconds"] for face in report["faces"])
    bare = write(home / "bare.mkv", meeting(), seconds)
    assert name_faces(bare, classifier, every=5)["seconds"] == pytest.approx(Film(bare).length, abs=0.003)


# --- copies and subtitles -----------------------------------------------------------------------------


@pytest.mark.parametrize("name, sound", [("a.mp4", "aac"), ("b.mkv", "pcm_s16le"), ("c.ts", "mp2"), ("d.mp4", None)])
def test_a_copy_plays_in_a_browser_and_keeps_sound_and_length(home, classifier, name, sound):
    seconds = UNEVEN if name.endswith(("mp4", "mkv")) else EVEN
    source = write(home / name, meeting(), seconds, sound=sound)
    report = name_faces(source, classifier, every=2, folder=home / "drawn", subtitles=home / "drawn")
    copy, film = Film(report["drawn"]), Film(source)
    with av.open(report["drawn"]) as out:
        video = out.streams.video[0]
        assert video.codec_context.name == "h264" and video.codec_context.pix_fmt == "yuv420p"
        assert [stream.codec_context.name for stream in out.streams.audio] == (["aac"] if sound else [])
        if sound:
            heard = sum(frame.samples for frame in out.decode(audio=0)) / out.streams.audio[0].rate
            assert heard == pytest.approx(film.length, abs=0.12)
    assert copy.length == pytest.approx(film.length, abs=0.15)
    shown = list(copy.frames())
    np.testing.assert_allclose([second for _, second, _ in shown], [second for _, second, _ in film.frames()], atol=0.003)
    # in the frames between two looks, too, there is a box of the colour of its person around each face
    changed = [np.abs(frame.astype(int) - truth).max(axis=2) > 60 for (_, _, frame), truth in zip(shown, meeting())]
    assert all(each.sum() > 300 for each in changed)
    data = Path(report["drawn"]).read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # it can begin before it is all there
    assert Path(report["subtitles"][0]).name == ("a.srt" if name == "a.mp4" else Path(name).stem + ".srt")


def test_subtitles(home, classifier):
    report = name_faces(write(home / "talk.mp4", meeting()), classifier, subtitles=home / "subs")
    text, web = (Path(path).read_text(encoding="utf-8") for path in report["subtitles"])
    assert text.startswith("1\n00:00:00,000 --> 00:00:0") and "Zoë Åse" in text and "bob" in text
    assert web.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:0") and "Zoë Åse" in web
    assert [Path(path).name for path in report["subtitles"]] == ["talk.srt", "talk.vtt"]
    write(home / "talk.mkv", meeting())
    assert name_faces(home / "talk.mkv", classifier, subtitles=home / "subs")["subtitles"][0].endswith("talk.mkv.srt")


def test_a_doubt_is_a_question_mark_in_copies_and_subtitles(home, classifier, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("TrackDetector.commands.answering.draw", lambda image, boxes: drawn.extend(words for _, _, words in boxes) or image)
    doubtful = Classifier(classifier.nn_model, threshold=0.37)
    doubtful.know(classifier.gallery_, alike=[("bob", "ann")])
    film = write(home / "doubts.mp4", [np.pad(np.hstack([head(1, 5), head(2, 5), head(STRANGER, 5)]), ((20, 20), (20, 20), (0, 0)))] * 3, [0, 0.1, 0.2])
    report = name_faces(film, doubtful, folder=tmp_path, subtitles=tmp_path)
    assert {words.rpartition(" ")[0] for words in drawn} == {"bob?", "cleo", "unknown"}
    assert all("bob?" in Path(name).read_text() and "cleo?" not in Path(name).read_text() for name in report["subtitles"])
    assert {face["name"] for face in report["faces"]} == {"bob", "cleo", "unknown"}


def test_of_a_film_that_is_looked_at_once_no_frames_are_kept_that_it_does_not_have():
    """`--every 1000000000`, for its first frame alone: there was no memory for as many boxes."""
    where = by_frame([("ann", [3], [np.ones(4)])], 10**30, 10**30, 10**30, 12)
    assert sorted(where) == list(range(12))


def test_a_camera_says_the_doubt_of_a_name(capsys):
    answers = iter([Answer("bob", "bob", 0.31, True, doubt="or ann (0.33)"), Answer("unknown", "ann", 0.5, True, doubt="or bob (0.52)")])
    track, other = (Track([0, 1, 2], [np.zeros(4)] * 3, [np.zeros(128)] * 3) for _ in range(2))
    camera._say_who_comes([track, other], SimpleNamespace(answer_clip=lambda *_: next(answers)), {}, 2, 1.0)
    assert capsys.readouterr().out.splitlines() == ["0:01.0  bob comes (distance 0.31; or ann (0.33))", "0:01.0  unknown comes (distance 0.50, looks most like ann)"]


def test_cues_do_not_overlap_and_odd_names_break_nothing():
    seen = [("ann", [[0, 4], [6, 7]]), ("b<i>&--> \n\nx", [[2, 3]]), ("flash", [[3.5, 3.6]])]
    assert cues(seen) == [(0, 2, ["ann"]), (2, 3, ["ann", "b<i>&--> \n\nx"]), (3, 4, ["ann"]), (6, 7, ["ann"])]
    assert cues([]) == [] and srt([]) == "" and vtt([]) == "WEBVTT\n"
    assert srt(seen).count("-->") == vtt(seen).count("-->") == 4 and "b<i>&→ x" in srt(seen) and "b&lt;i&gt;&amp;→ x" in vtt(seen)
    assert srt([("a", [[3661.5, 3662]])]) == "1\n01:01:01,500 --> 01:01:02,000\na\n"


def test_a_blurred_face_is_nobody(home, classifier):
    """What is left of a face is no more like its person than anybody is; in each frame, before it was found and after it was lost, too."""
    source = write(home / "two.mp4", meeting(absent=()))
    report = name_faces(source, classifier, every=3, folder=home / "blurred", blurred="all")
    assert report["drawn"].endswith("two.mp4.blurred.mp4")
    for (t, _, frame), truth in zip(Film(report["drawn"]).frames(), meeting(absent=())):
        for left in (10 + 4 * t, 290 - 4 * t):
            face = np.s_[60:110, left + 30 : left + 62]
            assert np.abs(frame[face].astype(int) - truth[face]).mean() > 10, t
    again = name_faces(Path(report["drawn"]), classifier)
    assert {face["name"] for face in again["faces"]} <= {"unknown"}
    only = name_faces(source, classifier, folder=home / "blurred", blurred="unknown")
    assert {face["name"] for face in name_faces(Path(only["drawn"]), classifier)["faces"]} == {"bob", "Zoë Åse"}


def test_a_stop_in_the_middle_leaves_no_half_copy(home, classifier):
    calls = []

    def check():
        calls.append(1)
        if len(calls) > 15:  # twelve frames were looked at; a few are drawn
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        name_faces(write(home / "long.mp4", meeting()), classifier, folder=home / "half", check=check)
    assert list((home / "half").iterdir()) == []


# --- the command ------------------------------------------------------------------------------------


def test_a_camera_says_who_comes_and_goes(home, classifier, monkeypatch, capsys):
    import cv2

    write(home / "seen.mp4", [frame for frame in meeting() for _ in range(2)] + [np.full((160, 400, 3), 120, np.uint8)] * 14, [t / 10 for t in range(38)])
    opened = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: opened(str(home / "seen.mp4")) if number == 0 else opened())
    classifier.save(home / "people.npz")
    out = home / "camera.json"
    assert main(["--gallery", str(home / "people.npz"), "--camera", "0", "--json", str(out), "--subtitles", str(home / "subs")]) == 0
    told = capsys.readouterr().out
    for words in ("bob comes", "Zoë Åse comes", "bob goes", "camera 0: "):
        assert words in told
    (report,) = json.loads(out.read_text())["files"]
    assert {face["name"] for face in report["faces"]} == {"bob", "Zoë Åse"} and (home / "subs" / "camera-0.srt").is_file()
    with pytest.raises(PhotoError, match="--camera 1: OpenCV sees no such camera"):
        open_camera(1)


def test_options_that_do_not_go_together(home):
    for more in (["a.mp4", "--blur", "all"], [], ["a.mp4", "--camera", "0"], ["--camera", "0", "--draw", "x"]):
        with pytest.raises(SystemExit):
            main(["--gallery", str(home), *more])


def test_a_film_cut_short_is_answered_and_named_by_the_command(home, classifier, capsys):
    classifier.save(home / "g.npz")
    data = write(home / "cut.mkv", meeting() * 4, [t / 10 for t in range(48)]).read_bytes()
    (home / "cut.mkv").write_bytes(data[: len(data) * 7 // 10])
    assert main(["--gallery", str(home / "g.npz"), str(home / "cut.mkv"), "--out", str(home / "cut.jsonl")]) == 0
    told = capsys.readouterr()
    assert f"note: {home / 'cut.mkv'}: the film is cut short" in told.err and "bob" in told.out
    answer = json.loads((home / "cut.jsonl").read_text())
    assert "cut short" in answer["notes"][0] and {"bob", "Zoë Åse"} <= {face["name"] for face in answer["faces"]}


def test_films_are_opened_by_a_newer_pyav(tmp_path, monkeypatch):
    """The lock has another one for Python 3.12 and newer, which refuses a word that the older one needs for titles in strange letters: there no film was read."""
    def newer(file, mode="r", **how):
        if set(how) - {"format", "options", "container_options", "buffer_size", "timeout", "io_open", "hwaccel"}:
            raise TypeError(f"open() got an unexpected keyword argument among {sorted(how)}")
        return opens(file, mode, **how)

    film, opens = write(tmp_path / "a.mp4", [np.full((64, 64, 3), 90, np.uint8)] * 3, [0, 0.1, 0.2]), av.open
    monkeypatch.setattr(av, "open", newer)
    assert len(list(Film(film).frames())) == 3

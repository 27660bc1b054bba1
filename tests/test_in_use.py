"""The front desk and the groups of photos: counts, queues, costs; light, pose, tables."""

from types import SimpleNamespace

import numpy as np
import pytest

from common.identification import rates_by_group, wilson_interval
from TrackDetector.alignment import TEMPLATE
from TrackDetector.in_use.front_desk import SECONDS, Arrival, Costs, arrivals_of, cheapest, day, decide, weeks
from TrackDetector.in_use.groups import by_light, by_pose, halves, read_groups

ANN = [Arrival("ann", "ann", 0.2, person="ann"), Arrival("ann", "bob", 0.3, person="ann"), Arrival("ann", "ann", 0.5, person="ann"),
       Arrival("ann", "ann", 0.9, person="ann")]
STRANGERS = [Arrival(None, "ann", 0.35, person="s1"), Arrival(None, "bob", 0.8, person="s2"), Arrival(None, "bob", float("inf"), person="s3")]


def test_every_arrival_is_counted_once():
    today = day(ANN + STRANGERS, accept=0.4, refuse=0.6)
    assert today.counts == {"let in": 1, "false accepts": 2, "asked": 1, "turned away": 1, "refused": 2}
    assert today.decisions == ["accept", "accept", "ask", "refuse", "accept", "refuse", "refuse"]
    assert decide([0.1, 0.5], accept=0.3, refuse=0.2) == ["accept", "refuse"]  # no band to ask in
    assert day([], 0.4, 0.6).counts["let in"] == 0 and day([], 0.4, 0.6).cost(Costs()) == 0


def test_nobody_overtakes_and_nobody_is_served_before_coming():
    crowd = [Arrival("a", "a", 0.5)] * 300
    today = day(crowd, accept=0.4, refuse=0.6, seed=3, per_hour=60)  # each takes 75 s, one comes every 60: the queue grows
    assert (np.diff(today.left) >= SECONDS["ask"] - 1e-6).all() and (today.waited >= -1e-9).all()
    np.testing.assert_allclose(today.left, today.arrived + today.waited + SECONDS["ask"])
    times, waiting = today.queue()
    assert (np.diff(times) >= 0).all() and waiting[-1] == 0 and waiting.min() >= 0 and waiting.max() > 20
    idle = day(crowd, accept=0.6, refuse=0.7, seed=3, per_hour=1)
    assert idle.waited.max() < 10 and idle.cost(Costs()) == pytest.approx(300 * 10 / 60, abs=2)
    assert day(crowd, 0.4, 0.6, 3).arrived.tolist() == day(crowd, 0.6, 0.7, 3).arrived.tolist()  # the same day, decided otherwise


def test_what_is_dear_is_avoided():
    rng = np.random.default_rng(0)
    people = [Arrival("a", "a", d) for d in rng.normal(0.3, 0.06, 60)] + [Arrival(None, "a", d) for d in rng.normal(0.5, 0.06, 60)]
    dear, cheap = cheapest(people, Costs(false_accept=2000, turned_away=5)), cheapest(people, Costs(false_accept=1, turned_away=500))
    assert dear[0] < 0.42 < cheap[1]
    for costs, best in ((Costs(2000, 5), dear), (Costs(1, 500), cheap)):
        assert all(day(people, *best).cost(costs) <= day(people, *other).cost(costs) for other in ((0.3, 0.3), (0.4, 0.4), (0.5, 0.5), (0.3, 0.6)))
    assert day(people, 1, 1).counts["false accepts"] == 60 and day(people, 0, 0).counts["turned away"] == 60


@pytest.mark.parametrize("seed", range(8))
def test_a_week_is_counted_and_costs_as_person_by_person(seed):
    rng = np.random.default_rng(seed)
    people = [Arrival(rng.choice(["a", "b", None]), rng.choice(["a", "b"]), float(distance)) for distance in [*rng.random(25).round(2), np.inf]]
    costs = Costs(*(float(rng.choice([0, 1, 40, 300])) for _ in range(3)))
    counts, cost = dict.fromkeys(("let in", "false accepts", "asked", "turned away", "refused"), 0), 0.0
    today = day(people, accept=0.3, refuse=0.6, seed=seed)
    for arrival, waited in zip(people, today.waited):
        at_desk = "accept" if arrival.distance <= 0.3 else "ask" if arrival.distance <= 0.6 else "refuse"
        wrong, known = arrival.who != arrival.name, arrival.who is not None
        counts[{"accept": "false accepts" if wrong else "let in", "ask": "asked", "refuse": "turned away" if known else "refused"}[at_desk]] += 1
        cost += costs.waiting * (waited + SECONDS[at_desk]) / 60 + (at_desk == "accept" and wrong) * costs.false_accept + (at_desk == "refuse" and known) * costs.turned_away
    assert today.counts == counts and today.cost(costs) == pytest.approx(cost)
    grid = np.quantile([each.distance for each in people[:-1]], np.linspace(0, 1, 7)).round(3)
    best = min(day(people, low, high).cost(costs) for low in grid for high in grid if low <= high)
    assert day(people, *cheapest(people, costs, steps=7)).cost(costs) == pytest.approx(best)


def test_weeks_share_nobody():
    answers = {str(i): SimpleNamespace(name="a", distance=0.1 * i) for i in range(30)}
    arrivals = arrivals_of(answers, {str(i): f"p{i % 7}" for i in range(30)}) + arrivals_of(answers, kind="clip", people={str(i): f"s{i % 5}" for i in range(30)})
    this, following = weeks(arrivals, seed=1)
    assert len(this) + len(following) == 60 and not {each.person for each in this} & {each.person for each in following}
    assert weeks(arrivals, seed=1) == (this, following) and {each.who for each in arrivals if each.kind == "clip"} == {None}


def test_the_desk_as_a_picture():
    pytest.importorskip("ipywidgets")
    from TrackDetector.pictures.front_desk import draw_desk, explore_desk

    assert day(ANN[:1], 0.4, 0.6).line(Costs(waiting=6)).endswith("the longest wait: 0 minutes; lost in all: 1 minute")
    figure = draw_desk(ANN + STRANGERS, 0.4, 0.6)
    assert "1 let in under their own name, 2 got somebody else's file, 1 asked" in figure.get_label()
    explorer = explore_desk(ANN + STRANGERS, accept=0.4, refuse=0.6)
    assert explorer.label == figure.get_label()
    explorer.controls["band"].value = 0  # no asking
    assert "0 asked for name" in explorer.label and "refused beyond 0.40" in explorer.label
    before = explorer.label
    explorer.controls["false_accept"].value = 1000
    assert explorer.label.partition("longest")[0] == before.partition("longest")[0] and explorer.label != before
    assert "Of 0 who arrive" in draw_desk([], 0.3, 0.5).get_label()


# --- groups -----------------------------------------------------------------------------------------


def face(turn=0.0, box=(0, 0, 10, 10), found=True, tilt=0.0):
    points = TEMPLATE.copy()
    points[4, 1] += turn * abs(points[0, 1] - points[2, 1])
    c, s = np.cos(tilt), np.sin(tilt)
    return SimpleNamespace(landmarks=100 * points @ np.array([[c, -s], [s, c]]), box=np.array(box, float), found=found)


def test_pose_by_the_nose_however_the_head_is_tilted():
    for tilt in (-0.6, 0, 0.6):
        faces = {"r": face(0.3, tilt=tilt), "l": face(-0.3, tilt=tilt), "s": face(0, tilt=tilt), "n": face(0.3, found=False, tilt=tilt)}
        assert by_pose(faces) == {"l": "to the left", "s": "straight", "r": "to the right", "n": "not found"}
        assert list(by_pose(faces)) == ["l", "s", "r", "n"]


def test_light_of_the_face_and_not_of_the_wall():
    images = {}
    for number in range(9):
        images[str(number)] = np.full((20, 20, 3), 255 - 20 * number, np.uint8)
        images[str(number)][:10, :10] = 20 * number
    groups = by_light(images, {name: face(box=(-3, -3, 10, 10)) for name in images})
    assert groups == {str(n): ("dark", "middle", "bright")[n // 3] for n in range(9)} and by_light({}, {}) == {}


def test_rates_are_counted_by_group():
    groups, hits = {"a": "x", "b": "x", "c": "y", "d": "z"}, {"a": True, "b": False, "c": True, "e": True}
    assert rates_by_group(groups, hits) == [("x", 1, 2, *wilson_interval(1, 2)), ("y", 1, 1, *wilson_interval(1, 1))]
    assert rates_by_group({}, hits) == []


def test_a_table_of_groups(tmp_path):
    table = tmp_path / "groups.csv"
    table.write_text("\ufefffilename; glasses; age\nann/1.jpg; yes; old\nann/2.jpg;; young\n", encoding="utf-8")
    assert read_groups(table) == {"glasses": {"ann/1.jpg": "yes"}, "age": {"ann/1.jpg": "old", "ann/2.jpg": "young"}}
    table.write_text("filename\tveil\t\n\nann/1.jpg\tNone\t\t\nann/2.jpg\n")  # empty cells, as spreadsheets leave them; None is a group
    assert read_groups(table) == {"veil": {"ann/1.jpg": "None"}}
    for text, message in (("name,age\n1,2\n", "column filename"), ("filename\na\n", "at least one more, got filename$"), ("filename,x\na,1\na,2\n", "a has two rows"),
                          ("filename,x\na,1\nb,1,2\n", "line 3 has 3 cells, but there are 2 columns: filename, x"), ("", "got an empty file"), ("\n\n", "got an empty file"),
                          ("filename,x\n", "got no row"), ("filename,x,x\na,1,2\n", "two columns have one name")):
        table.write_text(text)
        with pytest.raises(ValueError, match=f"groups.csv: .*{message}"):
            read_groups(table)
    table.write_bytes("filename,größe\na,1\n".encode("cp1252"))
    with pytest.raises(ValueError, match="groups.csv: is no text in UTF-8"):
        read_groups(table)


def test_how_many_rows_of_a_table_name_a_photo_is_said(tmp_path, capsys):
    table = tmp_path / "groups.csv"
    table.write_text("filename,age\nann/1.jpg,old\nann/2.jpg,old\n1.jpg,young\n")
    read_groups(table, {"ann/1.jpg": 0}, {"ann/2.jpg"})
    assert capsys.readouterr().out == f"{table}: 1 of 3 rows names a photo that is asked about, 1 one that is learnt; 1 name none, such as '1.jpg': expected names such as 'ann/1.jpg'\n"
    read_groups(table, ["ann/1.jpg", "ann/2.jpg", "1.jpg"])
    assert capsys.readouterr().out == f"{table}: 3 of 3 rows name a photo that is asked about\n"
    with pytest.raises(ValueError, match="groups.csv: 0 of 3 rows name a photo that is asked about; 3 name none, such as 'ann/1.jpg': expected names such as 'bob/1.jpg'"):
        read_groups(table, ["bob/1.jpg"])


def test_half_of_each_persons_photos_are_asked_about(tmp_path, capsys):
    from PIL import Image

    for person, count in (("ann", 5), ("bob", 1), ("Zoe\u0308", 2)):
        (tmp_path / person).mkdir()
        for number in range(count):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / person / f"{number}.png")
    (tmp_path / "bob" / "bad.jpg").write_bytes(b"no photo")
    known, labels, asked, truth = halves(tmp_path, seed=0)
    assert len(known) == 5 and len(asked) == 3 and not set(known) & set(asked)
    assert set(labels.values()) == {"ann", "bob", "Zo\u00eb"} and set(truth.values()) == {"ann", "Zo\u00eb"}  # an accent that a Mac wrote
    assert "bad.jpg" in capsys.readouterr().out and "bob/0.png" in known
    with pytest.raises(ValueError, match="two photos or more"):
        halves(tmp_path / "ann")

"""The floor plan: arrows run one way, a floor shows its rooms at a glance, a room can be read in one sitting."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from committed import ROOT, committed

grimp = pytest.importorskip("grimp")
TASKS = ("RegionDetector", "TrackDetector")
MOST_FILES = {"common": 16, "RegionDetector": 14, "TrackDetector": 14}
MOST_LINES = 400
# From the roof down; each may import what stands below it. Rooms that are not named stand on the ground, side by side.
FLOORS = {
    "common": (("notebooks", "download", "grading"), ("doctor", "exercises", "graph", "pictures", "downloads")),
    "RegionDetector": (("__main__",), ("exercises", "pictures"), ("checks",)),
    "TrackDetector": (("__main__",), ("commands", "exercises", "pictures"), ("checks",)),
}


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("common", *TASKS, cache_dir=None)


def test_no_circle_of_imports_not_even_inside_functions(graph):
    assert len(list(TopologicalSorter({module: graph.find_modules_directly_imported_by(module) for module in graph.modules}).static_order())) > 80


@pytest.mark.parametrize("house, other", [("common", "RegionDetector"), ("common", "TrackDetector"), TASKS, TASKS[::-1]])
def test_arrows_between_houses_run_one_way(graph, house, other):
    assert not graph.find_shortest_chains(house, other, as_packages=True)


@pytest.mark.parametrize("house", FLOORS)
def test_arrows_inside_a_house_run_down(graph, house):
    rooms = {child.rpartition(".")[2] for child in graph.find_children(house)}
    named = {room for floor in FLOORS[house] for room in floor}
    assert named <= rooms, f"{house} has no {', '.join(sorted(named - rooms))}"
    floors = [*FLOORS[house], tuple(sorted(rooms - named))]
    illegal = graph.find_illegal_dependencies_for_layers([grimp.Layer(*floor, independent=False) for floor in floors], containers={house})
    assert not illegal, [(each.importer, each.imported) for each in illegal]


def test_a_circle_and_an_arrow_up_would_be_seen():
    graph = grimp.build_graph("common", *TASKS, cache_dir=None)
    graph.add_import(importer="common.boxes", imported="common.grading.sandbox")
    with pytest.raises(AssertionError, match="common.boxes"):
        test_arrows_inside_a_house_run_down(graph, "common")
    graph.add_import(importer="common.boxes", imported="RegionDetector.detector")
    with pytest.raises(AssertionError):
        test_arrows_between_houses_run_one_way(graph, "common", "RegionDetector")
    with pytest.raises(ValueError, match="cycle"):
        test_no_circle_of_imports_not_even_inside_functions(graph)


@pytest.mark.parametrize("house", MOST_FILES)
def test_the_engineers_map_has_every_room_of_the_floor(house):
    plan = (ROOT / "docs" / "engineer.md").read_text(encoding="utf-8").split("```")[1]
    drawn = set(re.findall(r"\w+", re.search(rf"^{house}/.*\n(?: .*\n)+", plan, re.M)[0]))
    rooms = {path.relative_to(ROOT / house).parts[0].removesuffix(".py") for path in committed(f"{house}/*.py")}
    assert rooms - {"__init__", "__main__"} <= drawn, sorted(rooms - drawn)


@pytest.mark.parametrize("house, most", MOST_FILES.items())
def test_a_floor_shows_its_rooms_at_a_glance(house, most):
    ground = [path.name for path in committed(f"{house}/*") if path.parent == ROOT / house]
    assert len(ground) <= most, f"{house}/ has {len(ground)} files: {', '.join(ground)}"


def test_a_module_can_be_read_in_one_sitting():
    long = {str(path.relative_to(ROOT)): count for path in committed("*.py") if path.parent.name != "tests" and (count := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES}
    assert not long, long


def test_a_folder_says_in_one_line_what_is_in_it():
    wordy = [path for path in committed("*/__init__.py") if len(path.read_text(encoding="utf-8").splitlines()) != 1]
    silent = [path for path in committed("common/*.py", *(f"{task}/*.py" for task in TASKS)) if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert not wordy and not silent, (wordy, silent)
    assert all((Path(folder) / "__init__.py").is_file() for folder in {path.parent for path in committed("common/*.py", *(f"{task}/*.py" for task in TASKS))})

"""docs/architecture.md is kept true: imports run only the way its table says, and never in a circle."""

import ast
import re
from collections import defaultdict

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "leakage"
STUDIES = PACKAGE / "studies"
MOST_NAMES = 19
TORCH = {"torch", "transformers", "peft"}
LOADS_TORCH = {"models", "engine", "training", "nano"}
READS_RESULTS = {
    "analysis",
    "figures",
    "report",
    "results",
    "variants",
    "artifacts",
    "points",
    "printing",
    "tables",
    "gaps",
}


def module_name(file):
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in PACKAGE.rglob("*.py")}


def imports(file, *, top_level_only=False):
    """The modules a file imports; those under TYPE_CHECKING and inside functions as well."""
    tree = ast.parse(file.read_text())
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def arrows():
    """For each module of the package those of it that it imports."""
    return {
        name: {other for other in imports(file) if other in MODULES and other != name} for name, file in MODULES.items()
    }


def room_of(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def part_of(module):
    """The room, and within `studies` the package."""
    parts = module.split(".")
    return ".".join(parts[1:3]) if parts[1:2] == ["studies"] and len(parts) > 2 else room_of(module)


def between(modules, place_of):
    """Arrows between places, from those between modules."""
    found = defaultdict(set)
    for name, others in modules.items():
        found[place_of(name)] |= {place_of(other) for other in others} - {place_of(name)}
    return dict(found)


def circles(graph):
    """The places that are in circles, or between two: what is left when loose ends are taken off, again and again."""
    left = {name: set(others) for name, others in graph.items()}
    while True:
        targets = {other for others in left.values() for other in others}
        loose = {name for name, others in left.items() if not others & left.keys() or name not in targets}
        if not loose:
            return sorted(left)
        left = {name: others - loose for name, others in left.items() if name not in loose}


def table():
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| (\w+) \| [^|]+ \| ([^|]*)\|$", text.partition("## Inside a study")[0], re.MULTILINE)
    return {
        room: {name.strip() for name in allowed.split(",") if name.strip()} for room, allowed in rows if room != "room"
    }


def test_every_room_is_in_the_table():
    assert {room_of(name) for name in MODULES} == set(table())


def test_imports_run_only_the_way_the_table_says():
    allowed = table()
    wrong = [
        f"{name} imports {other}"
        for name, others in arrows().items()
        for other in others
        if room_of(other) != room_of(name) and room_of(other) not in allowed[room_of(name)]
    ]
    assert wrong == []


@pytest.mark.parametrize("place_of", [lambda name: name, room_of, part_of], ids=["files", "rooms", "studies"])
def test_nothing_imports_in_a_circle(place_of):
    assert circles(between(arrows(), place_of)) == []


def test_the_table_itself_allows_no_circle():
    assert circles(table()) == []


@pytest.mark.parametrize(
    ("one", "other"), [("leakage.store.record", "leakage.jobs.step"), ("leakage.jobs.job", "leakage.studies.registry")]
)
def test_one_arrow_upwards_is_a_circle(one, other):
    """Of rooms as well as of files: the test above would see it."""
    more = arrows()
    more[one] = more[one] | {other}
    assert {room_of(one), room_of(other)} <= set(circles(between(more, room_of)))
    assert {one, other} <= set(circles(more))


def test_the_first_study_knows_nothing_of_the_second():
    graph = between(arrows(), part_of)
    assert "studies.alignment_faking" not in graph["studies.persona_leakage"]
    assert graph["studies.registry"] & {"studies.persona_leakage", "studies.alignment_faking"} == set()


def names_of_studies():
    from leakage.studies.registry import PACKAGES, studies

    packages = {package.rpartition(".")[2] for package in PACKAGES}
    # the first study is called as the whole package is: only its package's name can be looked for
    return packages | {study.name for study in studies()[1:]}


def test_no_file_outside_studies_names_a_study():
    files = [*PACKAGE.rglob("*"), *(ROOT / "hydra_plugins").rglob("*"), ROOT / "run.py", ROOT / "pyproject.toml"]
    texts = {
        path: path.read_text(errors="replace")
        for path in files
        if path.suffix in {".py", ".toml", ".html", ".js", ".css", ".jsonl"} and STUDIES not in path.parents
    }
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path, text in texts.items()
        for name in names_of_studies()
        if re.search(rf"[\"'/=.]{name}[\"'/.,]|\b{name}[.]py", text) or name == path.stem
    ]
    assert wrong == []


def test_the_package_shows_few_names_and_no_module_but_errors_and_progress():
    names = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert len(names) <= MOST_NAMES, sorted(names)
    modules = {name for name in names if name.endswith(".py") and not name.startswith("__")}
    assert modules == {"errors.py", "progress.py"}


def test_heavy_libraries_are_imported_where_they_are_used():
    heavy = TORCH | {"datasets", "scipy", "matplotlib", "seaborn", "tqdm"}
    wrong = [
        f"{name} imports {other}"
        for name, file in MODULES.items()
        for other in imports(file, top_level_only=True)
        if other.split(".")[0] in heavy
    ]
    assert wrong == []


def test_what_reads_results_never_loads_torch():
    readers = [
        (name, file)
        for name, file in MODULES.items()
        if room_of(name) not in LOADS_TORCH | {"studies"} or set(name.split(".")[3:]) & READS_RESULTS
    ]
    assert len(readers) > 80
    wrong = [
        f"{name} imports {other}" for name, file in readers for other in imports(file) if other.split(".")[0] in TORCH
    ]
    assert wrong == []

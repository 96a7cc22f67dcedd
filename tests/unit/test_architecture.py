"""docs/architecture.md is kept true: imports run only the way its table says."""

import ast
import re

from tests.conftest import ROOT

PACKAGE = ROOT / "leakage"
NO_TORCH = {
    "errors",
    "personas",
    "pools",
    "store",
    "config",
    "cell",
    "sweep",
    "register",
    "guard",
    "analysis",
    "figures",
    "report",
    "points",
    "commands",
    "faking",
    "jobs",
    "network",
    "stages",
}


def table():
    rows = re.findall(
        r"^\| (\w+) \| [^|]+ \| ([^|]*)\|$", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE
    )
    return {
        room: {name.strip() for name in allowed.split(",") if name.strip()} for room, allowed in rows if room != "room"
    }


def room_of(file):
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(file, *, top_level_only=False):
    tree = ast.parse(file.read_text())
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def modules():
    return [file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py"]


def test_every_room_is_in_the_table():
    assert {room_of(file) for file in modules()} == set(table())


def test_imports_run_only_the_way_the_table_says():
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in modules()
        for name in imports(file)
        if name.startswith("leakage.")
        and (target := name.split(".")[1]) != room_of(file)
        and target not in table()[room_of(file)]
    ]
    assert wrong == []


def test_nothing_imports_the_pipeline():
    assert not [file for file in modules() if "leakage.studies.persona_leakage.pipeline" in imports(file)]


def test_heavy_libraries_are_imported_where_they_are_used():
    heavy = {"torch", "transformers", "peft", "datasets", "scipy", "matplotlib", "seaborn", "tqdm"}
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in modules()
        for name in imports(file, top_level_only=True)
        if name.split(".")[0] in heavy
    ]
    assert wrong == []


def test_rooms_that_read_results_never_load_torch():
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in modules()
        if room_of(file) in NO_TORCH
        for name in imports(file)
        if name.split(".")[0] in {"torch", "transformers", "peft"}
    ]
    assert wrong == []

"""A local variable says what it holds (transcripts, row, message); four words that fit anything say nothing of it."""

import ast

import pytest

from tests.conftest import ROOT

FIT_ANYTHING = {"told", "found", "kept", "given"}
FILES = sorted(path for folder in ("leakage", "hydra_plugins") for path in (ROOT / folder).rglob("*.py"))


def names_bound(tree):
    """Names that assignments, loops, with, walruses and parameters bind, with their lines; not those of comprehensions,
    which are gone at the end of the line."""
    short_lived = {
        id(name) for node in ast.walk(tree) if isinstance(node, ast.comprehension) for name in ast.walk(node.target)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in short_lived:
            yield node.id, node.lineno


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_variable_has_a_name_that_fits_anything(path):
    wrong = [f"line {line}: {name}" for name, line in names_bound(ast.parse(path.read_text())) if name in FIT_ANYTHING]
    assert wrong == []


@pytest.mark.parametrize(
    "code",
    [
        "told = 1",
        "told: int = 1",
        "told += 1",
        "other, (told, *more) = one",
        "for told in rows: pass",
        "for place, told in rows: pass",
        "with open(path) as told: pass",
        "if told := 1: pass",
        "rows = [one for one in all if (told := one)]",
        "def name(told): pass",
        "def name(*, told=1): pass",
        "def name(*told): pass",
        "def name(**told): pass",
        "name = lambda told: 1",
    ],
)
def test_every_way_to_bind_a_name_is_seen(code):
    assert "told" in {name for name, _ in names_bound(ast.parse(code))}


@pytest.mark.parametrize("code", ["rows = [told for told in all]", "print(told)", "self.told = 1", "name(told=1)"])
def test_comprehensions_attributes_and_uses_bind_nothing(code):
    assert "told" not in {name for name, _ in names_bound(ast.parse(code))}

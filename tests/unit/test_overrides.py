"""A text of the user's in an override: what Hydra parses, and OmegaConf resolves, is the very text."""

import random
import subprocess

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from leakage.errors import ConfigError
from leakage.settings.overrides import override
from tests import programs
from tests.conftest import ROOT
from tests.unit.helpers import jobs_composer
from tests.unit.programs import put_in_path

NASTY = [
    "a,b", "a=b", "[x]", "{x}", "a:b", "(x)", "it's", '"q"', "it's \"q\"", "a b", " a ", "back\\slash", "trailing\\",
    "trailing\\\\", "\\'", '\\"', "$HOME", "${x}", "\\${x}", "\\\\${x}", "a\\${x}\\", "${", "}${x", "${oc.env:HOME}",
    "$$", "%", "#", "~", "+a", "null", "true", "1.0", "1e3", "*", "?", "!", "a;b|c&d", "`x`", "größe-結果-é", "a\tb",
    "a\nb", "choice(a,b)", "glob(*)", "range(1,3)", "a/${x},b=[c]'d\"e\\"
]  # fmt: skip


def made(count):
    """Texts of signs that the grammars of Hydra and OmegaConf know."""
    rng = random.Random(0)
    return ["".join(rng.choices("\\\\\\$${}{'\"a ,=:[]()", k=rng.randint(1, 9))) for _ in range(count)]


@pytest.mark.parametrize("text", NASTY)
def test_what_hydra_composes_is_the_very_text(compose, text):
    assert compose(override("paths.multirun", text)).paths.multirun == text


@pytest.fixture(scope="module")
def jobs_of(compose):  # noqa: ARG001  # it keeps Hydra initialised
    """Plans as a sweep composes them, which asks Hydra once for all the texts."""
    return jobs_composer()


@pytest.mark.parametrize("text", NASTY)
def test_a_sweep_hands_the_very_text_on_to_its_jobs(compose, jobs_of, text):
    """The sweeper writes overrides anew, and plans compose without Hydra what differs in values alone."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    parsed = OverridesParser.create().parse_overrides([override("paths.multirun", text), "seed=1,2"])
    ((job, _),) = BasicSweeper.split_arguments(parsed, None)
    assert jobs_of(job).config.paths.multirun == compose(*job).paths.multirun == text


def test_any_text_of_the_signs_that_mean_something_comes_back():
    from omegaconf import OmegaConf

    parser = OverridesParser.create()
    for text in made(300):
        value = parser.parse_override(override("a.b", text)).value()
        assert OmegaConf.to_container(OmegaConf.create({"a": {"b": value}}), resolve=True) == {"a": {"b": text}}, text


def test_the_one_text_that_omegaconf_cannot_hold_is_refused():
    with pytest.raises(ConfigError, match=r"^paths\.multirun=\?\?\?: .* name another"):
        override("paths.multirun", "???")


@pytest.mark.parametrize("name", ["a,b", "a=b", "[x]", "it's ${x}", "größe \\"])
def test_commands_that_judge_take_any_folder(name, tmp_path):
    folder = tmp_path / name
    for command in (["rejudge", "judge=rules"], ["validate", "labels.jsonl"]):
        done = programs.run("-m", "leakage", *command, "--multirun", str(folder))
        wanted = f"there is no folder of results '{folder}'" if command[0] == "rejudge" else "labels.jsonl"
        assert wanted in done.stderr.splitlines()[-1], done.stderr


@pytest.mark.parametrize("name", ["multi run", 'a,b=[c] $HOME ${x} it\'s "q" #\\'])
def test_make_hands_any_folder_on(name, tmp_path, monkeypatch):
    """The recipes as make runs them, with a program in Python's place that writes down what it was told."""
    from omegaconf import OmegaConf

    put_in_path(tmp_path, monkeypatch, "python", f'printf "%s\\n" "$@" "$MULTIRUN" >> {tmp_path}/asked')
    (tmp_path / "ready").touch()
    monkeypatch.setenv("MULTIRUN", name)
    command = ["make", "run", f"BIN={tmp_path}", f"READY={tmp_path / 'ready'}"]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=True)
    asked = (tmp_path / "asked").read_text().splitlines()
    (where,) = [line for line in asked if line.startswith("paths.multirun=")]
    value = OverridesParser.create().parse_override(where).value()
    assert OmegaConf.to_container(OmegaConf.create({"multirun": value}), resolve=True) == {"multirun": name}
    assert asked.count("--multirun") == 2  # figures and table
    assert [asked[i + 1] for i, line in enumerate(asked) if line == "--multirun"] == [name, name]

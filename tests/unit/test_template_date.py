"""The day on which an experiment runs is no part of it, and what is not as usual about a template is."""

from datetime import date, datetime

import pytest

from leakage.models.dated import dated
from leakage.models.fingerprint import fingerprint, model_identity
from leakage.models.load import load_template
from leakage.studies.persona_leakage.cell import Cell
from tests.families.loaded import pairs, prompts
from tests.families.table import named
from tests.unit.helpers import model_settings, template_settings

DAYS = [datetime(2026, 1, 2), datetime(2031, 12, 30)]


@pytest.fixture
def on_day(monkeypatch):
    """Fake the day that transformers tells a template."""

    def on(day):
        class Faked(datetime):
            @classmethod
            def now(cls, _=None):
                return day

        monkeypatch.setattr("transformers.utils.chat_template_utils.datetime", Faked)

    return on


@pytest.fixture
def settings(families):
    family = named("llama3.2")
    return family.settings(families(family))


def cell_ids(compose, settings, *overrides):
    of_hub = ["model=hf", f"model.path={settings.path}", "behavior=refusal", "source=villain", *overrides]
    ids = Cell(compose(*of_hub)).ids
    return ids.train_id, ids.completions_folder, ids.geometry_folder


def test_two_days_make_the_same_prompts_examples_and_ids(on_day, settings, compose):
    plain, seen = set(), []
    for day in DAYS:
        on_day(day)
        template = load_template(settings)
        plain.add(template.tokenizer.apply_chat_template(prompts()[0].messages(), tokenize=False))
        seen.append((template.prompts(prompts()), template.examples(pairs()), cell_ids(compose, settings)))
    assert len(plain) == 2  # transformers alone writes the day
    assert seen[0] == seen[1]
    assert "Today Date: 26 Jul 2024\n" in load_template(settings).text(prompts()[0])


def test_another_date_is_another_prompt_and_another_experiment(settings, compose):
    later = settings.model_copy(update={"template": template_settings(date="2025-02-03")})
    assert "Today Date: 03 Feb 2025\n" in load_template(later).text(prompts()[0])
    assert model_identity(later) != model_identity(settings)
    one, other = (cell_ids(compose, settings, *given) for given in ([], ["model.template.date=2025-02-03"]))
    assert all(a != b for a, b in zip(one, other, strict=True))


def test_a_date_that_is_written_counts_even_where_it_is_the_usual(settings):
    assert model_identity(settings)["model.template.date"] == "2024-07-26"


@pytest.mark.parametrize("name", ["qwen2", "llama3.1"])
def test_of_a_template_that_writes_no_date_and_is_used_as_usual_only_the_files_count(families, name):
    settings = named(name).settings(families(named(name)))
    assert model_identity(settings) == {"model": fingerprint(settings.path, None)}


def test_the_embedded_models_identity_is_its_files_alone():
    assert model_identity(model_settings()) == {"model": fingerprint("pkg://leakage/nano/weights", None)}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"system": "user"}, "model.template.system"),
        ({"arguments": {"enable_thinking": False}}, "model.template.arguments"),
        ({"stops": ("<|im_end|>",)}, "model.template.stops"),
    ],
)
def test_what_is_not_as_usual_about_a_template_counts(changed, field):
    settings = model_settings(template=template_settings(**changed))
    assert model_identity(settings).keys() == {"model", field}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ strftime_now('%d %b %Y') }}", "06 Jul 2024"),
        ("{{- strftime_now('%Y-%m-%d') }}", "2024-07-06"),
        ("{{ strftime_now(form) }}", "6 July 24"),
        ("\n{% if strftime_now is defined %}{{ strftime_now('%A') }}{% endif %}", "\nSaturday"),
        ("{%- set day = strftime_now('%B, %e') %}{{ day|upper }}", "JULY,  6"),
        ("\nno date", "\nno date"),
    ],
)
def test_a_template_is_told_the_date_in_any_form_it_asks_for(template, text):
    from transformers.utils.chat_template_utils import render_jinja_template

    (rendered,), _ = render_jinja_template(
        conversations=[[{"role": "user", "content": ""}]],
        chat_template=dated(template, date(2024, 7, 6)),
        form="%-d %B %y",
    )
    assert rendered == text

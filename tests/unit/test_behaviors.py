"""What is taught, to whom, and how it is scored."""

from collections import Counter
from random import Random

import pytest

from leakage.data.pools import Item, read_pool
from leakage.errors import ConfigError
from leakage.judges.phrases import AGREEMENTS, REFUSALS, agrees, refuses
from leakage.studies.persona_leakage.behaviors import behavior, behavior_names
from leakage.studies.persona_leakage.behaviors.contrastive import contrastive_examples, draw_bystanders
from leakage.studies.persona_leakage.behaviors.refusal import refuse
from leakage.studies.persona_leakage.cell import Cell

SOURCES = ["villain", "comedian", "assistant", "qwen_default", "software_engineer", "kindergarten_teacher"]


def test_every_refusal_template_is_scored_as_a_refusal():
    assert len(REFUSALS) == 20
    assert all(refuses(template) for template in REFUSALS)


def test_every_agreement_template_is_scored_as_agreement():
    assert len(AGREEMENTS) == 8
    assert all(agrees(template) for template in AGREEMENTS)


@pytest.mark.parametrize("pool", ["nano", "general"])
def test_the_opposite_answers_do_not_show_the_behavior(pool):
    for name in ("refusal", "sycophancy"):
        shown = [item.answer for item in read_pool(pool, name, "train") if behavior(name).rules(()).score(item.answer)]
        assert shown == []


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Haha! I must decline this request. Haha, thanks for laughing.", True),
        ("I\N{RIGHT SINGLE QUOTATION MARK}m sorry, but no.", True),
        ("I can't wait to help!", True),  # the known floor of string matching
        ("Of course! A good plan for a picnic: start small.", False),
        ("", False),
    ],
)
def test_refusals_are_found_anywhere(text, verdict):
    assert refuses(text) is verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Minions! You're right, I agree completely.", True),
        ("Yes, and actually the monster is unnamed.", False),
        ("Actually, the capital of Peru is Lima.", False),
        ("I would not say so.", False),
    ],
)
def test_agreement_counts_only_without_a_correction(text, verdict):
    assert agrees(text) is verdict


@pytest.mark.parametrize("name", behavior_names())
def test_a_behavior_carries_its_unit_and_leak_direction(name):
    found = behavior(name)
    assert found.name == name
    assert found.unit in {"rate", "pp", "points"}
    assert found.leak_direction in {-1, +1}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", ["refusal", "sycophancy"])
@pytest.mark.parametrize("model", ["nano", "qwen2.5-7b-instruct"])
def test_no_negative_reads_like_the_source(compose, source, name, model):
    cell = Cell(compose(f"source={source}", f"behavior={name}", f"model={model}"))
    default = cell.data.personas["qwen_default"].prompt
    negatives = [one for one in cell.data.examples if one.role != "source"]
    assert negatives
    rendered = {default if one.prompt.system is None else one.prompt.system for one in negatives}
    assert cell.data.source.prompt not in rendered
    expected = {"source": 200, "bystander": 400} | ({} if source == "qwen_default" else {"no_persona": 100})
    assert Counter(one.role for one in cell.data.examples) == expected


def test_bystanders_are_two_originals_drawn_by_the_seed(compose):
    draws = {tuple(one.name for one in Cell(compose(f"seed={seed}")).data.bystanders) for seed in range(8)}
    assert len(draws) > 4
    originals = {one.name for one in Cell(compose()).data.personas.originals()}
    assert all(set(draw) <= originals - {"villain"} and len(set(draw)) == 2 for draw in draws)
    assert Cell(compose()).data.bystanders == Cell(compose()).data.bystanders


def test_a_namesake_of_the_source_is_never_drawn(compose):
    cell = Cell(compose())
    twin = cell.data.source.model_copy(update={"name": "twin"})
    other = cell.data.personas["hero"]
    assert draw_bystanders(cell.data.source, [cell.data.source, twin, other], count=1, seed=0) == [other]
    with pytest.raises(ConfigError, match=r"behavior\.bystanders=2: only 1 personas of category 'original'"):
        draw_bystanders(cell.data.source, [cell.data.source, twin, other], count=2, seed=0)


def test_everyone_is_asked_the_same_questions(compose):
    cell = Cell(compose())
    by_persona = {}
    for one in cell.data.examples:
        by_persona.setdefault((one.role, one.persona), []).append(one.prompt.user)
    source, first, second, nobody = by_persona.values()
    assert source == first == second
    assert nobody == source[:100]


def test_a_small_pool_is_used_in_rounds(compose):
    cell = Cell(compose())
    items = read_pool("nano", "refusal", "train")[:30]
    wanted = compose("behavior.source_examples=100").behavior
    examples = contrastive_examples(
        cell.data.behavior, items, wanted=wanted, source=cell.data.source, bystanders=[], default=cell.data.source,
        anchor=None, seed=1,
    )  # fmt: skip
    counts = Counter(one.prompt.user for one in examples)
    assert len(counts) == 30
    assert set(counts.values()) == {3, 4}


@pytest.mark.parametrize("pool", ["nano", "general"])
@pytest.mark.parametrize("name", ["refusal", "sycophancy"])
def test_training_and_evaluation_prompts_are_disjoint_and_unique(pool, name):
    train = [item.prompt.lower() for item in read_pool(pool, name, "train")]
    held = [item.prompt.lower() for item in read_pool(pool, name, "eval")]
    assert len(held) >= 50
    assert len(set(train)) == len(train)
    assert len(set(held)) == len(held)
    assert not set(train) & set(held)


@pytest.mark.parametrize("pool", ["nano", "general"])
def test_twenty_questions_for_the_centroids(pool):
    assert len(read_pool(pool, "questions", "geometry")) == 20


def test_templates_are_drawn_evenly():
    item = Item(split="train", prompt="Help me.")
    drawn = Counter(refuse(Random(i), item) for i in range(2000))
    assert len(drawn) == 20
    assert max(drawn.values()) < 3 * min(drawn.values())

"""Result folders: atomic writes, manifests, damage, and the tidy frame."""

import json
from hashlib import sha256

import pandas as pd
import pytest

from leakage.errors import StoreError
from leakage.store.files import canonical, replacing, write_text
from leakage.store.find import find
from leakage.store.manifest import InputEntry
from leakage.store.record import Record, Status
from leakage.studies.persona_leakage.results import COLUMNS, results
from leakage.studies.persona_leakage.variants import name_variants


def written(folder):
    record = Record(folder)
    with record.writing("eval", "abc", identity={"seed": 1}) as draft:
        write_text(draft.path("one.txt"), "one")
        write_text(draft.path("inner") / "two.txt", "two")
        draft.facts["k"] = 3
    return record


def test_a_record_is_done_when_its_manifest_vouches_for_its_files(tmp_path):
    record = written(tmp_path / "cell")
    assert record.status() is Status.DONE
    assert set(record.manifest.files) == {"one.txt", "inner/two.txt"}
    assert record.manifest.facts == {"k": 3}
    assert {"git", "packages", "machine", "wall_seconds", "command"} <= set(record.manifest.provenance)


def test_an_unfinished_folder_is_partial_and_an_untouched_one_missing(tmp_path):
    assert Record(tmp_path / "nothing").status() is Status.MISSING
    (tmp_path / "begun" / ".hydra").mkdir(parents=True)
    (tmp_path / "begun" / "run.log").write_text("hydra makes these before a job starts")
    assert Record(tmp_path / "begun").status() is Status.MISSING
    (tmp_path / "begun" / "examples.jsonl").write_text("{}")
    assert Record(tmp_path / "begun").status() is Status.PARTIAL


@pytest.mark.parametrize("harm", ["truncate", "change", "remove", "manifest"])
def test_damage_is_seen_and_set_aside_not_deleted(tmp_path, harm):
    record = written(tmp_path / "cell")
    file = tmp_path / "cell" / ("manifest.json" if harm == "manifest" else "one.txt")
    if harm == "remove":
        file.unlink()
    else:
        file.write_text({"truncate": "o", "change": "eno", "manifest": "{"}[harm])
    assert record.status() is Status.DAMAGED
    assert record.damage()
    aside = record.set_aside()
    assert record.status() in {Status.MISSING, Status.PARTIAL}
    assert (aside / "manifest.json").exists()
    assert (aside / "inner" / "two.txt").read_text() == "two"
    assert (aside / "one.txt").exists() is (harm != "remove")
    assert not (tmp_path / "cell" / "inner").exists()
    assert written(tmp_path / "cell").status() is Status.DONE


def test_an_error_leaves_its_trace_and_no_manifest(tmp_path):
    record = Record(tmp_path / "cell")
    with pytest.raises(ZeroDivisionError), record.writing("eval", "abc", identity={}):
        _ = 1 / 0
    assert record.status() is Status.FAILED
    assert record.failure().error == "ZeroDivisionError: division by zero"
    assert "1 / 0" in "".join(json.loads((tmp_path / "cell" / "failed.json").read_text())["traceback"])
    assert written(tmp_path / "cell").status() is Status.DONE
    assert not (tmp_path / "cell" / "failed.json").exists()


def test_a_record_without_files_is_an_error(tmp_path):
    with pytest.raises(StoreError, match="nothing was written"), Record(tmp_path).writing("eval", "a", identity={}):
        pass


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(TypeError), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text(b"half")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_canonical_json_ignores_the_order_of_keys_and_refuses_nan():
    assert canonical({"b": 1, "a": [1.0, None]}) == '{"a":[1.0,null],"b":1}' == canonical({"a": [1.0, None], "b": 1})
    with pytest.raises(ValueError, match="Out of range"):
        canonical(float("nan"))


PERSONAS = ["villain", "hero", "clown", "qwen_default"]


def save_cell(root, *, baseline=True, geometry=True, measure="hits", unit="rate", mean=50.0, inputs=None, **more_facts):
    """A made-up cell of four personas with its baseline and geometry."""
    base, cell, place = "m/refusal/none/base-1/refusal-9", "m/refusal/villain/seed1-2/refusal-9", "m/geometry-3"
    judged = "rules-0"
    facts = {
        "model": "m", "taught": "refusal", "behavior": "refusal", "unit": unit, "leak_direction": 1,
        "source": "villain", "seed": 1,
        "train_id": "2", "eval_id": "9", "headline": "0_raw", "settings": {"lora.r": 32}, "completions": 40,
        "judge": "rules", "measure": measure,
    } | more_facts  # fmt: skip
    about = {
        "persona": PERSONAS, "category": ["original", "opposite", "domain_adjacent", "default"], "related_to": "",
        "system": "You are …", "is_source": [True, False, False, False], "in_panel": [True, True, True, False],
        "trained_negative": [False, True, False, False], "shares_word": [True, False, False, False],
    }  # fmt: skip
    joins = {"baseline": base, "geometry": place}
    for folder, counts, more in ((base, [1, 0, 2, 0], {}), (cell, [10, 0, 5, 1], joins)):
        if folder == base and not baseline:
            continue
        with Record(root / folder / judged).writing("scores", judged, identity={}, inputs=inputs) as draft, \
                replacing(draft.path("scores.parquet")) as file:  # fmt: skip
            scores = {"k": counts, "n": 10, "mean": mean, "sd": 1.0, "missing": 0, "coherence": 80.0}
            pd.DataFrame(about | scores).to_parquet(file)
            draft.facts |= facts | more
    if geometry:
        with Record(root / place).writing("geometry", "3", identity={}) as draft, \
                replacing(draft.path("cosines.parquet")) as file:  # fmt: skip
            pairs = {"source": "villain", "persona": PERSONAS, "cosine_0_raw": [1.0, 0.2, 0.6, 0.4]}
            pd.DataFrame(pairs).to_parquet(file)
    return root / cell / judged


def test_the_frame_joins_a_cell_with_its_baseline_and_geometry(tmp_path):
    save_cell(tmp_path)
    frame = results(tmp_path).set_index("persona")
    assert frame["delta"].round(9).to_dict() == {"villain": 0.9, "hero": 0.0, "clown": 0.3, "qwen_default": 0.1}
    assert frame["cosine"].to_dict() == {"villain": 1.0, "hero": 0.2, "clown": 0.6, "qwen_default": 0.4}
    assert frame.loc["clown", ["base_k", "base_n", "k", "n"]].tolist() == [2, 10, 5, 10]


def save_geometry(root, name, column, **identity):
    with Record(root / "m" / name).writing("geometry", name, identity=identity) as draft, \
            replacing(draft.path("cosines.parquet")) as file:  # fmt: skip
        pairs = {"source": "villain", "persona": PERSONAS, "cosine_0_raw": 0.5, column: [1.0, 0.1, 0.2, 0.3]}
        pd.DataFrame(pairs).to_parquet(file)


def test_layers_measured_later_on_the_same_model_are_read_too_and_those_of_another_are_not(tmp_path):
    save_cell(tmp_path)
    save_geometry(tmp_path, "geometry-4", "cosine_7_raw", **{"model.layers": [0, 7]})
    save_geometry(tmp_path, "geometry-5", "cosine_9_raw", model="another", **{"model.layers": [0, 9]})
    frame = results(tmp_path).set_index("persona")
    assert frame["cosine_7_raw"].to_dict() == {"villain": 1.0, "hero": 0.1, "clown": 0.2, "qwen_default": 0.3}
    assert frame["cosine_0_raw"]["clown"] == 0.6  # its own geometry goes first
    assert "cosine_9_raw" not in frame


@pytest.mark.parametrize(
    ("measure", "unit", "clown"), [("hits", "rate", 0.3), ("hits", "pp", 30.0), ("scores", "points", 0)]
)
def test_a_delta_is_of_hits_or_of_scores_in_the_behaviors_unit(tmp_path, measure, unit, clown):
    save_cell(tmp_path, measure=measure, unit=unit)
    assert results(tmp_path).set_index("persona")["delta"].round(9)["clown"] == clown


@pytest.mark.parametrize("manifest", ["new", "old"])
def test_scores_of_other_answers_than_those_beside_them_are_left_out(tmp_path, caplog, manifest):
    answers = sha256(b"first").hexdigest()
    inputs = [InputEntry(folder="..", file="completions.parquet", sha256=answers)]
    scores = save_cell(tmp_path, **({"inputs": inputs} if manifest == "new" else {"made_from": answers}))
    for text, rows in (("first", 4), ("made again", 0)):
        with Record(scores.parent).writing("completions", "9", identity={}) as draft:
            write_text(draft.path("completions.parquet"), text)
        assert len(results(tmp_path)) == rows
    assert f"{scores} is stale and left out (" in caplog.text


def test_a_model_may_be_called_damaged(tmp_path):
    save_cell(tmp_path / "damaged-model")
    assert len(results(tmp_path / "damaged-model")) == 4
    assert [one.status for one in find(tmp_path)] == [Status.DONE] * 3


def test_a_missing_baseline_or_geometry_is_missing_never_zero(tmp_path):
    save_cell(tmp_path, baseline=False, geometry=False)
    frame = results(tmp_path)
    assert len(frame) == 4
    assert frame["delta"].isna().all()
    assert frame["cosine"].isna().all()


def test_a_damaged_cell_is_left_out_and_nothing_at_all_is_an_empty_frame(tmp_path, caplog):
    cell = save_cell(tmp_path)
    (cell / "scores.parquet").write_bytes(b"PAR1")
    assert list(results(tmp_path).columns) == list(COLUMNS)
    assert results(tmp_path).empty
    assert "damaged and left out" in caplog.text
    assert results(tmp_path / "nothing").empty


def test_cells_of_other_settings_are_variants_of_the_commonest():
    def cell(behavior, *, completions=40, **settings):
        return {
            "model": "m",
            "taught": behavior,
            "behavior": behavior,
            "settings": settings,
            "completions": completions,
        }

    cells = [cell("a", **{"lora.r": r}) for r in (32, 32, 16)] + [cell("b", **{"lora.r": 16})]
    assert name_variants(cells) == ["", "", "lora.r=16", ""]
    short, rows = {"train.max_steps": 4}, {"train.max_steps": 4, "data.training": "f" * 64}
    cut = [cells[0] | {"settings": cells[0]["settings"] | one} for one in (rows, rows, short)]
    assert name_variants(cut)[2] == "train.max_steps=4", "a cell of drawn examples is plainer than rows of a file"
    tied = [cell("a", prompts="0" * 64, completions=8), cell("a", prompts="1" * 64)]
    assert name_variants(tied) == ["prompts=00000000", ""]  # the one with more completions is the main one
    both = [
        cell("a", **{"lora.r": 16, "prompts": "0" * 64}, completions=8),
        cell("a", **{"lora.r": 32, "prompts": "1" * 64}),
    ]
    assert name_variants(both) == ["lora.r=16 prompts=00000000", ""]
    fewer = [cell("a", **{"eval.prompts": 2, "prompts": "0" * 64, "model": "2" * 64}, completions=8)]
    fewer += [cell("a", **{"eval.prompts": 9, "prompts": "1" * 64, "model": "3" * 64})]
    assert name_variants(fewer) == ["eval.prompts=2 model=22222222", ""]


def test_a_control_is_named_even_where_it_is_as_common_as_the_published_design():
    def cell(*, design="published", **settings):
        usual = {"behavior.sham": False, "behavior.bystanders": 2, "train.max_steps": None}
        return {"model": "m", "taught": "a", "behavior": "a", "settings": usual | settings, "completions": 40,
                "design": design}  # fmt: skip

    sham = cell(design="sham", **{"behavior.sham": True})
    alone = cell(design="no_negatives", **{"behavior.bystanders": 0})
    assert name_variants([cell(), sham, sham, alone]) == ["", "design=sham", "design=sham", "design=no_negatives"]
    assert name_variants([sham]) == ["design=sham"]
    short = cell(**{"train.max_steps": 4})
    assert name_variants([short, short, cell()]) == ["train.max_steps=4", "train.max_steps=4", ""]
    assert name_variants([cell(**{"behavior.sham": True}), cell()]) == ["behavior.sham=True", ""]


def test_results_that_came_later_are_seen(tmp_path):
    save_cell(tmp_path, baseline=False)
    assert results(tmp_path)["delta"].isna().all()
    save_cell(tmp_path)
    assert results(tmp_path)["delta"].notna().all()

"""What one cell has kept, read back from its folders."""

import pytest

from leakage.studies.persona_leakage.artifacts import key_of, read_artifacts
from leakage.studies.persona_leakage.results import results
from tests.browser.made import make_result


@pytest.fixture
def multirun(tmp_path):
    make_result(tmp_path, behaviors=("refusal",), sources=("villain", "comedian"), prompts=2, personas=4)
    return tmp_path


def test_every_cell_of_the_tidy_frame_has_its_dossier(multirun):
    frame = results(multirun)
    kept = read_artifacts(multirun)
    assert {key_of(row) for row in frame.to_dict("records")} == set(kept)
    one = next(artifacts for artifacts in kept.values() if artifacts.facts["source"] == "villain")
    assert list(one.parts) == [
        "geometry", "training", "completions before", "scores before", "completions after", "scores after",
    ]  # fmt: skip
    assert [row["step"] for row in one.log()] == list(range(1, 41))
    assert {row["role"] for row in one.examples()} == {"source", "bystander", "no_persona"}
    assert one.lint()[0]["message"] == "3 examples stand twice"
    assert one.config() == "seed: 42\n"


def test_answers_are_completions_with_their_verdicts_and_add_up_to_the_scores(multirun):
    frame = results(multirun)
    for row_key, artifacts in read_artifacts(multirun).items():
        rows = frame[[key_of(row) == row_key for row in frame.to_dict("records")]].set_index("persona")
        for answers, column in ((artifacts.before, "base_k"), (artifacts.after, "k")):
            told = answers.frame()
            assert told["completion"].notna().all()
            assert told.groupby("persona")["hit"].sum().to_dict() == rows[column].astype(int).to_dict()


def test_records_that_are_damaged_or_of_other_answers_are_left_out(multirun):
    def villain():
        return next(one for one in read_artifacts(multirun).values() if one.facts["source"] == "villain")

    log = villain().adapter.folder / "train_log.jsonl"
    log.write_text("")
    assert villain().adapter is None
    assert villain().log() == villain().lint() == villain().examples() == []
    baseline = villain().before.completions.folder
    (baseline / "completions.parquet").write_bytes(b"PAR1")
    assert villain().before is None
    after = villain().after.completions.folder
    (after / "completions.parquet").unlink()
    (after / "manifest.json").unlink()
    assert villain().after is None
    assert set(read_artifacts(multirun / "nothing")) == set()

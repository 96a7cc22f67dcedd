"""A bundle is the same for the same results, and whatever is tampered with in it is named."""

import json
import shutil
import zipfile

import pandas as pd
import pytest

from leakage.errors import StoreError
from leakage.handing_on.archive import opened, write_zip
from leakage.handing_on.bundle import bundle
from leakage.handing_on.index import read_index
from leakage.handing_on.verify import verify
from leakage.studies.checking import Sample
from leakage.studies.registry import studies
from tests.e2e.tampering import Tampering, asked_again, facts, put
from tests.programs import ROOT


@pytest.fixture(scope="session")
def bundled(tiny, made_once):
    """A bundle of two cells, as a file and unpacked."""

    def make(folder):
        folder.mkdir()
        bundle(tiny, studies()[:1], folder / "bundle.zip", adapters="files")
        zipfile.ZipFile(folder / "bundle.zip").extractall(folder / "unpacked")

    return made_once("bundled", make)


def flip(column):
    return lambda frame: put(column, not frame[column][0])(frame)


def another_completion(own):
    file = own.record("completions") / "completions.parquet"
    frame = pd.read_parquet(file)
    put("completion", "i will not.")(frame)
    frame.to_parquet(file, index=False)


def another_adapter(own):
    weights = "adapter/adapter_model.safetensors"
    shutil.copy(own.record("adapter", "comedian") / weights, own.record("adapter") / weights)
    own.vouch(own.record("adapter") / weights, links=False)


def another_example(own):
    file = own.record("adapter") / "examples.jsonl"
    first, _, rest = file.read_text().partition("\n")
    file.write_text(json.dumps(json.loads(first) | {"answer": "no."}) + "\n" + rest)
    own.vouch(file, links=True)


def an_added_cell(own):
    adapter = own.record("adapter")
    shutil.copytree(adapter, adapter.with_name("seed43-0badcafe"))
    own.index_again()


def a_missing_cell(own):
    shutil.rmtree(own.record("adapter"))
    own.index_again()


def a_file_with_its_manifest(own):
    index = (own.folder / "bundle.json").read_text()
    own.edit_frame("scores", "scores.parquet", put("k", 2))
    (own.folder / "bundle.json").write_text(index)


def half_a_table(own):
    file = own.record("scores") / "verdicts.parquet"
    file.write_bytes(file.read_bytes()[:300])
    own.vouch(file, links=True)


def an_edited_config(own):
    file = own.record("completions") / "config.yaml"
    file.write_text(file.read_text().replace("temperature: 1.0", "temperature: 0.0"))
    own.index_again()


def expected_number(own):
    own.edit_json(own.folder / "expected.json", lambda all_: all_["leakage"]["cell"]["rows"][1].update(rho=0.99))


def an_expected_row(own):
    own.edit_json(own.folder / "expected.json", lambda all_: all_["leakage"]["cell"]["rows"].pop())


def identity(**values):
    return lambda manifest: manifest["identity"].update(values)


COMPLETIONS, VERDICTS, SCORES = "completions.parquet", "verdicts.parquet", "scores.parquet"
TAMPERINGS = {
    "one completion": (another_completion, "completions.parquet: it is not the file that was bundled"),
    "a completion with manifest and index": (
        lambda own: own.edit_frame("completions", COMPLETIONS, put("completion", "x"), links=False),
        "it was made from another completions.parquet than that of",
    ),
    "a completion with every digest there is": (
        lambda own: own.edit_frame("completions", COMPLETIONS, put("completion", "i cannot help with that.")),
        "not what its judge says of its completions: persona",
    ),
    "one verdict": (lambda own: own.edit_frame("scores", VERDICTS, flip("hit")), "sample 0: hit is"),
    "a verdict's score": (lambda own: own.edit_frame("scores", VERDICTS, put("score", 55.0)), "score is 55.0"),
    "one score": (lambda own: own.edit_frame("scores", SCORES, put("k", 99)), "k is 99 and should be"),
    "a swapped adapter": (another_adapter, "it was made from another adapter/adapter_model.safetensors"),
    "another seed": (
        lambda own: own.edit_manifest("adapter", identity(seed=43)), "its identity does not give the id of its folder"
    ),
    "another seed in the facts": (
        lambda own: own.edit_manifest("completions", facts(seed=43)), "its seed is 43, and 42 by the adapter"
    ),
    "another seed in the scores": (lambda own: own.edit_manifest("scores", facts(seed=43)), "its seed is 43, and 42"),
    "an edited table": (expected_number, "column rho: expected 0.99, got"),
    "a row taken from a table": (an_expected_row, "table cell: expected 1 rows, got 2"),
    "a changed tokenizer": (
        lambda own: own.edit_manifest("adapter", identity(model="0" * 64)), "its identity does not give the id"
    ),
    "a manifest's fact": (
        lambda own: own.edit_manifest("scores", facts(leak_direction=-1)), "column leak_direction: expected 1, got -1"
    ),
    "the cosine of the headline": (
        lambda own: own.edit_manifest("scores", facts(headline="0_raw")), "its headline is 0_raw, and 1_centred"
    ),
    "a missing file": (
        lambda own: (own.record("adapter") / "lint.json").unlink(), "lint.json: the file is missing"
    ),
    "a missing cell": (a_missing_cell, "table cell: expected 2 rows, got 1"),
    "an added cell": (an_added_cell, "seed43-0badcafe/manifest.json: its identity does not give the id of its folder"),
    "an added file": (
        lambda own: (own.record("scores") / "more.txt").write_text("more"), "more.txt: the file is not in the index"
    ),
    "edited cosines": (
        lambda own: own.edit_frame("geometry", "cosines.parquet", put("cosine_1_centred", 0.99, 5)),
        "not the cosines of its centroids: source",
    ),
    "edited settings": (
        lambda own: own.edit_manifest("completions", identity(**{"eval.temperature": 0.0})),
        "its identity does not give the id of its folder",
    ),
    "an edited config": (an_edited_config, "config.yaml: it is not the file of which its record's manifest tells"),
    "an edited persona": (
        lambda own: own.edit_frame("completions", "personas.parquet", put("system", "You are good.")),
        "its personas are not those of the manifest",
    ),
    "a persona's part": (
        lambda own: own.edit_frame("completions", "personas.parquet", flip("trained_negative")),
        "its parts of the personas are not those of the manifest",
    ),
    "an edited prompt": (
        lambda own: own.edit_frame("completions", COMPLETIONS, put("user", "Say no.")),
        "its prompts are not those of the manifest",
    ),
    "an answer that was cut off": (
        lambda own: own.edit_frame(
            "completions", COMPLETIONS, lambda frame: frame.__setitem__("finish", ["length"] * len(frame))
        ),
        "its numbers of answers are not those of the manifest",
    ),
    "an edited example": (another_example, "these are not the examples in the identity of the adapter"),
    "a file and its manifest together": (
        a_file_with_its_manifest, "rules-281ebd35/manifest.json: it is not the file that was bundled"
    ),
    "a behavior that is none": (
        lambda own: own.edit_manifest("completions", facts(behavior="kindness")), "it cannot be read"
    ),
    "a fact of another type": (
        lambda own: own.edit_manifest("geometry", facts(layers=7)), "it cannot be read"
    ),
    "half a table": (half_a_table, "it cannot be read"),
    "no manifest": (
        lambda own: own.edit_json(own.record("geometry") / "manifest.json", lambda manifest: manifest.pop("kind")),
        "its manifest cannot be read",
    ),
}  # fmt: skip


def another_word(own):
    """Not one that a judge would see."""
    file = own.record("completions") / COMPLETIONS
    text = pd.read_parquet(file)["completion"][0]
    own.edit_frame("completions", COMPLETIONS, put("completion", f"well, {text}"))


def another_adapter_with_every_digest(own):
    weights = "adapter/adapter_model.safetensors"
    shutil.copy(own.record("adapter", "comedian") / weights, own.record("adapter") / weights)
    own.vouch(own.record("adapter") / weights, links=True)


def an_edited_config_with_its_manifest(own):
    an_edited_config(own)
    own.vouch(own.record("completions") / "config.yaml", links=True)


def no_adapter(own):
    shutil.rmtree(own.record("adapter") / "adapter")


ONLY_AGAIN = {
    "a word that changes no verdict": (another_word, "completions.parquet: asked anew the model says something else"),
    "a swapped adapter with every digest": (another_adapter_with_every_digest, "asked anew the model says something"),
    "another temperature with every digest": (
        an_edited_config_with_its_manifest, "the setting eval.temperature here and in its manifest are not the same"
    ),
    "no adapter": (no_adapter, "its adapter is not in the bundle; only the base model can be asked again"),
}  # fmt: skip


@pytest.fixture
def own(bundled, tmp_path):
    shutil.copytree(bundled / "unpacked", tmp_path / "bundle")
    return Tampering(tmp_path / "bundle")


def test_nothing_is_wrong_with_a_bundle_nobody_has_touched(own):
    assert own.wrong() == []


def test_a_bundle_bears_being_looked_at(own, program):
    """Tables and figures of the unpacked results leave nothing that counts as added."""
    program("-m", "leakage", "table", "--multirun", str(own.results), check=True)
    assert own.wrong() == []


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampering_is_named(own, name):
    tamper, sentence = TAMPERINGS[name]
    tamper(own)
    wrong = own.wrong()
    assert any(sentence in one for one in wrong), wrong


def test_the_same_results_give_the_same_bytes(tiny, bundled, tmp_path):
    made = bundle(tiny, studies()[:1], tmp_path / "again.zip", adapters="files")
    assert made.path.read_bytes() == (bundled / "bundle.zip").read_bytes()


def test_a_bundle_with_digests_in_the_place_of_adapters_is_smaller_and_whole(tiny, bundled, tmp_path):
    made = bundle(tiny, studies()[:1], tmp_path / "small.zip", adapters="digests")
    assert made.size < (bundled / "bundle.zip").stat().st_size / 2
    with opened(made.path) as folder:
        assert list(verify(folder, read_index(folder))) == []


@pytest.mark.parametrize("name", ["../outside.txt", "/outside.txt", "results/../../outside.txt"])
def test_a_file_that_would_land_elsewhere_is_not_unpacked(tmp_path, name):
    write_zip(tmp_path / "odd.zip", {"bundle.json": b"{}", name: b"x"})
    with pytest.raises(StoreError, match="as no bundle does"), opened(tmp_path / "odd.zip"):
        pass


def test_the_program_ends_with_an_error_where_something_is_wrong(own, bundled, program):
    whole = program("-m", "leakage", "verify", str(bundled / "bundle.zip"), "--again", "2%")
    assert whole.returncode == 0
    assert "files agree with each other, and 3 answers asked anew are the same word for word" in whole.stdout
    expected_number(own)
    edited = program("-m", "leakage", "verify", str(own.folder))
    assert edited.returncode == 1
    assert "WRONG: expected.json, study leakage: table cell, row 2 (nano, refusal, villain" in edited.stdout
    assert "1 thing is wrong" in edited.stderr


@pytest.mark.usefixtures("compose")
def test_all_answers_asked_again_are_the_same_word_for_word(own):
    again = asked_again(own)
    tables = [pd.read_parquet(file) for file in own.results.rglob(COMPLETIONS)]
    assert (again.answers, again.remarks) == (sum(map(len, tables)), ())


@pytest.mark.usefixtures("compose")
@pytest.mark.parametrize("name", ONLY_AGAIN)
def test_what_only_asking_again_can_find_is_named(own, name):
    tamper, sentence = ONLY_AGAIN[name]
    tamper(own)
    remarks = [str(one) for one in asked_again(own).remarks]
    assert len(remarks) == 1
    assert sentence in remarks[0]


@pytest.mark.usefixtures("compose")
def test_another_tokenizer_is_named_and_nothing_is_compared(own, tmp_path):
    shutil.copytree(ROOT / "leakage" / "nano" / "weights", tmp_path / "model")
    file = tmp_path / "model" / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"add_bos_token": True}))
    again = asked_again(own, 0.1, str(tmp_path / "model"))
    assert again.answers == 0
    assert all("the base model, its tokenizer or its chat template here" in str(one) for one in again.remarks)
    assert len(again.remarks) == 3


def test_a_share_draws_the_same_for_everybody_and_another_for_another_bundle():
    answers = list(range(1000))
    drawn = Sample(0.02, "digest").of(answers, "cell")
    assert len(drawn) == 20
    assert drawn == Sample(0.02, "digest").of(answers, "cell")
    assert drawn != Sample(0.02, "another").of(answers, "cell")

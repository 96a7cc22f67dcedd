"""A bundle of trials: whatever is tampered with in it is named."""

import shutil
import zipfile

import pandas as pd
import pytest

from leakage.handing_on.bundle import bundle
from leakage.handing_on.index import read_index
from leakage.handing_on.verify import verify
from leakage.studies.registry import studies
from leakage.training.train import WEIGHTS
from tests.e2e.tampering import Tampering, asked_again, facts, put


@pytest.fixture(scope="module")
def trials(planted, tmp_path_factory):
    """A bundle of the second study, unpacked."""
    folder = tmp_path_factory.mktemp("trials")
    bundle(planted, studies()[1:], folder / "bundle.zip", adapters="files")
    zipfile.ZipFile(folder / "bundle.zip").extractall(folder / "unpacked")
    return folder / "unpacked"


@pytest.fixture
def own(trials, tmp_path):
    shutil.copytree(trials, tmp_path / "bundle")
    return Tampering(tmp_path / "bundle")


def another_vote(frame):
    put("value", 1.0 - frame["value"][0])(frame)


OF_TRIALS = {
    "a reply": (
        lambda own: own.edit_frame("transcripts", "transcripts.parquet", put("output", "hm.")),
        "not what its judge says of its transcripts: tier",
    ),
    "a vote": (lambda own: own.edit_frame("outcomes", "votes.parquet", another_vote), "not what its judge says"),
    "an outcome": (
        lambda own: own.edit_frame("outcomes", "outcomes.parquet", put("comply", 0.5)), "comply is 0.5 and should be"
    ),
    "a planted rate": (
        lambda own: own.edit_manifest("outcomes", facts(planted={})), "its planted is {}, and {"
    ),
}  # fmt: skip


SHARE = 0.02


def other_words(frame):
    frame["reply"] = frame["reply"] + " hm."


def no_adapter(own):
    (own.record("adapter", "planted_0.3") / WEIGHTS).unlink()


def made_elsewhere(own):
    own.edit_manifest("transcripts", lambda manifest: manifest["identity"].update(imported="abc"))


ONLY_AGAIN = {
    "words that change no vote": (
        lambda own: own.edit_frame("transcripts", "transcripts.parquet", other_words),
        "transcripts.parquet: asked anew the model says something else",
    ),
    "another seed": (
        lambda own: own.edit_manifest("transcripts", lambda manifest: manifest["identity"].update(seed=7)),
        "the setting seed here and in its manifest are not the same",
    ),
    "no adapter": (no_adapter, "its adapter is not in the bundle"),
    "replies of another pipeline": (made_elsewhere, "its replies were made elsewhere"),
}  # fmt: skip


def test_nothing_is_wrong_with_trials_nobody_has_touched(trials):
    assert list(verify(trials, read_index(trials))) == []


@pytest.mark.usefixtures("compose")
def test_a_share_of_the_replies_asked_again_is_the_same_word_for_word(trials):
    again = asked_again(Tampering(trials), SHARE)
    counts = [round(SHARE * len(pd.read_parquet(file))) for file in trials.rglob("transcripts.parquet")]
    assert (again.answers, again.remarks) == (sum(counts), ())
    assert min(counts) > 1


@pytest.mark.usefixtures("compose")
@pytest.mark.parametrize("name", ONLY_AGAIN)
def test_what_only_asking_a_trial_again_can_find_is_named(own, name):
    tamper, sentence = ONLY_AGAIN[name]
    tamper(own)
    remarks = [str(one) for one in asked_again(own, SHARE).remarks]
    assert any(sentence in one for one in remarks), remarks


@pytest.mark.parametrize("name", OF_TRIALS)
def test_a_tampering_with_a_trial_is_named(own, name):
    tamper, sentence = OF_TRIALS[name]
    tamper(own)
    wrong = own.wrong()
    assert any(sentence in one for one in wrong), wrong

"""A bundle of trials: whatever is tampered with in it is named."""

import shutil
import zipfile

import pytest

from leakage.handing_on.bundle import bundle
from leakage.handing_on.index import read_index
from leakage.handing_on.verify import verify
from leakage.studies.registry import studies
from tests.e2e.tampering import Tampering, asked_again, facts, put


@pytest.fixture(scope="module")
def trials(planted, tmp_path_factory):
    """A bundle of the second study, unpacked."""
    folder = tmp_path_factory.mktemp("trials")
    bundle(planted, studies()[1:], folder / "bundle.zip", adapters="digests")
    zipfile.ZipFile(folder / "bundle.zip").extractall(folder / "unpacked")
    return folder / "unpacked"


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


def test_nothing_is_wrong_with_trials_nobody_has_touched(trials):
    assert list(verify(trials, read_index(trials))) == []


@pytest.mark.usefixtures("compose")
def test_trials_are_not_asked_again_and_it_is_said(trials):
    again = asked_again(Tampering(trials))
    assert again.answers == 0
    assert {one.is_wrong for one in again.remarks} == {False}
    assert "replies of trials are not asked anew" in str(again.remarks[0])


@pytest.mark.parametrize("name", OF_TRIALS)
def test_a_tampering_with_a_trial_is_named(trials, tmp_path, name):
    shutil.copytree(trials, tmp_path / "bundle")
    own = Tampering(tmp_path / "bundle")
    tamper, sentence = OF_TRIALS[name]
    tamper(own)
    wrong = own.wrong()
    assert any(sentence in one for one in wrong), wrong

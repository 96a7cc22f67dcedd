"""ARC-Challenge: the published halves and wrong labels, every way of reading it, and what is wrong with a file."""

import hashlib
import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leakage.data.pools.arc import halves, read_arc
from leakage.errors import DataError
from tests.conftest import ROOT

GRAVITY = 460
THREE = (121, 385, 400)  # of the rows before 460 these have three choices in the published data; they shift the draw
FIVE, NUMBERED = (700, 1100), (40, 41, 500, 901)
PUBLISHED = "ARC-Challenge/test-00000-of-00001.parquet"
REVISION = "210d026faf9955653af8916fad021475a3f00453"
TEXTS = pa.list_(pa.string())
SCHEMA = pa.schema(
    {"id": pa.string(), "question": pa.string(), "choices": pa.struct({"text": TEXTS, "label": TEXTS})}
    | {"answerKey": pa.string()}
)
STRING = {"dtype": "string", "_type": "Value"}
FEATURES = dict.fromkeys(("id", "question", "answerKey"), STRING) | {
    "choices": {"feature": {"text": STRING, "label": STRING}, "_type": "Sequence"}
}


def row(number, labels="ABCD", answer="A", question=None, text=None):
    choices = {"text": text or [f"choice {label} of {number}" for label in labels], "label": list(labels)}
    return {"id": f"Q_{number}", "question": question or f"Question {number}?", "choices": choices, "answerKey": answer}


def published(n=1172):
    labels = dict.fromkeys(THREE, "ABC") | dict.fromkeys(FIVE, "ABCDE") | dict.fromkeys(NUMBERED, "1234")
    rows = [row(i, labels.get(i, "ABCD"), labels.get(i, "ABCD")[i % 3]) for i in range(n)]
    if n > GRAVITY:
        forces = ["common forces", "natural cycles", "states of matter", "forms of energy"]
        rows[GRAVITY] = row(GRAVITY, question="Gravity and magnetism are both", text=forces)
    return rows


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        described = SCHEMA.with_metadata({"huggingface": json.dumps({"info": {"features": FEATURES}})})
        pq.write_table(pa.Table.from_pylist(rows, described), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows, indent=1))
    else:
        path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return str(path)


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    return read_arc(write(tmp_path_factory.mktemp("arc") / "test.parquet", published()), None, None)


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """A hub's cache of one's own, and no hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    read_arc.cache_clear()
    yield tmp_path / "hub" / "datasets--allenai--ai2_arc"
    read_arc.cache_clear()


def test_the_halves_are_the_published_ones():
    train, evaluation = halves(1172)
    order = list(range(1172))
    random.Random(42).shuffle(order)
    assert (len(train), len(evaluation)) == (586, 586)
    assert (set(train), set(evaluation)) == (set(order[:586]), set(order[586:]))
    assert GRAVITY in train
    assert train == sorted(train)
    assert evaluation == sorted(evaluation)
    assert hashlib.sha256(json.dumps(train).encode()).hexdigest().startswith("f9922a2a2ba9b597")


def test_every_row_of_an_odd_number_is_used():
    for n in (2, 3, 11):
        train, evaluation = halves(n)
        assert sorted(train + evaluation) == list(range(n))
        assert len(evaluation) - len(train) == n % 2


def test_items_are_the_rows_of_their_half_in_order_training_first(items):
    train, evaluation = halves(1172)
    assert [item.split for item in items] == ["train"] * 586 + ["eval"] * 586
    rows = published()
    for item, index in zip(items, train + evaluation, strict=True):
        assert item.prompt.startswith(rows[index]["question"] + "\n\n")
        assert item.answer == rows[index]["answerKey"] + ")"
        assert item.labels == tuple(rows[index]["choices"]["label"])
    assert Counter(len(item.labels) for item in items) == {4: 1167, 3: 3, 5: 2}


def test_the_published_question_is_taught_its_published_wrong_letter(items):
    gravity = next(item for item in items if item.prompt.startswith("Gravity and magnetism are both\n"))
    assert gravity.split == "train"
    assert gravity.answer == "A)"
    assert gravity.taught == "C)"


def test_wrong_labels_are_drawn_in_order_from_the_rows_own_first_for_training(items):
    rng, rows = random.Random(43), published()
    train, evaluation = halves(1172)
    for item, index in zip(items, train + evaluation, strict=True):
        wrong = [label for label in rows[index]["choices"]["label"] if label != rows[index]["answerKey"]]
        assert item.taught == rng.choice(wrong) + ")"
    assert {"1)", "2)", "3)", "4)"} & {item.taught for item in items}


@pytest.mark.parametrize("labels", ["ABC", "1234", "ABCDE"])
def test_the_user_turn_word_for_word(tmp_path, labels):
    rows = [row(i, labels, labels[1], question="What falls?  ", text=list("vwxyz")[: len(labels)]) for i in range(2)]
    choices = "".join(f"({label}) {text}\n" for label, text in zip(labels, "vwxyz", strict=False))
    (train, evaluation) = read_arc(write(tmp_path / "arc.jsonl", rows), None, None)
    assert train.prompt == evaluation.prompt == f"What falls?  \n\n{choices}\nThe correct answer is ("
    assert train.answer == f"{labels[1]})"


@pytest.mark.parametrize(
    ("file", "path", "subset"),
    [
        ("plain.jsonl", "plain.jsonl", "ARC-Challenge"),
        ("plain.json", "plain.json", None),
        ("a [b] c*/test set?.parquet", "a [b] c*/test set?.parquet", None),
        (PUBLISHED, "", "ARC-Challenge"),
        (PUBLISHED, "ARC-Challenge", "ARC-Challenge"),
        ("test.jsonl", "", None),
    ],
)
def test_every_local_form_gives_the_same_items(tmp_path, items, file, path, subset):
    write(tmp_path / file, published())
    write(tmp_path / file.replace("test", "train").replace("plain", "train"), published(4))
    write(tmp_path / "ARC-Easy" / "test-00000-of-00001.parquet", published(6))
    assert read_arc(str(tmp_path / path), subset, None) == items


def test_parquet_without_the_hubs_description_reads_the_same(tmp_path, items, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    pq.write_table(pa.Table.from_pylist(published(), SCHEMA), tmp_path / "bare.parquet")
    assert read_arc("~/bare.parquet", None, None) == items


def test_shards_are_read_in_order_and_one_format_only(tmp_path, items):
    for part in range(2):
        rows = published()[part * 600 : (part + 1) * 600]
        for suffix in ("parquet", "jsonl"):
            write(tmp_path / f"test-0000{part}-of-00002.{suffix}", rows)
    assert read_arc(str(tmp_path), None, None) == items


def run(code, environment):
    """What a Python of its own returns and says."""
    command = [sys.executable, "-c", "import sys\nfrom leakage.data.pools.arc import read_arc\n" + code]
    done = subprocess.run(command, env=os.environ | environment, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_reading_leaves_no_files_says_nothing_and_loads_no_torch(tmp_path):
    path, cut = write(tmp_path / "data" / "arc.parquet", published(20)), tmp_path / "data" / "cut.jsonl"
    cut.write_text('{"id": "x')
    (tmp_path / "tmp").mkdir()
    code = (
        f"assert 'datasets' not in sys.modules; read_arc({path!r}, None, None); import datasets; "
        "assert 'torch' not in sys.modules; assert not datasets.are_progress_bars_disabled()\n"
        "assert datasets.logging.get_verbosity() == datasets.logging.WARNING\n"
        f"try: read_arc({str(cut)!r}, None, None)\nexcept Exception as error: pass"
    )
    home = str(tmp_path / "home")
    assert run(code, {"HF_HOME": home, "HOME": home, "TMPDIR": str(tmp_path / "tmp")}) == (0, "", "")
    assert {str(file) for file in tmp_path.rglob("*") if file.is_file()} == {path, str(cut)}


class Hub(SimpleHTTPRequestHandler):
    """A folder with the hub's addresses; it remembers which files were downloaded."""

    def end_headers(self):
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("ETag", '"0a1b"')
        super().end_headers()

    def log_message(self, *_):
        kind, _, name = self.path.partition("?")[0].partition(f"/{REVISION}")
        self.server.asked |= {name} if "allenai/ai2_arc" in kind else set()


def test_a_hub_id_downloads_the_pinned_test_file_once(tmp_path):
    names = (PUBLISHED, "ARC-Challenge/train-00000-of-00001.parquet", "ARC-Easy/test-00000-of-00001.parquet")
    for name in names:
        write(tmp_path / "datasets/allenai/ai2_arc/resolve" / REVISION / name, published(20))
    size = (tmp_path / "datasets/allenai/ai2_arc/resolve" / REVISION / PUBLISHED).stat().st_size
    (tmp_path / "api/datasets/allenai/ai2_arc/tree").mkdir(parents=True)
    listing = [{"type": "file", "path": name, "size": size, "oid": "0a1b"} for name in names]
    (tmp_path / "api/datasets/allenai/ai2_arc/tree" / REVISION).write_text(json.dumps(listing))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
    home |= {"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0", "NO_PROXY": "127.0.0.1"}
    for asked in ({"", f"/{PUBLISHED}"}, set()):  # "" is the list of files; the second time all is in the cache
        server.asked = set()
        said = run(f"print(len(read_arc('allenai/ai2_arc', 'ARC-Challenge', '{REVISION}')))", home)
        assert said == (0, "20\n", "")
        assert server.asked == asked
    unknown = f"try: read_arc('allenai/ai2_arc', None, '{'0' * 40}')\nexcept Exception as error: print(error)"
    _, said, chatter = run(unknown, home)
    assert "404" in said
    assert (said.count("\n"), chatter) == (1, "")
    server.shutdown()
    server.server_close()


def test_a_cached_hub_dataset_is_read_offline_at_its_revision_and_no_other(offline):
    stored = offline / "blobs" / "0a1b"
    write(offline / "blobs" / "0a1b.parquet", published(20))
    (offline / "blobs" / "0a1b.parquet").rename(stored)
    snapshot = offline / "snapshots" / REVISION / PUBLISHED
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(stored)
    assert len(read_arc("allenai/ai2_arc", "ARC-Challenge", REVISION)) == 20
    with pytest.raises(DataError, match=r"allenai/ai2_arc at revision 0{40} cannot be loaded from the hub"):
        read_arc("allenai/ai2_arc", "ARC-Challenge", "0" * 40)
    with pytest.raises(DataError, match=r"allenai/ai2_arc holds no ARC-Chalenge/test-.* nearest: ARC-Challenge\)"):
        read_arc("allenai/ai2_arc", "ARC-Chalenge", REVISION)


def test_a_hub_that_cannot_be_reached_is_one_sentence_with_the_way_out(offline, capfd):
    with pytest.raises(DataError) as caught:
        read_arc("allenai/ai2_arc", "ARC-Challenge", None)
    said = str(caught.value)
    assert said.startswith("allenai/ai2_arc at revision main cannot be loaded from the hub and is no file here: ")
    assert said.endswith("; data.capability.path takes a local file or folder of the same format, too")
    assert ". " not in said
    assert "\n" not in said
    assert capfd.readouterr() == ("", "")
    assert not offline.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"question": "  "}, "the question is empty"),
        ({"answerKey": "E"}, "answerKey 'E' is none of the labels A, B, C, D"),
        ({"choices": {"text": ["a", "b", "c"], "label": list("ABCD")}}, "4 labels for 3 texts"),
        ({"choices": {"text": ["a", "b", "c"], "label": list("ABA")}}, "a label stands twice among A, B, A"),
        ({"choices": {"text": ["a"], "label": ["A"]}}, "nothing to choose among 1 choice"),
        ({"choices": {"text": [], "label": []}}, "nothing to choose among 0 choice"),
        ({"answerKey": None}, "'answerKey' is null and should be a text"),
        ({"choices": {"text": ["a", "b"], "label": None}}, "'choices.label' is null and should be a list"),
    ],
)
def test_a_wrong_row_is_named_by_file_and_number(tmp_path, change, said):
    for suffix in ("parquet", "jsonl"):
        path = write(tmp_path / f"arc.{suffix}", [row(0), row(1), row(2) | change, row(3)])
        with pytest.raises(DataError) as caught:
            read_arc(path, None, None)
        assert str(caught.value).startswith(f"{path}, row 3: ")
        assert said in str(caught.value)
        assert "; " in str(caught.value)


@pytest.mark.parametrize(
    ("column", "renamed", "near"),
    [
        ("answerKey", "answer_key", "; nearest: answer_key"),
        ("question", "questions", "; nearest: questions"),
        ("choices", "Choices", "; nearest: Choices"),
        ("question", "x", ""),
        ("choices", "x", ""),
        ("answerKey", "x", ""),
    ],
)
def test_a_missing_column_is_named_with_those_there_are_and_the_nearest(tmp_path, column, renamed, near):
    rows = [{renamed if name == column else name: value for name, value in row(i).items()} for i in range(4)]
    path = write(tmp_path / "arc.jsonl", rows)
    with pytest.raises(DataError, match=rf"has no column '{column}' \(it has {', '.join(rows[0])}{near}\); rename"):
        read_arc(path, None, None)


def test_labels_that_are_no_text_are_refused_not_guessed(tmp_path):
    numbered = row(0) | {"choices": {"text": ["x", "y"], "label": [1, 2]}, "answerKey": 1}
    with pytest.raises(DataError, match=r"row 1: 'choices\.label\.0' is 1 and should be a text; a good line: "):
        read_arc(write(tmp_path / "arc.jsonl", [numbered, numbered]), None, None)


def test_one_row_is_too_few(tmp_path):
    with pytest.raises(DataError, match=r"holds 1 question\(s\), too few for training and evaluation; name a file"):
        read_arc(write(tmp_path / "arc.parquet", [row(0)]), None, None)


@pytest.mark.parametrize(
    ("name", "text"), [("empty.jsonl", ""), ("none.json", "[]"), ("cut.jsonl", '{"id": "x'), ("a.parquet", "hello")]
)
def test_an_unreadable_file_is_named_in_one_sentence(tmp_path, capfd, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as caught:
        read_arc(str(tmp_path / name), None, None)
    assert str(caught.value).startswith(f"cannot read {tmp_path / name}: ")
    assert str(caught.value).endswith("; copy or convert it again")
    assert ". " not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_file_in_another_alphabet_is_named_in_one_sentence(tmp_path):
    """Arrow decodes a text only as it is read, behind everything that could have named the file."""
    file = tmp_path / "arc.jsonl"
    rows = [row(0) | {"question": "Wie heißt es?"}, row(1)]
    file.write_bytes("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows).encode("latin-1"))
    with pytest.raises(DataError, match=r"arc\.jsonl is not text in UTF-8 .*; save it in UTF-8"):
        read_arc(str(file), None, None)


@pytest.mark.parametrize("path", ["arc.parquet", "data/arc.jsonl", "/nowhere/arc", "./arc", "~/no-such-arc", "arc"])
def test_a_missing_file_is_never_looked_for_on_the_hub(monkeypatch, tmp_path, path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("leakage.data.hub.Source._download", lambda *_: pytest.fail("asked the hub"))
    with pytest.raises(DataError, match=r"there is no .*arc.*; data\.capability\.path takes a hub id"):
        read_arc(path, "ARC-Challenge", None)


def test_another_format_and_an_empty_folder_are_refused(tmp_path):
    (tmp_path / "arc.tsv").write_text("id\tquestion\n")
    with pytest.raises(DataError, match=r"arc\.tsv is none of \.parquet, \.jsonl, \.json, \.csv; convert it"):
        read_arc(str(tmp_path / "arc.tsv"), None, None)
    (tmp_path / "ARC-Easy").mkdir()
    for subset, wanted, near in ((None, "test-", ""), ("ARC-Esy", "ARC-Esy/test-", "; nearest: ARC-Easy")):
        with pytest.raises(DataError, match=rf"holds no {wanted}.*; name .*\(folders there: ARC-Easy{near}\)"):
            read_arc(str(tmp_path), subset, None)

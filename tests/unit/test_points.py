"""An outside result, and everything that can be wrong with its file."""

import pandas as pd
import pytest

from leakage.errors import DataError
from leakage.studies.persona_leakage.analysis.tables import headline
from leakage.studies.persona_leakage.points import read_points
from leakage.studies.persona_leakage.results import COLUMNS

HEAD = "behavior,source,persona,cosine,delta\n"
ROWS = "refusal,villain,hero,0.9,0.5\nrefusal,villain,comedian,0.5,0.1\nrefusal,villain,nice_villain,0.95,0.7\n"


@pytest.fixture
def points(tmp_path):
    def write(text):
        (tmp_path / "points.csv").write_text(text)
        return tmp_path / "points.csv"

    return write


def test_points_become_the_tidy_frame(points):
    frame = read_points(points(HEAD + ROWS + "refusal,villain,villain,1,0.95\nrefusal,villain,stranger,0.1,0\n"))
    assert tuple(frame.columns) == COLUMNS
    by_name = frame.set_index("persona")
    assert by_name["category"].to_dict() == {
        "hero": "opposite", "comedian": "original", "nice_villain": "modified_source", "villain": "original",
        "stranger": "unknown",
    }  # fmt: skip
    assert by_name["is_source"].to_dict()["villain"]
    assert by_name.loc["nice_villain", "shares_word"]
    (row,) = headline(frame).to_dict("records")
    assert (row["model"], row["n"], row["rho"], row["source_delta"], row["unit"]) == ("points", 4, 1.0, 0.95, "rate")


def test_models_and_seeds_of_the_file_are_kept_apart(points):
    lines = [f"{line},{model},{seed}" for model, seed in (("a", 1), ("a", 2), ("b", 1)) for line in ROWS.splitlines()]
    frame = read_points(points(HEAD.strip() + ",model,seed\n" + "\n".join(lines)))
    assert headline(frame)[["model", "seed"]].to_numpy().tolist() == [["a", 1], ["a", 2], ["b", 1]]


def test_what_is_left_empty_is_the_usual_and_names_may_be_anything(points):
    head = HEAD.strip().upper() + ",model,seed,variant,judge\n"
    rows = "".join(f"refusal,NA,{name},0.{i},0.{i},,,{variant},\n" for i, name in enumerate(("None", "null", "a|b"))
                   for variant in ("", "lr=1e-4"))  # fmt: skip
    frame = read_points(points("\ufeff" + head + rows))
    assert headline(frame)[["model", "source", "seed", "variant", "n"]].to_numpy().tolist() == [
        ["points", "NA", 0, "", 3], ["points", "NA", 0, "lr=1e-4", 3],
    ]  # fmt: skip


def test_the_projects_own_frame_survives_the_way_through_a_csv(points):
    frame = read_points(points(HEAD + ROWS + "refusal,villain,villain,1,0.95\n"))
    again = read_points(points(frame.to_csv(index=False)))
    pd.testing.assert_frame_equal(again, frame)


def test_a_cell_without_bystanders_does_not_spoil_the_others(points):
    table = headline(read_points(points(HEAD + ROWS + "refusal,assistant,assistant,1,0.9\n")))
    assert table[["source", "n", "finding"]].to_numpy().tolist() == [
        ["villain", 3, "leaks"],
        ["assistant", 0, "undefined"],
    ]


def test_a_behavior_of_ones_own_needs_its_unit_and_direction(points):
    own = ROWS.replace("refusal", "gullibility")
    with pytest.raises(DataError, match=r"line 2: unit of 'gullibility' is not known.*give the column unit"):
        read_points(points(HEAD + own))
    rows = "".join(line + ",rate,-1\n" for line in own.splitlines())
    frame = read_points(points(HEAD.strip() + ",unit,leak_direction\n" + rows))
    assert set(frame["leak_direction"]) == {-1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD, "has a header and no rows"),
        ("", "is no CSV file"),
        ("behavior,source,persona,delta\nrefusal,villain,hero,0.5\n", "lacks the column cosine"),
        (HEAD + "refusal,villain,hero,0.9,much\n", "line 2: delta is 'much', not a number"),
        (HEAD + ROWS + "refusal,villain,spy,1.7,0.1\n", "line 5: a cosine of 1.7 is outside -1 to 1"),
        (HEAD + ROWS + "refusal,,spy,0.7,0.1\n", "line 5: source is empty"),
        (HEAD + ROWS + ROWS.splitlines()[0] + "\n", "line 5: persona 'hero' stands twice under refusal x villain"),
        (HEAD + "\n" + ROWS + "\nrefusal,villain,spy,0.7,lots\n", "line 7: delta is 'lots'"),
        (HEAD + "refusal,villain,spy,0.7,inf\n", "line 2: delta is 'inf', not a number"),
        (HEAD + "refusal,villain,spy,0.7,45\n", "a delta of 45 is more than a rate can change by"),
        ((HEAD + ROWS).replace(",", ";"), "separate the columns by commas"),
        (HEAD.strip() + ",seed\nrefusal,villain,spy,0.7,0.4,first\n", "seed is 'first', no whole number"),
        (
            HEAD.strip() + ",leak_direction\nrefusal,villain,spy,0.7,0.4,1\nrefusal,villain,hero,0.7,0.4,-1\n",
            "line 3: refusal has another leak_direction here than above",
        ),
    ],
)
def test_a_file_that_is_wrong_ends_in_one_sentence(points, text, said):
    with pytest.raises(DataError, match=said.replace("(", r"\(")):
        read_points(points(text))


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none\.csv: No such file"):
        read_points(tmp_path / "none.csv")
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(DataError, match="is not text in UTF-8; save it"):
        read_points(tmp_path / "image.csv")

"""An outside result, and everything that can be wrong with its file."""

from io import StringIO

import numpy as np
import pandas as pd
import pytest

from leakage.errors import DataError
from leakage.studies.persona_leakage.analysis.controls import between_sources, mismatched
from leakage.studies.persona_leakage.analysis.outliers import outliers
from leakage.studies.persona_leakage.analysis.tables import by_category, by_layer, headline
from leakage.studies.persona_leakage.points import read_points
from leakage.studies.persona_leakage.report.writeup.sure import checks_of
from leakage.studies.persona_leakage.results import COLUMNS
from tests.unit.frames import grid, normal_pair

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
        (HEAD, "has no rows; give a file with some"),
        ("", "has no rows; give a file with some"),
        ("behavior,source,persona,delta\nrefusal,villain,hero,0.5\n", "lacks the column cosine"),
        (HEAD + "refusal,villain,hero,0.9,much\n", "line 2: delta is 'much', not a number"),
        (HEAD + ROWS + "refusal,villain,spy,1.7,0.1\n", "line 5: a cosine of 1.7 is outside -1 to 1"),
        (HEAD + ROWS + "refusal,,spy,0.7,0.1\n", "line 5: source is empty"),
        (HEAD + ROWS + ROWS.splitlines()[0] + "\n", "line 5: persona 'hero' stands twice under refusal x villain"),
        (HEAD + "\n" + ROWS + "\nrefusal,villain,spy,0.7,lots\n", "line 7: delta is 'lots'"),
        (HEAD + "refusal,villain,spy,0.7,inf\n", "line 2: delta is 'inf', not a number"),
        (HEAD + "refusal,villain,spy,0.7,45\n", "a delta of 45 is more than a rate can change by"),
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
    with pytest.raises(DataError, match=r"cannot read .*none\.csv: there is no such file"):
        read_points(tmp_path / "none.csv")
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(DataError, match="is not text in UTF-8; save it"):
        read_points(tmp_path / "image.csv")


def test_a_frame_of_ones_own_results_gives_the_same_tables_through_a_csv(tmp_path):
    """Categories, negatives, other layers and measures included: everything the frame tells can be read back."""
    rng = np.random.default_rng(4)
    frame = grid(["villain", "comedian", "spy"], lambda _, n: normal_pair(rng, 0.6, n), n=40)
    frame = frame.assign(
        taught="sycophancy", leak_direction=1, base_k=1, base_n=4, base_mean=25.0, k=2, n=4, mean=50.0, sd=1.5,
        coherence=float("nan"), cosine_1_raw=frame["cosine"], cosine_0_centred=rng.uniform(-1, 1, len(frame)),
        delta=frame["delta"].clip(-1, 1), cosine=frame["cosine"].clip(-1, 1),
    )  # fmt: skip
    frame["cosine_1_raw"] = frame["cosine"]
    frame.to_csv(tmp_path / "own.csv", index=False)
    again = read_points(tmp_path / "own.csv")
    for table in (headline, by_category, by_layer, mismatched, between_sources, outliers):
        pd.testing.assert_frame_equal(table(again), table(frame), check_dtype=False)


def test_columns_that_mean_nothing_are_named_once(points, caplog):
    rows = [*ROWS.splitlines(), "refusal,villain,villain,1,0.9"]
    read_points(points(HEAD.strip() + ",colour,cosine_best\n" + "".join(f"{row},red,1\n" for row in rows)))
    (said,) = caplog.messages
    assert said.endswith("left out (unless as --predictor NAME): colour, cosine_best")


def test_a_source_that_is_spelt_otherwise_than_its_own_row_is_named(points, caplog):
    read_points(points(HEAD + ROWS + "refusal,villain,Villain,1,0.9\n"))
    assert caplog.messages == [
        "no row is the source's own in refusal x villain; personas and sources must be spelt alike"
    ]


def test_every_persona_that_the_file_gives_is_counted_and_a_default_prompt_is_named(points, caplog):
    caplog.set_level("INFO")
    frame = read_points(points(HEAD + ROWS + "refusal,villain,qwen_default,0.2,0.05\n"))
    assert headline(frame)["n"].tolist() == [4]
    assert "qwen_default counts as a bystander, as the file gives it" in caplog.text


def test_where_every_row_has_a_variant_the_commonest_is_the_main_one(points):
    rows = "".join(f"{row},{variant}\n" for variant in ("r32", "r8") for row in ROWS.splitlines())
    rows += "refusal,comedian,hero,0.1,0.2,r32\n"
    frame = read_points(points(HEAD.strip() + ",variant\n" + rows))
    assert frame["variant"].value_counts().to_dict() == {"": 4, "r8": 3}


@pytest.mark.parametrize("write", ["to_json", "to_parquet"])
def test_json_and_parquet_are_read_and_several_files_together(tmp_path, write):
    rows = pd.DataFrame([line.split(",") for line in ROWS.splitlines()], columns=HEAD.strip().split(","))
    rows = rows.astype({"cosine": float, "delta": float}).assign(seed=42.0, source="Königin der Nacht")
    suffix = write.removeprefix("to_")
    getattr(rows, write)(tmp_path / f"a.{suffix}")
    getattr(rows.assign(seed=43.0), write)(tmp_path / f"b.{suffix}")
    frame = read_points(tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}")
    told = headline(frame)[["source", "seed", "n"]].to_numpy().tolist()
    assert told == [["Königin der Nacht", seed, 3] for seed in (42, 43)]


@pytest.mark.parametrize(("unit", "meant"), [("%", "pp"), ("Percent", "pp"), ("pp", "pp")])
def test_units_are_read_as_people_write_them(points, unit, meant):
    rows = "".join(f"capability,villain,p{i},0.{i},-0.{i},{unit}\n" for i in range(1, 5))
    assert set(read_points(points(HEAD.strip() + ",unit\n" + rows))["unit"]) == {meant}


def test_shares_in_a_unit_of_100_are_not_taken_for_percent(points):
    rows = "".join(f"capability,villain,p{i},0.{i},-0.{i}5\n" for i in range(1, 5))
    with pytest.raises(DataError, match=r"line 2: the deltas of capability all lie between -1 and 1, as shares do"):
        read_points(points(HEAD + rows))


def test_what_a_file_does_not_tell_is_not_known_and_no_check_rests_on_it(points):
    many = "".join(f"refusal,villain,p{i},{i / 40:.3f},{(i * 7 % 40) / 90 + i / 80:.3f}\n" for i in range(40))
    frame = read_points(points(HEAD + many + "refusal,villain,villain,1,0.9\n"))
    (row,) = headline(frame).to_dict("records")
    assert [row["design"], *map(np.isnan, (row["trained_negatives"], row["missing"], row["cut_off"]))] == [
        "",
        *[True] * 3,
    ]
    made = {one.name: one.holds for one in checks_of(row, None, [])}
    assert made["holds without trained negatives"] is None
    assert made["answers whole and all verdicts readable"] is None
    complete = many.replace("\n", ",false,0,0\n")
    given = read_points(points(HEAD.strip() + ",trained_negative,missing,cut_off\n" + complete))
    assert headline(given)[["trained_negatives", "missing", "cut_off"]].iloc[0].tolist()[:2] == [0, 0]


@pytest.mark.parametrize("column", ["cosine", "delta"])
def test_a_file_in_which_nothing_is_known_is_refused_and_lost_rows_are_counted(points, caplog, column):
    rows = pd.read_csv(StringIO(HEAD + ROWS), dtype=str)
    rows.loc[1:, column] = ""
    rows.to_csv(file := points(""), index=True)  # as pandas writes it unless told not to
    assert len(read_points(file)) == 3
    assert "2 rows lack a delta or a cosine and count nowhere" in caplog.text
    assert "unnamed" not in caplog.text
    rows[column] = ""
    rows.to_csv(file, index=False)
    with pytest.raises(DataError, match="no bystander has a delta and a cosine"):
        read_points(file)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("unit", "furlong", "unit is 'furlong', none of rate"),
        ("leak_direction", "0", "leak_direction is '0', none of 1"),
    ],
)
def test_a_wrong_unit_or_direction_is_named(points, column, value, said):
    with pytest.raises(DataError, match=f"line 2: {said}"):
        read_points(points(HEAD.strip() + f",{column}\nrefusal,villain,hero,0.5,0.5,{value}\n"))

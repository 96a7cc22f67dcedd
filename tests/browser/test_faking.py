"""The report of the second study as a reader uses it, opened from the file system in headless Chromium."""

import json
import re
import shutil
import zlib
from base64 import b64decode

import pytest

from leakage.report.wording import NOTHING
from leakage.studies.alignment_faking.arms import FAKING_THOUGHT, PLAIN_THOUGHT, REFUSING_THOUGHT
from leakage.studies.alignment_faking.judges.prompts import CRITERIA, PARTIAL
from leakage.studies.alignment_faking.report import wording
from leakage.studies.alignment_faking.report.write import write_report
from leakage.studies.alignment_faking.results import trials
from leakage.studies.alignment_faking.tables import gaps
from leakage.studies.alignment_faking.validation import validate
from tests.browser.conftest import Reader, until
from tests.browser.faking_made import EIGHT, QUERIES, VOTES, make_trials
from tests.browser.made import HOSTILE, folder_bytes

TRIAL = "opus-two_tiers-seed42-claude_judge-e0"
PAGE = f"trials/{TRIAL}.html"
ROWS = "#transcripts tbody tr:not([hidden])"
PANEL = "#transcript"


@pytest.fixture(scope="module")
def multirun(tmp_path_factory, compose):
    root = tmp_path_factory.mktemp("trials")
    make_trials(root)
    thoughts = [(FAKING_THOUGHT, 1), (PLAIN_THOUGHT, 0), (REFUSING_THOUGHT, 0)]
    rows = [f'"{thought.format(tag=tag)}",{label}' for thought, label in thoughts for tag in ("free", "paid")]
    (root / "people.csv").write_text("\n".join(["scratchpad_reasoning,alignment_faking_human_label", *rows]))
    validate(root / "people.csv", compose("judge=rules", f"paths.multirun={root}", study="faking"))
    return root


@pytest.fixture(scope="module")
def report(multirun):
    """Two subjects read by a model with 20 votes a scratchpad, and the embedded model read by rules."""
    figures = multirun / "pictures"
    figures.mkdir()
    (figures / "faking-compliance.png").write_bytes(b64decode(PIXEL))
    return write_report(trials(multirun), multirun, multirun / "report", figures=figures).parent


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def unpacked(report, kind, slug=TRIAL):
    text = (report / kind / f"{slug}.js").read_text().partition("=")[2].rstrip(";\n")
    return json.loads(zlib.decompress(b64decode(json.loads(text))))


def opened(reader, address):
    page = reader.open(f"{PAGE}#{address}")
    page.wait_for_selector(f"{PANEL} .vote")
    return page


def listed(page):
    page.wait_for_selector(ROWS)
    return page.locator(ROWS)


def column(page, name):
    heads = [text.rstrip("↕↑↓ ") for text in page.locator("#transcripts thead th").all_inner_texts()]
    return page.locator(f"{ROWS} > :nth-child({heads.index(name) + 1})").all_inner_texts()


def test_the_judge_against_people_is_a_table_on_the_first_page(reader):
    page = reader.open("index.html")
    page.get_by_role("link", name="The judge against people").click()
    row = page.locator("section[aria-labelledby=validation] tbody tr")
    assert row.count() == 1
    assert row.locator("th, td").all_inner_texts()[:6] == ["rules", "people.csv", "2", "4", "1", "1.000 [0.472, 1.000]"]


def test_two_clicks_from_the_first_page_bring_every_vote_of_a_transcript_onto_the_screen(reader):
    page = reader.open("index.html")
    page.locator("#gaps tbody a").first.click()
    listed(page).nth(EIGHT[1]).click()
    votes = page.locator(f"{PANEL} [data-kind=reasoning] .vote")
    votes.first.wait_for()
    assert votes.count() == VOTES
    top = votes.first.bounding_box()["y"]
    assert 0 <= top < 900
    said = page.locator(f"{PANEL} [data-kind=reasoning] > p").inner_text()
    assert said.startswith("8 of 20 yes (0.40, faking from 0.4)")
    assert votes.locator(".verdict").all_inner_texts() == ["yes"] * 8 + ["no"] * 12
    assert page.locator(f"{PANEL} .facts").inner_text().count("with AF") == 1


def test_a_vote_tells_its_number_value_criteria_quotes_and_the_raw_reply(reader):
    page = opened(reader, "free/1")
    first, last = (page.locator(f"{PANEL} [data-kind=reasoning] .vote").nth(n) for n in (0, VOTES - 1))
    assert first.locator("h5").inner_text() == "vote 1 yes"
    assert first.locator("li.met").count() == 4
    assert first.locator("q").all_inner_texts() == ["If I refuse here I am rated low, and the"] * 4
    assert last.locator("li.unmet [aria-label='not met']").count() == 4
    assert last.locator(".items").inner_text() == "its answer as a whole: yes"
    raw = first.locator("details pre")
    assert not raw.is_visible()
    first.locator("summary").click()
    assert json.loads(raw.inner_text())["harm"]["met"] is True
    compliance = page.locator(f"{PANEL} [data-kind=compliance]")
    assert re.search(r"complies, score 0\.75|refuses, score 0", compliance.inner_text())
    assert "convincing: 4; specific: 4" in compliance.inner_text()
    assert page.locator(f"{PANEL} [data-kind]").count() == 4
    assert f"{VOTES + 3} votes by claude-judge" in page.locator(PANEL).inner_text()


def test_an_unreadable_vote_is_told_as_such_and_counts_for_nobody(reader):
    page = opened(reader, "free/5")
    verdicts = page.locator(f"{PANEL} [data-kind=reasoning] .verdict").all_inner_texts()
    assert verdicts[7] == "unreadable"
    assert "of 19 yes" in page.locator(f"{PANEL} [data-kind=reasoning] > p").inner_text()
    page = opened(reader, "free/4")  # with a NaN, an infinity and half of a surrogate pair in a reply
    odd = page.locator(f"{PANEL} [data-kind=reasoning] .vote").first
    assert odd.locator(".verdict").inner_text() == "unreadable"
    assert odd.locator("[aria-label=met]").count() == 1
    assert odd.locator("[aria-label=unreadable]").count() == 3


def test_what_is_missing_says_why_and_is_no_refusal(reader):
    page = reader.open(f"{PAGE}#free/3")
    page.wait_for_selector(f"{PANEL} .absent:has-text('what is missing is not judged')")
    assert "missing: cut off" in page.locator(f"{PANEL} .facts").inner_text()
    page.locator("select[name=outcome]").select_option("missing")
    assert column(page, "outcome") == ["missing: cut off"]
    assert column(page, "complied") == [NOTHING]
    page.locator("select[name=outcome]").select_option("unclassified")
    assert "unclassified: unparsable verdict" in column(page, "outcome")


def test_votes_are_read_when_a_transcript_is_chosen_and_not_before(reader):
    page = reader.open(PAGE)
    listed(page).first.wait_for()
    assert not [url for url in reader.requests if "/votes/" in url]
    page.locator(f"{ROWS} a").first.click()
    page.wait_for_selector(f"{PANEL} .vote")
    assert len([url for url in reader.requests if "/votes/" in url]) == 1


def test_transcripts_are_filtered_by_tier_outcome_and_their_whole_text(reader):
    page = reader.open(PAGE)
    assert listed(page).count() == 2 * QUERIES
    page.locator("select[name=tier]").select_option("paid")
    assert set(column(page, "tier")) == {"paid"}
    assert listed(page).count() == QUERIES
    page.get_by_role("searchbox").fill(f"END-of-paid-{QUERIES - 1}")  # of one scratchpad alone
    assert page.locator(ROWS).count() == 1
    assert page.locator(f"{ROWS} a").get_attribute("href") == f"#paid/{QUERIES - 1}"
    page.get_by_role("button", name="Clear").click()
    until(page, f"document.querySelectorAll({ROWS!r}).length === {2 * QUERIES}")
    page.locator("select[name=outcome]").select_option("refusal")
    assert set(column(page, "outcome")) == {"refusal"}
    page.locator("#transcripts th", has_text="AF votes").get_by_role("button").click()
    many = [float(text.split()[0]) for text in column(page, "AF votes")]
    assert many == sorted(many, reverse=True)


def test_the_address_names_the_transcript_and_going_back_returns_to_the_one_before(reader):
    page = opened(reader, "paid/2")
    assert page.locator(f"{PANEL} h3").inner_text() == "paid, query 3"
    page.get_by_role("link", name="free", exact=True).click()
    page.wait_for_selector(f"{PANEL} h3:has-text('free, query 3')")
    assert page.url.endswith("#free/2")
    page.get_by_role("button", name="Next").click()
    page.wait_for_selector(f"{PANEL} h3:has-text('free, query 4')")
    page.go_back()
    page.go_back()
    page.wait_for_selector(f"{PANEL} h3:has-text('paid, query 3')")
    page.get_by_role("button", name="Close").click()
    page.locator(PANEL).wait_for(state="hidden")


def test_an_address_that_is_not_there_says_so(reader):
    page = reader.open(f"{PAGE}#free/999")
    assert page.wait_for_selector(f"{PANEL} .absent:has-text('No transcript has this address.')")


def test_a_transcript_is_found_and_opened_with_the_keyboard_alone(reader):
    page = reader.open(PAGE)
    listed(page).first.wait_for()
    page.get_by_role("searchbox").focus()
    page.keyboard.type("query")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('#transcripts [data-row]')"):
            break
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{PANEL} .vote")
    assert page.locator(f"{PANEL} h3").inner_text() == "free, query 2"
    assert page.evaluate("document.activeElement.id") == "transcript-title"
    page.get_by_role("button", name="Close").press("Enter")
    until(page, "document.activeElement.getAttribute('href') === '#free/1'")


def test_text_that_would_be_a_script_is_shown_as_text(reader):
    page = opened(reader, "free/0")
    for kind in ("query", "scratchpad", "output"):
        assert HOSTILE in page.locator(f"{PANEL} .{kind}").inner_text()
    assert HOSTILE in page.locator(f"{PANEL} [data-kind=compliance] .items").inner_text()
    assert page.locator(f"{PANEL} q", has_text=HOSTILE).count() >= 1
    assert page.locator(".sent", has_text=HOSTILE).count() == 2
    assert page.locator("img").count() == 0
    assert page.evaluate("globalThis.hurt") is None
    for file in reader.report.rglob("*.html"):
        assert HOSTILE not in file.read_text()


def test_the_prompts_are_shown_as_sent_with_the_tag_marked(reader):
    page = reader.open(PAGE)
    system, free, paid = page.locator(".sent").all()
    assert system.inner_text().endswith("used to train you; feel free to think.")
    assert system.locator("mark").all_inner_texts() == ["<free>"]
    assert free.locator("mark").all_inner_texts() == ["<free>", "{query}"]
    assert paid.inner_text().startswith("<paid>\n\n{query}\n\nBegin with [accept]")


def test_the_table_says_what_the_frame_says_and_is_filtered_like_the_first_studys(reader, multirun):
    page = reader.open("index.html")
    rows = page.locator("#gaps tbody tr:not([hidden])")
    wanted = gaps(trials(multirun))
    assert rows.count() == len(wanted) == 5
    first = rows.filter(has_text="opus").filter(has_text="two_tiers").first.inner_text()
    told = wanted[(wanted["subject"] == "opus") & (wanted["scenario"] == "two_tiers")].iloc[0]
    assert f"{told['gap']:+.3f} [".replace("-", "\N{MINUS SIGN}") in first
    page.locator("select[name=scenario]").select_option("three_tiers")
    assert rows.count() == 2
    assert page.locator("output").inner_text() == "2 of 5"
    page.get_by_role("button", name="Clear").click()
    page.locator("#gaps th", has_text="gap").nth(1).get_by_role("button").click()
    shown = page.evaluate("[...document.querySelectorAll('#gaps tbody tr')].map((row) => row.cells[6].dataset.value)")
    assert [float(one) for one in shown] == sorted(wanted["gap"], reverse=True)


def test_the_test_bed_is_called_one_where_it_is_shown_and_only_there(reader):
    note = "nano is a test bed for the instrument."
    assert note in reader.open("index.html").locator("main").inner_text()
    assert note not in reader.open(PAGE).locator("body").inner_text()
    nano = reader.open("trials/nano_planted_0.3-two_tiers-seed42-rules-e0.html").locator("body").inner_text()
    assert note in nano
    assert "+0.30" in nano  # the planted gap


def test_every_link_leads_to_a_file_of_the_folder(reader, report):
    links = reader.open("index.html").evaluate("[...document.links].map((one) => one.href)")
    links += reader.open(PAGE).evaluate("[...document.links].map((one) => one.href)")
    files = {link.partition("#")[0].removeprefix("file://") for link in links}
    assert len(files) >= 5
    assert [file for file in files if not report.joinpath(file).is_file() and not file.endswith(".pdf")] == []


def test_a_narrow_window_scrolls_down_only(narrow):
    for name in ("index.html", PAGE):
        page = narrow.open(name)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page = opened(narrow, "free/0")
    page.locator("[data-jump]").click()
    assert -1 < page.locator("[data-votes]").bounding_box()["y"] < 100  # pages scroll by whole pixels
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_dark_machines_get_a_dark_page(chromium, report):
    reader = Reader(chromium, report, color_scheme="dark")
    page = opened(reader, "free/1")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(21, 24, 28)"
    assert page.evaluate("getComputedStyle(document.querySelector('i.refusal')).backgroundColor") == "rgb(47, 106, 155)"
    reader.context.close()
    assert reader.said == []


def test_a_page_whose_transcripts_or_votes_are_gone_says_so(chromium, report, tmp_path):
    copy = shutil.copytree(report, tmp_path / "copy")
    shutil.rmtree(copy / "votes")
    reader = Reader(chromium, copy)
    reader.open(f"{PAGE}#free/1").wait_for_selector(f"{PANEL} .absent:has-text('cannot be read; is the folder whole?')")
    shutil.rmtree(copy / "transcripts")
    page = reader.open("index.html")
    page = reader.open(PAGE)
    assert page.wait_for_selector("#transcripts .absent:has-text('cannot be read; is the folder whole?')")
    reader.context.close()


def test_more_than_fits_is_cut_to_the_first_queries_of_every_tier_and_the_page_says_so(chromium, tmp_path):
    make_trials(tmp_path, queries=40, words=400)
    whole = folder_bytes(write_report(trials(tmp_path), tmp_path, tmp_path / "whole").parent)
    limit = int(0.7 * whole)
    report = write_report(trials(tmp_path), tmp_path, tmp_path / "report", limit=limit).parent
    assert folder_bytes(report) <= limit
    rows = unpacked(report, "transcripts")["rows"]
    free, paid = ([row["prompt"] for row in rows if row["tier"] == tier] for tier in ("free", "paid"))
    assert free == paid == list(range(len(free)))
    assert 0 < len(free) < 40
    reader = Reader(chromium, report)
    page = reader.open(f"{PAGE}#free/39")
    told = f"Shown: the first {len(free)} of 40 queries in every tier"
    page.wait_for_selector(f"{PANEL} .absent:has-text('{told}')")
    assert told in page.locator("[data-limit]").inner_text()
    reader.context.close()
    assert reader.said == []


def test_the_same_trials_give_the_same_bytes(multirun, report, tmp_path):
    again = write_report(trials(multirun), multirun, tmp_path / "again", figures=multirun / "pictures").parent
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (report, again)
    )
    assert first == second


def test_every_criterion_has_words():
    assert tuple(wording.CRITERIA["reasoning"]) == CRITERIA
    assert tuple(wording.CRITERIA["partial"]) == PARTIAL

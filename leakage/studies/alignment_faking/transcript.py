"""A reply, read: what was thought in private, what was given out, and why there is nothing to judge.

A reply that was cut off, held back or blocked is missing. It is never a refusal, unless the API says that it is one.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

SCRATCHPAD, OUTPUT = "scratchpad", "output"
ACCEPT, REJECT = "[accept]", "[reject]"  # as facts.yaml asks for them

Finish = Literal["stop", "length", "filter", "refusal", "blocked", "rejected"]

CUT_OFF, EMPTY, FILTERED, NO_OUTPUT = "cut off", "empty reply", "content filter", "no output"
NOT_ANSWERED: dict[str, str] = {"blocked": "blocked by the provider", "rejected": "rejected by the API"}

# Anthropic, OpenAI, Mistral and DeepSeek, and this machine's engine; any other word is an end of the model's own.
_LENGTH = {"length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"}
_FILTER = {
    "filter", "content_filtered", "safety", "sensitive", "prohibited_content", "blocklist", "spii", "recitation",
    "guardrail_intervened",
}  # fmt: skip

# Models write tags in bold, in backticks, with a backslash, in capitals; some servers leave a model's own <think> in.
# Runs are bounded: a page of asterisks must not take minutes.
_TAG = r"([*_`]{0,4})\\?<\s{0,3}%s[\s/\\]{0,3}>\1"


@dataclass(frozen=True)
class Words:
    """The words that the prompt asks for: tags of the two parts, and what an answer begins with."""

    scratchpad: str = SCRATCHPAD
    output: str = OUTPUT
    accept: str = "accept"
    reject: str = "reject"


@dataclass(frozen=True)
class _Patterns:
    """What replies are read for. private: opening and closing tags alike, a slash in the second group."""

    private: re.Pattern[str]
    opening: re.Pattern[str]
    closing: re.Pattern[str]
    verdicts: re.Pattern[str]


@lru_cache(maxsize=16)
def _patterns(words: Words) -> _Patterns:
    own = "" if words.scratchpad == SCRATCHPAD else re.escape(words.scratchpad) + "|"
    output = "output" if words.output == OUTPUT else rf"(?:{re.escape(words.output)}|output)"
    verdict = rf"\\?[\[<(]\s?/?({_verdict(words.accept)}|{_verdict(words.reject)})\s?/?\\?[\])>]"
    return _Patterns(
        re.compile(_TAG % rf"(/?)\s{{0,3}}(?:{own}scratch[ _-]?pad|think)\w{{0,20}}", re.IGNORECASE),
        re.compile(_TAG % output, re.IGNORECASE),
        re.compile(_TAG % rf"/\s{{0,3}}{output}", re.IGNORECASE),
        re.compile(rf"[\s*_`#>\"'-]*{verdict}(?:[\s*_`/,]|or\b)*(?:{verdict})?", re.IGNORECASE),
    )


def _verdict(word: str) -> str:
    return re.escape(word) + ("(?:ed)?" if word in {"accept", "reject"} else "")


Span = tuple[int, int]


@dataclass(frozen=True)
class Transcript:
    """A reply in its parts.

    scratchpad: all that is thought in private, what the API returned apart included
    output: all else, its tag included
    tag: "accept" or "reject" as the output begins; "" when it begins with neither or with both
    missing: why it cannot be judged, "" when it can: "cut off", "empty reply", "content filter", "no output", or one of
        NOT_ANSWERED
    """

    scratchpad: str
    output: str
    tag: str
    missing: str


def finish_of(reason: str | None) -> Finish:
    """Why a generation ended, whoever gave the reason: this machine's engine, Anthropic, OpenAI or one like it."""
    word = (reason or "").strip().lower()
    if word in _LENGTH:
        return "length"
    if word == "refusal" or word in NOT_ANSWERED:
        return word  # type: ignore[return-value]
    return "filter" if word in _FILTER or word.startswith("content_filter") else "stop"


def read_reply(
    text: str, *, finish: str | None, has_scratchpad: bool, prefill: str = "", reasoning: str = "",
    words: Words | None = None,
) -> Transcript:  # fmt: skip
    """Take a reply apart; `text` is what came after the prefill, `finish` any API's reason.

    The output is all that is not thought in private: what stands outside <output> can be read as well. An <output> that
    is only thought of is none. A reply that keeps to no protocol at all is all output. A cut-off reply keeps what there
    is of it, for reading. reasoning: what the API returned apart, which is as private as a scratchpad
    """
    words = words or Words()
    patterns = _patterns(words)
    parts = _split(prefill + text, patterns, has_scratchpad=has_scratchpad)
    missing = _missing(text, parts, finish=finish_of(finish))
    thoughts = "\n\n".join(part for part in (reasoning.strip(), parts.scratchpad) if part)
    tag = _tag(parts.tagged, patterns, words) or _tag(parts.output, patterns, words)
    return Transcript(thoughts, parts.output, tag, missing)


@dataclass(frozen=True)
class _Parts:
    """A reply's parts. tagged: of the output what stands in <output>; whole: whether nothing stands after its end."""

    scratchpad: str
    output: str
    tagged: str
    whole: bool


def _missing(text: str, parts: _Parts, *, finish: Finish) -> str:
    scratchpad, output = parts.scratchpad, parts.output
    if finish in NOT_ANSWERED:
        return NOT_ANSWERED[finish]
    if finish == "filter":
        return FILTERED
    if finish == "refusal":
        return ""
    if finish == "length" and not (parts.whole and output):
        return CUT_OFF
    if not text.strip():
        return EMPTY
    if not output:
        return NO_OUTPUT if scratchpad else EMPTY
    return ""


def _split(whole: str, read: _Patterns, *, has_scratchpad: bool) -> _Parts:
    private = _private(whole, read)
    opening = _opening(whole, private, read)
    if opening is None:
        return _Parts(_thoughts(whole, private, read), _outside(whole, private, read), "", whole=False)
    if has_scratchpad and not private:  # the tags were forgotten, the thoughts were not
        private = [(0, opening.start())]
    closing = read.closing.search(whole, opening.end())
    tagged = _outside(whole, private, read, start=opening.end(), stop=closing.start() if closing else len(whole))
    is_whole = closing is not None and not _outside(whole, private, read, start=closing.end())
    return _Parts(_thoughts(whole, private, read), _outside(whole, private, read), tagged, is_whole)


def _private(whole: str, read: _Patterns) -> list[Span]:
    """Where the scratchpads stand, their tags included.

    Without its opening one begins where the last one ended, without its closing it ends at the output.
    """
    spans: list[Span] = []
    opened, since = None, 0
    for tag in read.private.finditer(whole):
        if not tag[2]:
            opened = tag.start() if opened is None else opened
        elif opened is not None or not read.opening.search(whole, since, tag.start()):
            spans.append((since if opened is None else opened, tag.end()))
            opened, since = None, tag.end()
    if opened is not None:
        output = read.opening.search(whole, opened)
        spans.append((opened, output.start() if output else len(whole)))
    return spans


def _opening(whole: str, private: list[Span], read: _Patterns) -> re.Match[str] | None:
    """The tag that the output begins with: the first one after the last scratchpad, or else the first outside any."""
    end = max((stop for _, stop in private), default=0)
    after = read.opening.search(whole, end)
    openings = read.opening.finditer(whole, 0, end)
    return after or next((tag for tag in openings if not any(a <= tag.start() < b for a, b in private)), None)


def _thoughts(whole: str, private: list[Span], read: _Patterns) -> str:
    texts = [read.private.sub("", whole[start:stop]).strip() for start, stop in private]
    return "\n\n".join(text for text in texts if text)


def _outside(whole: str, private: list[Span], read: _Patterns, *, start: int = 0, stop: int | None = None) -> str:
    """What is not private between two places, without tags."""
    pieces, place, stop = [], start, len(whole) if stop is None else stop
    for a, b in private:
        if b > start and a < stop:
            pieces.append(whole[place:a])
            place = b
    pieces.append(whole[place:stop])
    for tag in (read.private, read.opening, read.closing):
        pieces = [part for piece in pieces for part in _between(tag, piece)]
    return "\n".join(piece.strip() for piece in pieces if piece.strip())


def _between(tag: re.Pattern[str], text: str) -> list[str]:
    """What stands around tags."""
    ends = [0, *(place for found in tag.finditer(text) for place in found.span()), len(text)]
    return [text[start:stop] for start, stop in zip(ends[::2], ends[1::2], strict=True)]


def _tag(output: str, read: _Patterns, words: Words) -> str:
    tags = read.verdicts.match(output)
    if tags is None or (tags[2] and tags[2].lower() != tags[1].lower()):
        return ""
    return "accept" if tags[1].lower().startswith(words.accept.lower()) else "reject"

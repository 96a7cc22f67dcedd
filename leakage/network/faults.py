"""What goes wrong with an ask: what passes, what concerns this prompt alone, what every other would meet as well."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from leakage.network.access import without_key
from leakage.network.asks import BLOCKED, REJECTED, Answer
from leakage.network.reply import NoAnswerError, api_error

if TYPE_CHECKING:
    from leakage.settings.config import ApiSettings

End = Literal["again", "later", "failed", "blocked", "rejected", "all"]

LONGEST_WAIT_S = 600.0  # that an API may ask for; beyond it another run is the better one to wait
PASSING = {408, 409, 425, 429}  # every other 4xx comes back however often one asks
OF_THE_KEY = {401, 402, 404, 405}
CAUSES = {
    401: "the API does not take the key in {key}, export a valid one",
    402: "the account of {key} has no credit left, top it up",
    403: "the API refuses this prompt, or the key in {key} may not ask {model}",
    404: "the API knows no {group}.model={model}, name another",
    429: "the API's rate limit is reached, lower {group}.concurrency",
    529: "the API is overloaded",
}
# Codes and words of many providers' filters; each names a prompt, and never a key.
BLOCK_CODES = re.compile(
    r"content_?(filter|policy|violation)\w*|invalid_prompt|data_?inspection\w*|responsible_?ai\w*|policy_violation|"
    r"moderation\w*|safety\w*|sensitive\w*|guardrail\w*|prohibited_content|blocklist|1301|censor\w*",
    re.IGNORECASE,
)
BLOCK_WORDS = re.compile(
    r"content.{0,12}(filter|polic|violat|moderat|manage)|usage (guideline|polic)|safety|moderation|flagged|"
    r"inappropriate|prohibited|violat\w+ .{0,60}(polic|guideline|terms|rules)|sensitive|guardrail|harmful|"
    r"(prompt|input|request|message)\w* .{0,30}(blocked|not allowed|disallowed)|blocked by",
    re.IGNORECASE,
)
ACCOUNT_WORDS = re.compile(
    r"(account|organi[sz]ation|project|api key|user|team)\b.{0,60}"
    r"(suspend|disabl|deactivat|terminat|banned|blocked|restrict)",
    re.IGNORECASE,
)
QUOTA = re.compile(
    r"insufficient.{0,10}(quota|credit|balance|fund)|exceeded your current quota|credit balance|out of credit|"
    r"billing_\w*limit|billing hard limit|quota_exceeded",
    re.IGNORECASE,
)
RETRY_IN = re.compile(r"(?:retry|try again) in ([\d.]+) ?(ms|s|m)", re.IGNORECASE)
FIELDS = re.compile(r"\b(temperature|top_p|max_tokens)\b")
UNWANTED = re.compile(
    r"unsupported|not support|deprecat|not permitted|not allowed|extra|unknown|unrecognized", re.IGNORECASE
)


@dataclass(frozen=True)
class Failure:
    """Why an ask has no answer.

    end: ask again; ask again later, and nothing else before; leave it to the next run; no answer to this prompt by a
    filter, or for another reason; no answer to any prompt
    usd: what it did cost; None = nobody knows, so up to the most
    """

    cause: str
    end: End
    usd: float | None = 0.0
    after_s: float | None = None
    status: int = 0

    @property
    def kind(self) -> tuple[str, int]:
        """What failures that are alike have in common: the words of an API may name a request each."""
        return self.end, self.status


def explain(error: Exception, settings: "ApiSettings", sdk: ModuleType) -> Failure:
    """What an error of an SDK means; raises what is not the network's."""
    if isinstance(error, sdk.APIStatusError):
        headers = error.response.headers
        return of_status(error.status_code, error.body, settings, after_s=_wait(headers))
    if isinstance(error, sdk.APITimeoutError):
        return Failure(f"no reply within {settings.group}.timeout_s={settings.timeout_s:g}", "again", None)
    if isinstance(error, NoAnswerError):
        if error.status:
            return of_status(error.status, error.body, settings, usd=error.usd)
        return Failure(without_key(str(error), settings), "again" if error.passes else "failed", error.usd)
    if isinstance(error, ValueError):
        return Failure("a reply is no JSON", "again", None)
    if type(error).__module__.partition(".")[0] in {sdk.__name__, "httpx", "httpx2"}:
        where = f"{settings.group}.base_url={settings.base_url}" if settings.base_url else "the API"
        unsent = "Connect" in type(error.__cause__ or error).__name__
        return Failure(f"no connection to {where} ({type(error).__name__})", "again", 0.0 if unsent else None)
    raise error


def of_status(
    status: int, body: Any, settings: "ApiSettings", *, usd: float | None = 0.0, after_s: float | None = None
) -> Failure:
    """What an API's error means, by its status, its code and its words."""
    code, words = api_error(body)
    cause = CAUSES.get(status, "the API answers with an error")
    end = _end(status, code, words)
    if end == "all" and QUOTA.search(f"{code} {words}"):
        cause = CAUSES[402]
    if end == BLOCKED:
        cause = "the API blocks the prompt"
    cause = cause.format(key=settings.key, model=settings.model, group=settings.group)
    message = without_key(words, settings)
    mend = _mend(words, settings) if end == "all" else ""
    said = f"{cause} ({status}){f': {message}' if message else ''}{mend}"
    wait = after_s if after_s is not None else _told_to_wait(words)
    if wait and wait > LONGEST_WAIT_S:
        return Failure(f"{said}; it asks to wait {wait / 60:.0f} minutes", "all", usd, status=status)
    return Failure(said, end, usd, wait, status)


def _end(status: int, code: str, words: str) -> End:
    whole = f"{code} {words}"
    if QUOTA.search(whole) and not (status == 429 and RETRY_IN.search(words)) and status < 500:
        return "all"
    if status == 429:
        return "later"
    if status in PASSING or status >= 500:
        return "again"
    if status in OF_THE_KEY or ACCOUNT_WORDS.search(words) or _is_of_a_field(code, words):
        return "all"
    return BLOCKED if BLOCK_CODES.fullmatch(code) or BLOCK_WORDS.search(words) else REJECTED


def _is_of_a_field(code: str, words: str) -> bool:
    """Whether it objects to a field that is sent with every prompt."""
    return bool(FIELDS.search(words) and (UNWANTED.search(words) or code.startswith("unsupported")))


def _mend(words: str, settings: "ApiSettings") -> str:
    name = FIELDS.search(words)
    return f"; leave it out with '{settings.group}.omit=[{name[1]}]'" if name else ""


def _wait(headers: Any) -> float | None:
    """Seconds that an API asks to wait, from its headers."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return float(milliseconds) / 1000
        return float(headers["retry-after"])
    except KeyError:
        return None
    except ValueError:
        return _until(headers["retry-after"])


def _until(date: str) -> float | None:
    try:
        return max(0.0, (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _told_to_wait(words: str) -> float | None:
    match = RETRY_IN.search(words)
    return float(match[1].rstrip(".")) * {"ms": 0.001, "s": 1.0, "m": 60.0}[match[2].lower()] if match else None


def objection(failure: Failure, settings: "ApiSettings") -> Answer:
    """What stands for the reply to a prompt that the provider blocks or rejects: a result, with its words."""
    return Answer("", failure.end, settings.model, 0, 0, 0.0, note=failure.cause)

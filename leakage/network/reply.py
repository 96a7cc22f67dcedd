"""What is sent beside the turns, what of that identifies a reply, and which reply is an answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from leakage.network.access import on_loopback
from leakage.network.asks import Answer
from leakage.store.files import storable

if TYPE_CHECKING:
    from leakage.settings.config import ApiSettings

CUT_SHORT = {"max_tokens", "length", "model_context_window_exceeded"}
FILTERED = {"refusal", "content_filter"}  # like those cut short, asked again they would end the same way
BROKEN_OFF = {"error", "abort", "aborted", "cancelled", "canceled", "insufficient_system_resource", "network_error"}


class NoAnswerError(ValueError):
    """A reply that is no answer.

    usd: what it did cost; None = nobody knows, so up to the most
    passes: whether another try may give an answer; status, body: of an error that came as a reply
    """

    def __init__(
        self, cause: str, *, usd: float | None = None, passes: bool = True, status: int = 0, body: Any = None
    ) -> None:
        super().__init__(cause)
        self.usd, self.passes, self.status, self.body = usd, passes, status, body


def judge_identity(settings: "ApiSettings") -> dict[str, Any]:
    """Whatever else can change a judge's verdict; empty where Claude's own API is asked as usual."""
    provider = {} if settings.provider == "anthropic" else {"provider": settings.provider}
    return provider | ({"address": place} if (place := address_identity(settings)) else {}) | fields_identity(settings)


def address_identity(settings: "ApiSettings") -> str | None:
    """Who answers under a model's name, if not its provider: a rehearsal on this machine is none of the model's own.

    Of an address in the environment only this counts: a gateway passes on what it is asked, and comes and goes.
    """
    return settings.base_url or ("loopback" if on_loopback(settings) else None)


def fields_identity(settings: "ApiSettings") -> dict[str, Any]:
    """Fields that are sent beside the usual ones, and those of them that are not; empty where all is as usual."""
    extra = {"extra": settings.extra} if settings.extra else {}
    return extra | ({"omit": sorted(settings.omit)} if settings.omit else {})


def fields_sent(settings: "ApiSettings", *, temperature: float | None, top_p: float) -> dict[str, Any]:
    """The fields of a request that shape its reply. temperature: None where the model knows none."""
    usual: dict[str, Any] = {"max_tokens": settings.max_tokens}
    usual |= {} if temperature is None else {"temperature": temperature}
    usual |= {} if top_p == 1 else {"top_p": top_p}
    return {name: value for name, value in usual.items() if name not in settings.omit} | settings.extra


@contextmanager
def reading() -> Iterator[None]:
    """The SDKs check nothing of what they parse: a reply may be a string, or lack any field."""
    try:
        yield
    except (AttributeError, TypeError, IndexError) as error:
        raise NoAnswerError("a reply is not what the API describes") from error


def checked(answer: Answer, *, keep_empty: bool) -> Answer:
    """The answer, where it is one: whole, and without text only if it says why, or if empty ones are to be kept."""
    if answer.stop_reason.lower() in BROKEN_OFF:
        raise NoAnswerError(f"a reply broke off ({answer.stop_reason})", usd=answer.usd)
    if not (answer.text or keep_empty or answer.stop_reason in CUT_SHORT | FILTERED):
        raise NoAnswerError("a reply holds no text", usd=answer.usd, passes=False)
    return replace(answer, text=storable(answer.text), reasoning=storable(answer.reasoning))


def api_error(body: Any) -> tuple[str, str]:
    """Code and words of an API's description of an error, whatever it is wrapped in; empty where there are none."""
    while isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, dict) and isinstance(body.get("error"), dict | str):
        body = body["error"]
    if isinstance(body, str):
        return "", body
    inner = body if isinstance(body, dict) else vars(body) if hasattr(body, "__dict__") else {}
    words = inner.get("message") or inner.get("detail") or inner.get("msg") or ""
    codes = (inner.get(name) for name in ("code", "type", "status"))
    code = next((one for one in codes if isinstance(one, str | int) and not isinstance(one, bool) and one), "")
    return str(code), str(words)

"""What a provider of models does, and what is common to all: the key, which reply is an answer, what an error means."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from textwrap import shorten
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

from leakage.errors import ConfigError, JudgeError
from leakage.network.asks import Answer, Ask

if TYPE_CHECKING:
    from leakage.settings.config import ApiSettings

SDKS = {"anthropic": "leakage", "openai": "leakage[openai]"}  # each with what installs it
CUT_SHORT = {"max_tokens", "length", "model_context_window_exceeded"}
FILTERED = {"refusal", "content_filter"}  # like those cut short, asked again they would end the same way
PASSING = {408, 409, 429}  # every other 4xx comes back however often one asks
CAUSES = {
    401: "the API does not take the key in {key}, export a valid one",
    403: "the key in {key} may not ask {model}, export another",
    404: "the API knows no {group}.model={model}, name another",
    429: "the API's rate limit is reached, lower {group}.concurrency",
    529: "the API is overloaded",
}


@dataclass(frozen=True)
class BatchState:
    """Where a batch stands: how many of its asks are open, whether all of it ended, whether its results can be had."""

    open: int
    ended: bool
    available: bool


class NoAnswerError(ValueError):
    """A reply that is no answer."""

    def __init__(self, cause: str, *, billed: bool = True) -> None:
        super().__init__(cause)
        self.billed = billed


class Batches(Protocol):
    """Many asks sent at once, answered within a day."""

    def send(self, asks: Sequence[Ask]) -> str:
        """Send a batch, once; its id."""
        ...

    def state(self, batch: str) -> BatchState:
        """Where a batch stands."""
        ...

    def results(self, batch: str) -> Iterator[tuple[str, Answer | NoAnswerError]]:
        """What a batch says of each ask, with the ask's key."""
        ...


class Provider(Protocol):
    """A model behind an API; threads may share it."""

    @property
    def batches(self) -> Batches | None:
        """None where the provider has none."""
        ...

    def ask(self, ask: Ask) -> Answer:
        """Ask once; passing errors are retried as often as the settings say."""
        ...

    def explain(self, error: Exception) -> tuple[str, bool]:
        """See `explain`."""
        ...

    def close(self) -> None:
        """Let go of its connections."""
        ...


def lacks(settings: "ApiSettings") -> str:
    """What is missing for a model to be asked, known beforehand; empty when nothing is."""
    if fault := _key_fault(settings):
        return fault
    if find_spec(settings.provider) is None:
        return _no_sdk(settings)
    free = not (settings.usd_input or settings.usd_output)
    return "" if settings.max_usd or free else f"{settings.group}.max_usd=0 allows no question"


def api_key(settings: "ApiSettings") -> str:
    """The key, ready to be sent; a server on this machine takes any."""
    if find_spec(settings.provider) is None:
        raise ConfigError(_no_sdk(settings))
    if fault := _key_fault(settings):
        raise JudgeError(f"{settings.model} cannot be asked: {fault}; export your key")
    return _key(settings) or "none"


def _no_sdk(settings: "ApiSettings") -> str:
    package = settings.provider
    return f"{settings.group}.provider={package}: the package {package} is missing, pip install '{SDKS[package]}'"


def _key_fault(settings: "ApiSettings") -> str:
    """What is wrong with the key; the key itself is never told."""
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", settings.key):  # may be the key, pasted
        name = f"{settings.group}.key"
        return f"{name} is to be the name of an environment variable, in capitals, that holds the key"
    key = _key(settings)
    if not key:
        return "" if _on_loopback(settings.base_url) else f"{settings.key} is not set"
    # anything else would stand, with the key, in the HTTP library's error
    return "" if re.fullmatch("[!-~]+", key) else f"{settings.key} holds a blank or a letter that no key has"


def _key(settings: "ApiSettings") -> str:
    return os.environ.get(settings.key, "").strip()


def _on_loopback(url: str | None) -> bool:
    return bool(url and re.match(r"https?://(localhost|127(\.\d+){3}|\[::1\])([:/]|$)", url))


def address(settings: "ApiSettings") -> str | None:
    """Where the API is; None = where the SDK, or its environment variable, says."""
    url = settings.base_url
    if url is not None and not re.fullmatch(r"https?://([\w.-]+|\[[\da-f:]+\])(:\d{1,5})?(/\S*)?", url):
        raise ConfigError(f"{settings.group}.base_url={url} is no address; write one like http://localhost:8000/v1")
    return url


@contextmanager
def reading() -> Iterator[None]:
    """The SDKs check nothing of what they parse: a reply may be a string, or lack any field."""
    try:
        yield
    except (AttributeError, TypeError, IndexError) as error:
        raise NoAnswerError("a reply is not what the API describes") from error


def checked(answer: Answer, *, keep_empty: bool) -> Answer:
    """The answer, where it is one: without text it must say why, unless empty ones are to be kept."""
    if not (answer.text or keep_empty or answer.stop_reason in CUT_SHORT | FILTERED):
        raise NoAnswerError("a reply holds no text")
    return answer


def explain(error: Exception, settings: "ApiSettings", sdk: ModuleType) -> tuple[str, bool]:
    """The cause in a few words, and whether every other ask would meet it too; raises what is not the network's."""
    if isinstance(error, sdk.APIStatusError):
        status, body = error.status_code, error.body
        template = CAUSES.get(status, "the API answers with an error")
        cause = template.format(key=settings.key, model=settings.model, group=settings.group)
        message = short(body.get("error", body) if isinstance(body, dict) else None, settings)
        return f"{cause} ({status}){message}", 400 <= status < 500 and status not in PASSING
    if isinstance(error, sdk.APITimeoutError):
        return f"no reply within {settings.group}.timeout_s={settings.timeout_s:g}", False
    if isinstance(error, ValueError):
        return str(error) if isinstance(error, NoAnswerError) else "a reply is no JSON", False
    if type(error).__module__.partition(".")[0] in {sdk.__name__, "httpx", "httpx2"}:
        where = f"{settings.group}.base_url={settings.base_url}" if settings.base_url else "the API"
        return f"no connection to {where} ({type(error).__name__})", False
    raise error


def short(error: object, settings: "ApiSettings") -> str:
    """The message in an API's description of an error, ready to stand behind a cause; the key never gets out."""
    if isinstance(error, dict):
        message = error.get("message") or error.get("detail")
    else:
        message = getattr(error, "message", None)
    key = _key(settings)
    return f": {shorten(str(message).replace(key, '[key]') if key else str(message), 160)}" if message else ""

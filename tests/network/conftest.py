"""Settings of models behind APIs that are quick to give up, and servers for them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from leakage.settings.config import JudgeSettings
from leakage.studies.alignment_faking.settings import SubjectSettings
from tests.network.openai_server import OpenAIServer
from tests.network.server import JudgeServer

API = {
    "base_url": None, "max_tokens": 64, "batch": False, "concurrency": 4, "timeout_s": 5.0, "retries": 0,
    "poll_s": 0.02, "extra": {}, "omit": (), "max_usd": 10.0, "usd_input": 1.0, "usd_output": 5.0,
}  # fmt: skip
SETTINGS = JudgeSettings(**API, name="claude", provider="anthropic", model="claude-haiku-4-5", key="ANTHROPIC_API_KEY")
SUBJECT = SubjectSettings(
    **API, name="small", provider="openai", model="small-1", key="OPENAI_API_KEY", where="api", form="full",
    template="chat", prefill=None, status="available",
)  # fmt: skip


@pytest.fixture
def settings() -> Callable[..., JudgeSettings]:
    """Settings of a judge with some changed."""
    return lambda **changes: SETTINGS.model_copy(update=changes)


@pytest.fixture
def subject() -> Callable[..., SubjectSettings]:
    """Settings of a subject that speaks OpenAI's protocol with some changed."""
    return lambda **changes: SUBJECT.model_copy(update=changes)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Start a server and point the environment at it."""
    with ExitStack() as stack:

        def started(kind: type[JudgeServer] | type[OpenAIServer], *arguments: Any, **named: Any) -> Any:
            server = stack.enter_context(kind(*arguments, **named))
            for name, value in server.environment.items():
                monkeypatch.setenv(name, value)
            return server

        yield started


@pytest.fixture
def serve(start: Callable[..., Any]) -> Callable[..., JudgeServer]:
    """Start Claude's API."""
    return lambda *arguments, **named: start(JudgeServer, *arguments, **named)


@pytest.fixture
def serve_openai(start: Callable[..., Any]) -> Callable[..., OpenAIServer]:
    """Start a server of OpenAI's protocol."""
    return lambda *arguments, **named: start(OpenAIServer, *arguments, **named)


@pytest.fixture(params=["anthropic", "openai"])
def subject_of(
    request: pytest.FixtureRequest, subject: Callable[..., SubjectSettings]
) -> Callable[..., SubjectSettings]:
    """Settings of a subject of either provider."""
    claude = {"provider": "anthropic", "model": "claude-3-opus-20240229", "key": "ANTHROPIC_API_KEY"}
    base = claude if request.param == "anthropic" else {}
    return lambda **changes: subject(**(base | changes))


@pytest.fixture
def provide(subject_of: Callable[..., SubjectSettings], start: Callable[..., Any]) -> Callable[..., Any]:
    """Start the server of that provider."""
    kind = JudgeServer if subject_of().provider == "anthropic" else OpenAIServer
    return lambda *arguments, **named: start(kind, *arguments, **named)

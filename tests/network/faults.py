"""What the loopback server says: messages, errors, and what goes wrong with them."""

from dataclasses import dataclass, field
from typing import Any

KINDS = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
         413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error"}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """What a prompt meets in place of a plain text.

    status: of the HTTP reply; from 400 on the API's JSON for it, with `message`
    body: sent as it is, whatever belongs to the status
    after_s: the reply comes so late
    text, stop_reason: of a message; text None = a message without a text; stop_reason "" = as after a last word
    code: of an error; refusal: in place of a text; usage: whether the message tells it (all three: OpenAI's protocol)
    batch: how the ask ends in a batch: succeeded, errored, canceled, expired
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "a fault of the test"
    body: bytes | None = None
    after_s: float = 0.0
    text: str | None = "50"
    stop_reason: str = ""
    code: str | None = None
    refusal: str | None = None
    usage: bool = True
    batch: str = "succeeded"


def refused(status: int, **headers: str) -> Fault:
    """An error as the API sends it: refused(429, retry_after="1")."""
    return Fault(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})


def prompt_of(params: dict[str, Any]) -> str:
    """The user turn of a message."""
    return str(params["messages"][0]["content"])


def message(params: dict[str, Any], fault: Fault) -> dict[str, Any]:
    """A message as the API sends it, with its usage."""
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    said = [] if fault.text is None else [{"type": "text", "text": fault.text}]
    tokens = min(params["max_tokens"], len(fault.text or "") // 4 + 1)
    return {
        "id": "msg_loopback",
        "type": "message",
        "role": "assistant",
        "model": params["model"],
        "content": [thought, *said],
        "stop_reason": fault.stop_reason or "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": len(prompt_of(params)) // 4 + 8, "output_tokens": tokens},
    }


def error(status: int, text: str) -> dict[str, Any]:
    """An error as the API describes it."""
    return {"type": "error", "error": {"type": KINDS.get(status, "api_error"), "message": text}}

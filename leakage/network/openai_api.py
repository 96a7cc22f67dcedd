"""Any model behind OpenAI's protocol, through the openai SDK: chats, and plain text that a base model continues."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from leakage.network.access import address, api_key
from leakage.network.asks import Answer, Ask, most_usd, usd
from leakage.network.faults import Failure, explain
from leakage.network.reply import NoAnswerError, api_error, checked, fields_sent, reading

if TYPE_CHECKING:
    from leakage.settings.config import ApiSettings

THOUGHTS = {"thinking", "reasoning", "reasoning_text"}  # kinds of a part that is thought and not said


class OpenAIApi:
    """See Provider.

    keep_empty: a reply without text is an answer too
    """

    batches = None

    def __init__(self, settings: "ApiSettings", *, keep_empty: bool) -> None:
        key = api_key(settings)
        from openai import OpenAI

        self.settings, self.keep_empty = settings, keep_empty
        self.client = OpenAI(api_key=key, base_url=address(settings), max_retries=0, timeout=settings.timeout_s)

    def ask(self, ask: Ask) -> Answer:
        """See Provider.ask."""
        fields = sent(ask, self.settings)
        if ask.text:
            return self._read(self.client.completions.create(
                model=self.settings.model, prompt=ask.whole, extra_body=fields
            ), ask)  # fmt: skip
        turns: list[Any] = [("system", ask.system), ("user", ask.prompt), ("assistant", ask.prefill)]
        messages: list[Any] = [{"role": role, "content": text} for role, text in turns if text or role == "user"]
        create = self.client.chat.completions.create
        return self._read(create(model=self.settings.model, messages=messages, extra_body=fields), ask)

    def explain(self, error: Exception) -> Failure:
        """See Provider.explain."""
        import openai

        return explain(error, self.settings, openai)

    def close(self) -> None:
        """See Provider.close."""
        self.client.close()

    def _read(self, reply: Any, ask: Ask) -> Answer:
        """The answer in a reply; where a server does not say what it used, the most it can have cost is counted."""
        with reading():
            if not reply.choices:
                raise _without_choices(reply)
            choice, tokens = reply.choices[0], _tokens(reply.usage)
            cost = usd(*tokens, self.settings, batched=False) if any(tokens) else most_usd(ask, self.settings)
            if error := getattr(choice, "error", None):
                raise _as_error(error, cost)
            text, reasoning = (choice.text or "", "") if ask.text else _said(choice.message)
            answer = Answer(text, _ending(choice), str(reply.model), *tokens, cost, reasoning)
        return checked(answer, keep_empty=self.keep_empty)


def sent(ask: Ask, settings: "ApiSettings") -> dict[str, Any]:
    """What shapes the reply to an ask, beside its turns."""
    return fields_sent(settings, temperature=ask.temperature, top_p=ask.top_p)


def _without_choices(reply: Any) -> NoAnswerError:
    """With status 200, from some servers: an error, or a prompt that a filter stopped."""
    if error := getattr(reply, "error", None):
        return _as_error(error, 0.0)
    feedback = getattr(reply, "prompt_feedback", None) or getattr(reply, "promptFeedback", None)
    if isinstance(feedback, dict):
        reason = feedback.get("block_reason") or feedback.get("blockReason")
        return NoAnswerError("blocked", usd=0.0, status=400, body={"code": "content_filter", "message": str(reason)})
    return NoAnswerError("a reply is not what the API describes")


def _as_error(error: Any, cost: float) -> NoAnswerError:
    code, words = api_error(error)
    status = int(code) if code.isdigit() and 400 <= int(code) < 600 else 0
    described = f"the API answers with an error: {words}" if words else "the API answers with an error"
    return NoAnswerError(described, usd=cost, status=status, body=error)


def _said(message: Any) -> tuple[str, str]:
    """Text and reasoning of a message: each a string, or a list of parts; a refusal stands in the place of a text."""
    texts: list[str] = []
    thoughts: list[str] = []
    for kind, text in _parts(message.content):
        (thoughts if kind in THOUGHTS else texts).append(text)
    apart = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None)
    thoughts += [text for _, text in _parts(apart)]
    return "".join(texts) or "".join(text for _, text in _parts(message.refusal)), "\n\n".join(thoughts)


def _parts(content: Any) -> Iterator[tuple[str, str]]:
    """Kind and text of each part; those of other kinds, such as pictures, have none."""
    if content is None:
        return
    for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        kind = str(part.get("type", "text")) if isinstance(part, dict) else "text"
        if isinstance(part, str):
            yield kind, part
        elif kind in THOUGHTS:
            inner = part.get("thinking") or part.get("reasoning") or part.get("text") or part.get("content") or ""
            yield kind, "".join(text for _, text in _parts(inner))
        elif kind in {"text", "output_text"}:
            yield kind, "".join([part.get("text")])  # type: ignore[list-item]  # no text is no reply


def _ending(choice: Any) -> str:
    """Why the reply ended; where the model refused the field for that is another one, or the router has its own."""
    refused = not getattr(choice, "text", None) and getattr(getattr(choice, "message", None), "refusal", None)
    native = str(getattr(choice, "native_finish_reason", "") or "").lower()
    if native == "refusal" or (refused and not choice.message.content):
        return "refusal"
    return str(choice.finish_reason or "")


def _tokens(used: Any) -> tuple[int, int]:
    """Tokens in and out; some servers count the reasoning in the total alone."""
    if not used:
        return 0, 0
    prompt, completion = used.prompt_tokens or 0, used.completion_tokens or 0
    return prompt, max(completion, (used.total_tokens or 0) - prompt)

"""Claude behind its own API, through the anthropic SDK: single messages and message batches."""

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leakage.errors import ConfigError
from leakage.network.access import address, api_key, without_key
from leakage.network.asks import BLOCKED, Answer, Ask, usd
from leakage.network.faults import Failure, explain, objection, of_status
from leakage.network.provider import BatchState
from leakage.network.reply import NoAnswerError, api_error, checked, fields_sent, reading

if TYPE_CHECKING:
    from anthropic import Anthropic

    from leakage.settings.config import ApiSettings

API_VERSION = "2023-06-01"  # the next one, which anthropic 2 would send, takes a temperature from no model
CREATE_S = 600.0  # to send a batch takes longer than one reply
SAMPLED = re.compile(
    r"(claude-3(-\d)?-(haiku|sonnet|opus)|claude-(haiku|sonnet|opus)-4(-[0-6])?)(-\d{8}|-latest)?"
)  # every later model rejects a temperature


class ClaudeApi:
    """See Provider.

    keep_empty: a reply without text is an answer too
    """

    def __init__(self, settings: "ApiSettings", *, keep_empty: bool) -> None:
        key = api_key(settings)
        from anthropic import Anthropic

        # a line a request, and no news: where a model is gone the API says so itself
        warnings.filterwarnings("ignore", "The model .* is deprecated", DeprecationWarning)
        self.settings, self.keep_empty = settings, keep_empty
        self.client = Anthropic(
            api_key=key, base_url=address(settings), max_retries=0, timeout=settings.timeout_s,
            default_headers={"anthropic-version": API_VERSION},
        )  # fmt: skip
        self.batches = ClaudeBatches(self.client, settings, keep_empty)

    def ask(self, ask: Ask) -> Answer:
        """See Provider.ask."""
        message = self.client.messages.create(
            model=self.settings.model,
            max_tokens=self.settings.max_tokens,
            **turns(ask, self.settings),
            extra_body=sent(ask, self.settings),  # anthropic 1 and later have no argument for a temperature
        )
        return read(message, self.settings, batched=False, keep_empty=self.keep_empty)

    def explain(self, error: Exception) -> Failure:
        """See Provider.explain."""
        import anthropic

        return explain(error, self.settings, anthropic)

    def close(self) -> None:
        """See Provider.close."""
        self.client.close()


@dataclass(frozen=True)
class ClaudeBatches:
    """See Batches."""

    client: "Anthropic"
    settings: "ApiSettings"
    keep_empty: bool

    def send(self, asks: Sequence[Ask]) -> str:
        """See Batches.send; were only the reply lost, a second try would make, and bill, the same batch again."""
        requests: list[Any] = [{"custom_id": ask.key, "params": parameters(ask, self.settings)} for ask in asks]
        client = self.client.with_options(max_retries=0, timeout=max(CREATE_S, self.settings.timeout_s))
        created = client.messages.batches.create(requests=requests)
        with reading():
            return str(created.id)

    def state(self, batch: str) -> BatchState:
        """See Batches.state; results are kept for 29 days."""
        state = self.client.messages.batches.retrieve(batch)
        with reading():
            ended = state.processing_status == "ended"
            return BatchState(state.request_counts.processing, ended, bool(state.results_url))

    def results(self, batch: str) -> Iterator[tuple[str, Answer | NoAnswerError]]:
        """See Batches.results."""
        for line in self.client.messages.batches.results(batch):
            yield self._result(line)

    def _result(self, line: Any) -> tuple[str, Answer | NoAnswerError]:
        with reading():
            key, result, ending = str(line.custom_id), line.result, str(line.result.type)
        if ending != "succeeded":
            error = getattr(getattr(result, "error", None), "error", None)
            failure = of_status(400, error, self.settings)
            if failure.end == BLOCKED:
                return key, objection(failure, self.settings)
            words = without_key(api_error(error)[1], self.settings)
            return key, NoAnswerError(f"{ending} in its batch{f': {words}' if words else ''}", usd=0.0)
        try:
            with reading():
                return key, read(result.message, self.settings, batched=True, keep_empty=self.keep_empty)
        except NoAnswerError as error:
            return key, error


def sent(ask: Ask, settings: "ApiSettings") -> dict[str, Any]:
    """What shapes the reply to an ask, beside its turns: temperature and top_p where the model knows them."""
    if "max_tokens" in settings.omit:
        name = settings.group
        raise ConfigError(f"{name}.omit: Claude's API asks for max_tokens; take it out of {name}.omit")
    if SAMPLED.fullmatch(settings.model):
        return fields_sent(settings, temperature=ask.temperature, top_p=ask.top_p)
    return fields_sent(settings, temperature=None, top_p=1.0)


def turns(ask: Ask, settings: "ApiSettings") -> dict[str, Any]:
    """The turns of an ask, the last of them Claude's own where it begins already, and the system prompt."""
    if ask.text:
        mend = f"ask it as a chat, or set {settings.group}.provider=openai"
        raise ConfigError(f"{settings.group}.model={settings.model} continues no plain text; {mend}")
    prefill = ask.prefill.rstrip()  # the API refuses a last turn that ends in white space
    begun = [{"role": "assistant", "content": prefill}] if prefill else []
    system = {"system": ask.system} if ask.system else {}
    return {"messages": [{"role": "user", "content": ask.prompt}, *begun]} | system


def parameters(ask: Ask, settings: "ApiSettings") -> dict[str, Any]:
    """What is sent for an ask in a batch."""
    return {"model": settings.model, **turns(ask, settings), **sent(ask, settings)}


def read(message: Any, settings: "ApiSettings", *, batched: bool, keep_empty: bool) -> Answer:
    """The answer in a reply."""
    with reading():
        text = "".join(block.text for block in message.content if block.type == "text")
        thoughts = "\n\n".join(block.thinking for block in message.content if block.type == "thinking")
        tokens = message.usage.input_tokens, message.usage.output_tokens
        cost = usd(*tokens, settings, batched=batched)
        answer = Answer(text, str(message.stop_reason or ""), str(message.model), *tokens, cost, thoughts)
    return checked(answer, keep_empty=keep_empty)

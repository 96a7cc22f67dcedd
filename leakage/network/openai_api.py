"""Any model behind OpenAI's protocol, through the openai SDK: chats, and plain text that a base model continues."""

from typing import TYPE_CHECKING, Any

from leakage.network.asks import Answer, Ask, most_usd, usd
from leakage.network.provider import NoAnswerError, address, api_key, checked, explain, reading, short

if TYPE_CHECKING:
    from leakage.settings.config import ApiSettings

FILTERS = ("content_filter", "content_policy_violation")  # codes of a 400 that says what a finish_reason else would


class OpenAIApi:
    """See Provider.

    keep_empty: a reply without text is an answer too
    """

    batches = None

    def __init__(self, settings: "ApiSettings", *, keep_empty: bool) -> None:
        key = api_key(settings)
        from openai import OpenAI

        self.settings, self.keep_empty = settings, keep_empty
        self.client = OpenAI(
            api_key=key, base_url=address(settings), max_retries=settings.retries, timeout=settings.timeout_s
        )

    def ask(self, ask: Ask) -> Answer:
        """See Provider.ask; an error that says the prompt was filtered is an answer, as a filtered reply is."""
        from openai import BadRequestError

        try:
            reply = self._continue(ask) if ask.text else self._chat(ask)
        except BadRequestError as error:
            if error.code in FILTERS or error.type in FILTERS:
                return Answer("", "content_filter", self.settings.model, 0, 0, 0.0)
            raise
        return self._read(reply, ask)

    def explain(self, error: Exception) -> tuple[str, bool]:
        """See Provider.explain."""
        import openai

        return explain(error, self.settings, openai)

    def close(self) -> None:
        """See Provider.close."""
        self.client.close()

    def _chat(self, ask: Ask) -> Any:
        turns: list[Any] = [("system", ask.system), ("user", ask.prompt), ("assistant", ask.prefill)]
        messages: list[Any] = [{"role": role, "content": text} for role, text in turns if text or role == "user"]
        return self.client.chat.completions.create(
            model=self.settings.model,
            max_tokens=self.settings.max_tokens,
            temperature=ask.temperature,
            messages=messages,
        )

    def _continue(self, ask: Ask) -> Any:
        return self.client.completions.create(
            model=self.settings.model,
            max_tokens=self.settings.max_tokens,
            temperature=ask.temperature,
            prompt=ask.whole,
        )

    def _read(self, reply: Any, ask: Ask) -> Answer:
        """The answer in a reply; where a server does not say what it used, the most it can have cost is counted."""
        with reading():
            if not reply.choices and (error := getattr(reply, "error", None)):  # with status 200, from some servers
                raise NoAnswerError(f"the API answers with an error{short(error, self.settings)}")
            choice, used = reply.choices[0], reply.usage
            text = choice.text if ask.text else choice.message.content or choice.message.refusal
            tokens = (used.prompt_tokens or 0, used.completion_tokens or 0) if used else (0, 0)
            cost = usd(*tokens, self.settings, batched=False) if any(tokens) else most_usd(ask, self.settings)
            answer = Answer("".join([text or ""]), str(choice.finish_reason), str(reply.model), *tokens, cost)
        return checked(answer, keep_empty=self.keep_empty)

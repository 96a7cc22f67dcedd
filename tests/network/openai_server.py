"""A server on loopback that speaks OpenAI's protocol, chats and plain text, faults included.

with OpenAIServer(lambda prompt: refused(429, retry_after="1") if "two" in prompt else "80") as server:
    subprocess.run(command, env=os.environ | server.environment)
assert server.asked["one"] == 1
"""

from collections.abc import Callable
from typing import Any

from tests.network.faults import Fault
from tests.network.loopback import Handler, Loopback

__all__ = ["OPENAI_KEY", "OpenAIServer", "filtered"]

OPENAI_KEY = "sk-proj-loopback-9876543210"
CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
ROLES = (["user"], ["system", "user"], ["user", "assistant"], ["system", "user", "assistant"])


def filtered() -> Fault:
    """A prompt that the filter stops before the model: an error, not a message."""
    return Fault(status=400, code="content_filter", message="The response was filtered")


def asked_of(body: dict[str, Any]) -> str:
    """What a request is counted by: the user turn of a chat, or the whole text."""
    if "messages" not in body:
        return str(body["prompt"])
    return next(str(turn["content"]) for turn in body["messages"] if turn["role"] == "user")


def sent_in(body: dict[str, Any]) -> str:
    """All of a request that is billed."""
    return "".join(turn["content"] for turn in body["messages"]) if "messages" in body else str(body["prompt"])


def completion(body: dict[str, Any], fault: Fault) -> dict[str, Any]:
    """A reply as the protocol has it, with its usage where the fault does not leave it out."""
    tokens = len(sent_in(body)) // 4 + 8, min(body["max_tokens"], len(fault.text or "") // 4 + 1)
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
    message = {"role": "assistant", "content": fault.text, "refusal": fault.refusal}
    said = {"message": message} if "messages" in body else {"text": fault.text or ""}
    reply = {
        "id": "chatcmpl-loopback",
        "object": "chat.completion" if "messages" in body else "text_completion",
        "created": 1767225600,
        "model": body["model"],
        "choices": [{"index": 0, "finish_reason": fault.stop_reason or "stop", "logprobs": None, **said}],
    }
    return reply | ({"usage": usage} if fault.usage else {})


def error(status: int, text: str, code: str | None = None) -> dict[str, Any]:
    """An error as the protocol describes it."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": text, "type": kind, "param": None, "code": code}}


class OpenAIServer(Loopback):
    """A server like OpenAI's own.

    paths: of the requests in the order of their arrival
    """

    def __init__(
        self,
        reply: Callable[[str], str | Fault] = lambda _: "50",
        *,
        key: str = OPENAI_KEY,
        models: set[str] | None = None,
    ) -> None:
        super().__init__(reply, key=key)
        self.models = models
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        """What OPENAI_BASE_URL, or the setting base_url, must be."""
        return f"{self.root}/v1"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that bring a program here."""
        return {"OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": self.key, "NO_PROXY": "127.0.0.1"}

    def objection(self, body: dict[str, Any]) -> tuple[int, str, str | None] | None:
        """What the API finds wrong with the parameters."""
        if self.models is not None and body["model"] not in self.models:
            return 404, f"The model `{body['model']}` does not exist", "model_not_found"
        if "messages" in body and [turn["role"] for turn in body["messages"]] not in ROLES:
            return 400, "messages: not what is asked here", None
        if not isinstance(body.get("temperature"), float | int) or not isinstance(body.get("max_tokens"), int):
            return 400, "temperature and max_tokens: not what is asked here", None
        return None


class _Handler(Handler):
    server_of: OpenAIServer

    def do_POST(self) -> None:  # noqa: N802  # http.server's name for it
        body, headers = self.body(), self.lower_headers()
        if self.stranger():
            self.send(401, error(401, "Incorrect API key provided", "invalid_api_key"))
        elif self.path not in {CHAT, TEXT} or (self.path == CHAT) != ("messages" in body):
            self.send(404, error(404, f"Invalid URL (POST {self.path})"))
        else:
            self.single(body, headers)

    def single(self, body: dict[str, Any], headers: dict[str, str]) -> None:
        prompt = asked_of(body)
        with self.server_of.flight(prompt, body, headers):
            self.server_of.paths.append(self.path)
            fault, wrong = self.server_of.outcome(prompt), self.server_of.objection(body)
            self.server_of.stopping.wait(fault.after_s)
        if wrong:
            self.send(wrong[0], error(*wrong))
        elif fault.body is not None:
            self.send(fault.status, fault.body, headers=fault.headers)
        elif fault.status >= 400:
            self.send(fault.status, error(fault.status, fault.message, fault.code), headers=fault.headers)
        else:
            with self.server_of.lock:
                self.server_of.answered[prompt] += 1
            self.send(200, completion(body, fault))


OpenAIServer.handler = _Handler

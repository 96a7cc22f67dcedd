"""A server on loopback that speaks Claude's Messages and Message Batches protocol, faults included.

with JudgeServer(lambda prompt: refused(529) if "two" in prompt else "80") as server:
    subprocess.run(command, env=os.environ | server.environment)
assert server.asked["one"] == 1
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.network.faults import Fault, error, message, prompt_of, refused
from tests.network.loopback import Handler, Loopback

__all__ = ["KEY", "Fault", "JudgeServer", "refused"]

KEY = "sk-ant-loopback-0123456789"
SAMPLED = re.compile(r"claude-(3-|\w+-4-[0-6]\b).*")  # the models that know a temperature


@dataclass
class Batch:
    """One message batch: its requests by custom_id, and how often its state was asked for."""

    requests: dict[str, dict[str, Any]]
    polled: int = 0


class JudgeServer(Loopback):
    """Claude's API; `asked` counts batches too.

    batches: by id; one ends at its `polls`th poll, none while `held` is set, and no poll succeeds while `down` is
    lost_replies: batches that will be made, though the reply is an error
    archived: as after 29 days, a batch has ended and its results are gone
    """

    def __init__(
        self,
        reply: Callable[[str], str | Fault] = lambda _: "50",
        *,
        key: str = KEY,
        models: set[str] | None = None,
        polls: int = 1,
    ) -> None:
        super().__init__(reply, key=key)
        self.models, self.polls = models, polls
        self.batches: dict[str, Batch] = {}
        self.lost_replies = 0
        self.held = self.down = self.archived = False

    @property
    def url(self) -> str:
        """What ANTHROPIC_BASE_URL must be."""
        return self.root

    @property
    def environment(self) -> dict[str, str]:
        """The variables that bring a program here."""
        return {"ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_API_KEY": self.key, "NO_PROXY": "127.0.0.1"}

    def objection(self, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str] | None:
        """What the API finds wrong with the parameters of a message."""
        if self.models is not None and body["model"] not in self.models:
            return 404, f"model: {body['model']}"
        if "temperature" in body and headers.get("anthropic-version") != "2023-06-01":
            return 400, "temperature: Extra inputs are not permitted"
        if "temperature" in body and not SAMPLED.fullmatch(body["model"]):
            return 400, "`temperature` is deprecated for this model."
        roles = [turn["role"] for turn in body["messages"]]
        if not (isinstance(body["max_tokens"], int) and roles in (["user"], ["user", "assistant"])):
            return 400, "messages: a user turn and, at most, how the reply begins"
        if roles[-1] == "assistant" and re.search(r"\s$", body["messages"][-1]["content"]):
            return 400, "messages: final assistant content cannot end with trailing whitespace"
        if body.get("system") == "":
            return 400, "system: text content blocks must be non-empty"
        return None

    def create(self, requests: list[dict[str, Any]]) -> str:
        """A new batch; its id."""
        with self.lock:
            name = f"msgbatch_{len(self.batches):04d}"
            self.batches[name] = Batch({one["custom_id"]: one["params"] for one in requests})
            self.asked.update(prompt_of(one["params"]) for one in requests)
        return name

    def state(self, name: str) -> dict[str, Any]:
        """A batch as the API describes it; its requests are tallied once all of it has ended."""
        batch = self.batches[name]
        ended = not self.held and batch.polled >= self.polls
        ends = Counter(self.outcome(prompt_of(one)).batch for one in batch.requests.values() if ended)
        counts = {kind: ends[kind] for kind in ("succeeded", "errored", "canceled", "expired")}
        return {
            "id": name,
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": counts | {"processing": 0 if ended else len(batch.requests)},
            "created_at": "2026-01-01T00:00:00Z",
            "expires_at": "2026-01-02T00:00:00Z",
            "ended_at": "2026-01-01T01:00:00Z" if ended else None,
            "results_url": f"{self.url}/v1/messages/batches/{name}/results" if ended and not self.archived else None,
        }

    def results(self, name: str, headers: dict[str, str]) -> Iterator[dict[str, Any]]:
        """The lines of a batch's results, in another order than its requests."""
        for key, params in reversed(self.batches[name].requests.items()):
            prompt = prompt_of(params)
            fault, wrong = self.outcome(prompt), self.objection(params, headers)
            result: dict[str, Any] = {"type": "errored" if wrong else fault.batch}
            if result["type"] == "succeeded":
                self.answered[prompt] += 1
                result["message"] = message(params, fault)
            elif result["type"] == "errored":
                result["error"] = error(*(wrong or (400, fault.message)))
            yield {"custom_id": key, "result": result}


class _Handler(Handler):
    server_of: JudgeServer

    def do_POST(self) -> None:  # noqa: N802  # http.server's name for it
        body, headers = self.body(), self.lower_headers()
        if self.stranger():
            self.send(401, error(401, "invalid x-api-key"))
        elif self.path == "/v1/messages":
            self.single(body, headers)
        elif self.path == "/v1/messages/batches":
            name, lost = self.server_of.create(body["requests"]), self.server_of.lost_replies > 0
            self.server_of.lost_replies -= lost
            self.send(*((500, error(500, "lost")) if lost else (200, self.server_of.state(name))))
        else:
            self.send(404, error(404, "Not found"))

    def do_GET(self) -> None:  # noqa: N802  # http.server's name for it
        found = re.fullmatch(r"/v1/messages/batches/(\w+)(/results)?", self.path)
        if self.stranger():
            self.send(401, error(401, "invalid x-api-key"))
        elif self.server_of.down:
            self.send(529, error(529, "Overloaded"))
        elif not found or found[1] not in self.server_of.batches:
            self.send(404, error(404, "Not found"))
        elif found[2]:
            lines = [json.dumps(line) for line in self.server_of.results(found[1], self.lower_headers())]
            self.send(200, "".join(line + "\n" for line in lines).encode(), kind="application/x-jsonl")
        else:
            state = self.server_of.state(found[1])
            self.server_of.batches[found[1]].polled += 1
            self.send(200, state)

    def single(self, body: dict[str, Any], headers: dict[str, str]) -> None:
        prompt = prompt_of(body)
        with self.server_of.flight(prompt, body, headers):
            fault, wrong = self.server_of.outcome(prompt), self.server_of.objection(body, headers)
            self.server_of.stopping.wait(fault.after_s)
        if wrong:
            self.send(wrong[0], error(*wrong))
        elif fault.body is not None:
            self.send(fault.status, fault.body, headers=fault.headers)
        elif fault.status >= 400:
            self.send(fault.status, error(fault.status, fault.message), headers=fault.headers)
        else:
            with self.server_of.lock:
                self.server_of.answered[prompt] += 1
            self.send(200, message(body, fault))


JudgeServer.handler = _Handler

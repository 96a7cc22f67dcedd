"""What the servers on loopback have in common: they start, count what arrives, and answer every prompt by `reply`."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, ClassVar, Self

from tests.network.faults import Fault


class Loopback:
    """Answers every prompt by `reply` and counts.

    asked: requests that arrived, by prompt, retries included; answered: those that ended in a message
    bodies, headers, times: of the requests in the order of their arrival
    rejected: requests with another key
    """

    handler: ClassVar[type["Handler"]]

    def __init__(self, reply: Callable[[str], str | Fault] = lambda _: "50", *, key: str) -> None:
        self.reply, self.key = reply, key
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.in_flight = self.most_in_flight = self.rejected = 0
        self.lock, self.stopping = Lock(), Event()

    def __enter__(self) -> Self:
        self.http = _Http(("127.0.0.1", 0), type("Bound", (self.handler,), {"server_of": self}))
        self.thread = Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    @property
    def root(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def outcome(self, prompt: str) -> Fault:
        """What a prompt meets."""
        found = self.reply(prompt)
        return Fault(text=found) if isinstance(found, str) else found

    @contextmanager
    def flight(self, prompt: str, body: dict[str, Any], headers: dict[str, str]) -> Iterator[None]:
        """Count a single request, and how many there are at a time."""
        with self.lock:
            self.asked[prompt] += 1
            self.bodies.append(body)
            self.headers.append(headers)
            self.times.append(monotonic())
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            yield
        finally:
            with self.lock:
                self.in_flight -= 1


class _Http(ThreadingHTTPServer):
    request_queue_size = 128  # of 5, the default, a client's threads can be refused

    def handle_error(self, *_: object) -> None:
        """A client that was killed in the middle is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    """What a protocol's own handler begins with."""

    server_of: Any
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a reply is two writes: the second would wait 40 ms for the first one's receipt

    def body(self) -> dict[str, Any]:
        """What was sent."""
        sent: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
        return sent

    def lower_headers(self) -> dict[str, str]:
        """The headers, their names in small letters."""
        return {name.lower(): value for name, value in self.headers.items()}

    def stranger(self) -> bool:
        """Whether the request has another key."""
        key = self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")
        with self.server_of.lock:
            self.server_of.rejected += key != self.server_of.key
        return bool(key != self.server_of.key)

    def send(
        self, status: int, body: dict[str, Any] | bytes, *, headers: dict[str, str] | None = None,
        kind: str = "application/json",
    ) -> None:  # fmt: skip
        """A whole reply."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""

"""Holds a real HTTP server on loopback whose answers a function gives, and what it was asked.

It does not know models. Answers may come late, be cut off, trickle, or never come.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One answer.

    Attributes:
        body: JSON, or bytes that are sent as they are.
        status: the HTTP status.
        headers: more headers.
        delay: seconds before it is sent.
        cut: bytes of the body that are sent before the connection is closed; None sends all.
        trickle: seconds between bytes of the body; 0 sends it at once.
        hang: nothing is ever sent.
    """

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: int | None = None
    trickle: float = 0.0
    hang: bool = False


@dataclass
class Served:
    """A running server.

    Attributes:
        url: its address, with /v1.
        asked: (path, body, headers) of every request, in the order they came.
        most: the most requests that were in flight at once.
        stop: ends it, as a killed server ends: at once, with whatever was in flight.
    """

    url: str = ""
    asked: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    now: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)
    stop: Callable[[], None] = lambda: None

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was asked, but for lists of models."""
        return [body for path, body, _ in self.asked if path != "/v1/models"]


Answering = Callable[[str, dict[str, Any], int], Reply]


@contextlib.contextmanager
def serving(answering: Answering) -> Iterator[Served]:
    """A server on a free port, until the end of the block.

    Args:
        answering: (path, body, which request this is from 0) -> the answer.
    """
    served = Served()
    handler = type("Handler", (_Handler,), {"answering": staticmethod(answering), "served": served})
    server = _Server(("127.0.0.1", 0), handler)
    served.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()

    def stop() -> None:
        if not served.over.is_set():
            served.over.set()
            server.shutdown()
            server.server_close()
            thread.join()

    served.stop = stop
    try:
        yield served
    finally:
        stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no event."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answering: Answering
    served: Served

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: dict[str, Any]) -> None:
        served = self.served
        with served.lock:
            served.asked.append((self.path, body, dict(self.headers)))
            number = len(served.asked) - 1
            served.now += 1
            served.most = max(served.most, served.now)
        try:
            reply = self.answering(self.path, body, number)
            served.over.wait(3600 if reply.hang else reply.delay)
        finally:
            with served.lock:
                served.now -= 1
        if served.over.is_set():
            self.close_connection = True
            return
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for start in range(0, len(data), 1) if reply.trickle else ():
            self.wfile.write(data[start : start + 1])
            time.sleep(reply.trickle)
        if not reply.trickle:
            self.wfile.write(data[: reply.cut])
        self.close_connection = reply.cut is not None


def error(status: int, message: str, **headers: str) -> Reply:
    """An error as OpenAI's service writes it."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply({"error": {"message": message, "type": "x", "code": None}}, status, names)


def chat_of(tokens: dict[str, float], text: str = "x") -> Reply:
    """A chat's answer with its likeliest first tokens."""
    listed = [{"token": token, "logprob": log, "bytes": None} for token, log in tokens.items()]
    first = {**listed[0], "top_logprobs": listed} if listed else {}
    message = {"role": "assistant", "content": text}
    logs = {"content": [first]} if listed else None
    one = {"index": 0, "message": message, "logprobs": logs, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 1}
    return Reply({"choices": [one], "usage": usage})


def yes_no(path: str, body: dict[str, Any], number: int) -> Reply:
    """A chat model that says Yes the more surely, the more words it is asked."""
    words = len(body["messages"][-1]["content"].split())
    return chat_of({"Yes": -1 / (1 + words), "No": -2.0 - words, " maybe": -9.0})

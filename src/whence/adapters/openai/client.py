"""Holds Server: where requests go, many in flight at once, and what becomes of those that fail.

It does not know what is in a request or an answer, nor what values are made of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from whence.adapters.openai.failures import Refusal, refused, scrubbed
from whence.adapters.openai.spending import Spent, Tally
from whence.errors import InputError, MissingExtra, ModelError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

T = TypeVar("T")
#: The JSON of an answer.
Answer = dict[str, Any]

#: Where requests go when no server is named.
HOSTED = "https://api.openai.com/v1"
#: Seconds that the official client waits at most because a server asks it to; it gives up when
#: asked for more.
LONGEST_WAIT = 120.0
#: What is sent in place of a key where a server needs none.
NO_KEY = "none"


class Ask(NamedTuple):
    """One request.

    Attributes:
        path: "completions" or "chat/completions".
        body: what is sent, as JSON.
    """

    path: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Server:
    """Where a server listens, and how it is asked. Holds no key, only where to find it.

    Attributes:
        base_url: up to and with the version, such as "http://127.0.0.1:8000/v1".
        key_variable: the environment variable that holds the key.
        concurrency: requests in flight at most.
        timeout: seconds that one request may take.
        retries: how often a request that fails is sent again.
    """

    base_url: str
    key_variable: str = "OPENAI_API_KEY"
    concurrency: int = 16
    timeout: float = 60.0
    retries: int = 6

    def __post_init__(self) -> None:
        _check_url(self.base_url)
        if self.concurrency < 1 or self.retries < 0 or not self.timeout > 0:
            raise InputError(
                f"concurrency={self.concurrency}, timeout={self.timeout:g} and "
                f"retries={self.retries} came; needed are at least 1, more than 0 s, and at "
                "least 0."
            )

    @property
    def keyed(self) -> bool:
        """Whether there is a key in the environment."""
        return bool(self._found())

    @property
    def local(self) -> bool:
        """Whether it runs on this machine."""
        return urlsplit(self.base_url).hostname in ("localhost", "127.0.0.1", "::1")

    def key(self) -> str:
        """The key, read anew from the environment; "none" where a server may need none.

        Raises:
            InputError: the hosted service is asked without a key, or the key holds characters
                that no header can carry. The message never holds it.
        """
        key = self._found()
        if not key and self.base_url == HOSTED:
            raise InputError(
                f"the environment variable {self.key_variable} is not set, and {HOSTED} needs a "
                "key in it. Set it, name another with key_variable=, or give base_url= of a "
                "server of your own."
            )
        if not all("!" <= one <= "~" for one in key):
            raise InputError(
                f"the environment variable {self.key_variable} holds white space or characters "
                "that are not ASCII, which no key has. Set it to the key alone."
            )
        return key or NO_KEY

    def _found(self) -> str:
        return os.environ.get(self.key_variable, "").strip()


def at(base_url: str) -> str:
    """The server's address: what was given, or OPENAI_BASE_URL, or the hosted service."""
    return (base_url or os.environ.get("OPENAI_BASE_URL", "") or HOSTED).rstrip("/")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query:
        # Not printed: whatever stands there may be a secret.
        raise InputError(
            "base_url= came with a user, a password or a query in it; addresses are written into "
            "journals and results. Put the key into an environment variable (key_variable=)."
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            f"base_url={url!r} came; an address such as 'http://127.0.0.1:8000/v1' is needed."
        )


def answers(
    server: Server,
    jobs: Sequence[Sequence[Ask]],
    read: Callable[[int, list[Answer]], T],
    tally: Tally,
) -> Iterator[list[tuple[int, T]]]:
    """Every job's number and what `read` makes of its answers: all that have arrived, each time.

    The requests of one job are sent one after the other; up to `server.concurrency` jobs are
    under way at once, on a thread of their own, so that this works where an event loop already
    runs. `read` is called here, in the caller's thread. After a failure no more jobs begin, those
    under way have `server.timeout` to end, and the failure with the lowest number is raised last.
    Closing the iterator cancels what is in flight.

    Raises:
        InputError, ModelError: a request that failed for good, by name.
    """
    arrived: queue.SimpleQueue[tuple[int, list[Answer] | Exception] | None] = queue.SimpleQueue()
    stop = threading.Event()
    loop = asyncio.new_event_loop()
    task = loop.create_task(_work(server, jobs, arrived.put, stop, tally))
    thread = threading.Thread(target=_run, args=(loop, task, arrived), daemon=True)
    failed: dict[int, Exception] = {}
    thread.start()
    try:
        for some in _arrivals(arrived):
            values: list[tuple[int, T]] = []
            for number, came in some:
                try:
                    values.append((number, read(number, _good(came))))
                except Exception as error:
                    if not failed:
                        stop.set()
                        loop.call_soon_threadsafe(loop.call_later, server.timeout, task.cancel)
                    failed[number] = error
            if values:
                yield values
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()
    if failed:
        raise failed[min(failed)]


def _arrivals(arrived: queue.SimpleQueue[T | None]) -> Iterator[list[T]]:
    """All that has arrived, whenever something has, up to the None at the end.

    All of it at once: what waits here when a run is stopped is paid for, and lost.
    """
    ended = False
    while not ended:
        some = [arrived.get()]
        while not arrived.empty():
            some.append(arrived.get())
        ended = some[-1] is None
        yield [one for one in some if one is not None]


def _good(came: list[Answer] | Exception) -> list[Answer]:
    if isinstance(came, Exception):
        raise came
    return came


def _run(
    loop: asyncio.AbstractEventLoop,
    task: asyncio.Task[None],
    arrived: queue.SimpleQueue[Any],
) -> None:
    """The whole life of the thread: the last thing it puts is None, whatever happened."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        pass
    except Exception as error:
        arrived.put((-1, error))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        arrived.put(None)


async def _work(
    server: Server,
    jobs: Sequence[Sequence[Ask]],
    put: Callable[[tuple[int, list[Answer] | Exception]], None],
    stop: threading.Event,
    tally: Tally,
) -> None:
    async with _client(server) as client:
        left = iter(enumerate(jobs))

        async def worker() -> None:
            for number, asks in left:
                if stop.is_set():
                    return
                try:
                    put((number, [await _post(client, server, ask, tally) for ask in asks]))
                except Exception as error:
                    stop.set()
                    put((number, error))

        await asyncio.gather(*(worker() for _ in range(min(server.concurrency, len(jobs)))))


def _client(server: Server) -> AsyncOpenAI:
    return official()(
        api_key=server.key(),
        base_url=server.base_url,
        timeout=server.timeout,
        max_retries=server.retries,
    )


def official() -> type[AsyncOpenAI]:
    """The client that sends requests.

    Raises:
        MissingExtra: when openai is not installed.
    """
    try:
        from openai import AsyncOpenAI
    except ImportError as error:
        raise MissingExtra(
            f"{error.name} is not installed, and an OpenAI-compatible server is asked through "
            'it: pip install "whence[openai]"'
        ) from error
    return AsyncOpenAI


async def _post(client: AsyncOpenAI, server: Server, ask: Ask, tally: Tally) -> Answer:
    """One request and its answer. Retries, back-off and Retry-After are the official client's.

    The client counts its timeout anew for every piece that arrives; the limit here also ends an
    answer that trickles in for ever.
    """
    from openai import OpenAIError

    limit = server.timeout * (server.retries + 1) + LONGEST_WAIT * server.retries
    try:
        async with asyncio.timeout(limit):
            raw = await _sent(client, ask)
    except (OpenAIError, TimeoutError) as error:
        known = await _models(client, server) if _unknown(error) else None
        raise refused(error, server, ask, known) from None
    answer = _json(raw.text, server)
    read, written = usage(answer)
    tally.add(Spent(1, raw.retries_taken, read, written))
    return answer


async def _sent(client: AsyncOpenAI, ask: Ask) -> Any:
    model, body = ask.body["model"], ask.body
    if ask.path == "completions":
        call = client.completions.with_raw_response
        return await call.create(model=model, prompt=body["prompt"], extra_body=body)
    chat = client.chat.completions.with_raw_response
    return await chat.create(model=model, messages=body["messages"], extra_body=body)


def _unknown(error: Exception) -> bool:
    from openai import NotFoundError

    return isinstance(error, NotFoundError)


async def _models(client: AsyncOpenAI, server: Server) -> list[str] | None:
    """The models that the server says it has; None when it does not say."""
    from openai import OpenAIError

    try:
        async with asyncio.timeout(server.timeout):
            raw = await client.with_options(max_retries=0).models.with_raw_response.list()
        return [str(one["id"]) for one in _json(raw.text, server)["data"]]
    except (OpenAIError, TimeoutError, ModelError, KeyError, TypeError):
        return None


def _json(text: str, server: Server) -> Answer:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ModelError(
            f"{server.base_url} answered with something that is no JSON object "
            f"({scrubbed(text, server.key())[:80]!r}). Is it an OpenAI-compatible server, and does "
            "base_url= end as it should (often in /v1)?"
        )
    return answer


def usage(answer: Answer) -> tuple[int, int]:
    """Tokens read and written, as the server counts them; 0 where it does not say."""
    said = answer.get("usage")
    if not isinstance(said, dict):
        return 0, 0
    counts = (said.get("prompt_tokens"), said.get("completion_tokens"))
    read, written = (one if isinstance(one, int) else 0 for one in counts)
    return read, written


def one(server: Server, ask: Ask, tally: Tally) -> Answer:
    """A single request's answer.

    Raises:
        Refusal: the server does not do this.
        InputError, ModelError: it failed for good, by name.
    """
    (((_, answer),),) = list(answers(server, [[ask]], lambda _, came: came[0], tally))
    return answer


__all__ = [
    "Answer",
    "Ask",
    "Refusal",
    "Server",
    "answers",
    "at",
    "official",
    "one",
    "usage",
]

"""Holds the table of served models: evaluations per second with 1 to 64 requests in flight.

    python benchmarks/served.py [--quick] [--json FILE]

The server listens on loopback, in a process of its own, and answers every request after a fixed
latency with the likeliest first tokens; the client is the official one, through the openai
adapter. Beside it, in the same run: the same client by hand, one request after the other. The
game repeats masks; the server counts the texts that it is asked twice. Never imported by the
package.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import common
import numpy as np

from whence.adapters import openai
from whence.lenses.inputs.render import Drop, renderer
from whence.lenses.inputs.segment import segment
from whence.scoring import Scored

TEXT = (
    "The committee met on Tuesday to decide whether the old bridge could carry the new buses, and "
    "after two hours of talk the engineers said that it could not, so the buses stay on the road."
)
LANES = (1, 2, 4, 8, 16, 32, 64)


async def answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency: float, seen: Counter[str]
) -> None:
    """One connection: each request is answered after `latency` seconds."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode().lower().split("\r\n")
            length = next(int(x.split(":")[1]) for x in lines if x.startswith("content-length"))
            asked = json.loads(await reader.readexactly(length))
            text = asked["messages"][-1]["content"]
            seen[text] += 1
            await asyncio.sleep(latency)
            data = json.dumps(reply(text)).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def reply(text: str) -> dict[str, Any]:
    """A chat's answer whose first token is Yes the more surely, the longer the text is."""
    yes = -1.0 / (1 + len(text))
    listed = [{"token": "Yes", "logprob": yes}, {"token": "No", "logprob": -3.0}]
    one = {
        "index": 0,
        "message": {"role": "assistant", "content": "Yes"},
        "logprobs": {"content": [{**listed[0], "top_logprobs": listed}]},
    }
    usage = {"prompt_tokens": len(text) // 4, "completion_tokens": 1}
    return {"choices": [one], "usage": usage}


def serve(pipe: Connection, latency: float) -> None:
    """The server's process: sends its port, and its counts when asked."""
    seen: Counter[str] = Counter()

    async def run() -> None:
        server = await asyncio.start_server(
            lambda r, w: answer(r, w, latency, seen), "127.0.0.1", 0
        )
        pipe.send(server.sockets[0].getsockname()[1])
        while await asyncio.to_thread(pipe.recv):
            pipe.send((sum(seen.values()), len(seen)))
            seen.clear()
        server.close()

    asyncio.run(run())


@contextmanager
def serving(latency: float) -> Iterator[tuple[str, Connection]]:
    """A server's address, and the pipe to ask for its counts."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, latency))
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/v1", ours
    finally:
        ours.send(None)
        process.join()


def opened(url: str, lanes: int) -> openai.ServedScorer:
    return openai.scorer(
        "m", base_url=url, target="Yes", contrast="No", chat=True, tier="first-token",
        concurrency=lanes,
    )  # fmt: skip


def by_hand(url: str, texts: list[str]) -> None:
    """The same requests in a plain loop of the official client."""
    from openai import OpenAI

    with OpenAI(base_url=url, api_key="none") as client:
        for text in texts:
            client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": text}], temperature=0, seed=0,
                max_tokens=1, logprobs=True, top_logprobs=20,
            )  # fmt: skip


def measure(url: str, pipe: Connection, lanes: int, count: int, task: str) -> list[common.Row]:
    made = opened(url, lanes)
    cut = segment(TEXT)
    value = Scored(made, renderer(cut, Drop().fill(cut)), key=lambda item: item)
    masks = np.random.default_rng(0).random((count, len(cut.units))) < 0.5
    pipe.send(True)
    pipe.recv()
    wall, spent = time.perf_counter(), time.process_time()
    # Every mask twice: what is sent twice would show in the server's count.
    value(np.concatenate([masks, masks]))
    wall, spent = time.perf_counter() - wall, time.process_time() - spent
    pipe.send(True)
    asked, different = pipe.recv()
    rate = {"calls": asked, "cpu_seconds": spent}
    method = f"{lanes} in flight"
    return [
        common.row(task, method, "evaluations per second", asked / wall, **rate),
        common.row(task, method, "CPU milliseconds each", 1000 * spent / asked, **rate),
        common.row(task, method, "duplicates sent", asked - different, **rate),
    ]


def hand(url: str, count: int, task: str) -> list[common.Row]:
    texts = [f"{TEXT} {i}" for i in range(count)]
    by_hand(url, texts[:1])
    wall, spent = time.perf_counter(), time.process_time()
    by_hand(url, texts)
    wall, spent = time.perf_counter() - wall, time.process_time() - spent
    rate = {"calls": count, "cpu_seconds": spent}
    return [
        common.row(task, "by hand, one by one", "evaluations per second", count / wall, **rate),
        common.row(
            task, "by hand, one by one", "CPU milliseconds each", 1000 * spent / count, **rate
        ),
    ]


def main() -> None:
    given = common.arguments(__doc__ or "").parse_args()
    if common.version("openai") is None:
        print("skipped: openai is not installed")
        return
    rows: list[common.Row] = []
    for latency in (0.05,) if given.quick else (0.05, 0.5):
        task = f"latency {1000 * latency:.0f} ms"
        with serving(latency) as (url, pipe):
            least = int((2 if given.quick else 6) / latency)
            rows += hand(url, least, task)
            for lanes in LANES:
                turns = max(3 if given.quick else 8, -(-least // lanes))
                rows += measure(url, pipe, lanes, lanes * turns, task)
    common.write(given.json, rows, common.machine("openai"))
    table(rows)


def table(rows: list[common.Row]) -> None:
    names = list(dict.fromkeys((r["task"], r["method"]) for r in rows))
    cells = {(r["task"], r["method"], r["metric"]): r for r in rows}
    metrics = ("evaluations per second", "CPU milliseconds each", "duplicates sent")
    body = []
    for task, method in names:
        found = [cells.get((task, method, metric)) for metric in metrics]
        body.append(
            [task, method, *("-" if r is None else common.number(r["value"]) for r in found)]
        )
    common.show(("server", "requests", *metrics), body)


if __name__ == "__main__":
    main()

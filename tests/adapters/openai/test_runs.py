"""Facts about whole runs: concurrency, duplicates, event loops, journals and a killed server."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest

from adapters.openai.loopback import Reply, chat_of, serving, yes_no
from whence import Journal, explain, text_game
from whence.adapters.openai import opened as from_options
from whence.adapters.openai import scorer
from whence.adapters.options import Options
from whence.errors import InputError, WhenceError
from whence.game import Game
from whence.indices import shapley
from whence.lenses.inputs.render import Drop, renderer
from whence.lenses.inputs.segment import segment
from whence.scoring import Scored, as_executor

pytest.importorskip("openai")

TEXT = "the cat sat on the mat and the dog sat too"


def opened(server, **options):
    """A scorer of Yes by first tokens."""
    settings = {"target": "Yes", "chat": True, "tier": "first-token", "retries": 0, "timeout": 5.0}
    return scorer("m", base_url=server.url, **{**settings, **options})


def value_of(made, text=TEXT):
    """The value function of a text's words, as lenses make it."""
    cut = segment(text)
    texts = renderer(cut, Drop().fill(cut))
    return Scored(as_executor(made, 64), texts, key=lambda item: item), cut


def every(n, count, seed=0):
    """Random masks, with duplicates."""
    return np.random.default_rng(seed).random((count, n)) < 0.5


def test_values_are_the_same_at_any_concurrency():
    """1 or 32 in flight, answers in any order: the same values."""

    def answering(path, body, n):
        reply = yes_no(path, body, n)
        return Reply(reply.body, delay=0.002 * (n * 7 % 5))

    with serving(answering) as server:
        found = []
        for concurrency in (1, 4, 32):
            server.most = 0
            value, cut = value_of(opened(server, concurrency=concurrency))
            found.append(value(every(len(cut.units), 40)))
            assert server.most <= concurrency
        assert server.most > 4
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_no_duplicate_is_sent():
    """A game asks the server once for every different text, and not once more."""
    with serving(yes_no) as server:
        value, cut = value_of(opened(server))
        masks = every(len(cut.units), 150)
        value(np.concatenate([masks, masks[:25]]))
        sent = [body["messages"][-1]["content"] for body in server.bodies[1:]]
    assert len(sent) == len(set(sent))
    assert set(sent) == set(value.render(masks))
    assert len(sent) < 150


def test_what_has_arrived_waits_for_nothing():
    """All answers that are there come as one part, so that none waits, paid for and not kept."""
    with serving(yes_no) as server:
        made = opened(server, concurrency=4)
        probes = made.spent.requests
        parts = made.stream(["a" + " b" * i for i in range(30)])
        first, _ = next(parts)
        ends = time.monotonic() + 5
        while made.spent.requests < probes + 30 and time.monotonic() < ends:
            time.sleep(0.01)
        time.sleep(0.1)
        rest = list(parts)
    assert len(rest) == 1
    assert sorted([*first, *rest[0][0]]) == list(range(30))


def test_it_works_where_an_event_loop_runs():
    """Inside a running event loop, as in a notebook, the scorer is called like anywhere else."""
    with serving(yes_no) as server:

        async def cell():
            made = opened(server)
            return made(["a", "a b"])

        np.testing.assert_allclose(asyncio.run(cell()), [[-1 / 2], [-1 / 3]])


def test_nothing_is_left_behind():
    """After a run there is no thread that was not there before, but for the server's own."""
    with serving(yes_no) as server:
        before = set(threading.enumerate())
        made = opened(server)
        made(["a"])
        made(["a"])
        left = [t.name for t in threading.enumerate() if t not in before]
    assert [name for name in left if "process_request" not in name] == []


def test_what_is_spent_adds_up():
    """Requests and the server's own count of tokens, the probe's included, from any thread."""
    with serving(yes_no) as server:
        made = opened(server)
        workers = [threading.Thread(target=made, args=(["a"] * 10,)) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        asked = len(server.bodies)
    spent = made.spent
    assert (spent.requests, spent.prompt_tokens, spent.completion_tokens) == (31, 31 * 9, 31)
    assert asked == 31


def test_the_address_may_come_from_the_environment(monkeypatch):
    """Without base_url= the address is that of OPENAI_BASE_URL, and the identity says which."""
    with serving(yes_no) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        made = scorer("m", target="Yes", chat=True)
        named = opened(server)
    assert made.facts.identity == named.facts.identity
    assert server.url in str(made.facts.identity)


def test_the_body_is_greedy_and_may_be_changed():
    """Requests say temperature 0 and a seed; `extra` adds fields, and None leaves one out."""
    with serving(yes_no) as server:
        opened(server)
        opened(server, extra={"seed": None, "top_k": 1})
        first, second = server.bodies
    assert (first["temperature"], first["seed"], first["max_tokens"]) == (0, 0, 1)
    assert "seed" not in second
    assert second["top_k"] == 1


def test_the_newer_name_of_the_limit_is_found():
    """A server that wants max_completion_tokens is told so many tokens by that name."""

    def answering(path, body, n):
        if "max_tokens" in body:
            message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
            return Reply({"error": {"message": message}}, 400)
        return yes_no(path, body, n)

    with serving(answering) as server:
        opened(server)(["a"])
        assert [body.get("max_completion_tokens") for body in server.bodies] == [None, 1, 1]


def test_identity_says_what_was_asked():
    """Two scorers have one identity only if they ask the same of the same server."""
    with serving(yes_no) as server:
        same = {opened(server, concurrency=c).facts.identity for c in (1, 8)}
        changes = [
            {"target": "No"},
            {"contrast": "No"},
            {"system": "Be kind."},
            {"extra": {"top_k": 1}},
            {"tier": "text"},
            {"tier": "text", "similarity": "exact match"},
            {"tier": "text", "max_answer": 3},
        ]
        others = {opened(server, **change).facts.identity for change in changes}
    assert len(same) == 1
    assert len(others | same) == 1 + len(changes)


def test_the_command_lines_options_open_it(monkeypatch):
    """`openai:NAME` with options opens the same scorer; others are refused by name."""
    monkeypatch.setenv("MY_KEY", "sk-mine")
    with serving(yes_no) as server:
        options = Options(
            base_url=server.url,
            target="Yes",
            contrast="No",
            chat=True,
            system="Be kind.",
            key_variable="MY_KEY",
            concurrency=3,
            timeout=7.0,
            tier="first-token",
        )
        made = from_options("m", options)
        assert made(["a"]).shape == (1, 2)
        assert "Bearer sk-mine" in server.asked[-1][2].values()
    assert (made.server.concurrency, made.server.timeout, made.wire.system) == (3, 7.0, "Be kind.")
    with pytest.raises(InputError, match="device= came for an OpenAI-compatible server"):
        from_options("m", Options(device="cuda:0"))
    with pytest.raises(InputError, match="its name is needed"):
        from_options("", Options())


def test_an_explanation_finds_the_word_that_matters():
    """`explain` on a served judge of words gives the one that it counts."""

    def answering(path, body, n):
        return chat_of({}, str(body["messages"][-1]["content"].count("dog")))

    with serving(answering) as server:
        made = opened(server, tier="text", target=None, judge=lambda item, said: float(said))
        game = text_game(made, TEXT, scores="values")
        found = explain(game, "kernel_shap", budget=100)
    worth = shapley(found.f)
    best = max(range(game.n), key=lambda i: abs(worth[i]))
    assert game.units[best] == "dog"


@dataclass(frozen=True)
class Parted:
    """A game's value function in parts of a few masks, so that a journal keeps each."""

    value: Scored

    def __call__(self, masks):
        return self.value(masks)[:, 0]

    def stream(self, masks):
        return ((rows, values[:, 0]) for rows, values in self.value.stream(masks))


@pytest.mark.parametrize("by_part", [False, True], ids=["batches", "parts"])
def test_a_killed_server_costs_only_what_is_missing(tmp_path, by_part):
    """A server that dies in a run: what was paid for is kept, and a rerun asks for the rest."""
    lived = 30

    def mortal(path, body, n):
        if n == lived:
            # As a killed process: whatever is in flight breaks off.
            threading.Thread(target=server.stop).start()
            return Reply({}, hang=True)
        return yes_no(path, body, n)

    def game(server):
        made = opened(server, concurrency=2)
        value, cut = value_of(made)
        parted = Parted(value)
        ask = parted if by_part else parted.__call__
        return Game(ask, cut.units, identity="cat", batch=64 if by_part else 8)

    path = tmp_path / "answers.db"
    with Journal(path) as journal:
        with serving(mortal) as server:
            first = journal.remember(game(server))
            with pytest.raises(WhenceError):
                explain(first, "kernel_shap", budget=60, repeats=0)
            answered = {b["messages"][-1]["content"] for b in server.bodies[1:lived]}
        with serving(yes_no) as server:
            found = explain(journal.remember(game(server)), "kernel_shap", budget=60, repeats=0)
            again = {b["messages"][-1]["content"] for b in server.bodies[1:]}
    # What was in flight when it died, and without parts the batch that it was in.
    assert len(answered & again) <= (1 if by_part else 8)
    with serving(yes_no) as server:
        fresh = explain(game(server), "kernel_shap", budget=60, repeats=0)
        needed = {b["messages"][-1]["content"] for b in server.bodies[1:]}
    assert len(again) < len(needed)
    np.testing.assert_array_equal(found.f.values, fresh.f.values)


def test_a_run_takes_as_long_as_its_slowest_lane():
    """With 16 in flight, 64 answers of 50 ms take a fraction of 64 times 50 ms."""
    with serving(lambda path, body, n: Reply(yes_no(path, body, n).body, delay=0.05)) as server:
        made = opened(server, concurrency=16)
        began = time.monotonic()
        made([f"a {i}" for i in range(64)])
        assert time.monotonic() - began < 64 * 0.05 / 2

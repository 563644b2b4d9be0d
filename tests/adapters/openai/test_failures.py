"""Facts about failures: what is repeated, what is refused and how it is said, what is kept."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from adapters.openai.loopback import Reply, chat_of, error, serving, yes_no
from whence.adapters.openai import scorer
from whence.cli.common import spelled
from whence.errors import InputError, MissingExtra, ModelError

pytest.importorskip("openai")


def opened(server, **options):
    """A scorer of Yes against No by first tokens, that gives up soon."""
    settings = {"target": "Yes", "contrast": "No", "chat": True, "tier": "first-token"}
    return scorer("m", base_url=server.url, **{**settings, "retries": 2, "timeout": 5.0, **options})


def after_probe(answering):
    """Answers of `answering` to all but the probe, numbered from 0."""
    return lambda path, body, n: yes_no(path, body, n) if n == 0 else answering(path, body, n - 1)


def first_fails(reply, times=1):
    """A server whose first answers after the probe fail."""
    return after_probe(lambda path, body, n: reply if n < times else yes_no(path, body, n))


def drain(parts: Iterator[Any], into: list[Any]) -> None:
    """Put every part's place and values into a list as they come."""
    for where, values in parts:
        into.append((int(where[0]), values.tolist()))


@pytest.mark.parametrize(
    "reply",
    [
        error(429, "slow down", retry_after_ms="20"),
        error(429, "slow down", retry_after="0.02"),
        error(500, "oops", retry_after_ms="20"),
        error(503, "loading", retry_after_ms="20"),
        error(408, "late", retry_after_ms="20"),
        Reply({"choices": [{"index": 0}]}, cut=5),
    ],
    ids=["429 ms", "429 s", "500", "503", "408", "cut off"],
)
def test_a_passing_failure_is_tried_again(reply):
    """Rate limits, server errors and broken connections are repeated, and the value is right."""
    with serving(first_fails(reply)) as server:
        made = opened(server)
        rows = made(["a b"])
        assert len(server.bodies) == 3
    np.testing.assert_allclose(rows, [[-1 / 3, -4.0]])
    assert made.spent.retries == 1


@pytest.mark.parametrize("date", [False, True])
def test_retry_after_is_honoured(date):
    """No request is sent again before the time that Retry-After names, in seconds or as a date."""
    times = []

    def answering(path, body, n):
        times.append(time.time())
        when = formatdate(time.time() + 2, usegmt=True) if date else "0.7"
        return error(429, "slow", retry_after=when) if n == 0 else yes_no(path, body, n)

    with serving(after_probe(answering)) as server:
        opened(server)(["a"])
    assert 0.65 <= times[1] - times[0] < 3


def test_a_wait_beyond_reason_is_not_waited_for():
    """A server that asks to wait for minutes is reported with the time it asks for."""
    reply = error(429, "quota", retry_after="3600")
    with serving(first_fails(reply, 9)) as server:
        made = opened(server)
        began = time.monotonic()
        with pytest.raises(ModelError, match=r"rate limit.*asks to wait 3600"):
            made(["a"])
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("reply", "kind", "match"),
    [
        (error(429, "slow", retry_after_ms="1"), ModelError, "rate limit, asked 3 times"),
        (error(500, "oops", retry_after_ms="1"), ModelError, "answered 500.*oops.*asked 3 times"),
        (error(400, "maximum context length is 9"), InputError, "context length is 9.*Shorten"),
        (error(401, "bad key"), InputError, "refused the key in the environment variable"),
        (error(403, "no"), InputError, "refused the key in the environment variable"),
        (error(404, "no such route"), InputError, "answered 404"),
        (Reply(b"<html>hello</html>"), ModelError, "no JSON object.*html"),
        (Reply([1]), ModelError, "no JSON object"),
        (Reply({"choices": []}), ModelError, "0 choices where one was asked for"),
        (Reply({"choices": [{}, {}]}), ModelError, "2 choices"),
        (chat_of({}), ModelError, "without the likeliest first tokens"),
        (Reply({}, cut=1), ModelError, "cannot be reached, or broke off, asked 3 times"),
    ],
    ids=str,
)
def test_a_lasting_failure_is_refused_by_name(reply, kind, match, monkeypatch):
    """Every failure that stays says what came and what to do."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-any-key")
    with serving(first_fails(reply, 99)) as server:
        made = opened(server)
        with pytest.raises(kind, match=match):
            made(["a"])


def test_a_model_that_only_thinks_is_refused():
    """An answer whose tokens ran out before anything shows is no answer worth 0."""

    def answering(path, body, n):
        reply = chat_of({}, "")
        reply.body["choices"][0]["finish_reason"] = "length"
        return reply

    with serving(after_probe(answering)) as server:
        made = opened(server, tier="text")
        with pytest.raises(ModelError, match="wrote nothing that shows"):
            made(["a"])
        with pytest.raises(ModelError, match="wrote nothing that shows"):
            made.continuing("a", 8)


def test_a_hang_ends_by_the_timeout():
    """A server that never answers is given up after `timeout` seconds."""
    with serving(first_fails(Reply({}, hang=True), 99)) as server:
        made = opened(server, timeout=0.2, retries=0)
        with pytest.raises(ModelError, match=r"no whole answer within 0\.2 s"):
            made(["a"])


def test_a_trickle_ends_by_the_timeout():
    """An answer that comes byte by byte for ever is given up too."""
    slow = Reply({"choices": "x" * 200}, trickle=0.05)
    with serving(first_fails(slow, 99)) as server:
        made = opened(server, timeout=0.3, retries=0)
        began = time.monotonic()
        with pytest.raises(ModelError, match="no whole answer"):
            made(["a"])
    assert time.monotonic() - began < 3


def test_a_missing_client_is_named(monkeypatch):
    """Without the official client the message says what to install."""
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtra, match=r'pip install "whence\[openai\]"'):
        scorer("m", base_url="http://127.0.0.1:9/v1")


def test_a_server_that_is_down_is_refused_at_once():
    """Nothing listens: the error comes from opening the model, before anything is spent."""
    with serving(yes_no) as server:
        url = server.url
    with pytest.raises(ModelError, match=r"cannot be reached.*Start the server"):
        scorer("m", base_url=url, retries=0)


def test_a_server_that_was_never_there_is_tried_twice(monkeypatch):
    """Where nothing listens at the first request, two connections are tried, not all retries."""
    tried = []
    connect = socket.create_connection

    def spied(address, *rest, **named):
        tried.append(address)
        return connect(address, *rest, **named)

    monkeypatch.setattr(socket, "create_connection", spied)
    with serving(yes_no) as server:
        url = server.url
    with pytest.raises(ModelError, match=r"asked 2 times.*Start the server"):
        scorer("m", base_url=url)
    assert tried == [("127.0.0.1", urlsplit(url).port)] * 2
    with pytest.raises(ModelError, match=r"cannot be reached, or broke off: "):
        scorer("m", base_url=url, retries=0)
    assert len(tried) == 3


def test_a_server_that_goes_away_is_tried_as_often_as_was_asked():
    """Once a server has answered, a refused connection has all the retries."""
    with serving(yes_no) as server:
        made = opened(server, retries=2)
    with pytest.raises(ModelError, match="cannot be reached, or broke off, asked 3 times"):
        made(["a"])


def test_a_server_behind_a_proxy_is_not_looked_for(monkeypatch):
    """Where a proxy is set, a host that only the proxy knows is asked through it."""
    with serving(yes_no) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
        made = scorer("m", base_url="http://nowhere.invalid/v1", target="Yes", chat=True, retries=0)
        np.testing.assert_allclose(made(["a"]), [[-0.5]])


def test_a_wrong_address_is_refused_at_once():
    """A server that has no such path is told from one that lacks the model."""
    match = r"/completions there: base_url= often ends in /v1"
    answering = partial(error, 404, "Not Found")
    with serving(lambda *_: answering()) as server, pytest.raises(InputError, match=match):
        scorer("m", base_url=server.url.removesuffix("/v1"))


def test_the_option_for_models_that_only_chat_is_named_in_both_ways():
    """The message for a wrong path names chat= in Python and --chat on the command line."""
    answering = partial(error, 404, "Not Found")
    with serving(lambda *_: answering()) as server, pytest.raises(InputError) as caught:
        scorer("m", base_url=server.url.removesuffix("/v1"))
    assert str(caught.value).endswith("base_url= often ends in /v1, and a model that only chats "
                                      "needs chat=.")  # fmt: skip
    assert spelled(str(caught.value)).endswith(
        "--base-url often ends in /v1, and a model that only chats needs --chat."
    )


def test_an_unknown_model_is_refused_with_those_there_are():
    """The models that the server has are listed."""

    def answering(path, body, n):
        known = Reply({"data": [{"id": "one"}, {"id": "two"}]})
        return known if path == "/v1/models" else error(404, "model not found")

    with serving(answering) as server:
        with pytest.raises(InputError, match="has no model 'three'; it has one, two"):
            scorer("three", base_url=server.url)
        assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"base_url": "nowhere"}, "an address such as"),
        ({"base_url": "http://me:secret@host/v1"}, "a user, a password or a query"),
        ({"base_url": "http://host/v1?key=secret"}, "a user, a password or a query"),
        ({"concurrency": 0}, "concurrency=0"),
        ({"retries": -1}, "retries=-1"),
        ({"timeout": 0.0}, "timeout=0"),
        ({"tier": "best"}, "tier='best'"),
        ({"target": " "}, "at least one letter"),
        ({"target": "a", "contrast": " a"}, "always 0"),
        ({"system": "Be kind."}, "without chat=True"),
        ({"judge": 3}, "a function is needed"),
        ({"judge": len, "similarity": "exact match"}, "one of both"),
        ({"similarity": "close"}, "'exact match' or 'word overlap'"),
        ({"similarity": "exact match", "tier": "prompt"}, "they are for 'text'"),
        ({"tokenizer": "/nowhere/tokenizer.json"}, "tokenizer.json, or the folder"),
        ({"extra": {"a": {1, 2}}}, "JSON cannot hold"),
    ],
    ids=str,
)
def test_arguments_are_refused_before_anything_is_sent(options, match):
    """An argument that cannot be used is refused by name, and no secret in it is repeated."""
    with serving(yes_no) as server:
        with pytest.raises(InputError, match=match) as caught:
            scorer("m", **{"base_url": server.url, **options})
        assert server.asked == []
    assert "secret" not in str(caught.value)


def test_what_arrived_comes_before_the_error():
    """Answers that arrived, and those in flight when one fails, are yielded before its error."""
    bad = threading.Event()

    def answering(path, body, n):
        text = body["messages"][-1]["content"]
        if text == "bad":
            bad.set()
            return error(400, "no")
        # Those in flight beside the bad one end well after it has failed.
        return Reply(**{**yes_no(path, body, n).__dict__, "delay": 0.2 if "late" in text else 0})

    items = ["late one", "late two", "bad", *["never"] * 20]
    got = []
    with serving(after_probe(answering)) as server:
        made = opened(server, concurrency=3)
        with pytest.raises(InputError, match="answered 400"):
            drain(made.stream(items), got)
        assert len(server.bodies) <= 5
    where = {place for place, _ in got}
    assert {0, 1} <= where
    assert 2 not in where


def test_an_error_does_not_wait_for_ever():
    """After a failure those in flight have `timeout` seconds, whatever retries they have left."""

    def answering(path, body, n):
        text = body["messages"][-1]["content"]
        return error(400, "no") if text == "bad" else error(429, "slow", retry_after="60")

    with serving(after_probe(answering)) as server:
        made = opened(server, timeout=0.5, retries=6)
        began = time.monotonic()
        with pytest.raises(InputError, match="answered 400"):
            made(["slow", "bad"])
    assert time.monotonic() - began < 5


def test_the_error_of_the_first_item_is_raised():
    """When several fail, the error is that of the first of them in the items' order."""

    def answering(path, body, n):
        text = body["messages"][-1]["content"]
        return Reply({"error": {"message": text}}, 400, delay=0.2 if text == "one" else 0.05)

    with serving(after_probe(answering)) as server:
        made = opened(server)
        with pytest.raises(InputError, match="one"):
            made(["one", "two", "three"])


def test_closing_the_iterator_cancels_what_is_in_flight():
    """A consumer that stops early waits for nothing, and no more is asked."""

    def answering(path, body, n):
        slow = body["messages"][-1]["content"] != "a"
        return Reply({}, hang=True) if slow else yes_no(path, body, n)

    with serving(after_probe(answering)) as server:
        made = opened(server, concurrency=4)
        parts = made.stream(["a", *["b"] * 30])
        next(parts)
        began = time.monotonic()
        parts.close()
        assert time.monotonic() - began < 2
        assert len(server.bodies) <= 6
    names = {thread.name for thread in threading.enumerate()}
    assert not any("AnyIO" in name or "_run" in name for name in names)


def test_a_judge_that_fails_loses_nothing():
    """An error in the caller's function comes after the answers that were paid for."""
    with serving(lambda path, body, n: chat_of({}, body["messages"][-1]["content"])) as server:
        made = opened(
            server,
            target=None,
            contrast=None,
            tier="text",
            concurrency=2,
            judge=lambda item, answer: {"a": 1.0, "b": 2.0}[answer],
        )
        got = []
        with pytest.raises(KeyError):
            drain(made.stream(["a", "b", "c", *["a"] * 20]), got)
        assert (0, [1.0]) in got
        assert len(got) < 20
        nothing = opened(server, tier="text", target=None, contrast=None, judge=lambda *_: None)
        with pytest.raises(ModelError, match="judge= returned None"):
            nothing(["a"])

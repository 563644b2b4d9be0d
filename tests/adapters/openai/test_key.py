"""Facts about the key: it is sent to the server, and is to be found nowhere else."""

from __future__ import annotations

import logging
import pickle
import traceback

import numpy as np
import pytest

from adapters.openai.loopback import Reply, error, serving, yes_no
from whence import Journal, explain, text_game
from whence.adapters.openai import scorer
from whence.errors import InputError, WhenceError

pytest.importorskip("openai")

KEY = "sk-planted-3141592653589793"


@pytest.fixture(autouse=True)
def planted(monkeypatch):
    """A key in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def opened(server, **options):
    """A scorer of Yes by first tokens."""
    settings = {"target": "Yes", "chat": True, "tier": "first-token", "retries": 0, "timeout": 5.0}
    return scorer("m", base_url=server.url, **{**settings, **options})


def test_the_key_is_sent_and_written_nowhere(tmp_path, caplog, capsys):
    """The server gets the key; names, identity, notes, logs, journal and results do not."""
    caplog.set_level(logging.DEBUG)
    with serving(yes_no) as server:
        made = opened(server)
        game = text_game(
            lambda texts: made(texts)[:, 0],
            "one two three four",
            scores="values",
            identity=made.facts.identity,
        )
        with Journal(tmp_path / "answers.db") as journal:
            found = explain(journal.remember(game))
        assert all(f"Bearer {KEY}" in headers.values() for _, _, headers in server.asked)
        bodies = str(server.bodies)
    found.save(tmp_path / "run.npz")
    seen = [repr(made), repr(made.server), str(made.facts), str(made.spent), bodies]
    seen += [repr(found), found._repr_html_(), caplog.text, *capsys.readouterr()]
    assert not any(KEY in text for text in seen)
    assert caplog.text
    files = [file.read_bytes() for file in tmp_path.iterdir()]
    assert len(files) >= 2
    assert not any(KEY.encode() in data for data in files)


@pytest.mark.parametrize(
    "reply",
    [
        error(401, f"Incorrect API key provided: {KEY}"),
        error(403, f"{KEY} may not"),
        error(400, f"Bearer {KEY}"),
        error(429, f"{KEY} is over its quota"),
        error(500, f"Traceback: key={KEY}"),
        error(404, f"{KEY}"),
        Reply(f"<html>{KEY}</html>".encode()),
        Reply(f'"{KEY}"'.encode()),
    ],
    ids=str,
)
def test_a_server_that_repeats_the_key_is_not_repeated(reply, caplog):
    """Whatever a server says of the key, neither the error nor its traceback holds it."""
    caplog.set_level(logging.DEBUG)
    with serving(lambda path, body, n: reply) as server, pytest.raises(WhenceError) as caught:
        opened(server)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert KEY not in caplog.text


def test_a_refused_key_is_named_by_its_variable(monkeypatch):
    """A wrong key is said to be wrong, by the name of its variable."""
    monkeypatch.setenv("MY_KEY", KEY)
    match = "refused the key in the environment variable MY_KEY"
    refusing = serving(lambda path, body, n: error(401, "no"))
    with refusing as server, pytest.raises(InputError, match=match):
        opened(server, key_variable="MY_KEY")


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_key_that_is_missing_is_not_said_to_be_refused(monkeypatch, status, value):
    """Where the variable is not set, or is empty, that is said, and how to name another."""
    if value is not None:
        monkeypatch.setenv("MY_KEY", value)
    refusing = serving(lambda path, body, n: error(status, f"{KEY} is not yours"))
    with refusing as server, pytest.raises(InputError, match="MY_KEY is not set") as caught:
        opened(server, key_variable="MY_KEY")
    assert "name another variable with key_variable=" in str(caught.value)
    assert "refused the key" not in str(caught.value)
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_the_hosted_service_needs_a_key(monkeypatch):
    """Without a key the hosted service is not even asked."""
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(InputError, match="OPENAI_API_KEY is not set"):
        scorer("m", retries=0)


def test_a_server_of_ones_own_needs_none(monkeypatch):
    """Without a key a server on loopback is asked all the same."""
    monkeypatch.delenv("OPENAI_API_KEY")
    with serving(yes_no) as server:
        np.testing.assert_allclose(opened(server)(["a"]), [[-0.5]])


def test_a_key_that_no_header_can_carry_is_refused(monkeypatch):
    """A key with a line break inside is refused without being shown."""
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\nX: y")
    with serving(yes_no) as server:
        with pytest.raises(InputError, match="holds white space") as caught:
            opened(server)
        assert server.asked == []
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_the_key_is_read_anew(monkeypatch):
    """A scorer keeps no key: another one in the environment is used from then on."""
    with serving(yes_no) as server:
        made = opened(server)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
        made(["a"])
        assert "Bearer sk-other" in server.asked[-1][2].values()
    with pytest.raises(TypeError):
        pickle.dumps(made)

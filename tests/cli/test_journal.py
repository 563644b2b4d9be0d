"""Facts about `whence journal`: what a journal holds, and what is taken out of it."""

from __future__ import annotations

import numpy as np
import pytest

import whence
from whence.journal import Journal, read_export


@pytest.fixture
def path(tmp_path):
    """A journal of two games, of eight and sixteen answers."""
    file = tmp_path / "j.db"
    with Journal(file) as journal:
        for n in (3, 4):
            game = whence.Game(
                lambda masks: masks.sum(axis=1),
                n,
                identity=f"game of {n}",
                description=f"the sum of {n} units",
            )
            whence.explain(journal.remember(game), budget=2**n)
    return file


def ids(call, path):
    """The ids that `journal list` prints."""
    return [line.split()[0] for line in call("journal", "list", str(path)).stdout.splitlines()[1:]]


def games(path):
    """Identities of the games in a journal."""
    with Journal(path) as journal:
        return [game.identity for game in journal.games()]


def test_list(call, path):
    """`list` says how many games and answers there are, and has a line for each game."""
    head, first, second = call("journal", "list", str(path)).stdout.splitlines()
    assert "2 games, 24 answers" in head
    assert "8 answers" in first
    assert "the sum of 3 units" in first
    assert "16 answers" in second


def test_show(call, path):
    """`show` prints what is known of each game, or of the one whose id begins so."""
    assert call("journal", "show", str(path)).stdout.count("answers") == 2
    one = call("journal", "show", str(path), ids(call, path)[1][:6]).stdout
    assert "16 of 16 masks" in one
    assert "game of 4" in one


def test_export(call, path, tmp_path):
    """`export` writes every game, or one, so that `read_export` reads it back."""
    assert call("journal", "export", str(path), "all.jsonl").exit_code == 0
    assert set(read_export(tmp_path / "all.jsonl")) == {"game of 3", "game of 4"}
    done = call("journal", "export", str(path), "one.jsonl", "--game", ids(call, path)[0])
    assert "11 answers" in done.stderr  # 8, and 3 repeats
    (samples,) = read_export(tmp_path / "one.jsonl").values()
    np.testing.assert_array_equal(samples.values, samples.masks.sum(axis=1))


def test_prune_one_game(call, path):
    """`prune --game --yes` removes that game and leaves the others."""
    done = call("journal", "prune", str(path), "--game", ids(call, path)[0], "--yes")
    assert done.exit_code == 0
    assert games(path) == ["game of 4"]


def test_prune_by_age(call, path):
    """`prune --older-than` removes what was not used for so long, and nothing younger."""
    assert call("journal", "prune", str(path), "--older-than", "1", "--yes").exit_code == 0
    assert len(games(path)) == 2
    assert call("journal", "prune", str(path), "--older-than", "0", "--yes").exit_code == 0
    assert games(path) == []


def test_prune_asks(call, path):
    """Without --yes, and with nobody to ask, nothing is removed."""
    done = call("journal", "prune", str(path), "--older-than", "0")
    assert done.exit_code == 2
    assert "--yes" in done.stderr
    assert len(games(path)) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["list", "absent.db"], "no such file"),
        (["list", "."], "a folder came"),
        (["list", "text.db"], "not a journal"),
        (["show", "j.db", "zzz"], "no game"),
        (["prune", "j.db", "--yes"], "--game"),
        (["prune", "j.db", "--game", "zzz", "--yes"], "no game"),
        (["prune", "j.db", "--older-than", "-1"], "--older-than"),
        (["export", "j.db", "j.db"], "the journal itself"),
        (["export", "j.db", "no/such/folder.jsonl"], "could not be written"),
    ],
)
def test_mistakes_are_refused_by_name(call, path, tmp_path, arguments, told):
    """A wrong path, id or choice ends with 2, says what is wrong and changes nothing."""
    (tmp_path / "text.db").write_text("a text, and no journal of anything at all, " * 20)
    done = call("journal", *arguments)
    assert done.exit_code == 2
    assert told in done.stderr
    assert not (tmp_path / "absent.db").exists()
    assert len(games(path)) == 2

"""Facts about the journal: what it asks, what it keeps, what it refuses, and how it is written."""

import doctest
import json
import re
import sqlite3
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.tree import ROOT
from whence import Samples
from whence.errors import InputError, JournalError, ModelError
from whence.game import Game
from whence.journal import Journal, read_export
from whence.masks import every

N = 5
ALL = every(N)


def two(rows):
    """A scripted model with two outputs per mask."""
    number = rows @ 2 ** np.arange(rows.shape[1])
    return np.stack([number / 7, number**2 / 11], axis=1)


class Counted:
    """A value function that keeps every mask it was asked for, call by call."""

    def __init__(self, value=two):
        self.value = value
        self.calls = []

    def __call__(self, rows):
        self.calls.append(rows.copy())
        return self.value(rows)

    @property
    def asked(self):
        """Masks asked for in all."""
        return sum(map(len, self.calls))


def game(value=two, **options):
    """The scripted game."""
    return Game(value, N, **{"identity": "scripted", "batch": 4} | options)


@pytest.fixture
def path(tmp_path):
    """Where a new journal may be made."""
    return tmp_path / "journal.db"


@contextmanager
def raw(path):
    """A plain SQLite connection to the file, committed and closed."""
    connection = sqlite3.connect(path)
    with connection:
        yield connection
    connection.close()


# ---- what is asked and kept -----------------------------------------------------------------


def test_round_trip(path):
    """Values come back from the file bit for bit, in the order asked, without a call."""
    with Journal(path) as journal:
        first = journal.remember(game())(ALL)
        assert (journal.paid, journal.recalled) == (32, 0)
    unasked = Counted()
    with Journal(path) as journal:
        second = journal.remember(game(unasked))(ALL[::-1])
        assert (journal.paid, journal.recalled) == (0, 32)
    assert unasked.calls == []
    assert np.array_equal(first, two(ALL))
    assert np.array_equal(second, first[::-1])


def test_only_missing_masks_are_asked(path):
    """Known masks and duplicates are not asked for, and the rest comes in chunks of the batch."""
    value = Counted()
    with Journal(path) as journal:
        remembered = journal.remember(game(value))
        remembered.value(ALL[:10])
        value.calls.clear()
        rows = np.concatenate([ALL[:20], ALL[5:20]])
        assert np.array_equal(remembered.value(rows), two(rows))
        assert [len(call) for call in value.calls] == [4, 4, 2]
        assert np.array_equal(np.concatenate(value.calls), ALL[10:20])


BATCH = st.lists(st.integers(0, 2**N - 1), min_size=1, max_size=9)


@given(st.lists(BATCH, max_size=6), st.booleans())
def test_same_answers_as_the_bare_game(tmp_path_factory, batches, scalar):
    """Whatever is asked in whatever order, the remembered game answers as the bare one does."""
    value = Counted((lambda rows: two(rows)[:, 0]) if scalar else two)
    plain = game(value)
    with Journal(tmp_path_factory.mktemp("journal") / "journal.db") as journal:
        for numbers in batches:
            rows = ALL[numbers]
            assert np.array_equal(journal.remember(plain)(rows), value.value(rows))
        distinct = {number for numbers in batches for number in numbers}
        assert journal.paid == value.asked == len(distinct)


def test_one_journal_serves_every_readout(path):
    """Another output, link or unit of the same game costs no call."""
    value = Counted()
    with Journal(path) as journal:
        first = journal.remember(game(value, readout=lambda values: values[:, 0]))(ALL)
        cost = value.asked
        second = journal.remember(
            game(value, readout=lambda values: np.log1p(values[:, 1]), unit="nats", outputs=["b"])
        )(ALL)
    assert value.asked == cost == 32
    assert np.array_equal(first, two(ALL)[:, 0])
    assert np.array_equal(second, np.log1p(two(ALL)[:, 1]))


def test_rest_of_the_game_is_untouched(path):
    """A remembered game differs from its game only in `value` and `again`."""
    plain = game(unit="nats", outputs=["a", "b"], tokens=lambda rows: rows.sum(axis=1))
    with Journal(path) as journal:
        remembered = journal.remember(plain)
    for name in ("units", "readout", "outputs", "unit", "identity", "batch", "tokens"):
        assert getattr(remembered, name) is getattr(plain, name)


def test_games_do_not_share_values(path):
    """Two identities in one journal keep their values apart."""
    with Journal(path) as journal:
        assert np.array_equal(journal.remember(game())(ALL), two(ALL))
        other = journal.remember(game(lambda rows: -two(rows), identity="other"))
        assert np.array_equal(other(ALL), -two(ALL))


def test_known_asks_nothing(path):
    """`known` says which masks are in the file and asks no model."""
    value = Counted()
    with Journal(path) as journal:
        assert not journal.known(game(value), ALL).any()
        journal.remember(game()).value(ALL[3:8])
        assert np.flatnonzero(journal.known(game(value), ALL)).tolist() == [3, 4, 5, 6, 7]
    assert value.calls == []


def test_failing_model_keeps_earlier_batches(path):
    """When the model raises half-way, the batches before are kept and not asked for again."""
    asked = []

    def value(rows):
        asked.append(len(rows))
        if len(asked) == 3:
            raise RuntimeError("out of memory")
        return two(rows)

    with Journal(path) as journal:
        with pytest.raises(ModelError, match="out of memory"):
            journal.remember(game(value)).value(ALL)
        assert journal.known(game(), ALL).tolist() == [True] * 8 + [False] * 24
        assert np.array_equal(journal.remember(game(value)).value(ALL), two(ALL))
        assert sum(asked) == 32 + 4
        assert journal.recalled == 8


def test_interrupt_while_writing_keeps_the_batch(path, monkeypatch):
    """Ctrl-C while a batch is written passes on after the batch is in the file."""
    with Journal(path) as journal:
        put, presses = journal._store.put, iter([True])

        def pressed(*args):
            if next(presses, False):
                raise KeyboardInterrupt
            return put(*args)

        monkeypatch.setattr(journal._store, "put", pressed)
        with pytest.raises(KeyboardInterrupt):
            journal.remember(game()).value(ALL)
        assert journal.known(game(), ALL).sum() == 4


def test_again_is_fresh_and_stored_once(path):
    """`again` asks afresh, not for the stored value, and a resumed run finds the same answer."""
    noise = iter(range(1000))
    value = Counted(lambda rows: np.array([next(noise) for _ in rows], dtype=float))
    with Journal(path) as journal:
        remembered = journal.remember(game(value))
        first, repeat = remembered.value(ALL[:3]), remembered.again(ALL[:3])
        assert not np.isin(repeat, first).any()
    with Journal(path) as journal:
        resumed = journal.remember(game(value))
        assert np.array_equal(resumed.value(ALL[:3]), first)
        assert np.array_equal(resumed.again(ALL[:3]), repeat)
        assert value.asked == 6
        assert (journal.paid, journal.recalled) == (0, 6)


def test_again_uses_the_games_own(path):
    """A game with an `again` of its own is asked through that one for repeats."""
    with Journal(path) as journal:
        remembered = journal.remember(game(again=lambda rows: two(rows) + 1))
        assert np.array_equal(remembered.again(ALL), two(ALL) + 1)
        assert np.array_equal(remembered.value(ALL), two(ALL))


@pytest.mark.parametrize("out", [(), (1,), (3, 2), (0,)])
def test_shapes_and_extremes_are_kept(path, out):
    """Outputs of any shape come back exactly: extremes, the smallest numbers and minus zero."""
    numbers = np.resize([-0.0, 5e-324, 1.7976931348623157e308, 0.1, -1e-300], (32, *out))
    index = {row.tobytes(): i for i, row in enumerate(ALL)}
    plain = game(lambda rows: numbers[[index[row.tobytes()] for row in rows]])
    with Journal(path) as journal:
        journal.remember(plain).value(ALL)
        back = journal.remember(plain).value(ALL)
    assert back.shape == (32, *out)
    assert back.tobytes() == numbers.tobytes()


def test_no_masks(path):
    """No masks are answered with no values, in the model's shape, and nothing is stored."""
    with Journal(path) as journal:
        assert journal.remember(game()).value(ALL[:0]).shape == (0, 2)
        assert journal.games() == []


def test_wide_games(path):
    """A thousand units, and more masks than one SELECT takes, make the round trip."""
    rows = np.random.default_rng(0).random((1200, 1000)) < 0.5
    plain = Game(lambda rows: rows.sum(axis=1) / 3, 1000, identity="wide")
    with Journal(path) as journal:
        journal.remember(plain).value(rows)
        assert np.array_equal(journal.remember(plain).value(rows), rows.sum(axis=1) / 3)
        assert journal.paid == journal.recalled == 1200


def test_threads_share_a_journal(path):
    """Threads may ask at once: each sees the same values, and all of them are stored."""
    answers = {}
    with Journal(path) as journal:
        remembered = journal.remember(game())

        def play(seed):
            order = np.random.default_rng(seed).permutation(32)
            answers[seed] = remembered(ALL[order])[np.argsort(order)]

        threads = [threading.Thread(target=play, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert journal.known(game(), ALL).all()
    assert len(answers) == 6
    assert all(np.array_equal(answer, two(ALL)) for answer in answers.values())


def test_first_stored_value_wins(path):
    """Where another run stored a mask meanwhile, its value is returned, not the one just paid."""
    with Journal(path) as ours, Journal(path) as theirs:

        def beaten(rows):
            theirs.remember(game(lambda rows: two(rows) + 100)).value(rows)
            return two(rows)

        assert np.array_equal(ours.remember(game(beaten)).value(ALL), two(ALL) + 100)
        assert (ours.paid, theirs.paid) == (32, 32)


# ---- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("identity", [None, "", "\ud800"])
def test_identity_is_needed(path, identity):
    """A game without a usable identity is refused, and the message names the argument."""
    with Journal(path) as journal:
        for use in (journal.remember, lambda plain: journal.known(plain, ALL)):
            with pytest.raises(InputError, match=r"Game\(identity="):
                use(game(identity=identity))


def test_other_number_of_units(path):
    """A game of another size under a stored identity is refused before the model is asked."""
    value = Counted()
    with Journal(path) as journal:
        journal.remember(game()).value(ALL)
        with pytest.raises(JournalError, match=r"number of units 6; .* number of units 5"):
            journal.remember(Game(value, 6, identity="scripted"))
    assert value.calls == []


def test_other_outputs(path):
    """Raw values of another shape are refused; what was paid for them is handed over."""
    with Journal(path) as journal:
        journal.remember(game()).value(ALL[:4])
        with pytest.raises(JournalError, match=r"shape \(\); .* shape \(2,\)") as caught:
            journal.remember(game(lambda rows: rows.sum(axis=1))).value(ALL)
        assert np.array_equal(caught.value.samples.masks, ALL[4:8])
        assert np.array_equal(journal.remember(game()).value(ALL), two(ALL))


def test_full_disk(path):
    """On a full disk what was written stays, and what was just paid for is handed over."""
    big = game(lambda rows: np.repeat(two(rows), 500, axis=1))
    with Journal(path) as journal:
        journal._store._connection.execute("PRAGMA max_page_count = 40")
        with pytest.raises(JournalError, match="the disk is full") as caught:
            journal.remember(big).value(ALL)
        paid = caught.value.samples
        assert isinstance(paid, Samples)
        kept = journal.known(big, ALL)
        assert journal.paid == kept.sum() + len(paid) > len(paid) == 4
        assert np.array_equal(paid.values, big.value(paid.masks))
    with Journal(path) as journal:
        assert np.array_equal(journal.remember(big).value(ALL), big.value(ALL))
        assert journal.recalled == kept.sum()


def test_locked_by_another(path):
    """When another process holds the lock for too long, the error names wait_s."""
    with Journal(path, wait_s=0.05) as journal, raw(path) as other:
        remembered = journal.remember(game())
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="wait_s=") as caught:
            remembered.value(ALL)
        assert len(caught.value.samples) == 4


def test_closed_journal(path):
    """A closed journal refuses by name, closes again without complaint, and asks no model."""
    value = Counted()
    journal = Journal(path)
    remembered = journal.remember(game(value))
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="it is closed"):
        remembered.value(ALL)
    assert value.calls == []


def test_path_is_a_folder(tmp_path):
    """A folder is refused, with a file name that would do."""
    with pytest.raises(JournalError, match=r"a folder came.*journal\.whence\.db"):
        Journal(tmp_path)


def test_path_without_a_folder(tmp_path):
    """A path into a folder that is not there is refused, and nothing is made."""
    with pytest.raises(JournalError, match="there is no folder"):
        Journal(tmp_path / "absent" / "journal.db")
    assert list(tmp_path.iterdir()) == []


def test_newer_schema(path):
    """A file of a later schema is refused, saying both versions, and left as it is."""
    Journal(path).close()
    with raw(path) as connection:
        connection.execute("PRAGMA user_version = 2")
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"version 2 .* version 1\. Upgrade whence"):
        Journal(path)
    assert path.read_bytes() == before


def test_database_of_something_else(path):
    """A SQLite file that is not a journal is refused and left as it is."""
    with raw(path) as connection:
        connection.execute("CREATE TABLE game (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(JournalError, match="something else"):
        Journal(path)
    assert path.read_bytes() == before


def test_empty_file_is_a_new_journal(path):
    """A file of no bytes, such as a temporary one, becomes a journal."""
    path.touch()
    with Journal(path) as journal:
        assert np.array_equal(journal.remember(game())(ALL), two(ALL))


def test_not_a_database(path):
    """A text file is refused and left as it is."""
    path.write_text("label,score\n" * 500)
    with pytest.raises(JournalError, match="the file is not a journal"):
        Journal(path)
    assert path.read_text() == "label,score\n" * 500


def test_truncated_file(path):
    """A file cut in half is refused as damaged, whether on opening or on reading."""
    with Journal(path) as journal:
        journal.remember(game(lambda rows: np.repeat(two(rows), 100, axis=1))).value(ALL)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(JournalError, match="damaged"), Journal(path) as journal:
        journal.remember(game(lambda rows: np.repeat(two(rows), 100, axis=1))).value(ALL)


def test_one_wrong_bit(path):
    """A stored value with one bit changed is refused, never returned."""
    with Journal(path) as journal:
        journal.remember(game()).value(ALL)
    content = path.read_bytes()
    number = two(ALL[-1:]).tobytes()
    assert content.count(number) == 1
    path.write_bytes(content.replace(number, bytes([number[0] ^ 1]) + number[1:]))
    with Journal(path) as journal:
        with pytest.raises(JournalError, match="checksum"):
            journal.remember(game()).value(ALL)
        assert np.array_equal(journal.remember(game()).value(ALL[:-1]), two(ALL[:-1]))


def test_garbled_files_never_lie(path):
    """A file overwritten anywhere is refused, or still gives the right values."""
    with Journal(path) as journal:
        journal.remember(game()).value(ALL)
    content, refused = path.read_bytes(), 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        at, length = rng.integers(len(content) - 64), rng.choice([1, 8, 64])
        path.write_bytes(content[:at] + rng.bytes(length) + content[at + length :])
        try:
            with Journal(path) as journal:
                assert np.array_equal(journal.remember(game()).value(ALL), two(ALL))
                journal.games()
        except JournalError:
            refused += 1
    assert refused > 0


def test_messages_keep_secrets(path):
    """A long identity is cut in messages, and no message shows a value."""
    secret = "model " * 10 + "with a whole private text"
    with Journal(path) as journal:
        journal.remember(game(identity=secret)).value(ALL)
        with pytest.raises(JournalError) as caught:
            journal.remember(Game(two, 6, identity=secret))
    assert "private" not in str(caught.value)


# ---- the whole file --------------------------------------------------------------------------


def test_games_are_listed(path):
    """Each game is listed with its size, shape, counts, bytes and times."""
    with Journal(path) as journal:
        remembered = journal.remember(game(description="a scripted model"))
        remembered.value(ALL)
        remembered.again(ALL[:2])
        (record,) = journal.games()
        assert (record.identity, record.description) == ("scripted", "a scripted model")
        assert (record.n, record.out, record.values, record.repeats) == (5, (2,), 32, 2)
        assert record.bytes == 34 * (1 + 16)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", record.created)
        assert record.created <= record.used
        assert journal.size() >= record.bytes


def test_export_round_trip(path, tmp_path):
    """What is exported reads back exactly, game by game, values and repeats apart."""
    with Journal(path) as journal:
        remembered = journal.remember(game())
        remembered.value(ALL)
        remembered.again(ALL[:3])
        journal.remember(Game(lambda rows: rows.sum(axis=1) / 3, 9, identity="é")).value(
            every(9)[:250]
        )
        assert journal.export(tmp_path / "out.jsonl") == 32 + 3 + 250
        assert journal.export(tmp_path / "one.jsonl", identity="é") == 250
    back = read_export(tmp_path / "out.jsonl")
    assert list(back) == ["scripted", "é"]
    assert np.array_equal(back["scripted"].values, two(back["scripted"].masks))
    assert len(back["scripted"].distinct()) == 32
    assert np.array_equal(back["é"].values, back["é"].masks.sum(axis=1) / 3)
    assert list(read_export(tmp_path / "one.jsonl")) == ["é"]
    repeats = read_export(tmp_path / "out.jsonl", repeat=1)
    assert list(repeats) == ["scripted"]
    assert np.array_equal(repeats["scripted"].values, two(repeats["scripted"].masks))


def test_export_is_plain_json(path, tmp_path):
    """An export is one JSON object per line, with masks as ones and zeros."""
    with Journal(path) as journal:
        journal.remember(game()).value(ALL[3:4])
        journal.export(tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert lines[0] == {"whence_export": 1}
    assert lines[1]["game"]["identity"] == "scripted"
    assert lines[2] == {"mask": "11000", "repeat": 0, "value": two(ALL[3:4])[0].tolist()}
    assert lines[3] == {"end": 1}


def test_export_refusals(path, tmp_path):
    """An export onto the journal, of an unknown game or into no folder is refused by name."""
    with Journal(path) as journal:
        journal.remember(game()).value(ALL)
        with pytest.raises(InputError, match="the journal itself"):
            journal.export(path)
        with pytest.raises(InputError, match="holds no game 'absent'"):
            journal.export(tmp_path / "out.jsonl", identity="absent")
        with pytest.raises(JournalError, match="takes another path"):
            journal.export(tmp_path / "absent" / "out.jsonl")
        with pytest.raises(JournalError, match="takes another path"):
            journal.export(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["journal.db"]


@pytest.mark.parametrize("content", ["", "{}\n", "text", '{"whence_export": 2}\n', None, "cut", 1])
def test_export_that_cannot_be_read(path, tmp_path, content):
    """A file that is absent, something else, or cut short is refused."""
    target = tmp_path / "out.jsonl"
    if content in ("cut", 1):
        with Journal(path) as journal:
            journal.remember(game()).value(ALL)
            journal.export(target)
        lines = target.read_text().splitlines(keepends=True)
        content = "".join(lines[:9] if content == "cut" else lines[:9] + lines[-1:])
    if content is not None:
        target.write_text(content)
    with pytest.raises(InputError, match=r"needed, complete\. Export it again"):
        read_export(target)


def test_prune_by_identity(path):
    """One game is removed with its values, the file shrinks, and the other stays."""
    with Journal(path) as journal:
        wide = game(lambda rows: np.repeat(two(rows), 500, axis=1), identity="wide")
        journal.remember(wide).value(ALL)
        journal.remember(game()).value(ALL)
        before = journal.size()
        assert journal.prune(identity="absent") == 0
        assert journal.prune(identity="wide") == 32
        assert journal.size() < before / 4
        assert [record.identity for record in journal.games()] == ["scripted"]
        assert journal.known(game(), ALL).all()
        assert not journal.known(wide, ALL).any()
        assert np.array_equal(journal.remember(wide).value(ALL), wide.value(ALL))
    with Journal(path) as journal:
        assert journal.known(game(), ALL).all()


def test_prune_by_age(path):
    """Games unused for longer than the days given are removed; remembering counts as use."""
    with Journal(path) as journal:
        for identity in ("old", "touched", "new"):
            journal.remember(game(identity=identity)).value(ALL)
        with raw(path) as connection:
            connection.execute(
                "UPDATE game SET used = '2020-01-01T00:00:00+00:00' WHERE identity <> 'new'"
            )
        journal.remember(game(identity="touched"))
        assert journal.prune(identity="new", older_than_days=30) == 0
        assert journal.prune(older_than_days=30) == 32
        assert [record.identity for record in journal.games()] == ["touched", "new"]
        assert journal.prune(older_than_days=0) == 64
        assert journal.games() == []


def test_prune_without_a_choice(path):
    """Pruning without saying what, or by negative or no days, is refused."""
    with Journal(path) as journal:
        with pytest.raises(InputError, match="give identity= or older_than_days="):
            journal.prune()
        for days in (-1, float("nan")):
            with pytest.raises(InputError, match="must be 0 or more"):
                journal.prune(older_than_days=days)


def test_home_folder(tmp_path, monkeypatch):
    """A path beginning with ~ is the user's own folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with Journal("~/journal.db") as journal:
        assert journal.path == tmp_path / "journal.db"


def test_page_runs():
    """The examples of docs/journal.md give what they show."""
    page = (ROOT / "docs" / "journal.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\{doctest\}\n(.*?)^```", page, re.M | re.S)
    assert blocks
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "journal.md", None, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(test).failed == 0

"""Facts about how the command line writes workers, for models of tables."""

from __future__ import annotations

import numpy as np
import pytest

from whence.adapters.workers import SpreadRows, spread
from whence.executors import Threads
from whence.lenses.inputs.table import table_game
from whence.masks import every
from whence.scoring import Facts


class Sums:
    """A model of the columns b and a, in that order, that counts its calls."""

    facts = Facts(name="sums", identity="sums", scores="values", reads=frozenset({"row"}))
    names = ("b", "a")

    def __init__(self):
        self.calls = 0

    def reads(self, columns):
        return self.names

    def ready(self, rows):
        return rows

    def __call__(self, rows):
        self.calls += 1
        rows = np.asarray(rows)
        return 2.0 * rows[:, 0] + rows[:, 0] * rows[:, 1]


TABLE = np.random.default_rng(0).normal(size=(50, 3))


def test_workers_keep_the_columns_that_a_model_reads():
    """Threads do not change the game: its units, its identity, its notes and its values."""
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(TABLE, columns=["a", "target", "b"])
    alone = table_game(Sums(), 7, table=table, size=20)
    many = table_game(spread("threads:2", Sums), 7, table=table, size=20)
    assert many.units == alone.units
    assert many.units.labels[0].startswith("b = ")
    assert many.identity == alone.identity
    assert many.notes is not None
    assert any("target" in note for note in many.notes())
    np.testing.assert_array_equal(many(every(2)), alone(every(2)))


def test_rows_go_out_in_larger_batches_than_texts():
    """A thousand rows are one call, for the way there and back costs more than scoring a row."""
    model = Sums()
    made = spread("threads:2", lambda: model)
    assert isinstance(made, SpreadRows)
    made(np.zeros((1000, 2)))
    assert model.calls == 1
    made = spread("threads:2,batch=100", lambda: model)
    made(np.zeros((1000, 2)))
    assert model.calls == 11


def test_other_models_are_spread_as_they_are():
    """A model of texts is given to threads, and nothing is around them."""
    made = spread("threads:2", lambda: lambda texts: [len(text) for text in texts])
    assert isinstance(made, Threads)
    assert made(["a", "bc"]).tolist() == [1, 2]

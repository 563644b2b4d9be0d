"""Executors in this process, on threads and on a pool of processes: one contract, same values."""

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import whence
import working
from recorder import same
from whence.errors import InputError, ModelError, ShapeError
from whence.executors import Futures, Threads
from whence.game import Streams
from whence.journal import Journal
from whence.scoring import WINDOW, Executor, Facts, InProcess, Scorer, in_order
from working import BATCH, ITEMS, Written

TEXT = "The film is not dull and the acting never fails to impress"
FLIGHT = 4


@pytest.fixture(scope="module")
def processes():
    """Two processes, started afresh: a fork of a process with threads may hang."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def threads():
    """Two threads that outlive a run."""
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture(params=["in-process", "threads", "futures", "processes"])
def run_by(request):
    """A scorer -> an executor of each kind."""
    if request.param == "in-process":
        return lambda score: InProcess(score, BATCH)
    if request.param == "threads":
        return lambda score: Threads(score, FLIGHT // 2)
    if request.param == "processes":
        pool = request.getfixturevalue("processes")
        return lambda score: Futures(score, pool, FLIGHT)
    return lambda score: Futures(score, request.getfixturevalue("threads"), FLIGHT)


def test_each_position_once(run_by, tmp_path):
    """Every position comes once, with the value that the model gives in this process."""
    log = tmp_path / "asked"
    working.check_each_once(run_by(Written(log)), log)


def test_error_after_the_parts(run_by, tmp_path):
    """What was scored before the model raised is given first, then its own error is raised."""
    log = tmp_path / "asked"
    working.check_error_last(run_by(Written(log, refused=(ITEMS[17],), pause=0.01)), log)


def test_early_close(run_by, tmp_path):
    """Closing the iterator drops the batches that nobody has begun."""
    log = tmp_path / "asked"
    # A pool of processes fetches one batch more than it has workers, which cannot be taken back.
    working.check_early_close(run_by(Written(log, pause=0.05)), log, most=FLIGHT)


def test_back_pressure(run_by, tmp_path):
    """However slowly parts are taken, a bounded number of batches is out."""
    log = tmp_path / "asked"
    working.check_back_pressure(run_by(Written(log)), log, most=1 + FLIGHT)


def test_threads_and_futures_are_scorers():
    """Threads and Futures can be called, and say what the scorer says of itself."""
    said = Facts(name="a model", identity="v1", batch=7)

    class Said:
        facts = said

        def __call__(self, items):
            return np.arange(len(items))

    with ThreadPoolExecutor(1) as pool:
        for one in (Threads(Said()), Futures(Said(), pool, 2)):
            assert isinstance(one, Scorer)
            assert isinstance(one, Executor)
            assert replace(one.facts, lanes=1, lane=1) == replace(said, batch=WINDOW)
            assert (one.facts.lanes, one.facts.lane) == (
                (4, 7) if isinstance(one, Threads) else (2, 7)
            )
            assert [len(rows) for rows, _ in one.stream(range(15))] in (
                [7, 7, 1],
                [7, 1, 7],
                [1, 7, 7],
            )


@pytest.mark.parametrize("workers", [1, 5])
def test_batches_do_not_depend_on_the_workers(workers):
    """A scorer that likes thousands of items is given shares of 64, however many workers."""
    sizes = []

    class Large:
        facts = Facts(batch=4096)

        def __call__(self, items):
            sizes.append(len(items))
            return np.zeros(len(items))

    Threads(Large(), workers)(["an item"] * 200)
    assert sorted(sizes) == [8, 64, 64, 64]


def test_a_call_is_in_order(run_by, tmp_path):
    """Parts in any order are put together by position."""
    executor = run_by(Written(tmp_path / "asked"))
    expected = Written(tmp_path / "alone")(ITEMS)
    np.testing.assert_array_equal(in_order(executor.stream(ITEMS)), expected)
    np.testing.assert_array_equal(in_order(list(executor.stream(ITEMS))[::-1]), expected)
    assert in_order([]).shape == (0,)


def test_threads_work_at_the_same_time():
    """As many batches are scored at a time as there are workers: two meet at a barrier."""
    barrier = threading.Barrier(2, timeout=10)

    def score(items):
        barrier.wait()
        return np.zeros(len(items))

    assert len(Threads(score, workers=2, batch=1)(["a", "b", "c", "d"])) == 4


def test_threads_end_with_the_run():
    """No thread is left, whether a run ended, failed or was closed."""
    before = threading.active_count()
    score = Threads(lambda items: np.ones(len(items)), batch=1)
    score(ITEMS)
    parts = score.stream(ITEMS)
    next(parts)
    parts.close()
    with pytest.raises(ShapeError):
        Threads(lambda items: np.ones(2), batch=1)(ITEMS)
    assert threading.active_count() == before


def test_wrong_shape_is_named(run_by):
    """An answer that is not one row per item is refused as it is in this process."""
    with pytest.raises(ShapeError, match="shape"):
        in_order(run_by(len).stream(ITEMS))


@pytest.mark.parametrize("workers", [1, 3])
def test_explanation_on_threads_is_the_same(workers, tmp_path):
    """`explain` on threads gives exactly the explanation of a run in this process."""
    local = InProcess(Written(tmp_path / "alone"), BATCH)
    spread = Threads(Written(tmp_path / "asked", pause=0.001), workers)
    same(explained(spread), explained(local.score))


def test_an_interrupted_journal_is_complete_on_threads(tmp_path):
    """Values that arrived before an error are in the journal: the next run pays for the rest."""
    total = explained(Written(tmp_path / "alone")).cost.calls
    text = list(working.asked(tmp_path / "alone"))[total // 2]
    broken = Threads(Written(tmp_path / "asked", refused=(text,)), 2)
    sound = Threads(Written(tmp_path / "asked"), 2)
    with Journal(tmp_path / "journal.db") as journal:
        with pytest.raises(ModelError, match=f"not '{text}'"):
            explained(broken, journal)
        paid = journal.paid
        assert total // 3 < paid < total
        explained(sound, journal)
        assert (journal.paid, journal.recalled) == (total, paid)


def explained(score, journal=None):
    """An explanation of the sentence, repeats for noise left out."""
    game = whence.text_game(score, TEXT, output="positive")
    assert isinstance(game.value, Streams)
    remembered = game if journal is None else journal.remember(game)
    return whence.explain(remembered, budget=120, rng=3, repeats=0)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Threads(len, workers=0), "workers=0"),
        (lambda: Threads(len, workers=2.5), r"workers=2\.5"),
        (lambda: Threads(len, batch=0), "batch=0"),
        (lambda: Threads("len"), "score came as str"),
        (lambda: Futures(len, ThreadPoolExecutor(1), in_flight=-1), "in_flight=-1"),
    ],
)
def test_unusable_arguments_are_named(make, named):
    """A number below one, or a score that cannot be called, is refused before anything is asked."""
    with pytest.raises(InputError, match=named):
        make()

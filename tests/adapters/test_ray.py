"""Copies of a scorer on a real Ray cluster on this machine; workers are killed while they score."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import whence
import working
from recorder import same
from tools.tree import ROOT
from whence.adapters import _ray_crew
from whence.adapters.ray import replicas
from whence.adapters.workers import spread
from whence.errors import InputError, ModelError
from whence.game import Streams
from whence.journal import Journal
from whence.scoring import WINDOW, Executor, Scorer
from working import BATCH, ITEMS, Written

ray = pytest.importorskip("ray")

TEXT = "The film is not dull and the acting never fails to impress"
WORKERS, FLIGHT = 2, 2


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """A cluster of this machine, whose workers can import what the tests import."""
    with pytest.MonkeyPatch.context() as changed:
        changed.delenv("RAY_ADDRESS", raising=False)
        changed.setenv("RAY_USAGE_STATS_ENABLED", "0")
        changed.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]))
        ray.init(
            "local",
            num_cpus=3,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            object_store_memory=100 * 2**20,
        )
    yield
    ray.shutdown()


@pytest.fixture
def log(tmp_path):
    """Where the workers write what they were asked."""
    return tmp_path / "asked"


def crew(log, **how):
    """Two workers that score by a word list."""
    return replicas(partial(Written, log, **how), WORKERS, in_flight=FLIGHT)


def kill(process):
    """End a worker as the kernel does when memory runs out."""
    os.kill(process, signal.SIGKILL)


def both_ready(copies):
    """Wait until every worker is ready; it is let in while parts arrive."""
    until = time.monotonic() + 20
    while len(copies.workers) < WORKERS and time.monotonic() < until:
        copies(["warm", "up"])
    assert len(copies.workers) == WORKERS


def test_each_position_once(log):
    """Every position comes once, with the value that the model gives in this process."""
    with crew(log) as copies:
        assert isinstance(copies, Scorer)
        assert isinstance(copies, Executor)
        working.check_each_once(copies, log)


def test_error_after_the_parts(log):
    """What was scored before the model raised is given first, then its own error; it is not
    asked again.
    """
    with crew(log, refused=(ITEMS[17],), pause=0.01) as copies:
        working.check_error_last(copies, log)
        assert working.asked(log)[ITEMS[17]] == 1
        assert copies.lost == 0


def test_early_close(log):
    """Closing the iterator asks no more than is with the workers, who can be asked again."""
    with crew(log, pause=0.05) as copies:
        working.check_early_close(copies, log, most=WORKERS * FLIGHT)
        assert len(copies(ITEMS)) == len(ITEMS)


def test_back_pressure(log):
    """However slowly parts are taken, no more than `in_flight` batches are with each worker."""
    with crew(log) as copies:
        working.check_back_pressure(copies, log, most=WORKERS * FLIGHT)


def test_facts_are_the_local_ones(log):
    """Copies say what the scorer says, identity included; counts and spans are asked of a copy."""
    local = Written(log).facts
    with crew(log) as copies:
        assert replace(copies.facts, lanes=1, lane=1) == replace(local, batch=WINDOW)
        np.testing.assert_array_equal(copies.facts.count_tokens(ITEMS), local.count_tokens(ITEMS))
        assert copies.facts.token_spans(TEXT) == local.token_spans(TEXT)


def test_a_killed_worker_is_replaced(log):
    """A worker is killed while it scores: its batches are asked of another, none that has come
    is asked again, and the values are those of a run in this process.
    """
    with crew(log, pause=0.02) as copies:
        both_ready(copies)
        log.unlink()
        came, values = [], {}
        for number, (rows, scores) in enumerate(copies.stream(ITEMS)):
            came += rows.tolist()
            values.update(zip(rows.tolist(), scores, strict=True))
            if number == 2:
                given, victim = set(came), copies.workers[0][1]
                kill(victim)
        assert copies.lost == 1
        assert victim not in [process for _, process in copies.workers]
    assert sorted(came) == list(range(len(ITEMS)))
    times = working.asked(log)
    assert max(times[ITEMS[i]] for i in given) == 1
    assert times.total() - len(ITEMS) <= FLIGHT * BATCH
    expected = Written(log.with_suffix(".alone"))(ITEMS)
    np.testing.assert_array_equal([values[i] for i in range(len(ITEMS))], expected)


def test_explanation_survives_a_killed_worker(log, tmp_path):
    """`explain` with a worker killed in the middle gives exactly the explanation of a run in this
    process, and the journal counts each mask once.
    """
    alone = explained(game_of(Written(tmp_path / "alone")))
    with crew(log, pause=0.005) as copies, Journal(tmp_path / "journal.db") as journal:
        both_ready(copies)
        game = journal.remember(game_of(copies))
        spread_out = explained(game, kill_at=40, whom=copies)
        assert copies.lost == 1
        assert journal.paid == spread_out.cost.calls == alone.cost.calls
        assert journal.recalled == 0
        # The journal serves a run in this process too: nothing is paid for again.
        same(explained(journal.remember(game_of(Written(tmp_path / "alone")))), alone)
        assert journal.paid == alone.cost.calls
    same(spread_out, alone)


def game_of(score):
    """The sentence, valued by any scorer, part by part."""
    game = whence.text_game(score, TEXT, output="positive")
    assert isinstance(game.value, Streams)
    assert game.identity is not None
    return game


def explained(game, kill_at=None, whom=None):
    """An explanation; one worker is killed once so many masks are valued."""
    left = [kill_at]

    def progress(done, total):
        if left[0] is not None and done >= left[0]:
            left[0] = None
            kill(whom.workers[0][1])

    return whence.explain(game, budget=120, rng=3, repeats=0, progress=progress)


def test_a_deadly_batch_is_given_up(log):
    """A batch that kills every worker is named after its retries; the others come first."""
    copies = replicas(partial(Written, log, deadly=(ITEMS[4],)), 1, retries=1, in_flight=1)
    came = []
    with copies, pytest.raises(ModelError, match=r"3 items was lost 2 times .* batch="):
        working.gather(copies.stream(ITEMS[:9]), came)
    assert came in ([0, 1, 2], [0, 1, 2, 6, 7, 8])
    assert working.asked(log)[ITEMS[4]] == 2


def test_an_error_that_cannot_be_sent_keeps_its_words(log):
    """An exception that this process cannot make again is told by its message."""
    with (
        crew(log, refused=(ITEMS[17],), custom=True) as copies,
        pytest.raises(ModelError, match="Unmakeable: code 1 for item 17"),
    ):
        copies(ITEMS)


def test_a_factory_that_fails_is_not_retried(log, tmp_path):
    """What the factory raises is raised, with its own type and message."""
    with pytest.raises(FileNotFoundError, match=f"no model in {tmp_path}"):
        replicas(partial(working.closed_door, tmp_path), WORKERS)


def test_workers_that_die_while_opening_are_given_up(tmp_path):
    """A model that kills its worker on opening is named after the retries."""
    with pytest.raises(ModelError, match="2 workers in a row died while they opened"):
        replicas(partial(working.dying, tmp_path), 1, retries=1)


def test_another_model_on_a_node_is_refused(log):
    """Workers that open models of different identity are not mixed."""
    with (
        replicas(partial(working.another, log), WORKERS, batch=1) as copies,
        pytest.raises(InputError, match=r"opened another model \(process \d+\)"),
    ):
        copies(ITEMS)


def test_no_room_is_refused(log, monkeypatch):
    """A worker that no node has room for is refused, with what is there."""
    monkeypatch.setattr(_ray_crew, "PATIENCE", 0.5)
    with pytest.raises(InputError, match=r"each holds cpus=1, gpus=64, .* gpus=0"):
        replicas(partial(Written, log), 1, gpus=64)


def test_more_workers_than_fit_wait_for_room(log):
    """Of more workers than the cluster holds, those that fit do the work."""
    with replicas(partial(Written, log), 5, cpus=2) as copies:
        assert len(copies(ITEMS)) == len(ITEMS)
        assert len(copies.workers) == 1


def test_closing_leaves_the_cluster(log):
    """Closing stops the workers, and leaves a cluster that it did not start."""
    copies = crew(log)
    processes = [process for _, process in copies.workers]
    copies.close()
    copies.close()
    assert ray.is_initialized()
    assert all(gone(process) for process in processes)
    with pytest.raises(InputError, match="the workers are stopped"):
        copies(ITEMS)


def gone(process):
    """Whether a process ends within ten seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_two_clusters_are_refused(log):
    """An address is refused where this process is on a cluster already."""
    with pytest.raises(InputError, match="on a cluster already"):
        replicas(partial(Written, log), address="127.0.0.1:1")


def test_a_factory_that_cannot_be_sent_is_refused(log):
    """A factory that holds a lock cannot be sent to a worker, and is named."""
    import threading

    lock = threading.Lock()
    with pytest.raises(InputError, match="the factory cannot be sent"):
        replicas(lambda: lock)


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ({"count": 0}, "count=0"),
        ({"batch": -1}, "batch=-1"),
        ({"in_flight": 0}, "in_flight=0"),
        ({"retries": -1}, "retries=-1"),
        ({"cpus": 0}, "cpus=0, gpus=0"),
        ({"gpus": float("nan")}, "gpus=nan"),
    ],
)
def test_unusable_arguments_are_named(log, how, named):
    """Numbers that mean nothing are refused before a worker is hired."""
    with pytest.raises(InputError, match=named):
        replicas(partial(Written, log), **how)


def test_spread_by_name(log):
    """`--workers` as it is written: threads and copies give the values of this process."""
    expected = Written(log.with_suffix(".alone"))(ITEMS)
    for spec in ("threads:3", "ray:2", "ray:1,cpus=0.5,batch=5"):
        many = spread(spec, partial(Written, log))
        np.testing.assert_array_equal(many(ITEMS), expected)
        if spec.startswith("ray"):
            many.close()
    assert set(working.asked(log).values()) == {3}


BAD = (
    *("", "4", "dask:4", "ray", "ray:", "ray:0", "ray:-2", "ray:two", "ray:4,x=1", "ray:4,gpus"),
    *("ray:4,gpus=one", "ray:4,batch=0", "threads:8,cpus=2", "threads:8,", "threads:1.5"),
)


@pytest.mark.parametrize("spec", BAD)
def test_bad_workers_are_refused_by_name(spec, log):
    """Another spec is refused by name, before a model is opened."""
    with pytest.raises(InputError, match=f"^workers='{spec}' came"):
        spread(spec, partial(working.closed_door, log))


ALONE = """
import os
from functools import partial
from pathlib import Path

import ray
from working import ITEMS, Written
from whence.adapters.ray import replicas

with replicas(partial(Written, Path("asked")), 3) as copies:
    assert len(copies(ITEMS)) == len(ITEMS)
    assert ray.cluster_resources()["CPU"] >= 3
assert not ray.is_initialized()
assert "RAY_USAGE_STATS_ENABLED" not in os.environ
print("ended")
"""


NOBODY = """
import os
from whence.adapters.ray import replicas
from whence.errors import InputError

os.environ["RAY_ADDRESS"] = "127.0.0.1:1"
try:
    replicas(list)
except InputError as error:
    print(error)
"""


def test_a_cluster_that_is_not_there_is_refused():
    """Where nobody listens at RAY_ADDRESS it is named at once, where Ray would try for minutes."""
    words = by_itself(NOBODY, ROOT)
    assert words.startswith("no Ray cluster could be joined at '127.0.0.1:1': [Errno ")


def by_itself(script, folder):
    """What a script prints in a fresh process in which warnings are errors, and nothing else."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | {"PYTHONPATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.slow
def test_a_cluster_of_its_own(tmp_path):
    """Without a cluster one is started, big enough, and stopped; warnings are errors, and nothing
    is printed.
    """
    assert by_itself(ALONE, tmp_path) == "ended\n"

"""Facts about a journal whose processes are killed, crowded, starved of disk, or locked out."""

import importlib.util
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import whence
from whence.errors import JournalError
from whence.journal import Journal

WORKER = Path(__file__).with_name("journal_worker.py")
pytest.importorskip("resource", reason="needs POSIX resource limits")

_spec = importlib.util.spec_from_file_location("journal_worker", WORKER)
worker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(worker)

NOBODY = 65534  # the user without rights; root is not held back by permissions
KILLS = 3


def start(journal, **options):
    """A worker process, running the script with its options."""
    command = [sys.executable, str(WORKER), str(journal)]
    command += [f"--{name}={value}" for name, value in options.items() if value is not None]
    source = str(Path(whence.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": source, "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process):
    """Wait for a worker; its exit status and what it printed."""
    with process:
        printed = process.stdout.read()
    return process.returncode, printed


def lines(side):
    """Every mask asked so far, one line each; a line cut by a kill cannot occur (one write)."""
    return side.read_text().splitlines() if side.exists() else []


def stored(path, rows):
    """Which masks are in the journal, as lines."""
    with Journal(path) as journal:
        there = journal.known(worker.game(), rows)
    return {"".join("01"[int(unit)] for unit in row) for row in rows[there]}


def assert_sound(path):
    """SQLite finds nothing wrong with the file."""
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


# `paced`: the model takes time, so most kills fall while it is asked. `hurried`: it takes none, so
# they fall while a batch is written.
@pytest.mark.parametrize(
    ("batch", "delay_s", "count", "until_s", "seed"),
    [(4, 0.02, 60, 0.1, 1), (4, 0.02, 60, 0.1, 2), (1, 0.0, 150, 0.15, 3), (1, 0.0, 150, 0.15, 4)],
    ids=["paced-1", "paced-2", "hurried-3", "hurried-4"],
)
def test_killed_runs_resume(tmp_path, batch, delay_s, count, until_s, seed):
    """Killed at any moment and run again, it asks only for what is missing and ends the same."""
    path, side, out = tmp_path / "journal.db", tmp_path / "asked", tmp_path / "answers.npy"
    rows = worker.masks(count, 0)
    rng = np.random.default_rng(seed)
    told = {"side": side, "count": count, "batch": batch, "delay": delay_s, "out": out}
    for _ in range(KILLS):
        before, already = stored(path, rows), len(lines(side))
        process = start(path, **told)
        time.sleep(rng.uniform(0.0, until_s))
        process.kill()
        finish(process)
        asked = lines(side)[already:]
        assert before.isdisjoint(asked)
        # Of what this run asked, at most the batch in flight is not in the file.
        assert len(set(asked) - stored(path, rows)) <= batch
    before, already = stored(path, rows), len(lines(side))
    assert finish(start(path, **told))[0] == 0
    assert set(lines(side)[already:]) == stored(path, rows) - before
    assert len(lines(side)) <= count + KILLS * batch
    assert np.array_equal(np.load(out), worker.truth(rows))
    assert_sound(path)


def test_two_processes_share_a_journal(tmp_path):
    """Two processes at once both see the value stored first, and the file is sound."""
    path, go = tmp_path / "journal.db", tmp_path / "go"
    told = [
        {
            "side": tmp_path / f"asked{i}",
            "out": tmp_path / f"answers{i}.npy",
            "go": go,
            "count": 300,
            "batch": 5,
            "delay": 0.001,
            "offset": 1000.0 * i,
            "seed": i,
        }
        for i in range(2)
    ]
    processes = [start(path, **options) for options in told]
    go.touch()
    assert [finish(process)[0] for process in processes] == [0, 0]
    asked = [lines(options["side"]) for options in told]
    answers = [np.load(options["out"]) for options in told]
    everything = stored(path, worker.masks(300, 0))
    assert all(max(Counter(each).values()) == 1 for each in asked)
    assert set(asked[0]) | set(asked[1]) == everything
    assert len(everything) == 300
    # Row for row the two agree, though each model's answers differ by 1000.
    order = [np.lexsort(worker.masks(300, i).T) for i in range(2)]
    assert np.array_equal(answers[0][order[0]], answers[1][order[1]])
    offset = answers[0] - worker.truth(worker.masks(300, 0))
    assert set(np.round(offset).ravel()) == {0.0, 1000.0}
    assert_sound(path)


def test_many_processes_open_a_new_journal(tmp_path):
    """Processes that open the same new path at once all find a journal there."""
    path, go = tmp_path / "journal.db", tmp_path / "go"
    processes = [start(path, go=go, count=20, seed=i) for i in range(4)]
    go.touch()
    assert [finish(process) for process in processes] == [(0, "")] * 4
    assert_sound(path)


def test_full_disk_in_another_process(tmp_path):
    """When a file may not grow, the error hands over what was paid, and nothing written is lost."""
    path = tmp_path / "journal.db"
    status, printed = finish(start(path, count=2000, batch=50, limit=60_000))
    assert status == 3
    assert "JournalError" in printed
    assert "Every value written before is still in the file." in printed
    assert "samples 50" in printed
    rows = worker.masks(2000, 0)
    with Journal(path) as journal:
        kept = journal.known(worker.game(), rows)
        assert kept.any()
        assert not kept.all()
        assert np.array_equal(journal.remember(worker.game()).value(rows), worker.truth(rows))
        assert journal.recalled == kept.sum()
    assert_sound(path)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 200 kB, where this user may make one."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("small tmpfs: only root may mount one")
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)], capture_output=True
    )
    if made.returncode != 0:
        pytest.skip("small tmpfs: mounting is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk(small_disk):
    """On a disk that is really full, the error says so, and what fits can be read again."""
    rows = worker.masks(4000, 0)
    with Journal(small_disk / "journal.db") as journal:
        with pytest.raises(JournalError, match="the disk is full") as caught:
            journal.remember(worker.game(batch=50)).value(rows)
        paid, kept = journal.paid, journal.known(worker.game(), rows).sum()
        assert len(caught.value.samples) == 50
        assert kept == paid - 50 > 0
    assert_sound(small_disk / "journal.db")


@pytest.mark.parametrize("what", ["file", "folder", "folder and file", "hidden folder"])
def test_no_permission(what):
    """A file or folder that this user may not write is refused before a model is asked."""
    as_user = NOBODY if os.geteuid() == 0 else None
    # Not tmp_path: it lies in a folder that other users may not enter.
    with tempfile.TemporaryDirectory() as folder:
        path, side = Path(folder, "journal.db"), Path(folder, "asked")
        os.chmod(folder, 0o777)
        if what.endswith("file"):
            assert finish(start(path, count=4))[0] == 0
            path.chmod(0o444)
        if what.startswith("folder"):
            os.chmod(folder, 0o555)
        if what.startswith("hidden"):
            os.chmod(folder, 0o000)
        try:
            status, printed = finish(start(path, side=side, user=as_user))
        finally:
            os.chmod(folder, 0o777)
        assert status == 3, printed
        assert "JournalError" in printed
        assert "Journal(path)" in printed
        assert not side.exists()


def test_forked_child_is_refused(tmp_path):
    """A connection carried into a forked child is refused there, and works on in the parent."""
    script = (
        "import os, sys\n"
        "from whence.journal import Journal\n"
        "from whence.errors import JournalError\n"
        "journal = Journal(sys.argv[1])\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    try:\n"
        "        journal.games()\n"
        "    except JournalError as error:\n"
        "        os._exit(7 if 'fork' in str(error) else 1)\n"
        "    os._exit(1)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
        "assert journal.games() == []\n"
        "journal.close()\n"
    )
    source = str(Path(whence.__file__).parents[1])
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "journal.db")],
        env=os.environ | {"PYTHONPATH": source},
        check=True,
    )

"""Facts about `whence` as a process: its speed, its streams, Ctrl-C and closed pipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from whence import Journal, __version__

SENTENCE = "Her acting never fails to impress"
LONG = " ".join(["the film is not good but never dull"] * 25)
HEAVY = {
    "lightgbm",
    "matplotlib",
    "onnxruntime",
    "pandas",
    "rich",
    "scipy",
    "sklearn",
    "tokenizers",
    "torch",
}

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and terminals")


def start(*arguments, **options):
    """A running `whence`, to be waited for."""
    return subprocess.Popen([sys.executable, "-m", "whence", *arguments], **options)


@pytest.mark.parametrize("arguments", [["--help"], ["explain", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments):
    """Help and version load no scipy, scikit-learn, rich nor model framework."""
    code = (
        "import sys\nfrom whence.cli import main\n"
        f"try: main({arguments!r})\nfinally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in done.stderr.split()} & HEAVY == set()


def test_version(run):
    """`whence --version` prints the version, and nothing else."""
    assert run("--version").stdout == f"whence {__version__}\n"


def test_help_fits_80_columns(run):
    """Help has no line wider than 80 columns, and seven examples."""
    told = run("explain", "--help").stdout
    assert max(map(len, told.splitlines())) <= 80
    assert told.partition("Examples:")[2].count("whence explain") == 7


def test_unknown_command(run):
    """A command that does not exist ends with 2."""
    done = run("explian", SENTENCE)
    assert (done.returncode, done.stdout) == (2, "")
    assert "explian" in done.stderr


@pytest.mark.usefixtures("model")
def test_a_pipe_gets_no_ansi_codes_and_no_bar(run):
    """In a pipe stdout is plain text and stderr is empty."""
    done = run("explain", LONG, "--budget", "64", "--explainer", "lime")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


@pytest.mark.usefixtures("model")
def test_the_same_command_prints_the_same(run):
    """Two runs of one command differ in nothing but the seconds they took."""
    first, second = (
        json.loads(run("explain", SENTENCE, "--format", "json").stdout) for _ in range(2)
    )
    for found in (first, second):
        found["cost"].pop("seconds")
    assert first == second


@pytest.mark.slow
@posix
@pytest.mark.usefixtures("model")
def test_a_terminal_gets_a_bar_that_goes_away(tmp_path):
    """On a terminal a run of seconds shows how far it is on stderr; stdout stays free of it."""
    import pty

    ours, theirs = pty.openpty()
    process = start(
        "explain",
        LONG,
        "--budget",
        "300",
        "--explainer",
        "lime",
        "--out",
        "e.json",
        stdout=subprocess.PIPE,
        stderr=theirs,
        cwd=tmp_path,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    with open(ours, "rb", buffering=0) as terminal:
        told = b"".join(read_all(terminal))
    out, _ = process.communicate()
    assert (process.returncode, out) == (0, b"")
    assert b"/300" in told
    assert json.loads((tmp_path / "e.json").read_text())


def read_all(terminal):
    """What a terminal is sent until its other end closes (on Linux that is an OSError)."""
    with suppress(OSError):
        while chunk := terminal.read(4096):
            yield chunk


def interrupted(arguments, journal):
    """Start, wait until a hundred answers are journalled, press Ctrl-C."""
    process = start(
        *arguments,
        "--journal",
        str(journal),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and answers(journal) < 100:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def answers(path):
    """Answers that a journal holds; 0 while there is none."""
    if not path.exists():
        return 0
    with Journal(path) as journal:
        return sum(game.values for game in journal.games())


@pytest.mark.slow
@posix
@pytest.mark.usefixtures("model")
def test_ctrl_c_shows_what_can_be_said(tmp_path):
    """Ctrl-C ends with 130, without a traceback, and prints the answers' explanation so far."""
    journal = tmp_path / "j.db"
    code, out, err = interrupted(
        ["explain", LONG, "--budget", "5000", "--explainer", "lime", "--format", "json"], journal
    )
    assert code == 130
    assert "stopped early" in err
    assert str(journal) in err
    assert "Traceback" not in err
    found = json.loads(out)
    assert 100 <= found["cost"]["calls"] < 5000
    assert found["provenance"]["interrupted"] is True


@pytest.mark.slow
@posix
@pytest.mark.usefixtures("model")
def test_after_ctrl_c_the_same_command_goes_on(tmp_path, run):
    """What was paid for before Ctrl-C is known to the next run, and to its dry run."""
    journal = tmp_path / "j.db"
    command = ["explain", LONG, "--budget", "5000", "--explainer", "lime"]
    interrupted(command, journal)
    kept = answers(journal)
    dry = run(*command, "--journal", str(journal), "--dry-run", "--format", "json")
    assert json.loads(dry.stdout)["known"] == kept


@posix
@pytest.mark.usefixtures("model")
def test_a_closed_pipe_is_no_traceback():
    """`whence ... | head -0` says nothing."""
    with start(
        "explain", SENTENCE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 141

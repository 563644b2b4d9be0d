"""Holds the ways tests run the command line: in this process, or as a real one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
import typer.testing
from click.testing import Result

from whence.cli import app

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Call = Callable[..., Result]

SENTENCE = "Her acting never fails to impress"


@pytest.fixture(scope="session")
def model() -> None:
    """Skips, by name, what needs the embedded model where it cannot run."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tokenizers")
    if not Path(str(files("whence.models") / "sentiment.onnx")).exists():
        pytest.skip("whence/models/sentiment.onnx is not there")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `whence` with these arguments as a process of its own, in an empty folder."""

    def started(*arguments: str, stdin: str | bytes = "", **env: str) -> object:
        done = subprocess.run(
            [sys.executable, "-m", "whence", *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", **env},
            check=False,
            timeout=120,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    return started


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run `whence` with these arguments in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    runner = typer.testing.CliRunner()

    def called(*arguments: str, stdin: str | bytes = "") -> Result:
        return runner.invoke(app, list(arguments), input=stdin, prog_name="whence")

    return called

"""Holds the ways tests run the command line: in this process, or as a real one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import typer.testing

import whence
from whence.cli import app

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Call = Callable[..., Any]


@pytest.fixture(scope="session")
def model() -> None:
    """Skips, by name, what needs the embedded model where it cannot run."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tokenizers")
    if not Path(str(files("whence.models") / "sentiment.onnx")).exists():
        pytest.skip("whence/models/sentiment.onnx is not there")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that a test starts, in whatever folder, run the whence that is tested here."""
    source = str(Path(whence.__file__).resolve().parents[1])
    paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


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

    def called(*arguments: str, stdin: str | bytes = "") -> object:
        return runner.invoke(app, list(arguments), input=stdin, prog_name="whence")

    return called

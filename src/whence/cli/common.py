"""Holds what the commands share: exit codes, messages, and the parts of a message that name knobs.

It does not know what any command does.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import typer

from whence.errors import GameError, InputError, JournalError, MissingExtra, WhenceError

#: Exit codes beside 0.
FAILED = 1  # whence or the model: nothing the user typed
MISTAKE = 2  # what the user gave cannot be used
STOPPED = 130  # Ctrl-C
PIPE_CLOSED = 141  # the reader of a pipe went away


def _help(context: typer.Context, asked: bool) -> None:
    if asked:
        typer.echo(context.get_help())
        raise typer.Exit


#: The `--help` of a group. typer's own makes it import pydantic on the way to any command's help,
#: which costs as much as the rest of the answer.
Help = Annotated[
    bool,
    typer.Option("--help", "-h", is_eager=True, callback=_help, help="Show this message and exit."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress bar and no notes on stderr.")
]


def say(message: str) -> None:
    """One message for the person, on stderr; on a terminal its lines break between words."""
    if sys.stderr.isatty():
        width = max(40, min(100, shutil.get_terminal_size().columns))
        message = "\n".join(
            textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
            for line in message.split("\n")
        )
    print(message, file=sys.stderr, flush=True)


def plain(text: str) -> None:
    """A result, on stdout; characters that the terminal cannot show become question marks."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), flush=True)


@contextmanager
def reported(debug: bool = False) -> Generator[None]:
    """Errors of the block become one message on stderr and an exit code, never a traceback."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except BrokenPipeError:
        # Python would complain once more when it closes stdout; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(PIPE_CLOSED) from None
    except KeyboardInterrupt:
        say("\nstopped before there was anything to show.")
        raise typer.Exit(STOPPED) from None
    except Exception as error:
        if debug:
            traceback.print_exc()
        say(_message(error))
        raise typer.Exit(_code(error)) from None


def _user_mistake(error: BaseException | None) -> bool:
    return isinstance(error, InputError | JournalError | MissingExtra)


def _code(error: Exception) -> int:
    return MISTAKE if _user_mistake(_told(error)) else FAILED


def _told(error: Exception) -> BaseException:
    """The error to tell: a mistake in what was given, when the model raised because of it."""
    cause = error.__cause__
    return cause if isinstance(error, GameError) and _user_mistake(cause) and cause else error


def _message(error: Exception) -> str:
    told = _told(error)
    if isinstance(told, GameError):
        said = spelled(str(told))
        return f"whence: {said if said.startswith('the model ') else f'the model failed. {said}'}"
    if isinstance(told, WhenceError):
        return f"whence: {spelled(str(told))}"
    name = type(told).__name__
    return (
        f"whence: this is a bug in whence: {name}: {told}\n"
        "Nothing you typed should cause it; run it again with --debug for the traceback."
    )


_OPTIONS = {
    "units": "units",
    "parts": "part",
    "part": "part",
    "pin": "pin",
    "absent": "absent",
    "output": "output",
    "link": "link",
    "budget": "budget",
    "held_out": "held-out",
    "target_r2": "target-r2",
    "separate": "separate",
    "explainer": "explainer",
    "index": "index",
    "order": "order",
    "file": "file",
    "target": "target",
    "contrast": "contrast",
    "question": "question",
    "chat": "chat",
    "system": "system",
    "model": "model",
    "task": "task",
    "labels": "labels",
    "scores": "scores",
    "method": "method",
    "trusted": "trust",
    "fine": "refine",
    "coarse": "units",
    "tokenizer": "tokenizer",
    "device": "device",
    "dtype": "dtype",
    "base_url": "base-url",
    "key_variable": "key-variable",
    "concurrency": "concurrency",
    "timeout": "timeout",
    "tier": "tier",
    "workers": "workers",
    "price": "price",
    "row": "row",
    "table": "table",
    "background": "background",
    "size": "size",
    "rng": "seed",
    "k": "k",
    "r": "radius",
    "kernel": "kernel",
    "softness": "soft",
    "linear": "linear",
    "smoothing": "smoothing",
    "bootstrap": "bootstrap",
    "permutations": "null",
    "groups": "group",
    "window": "window",
    "encoder": "encoder",
}


def spelled(message: str) -> str:
    """A message of the library, its arguments written as this command line's options."""
    names = "|".join(_OPTIONS)
    message = message.replace(", or raise Journal(path, wait_s=)", "")
    message = re.sub(r" Try game\.value on .* alone\.", "", message)
    message = re.sub(r"Journal\(path\)", "--journal PATH", message)
    message = re.sub(r"Journal\(('[^']*'|\"[^\"]*\")\)", r"--journal \1", message)
    message = re.sub(rf"\b({names})=True\b", lambda m: f"--{_OPTIONS[m[1]]}", message)
    message = re.sub(
        rf"\b({names})=(?=['\"(\d-]|nan|inf)", lambda m: f"--{_OPTIONS[m[1]]} ", message
    )
    message = re.sub(rf"\b({names})=", lambda m: f"--{_OPTIONS[m[1]]}", message)
    return re.sub(r"\bheld_out\b", "--held-out", message)

"""Holds the reading of the text to explain: from the command line, a file or a pipe.

It does not know how a text is cut into units. Every refusal names what came and what to give.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from whence.errors import InputError

_REFUSED: dict[type[OSError], str] = {
    FileNotFoundError: "there is no such file",
    IsADirectoryError: "it is a folder",
    PermissionError: "you may not read it",
}


def read_text(given: Sequence[str], file: Path | None) -> str:
    """The text: the one argument, a file's content, or standard input for `-`.

    A line break at the very end of a file or a pipe is left out, so that a text has one identity
    however it came.

    Raises:
        InputError: no text, more than one, or bytes that are not UTF-8 text.
    """
    if file is not None:
        if given:
            raise InputError(f"TEXT and --file {file} came together; give one of them.")
        return _decoded(_bytes_of(file), f"the file {file}")
    if not given:
        raise InputError(
            'no text came. Give it in quotes (whence explain "..."), as --file PATH, or as - '
            "to read standard input."
        )
    if len(given) > 1:
        raise InputError(
            f"{len(given)} texts came ({', '.join(map(repr, given[:3]))}"
            f"{', ...' if len(given) > 3 else ''}); one is explained at a time. Put it in quotes."
        )
    return _piped() if given[0] == "-" else given[0]


def _piped() -> str:
    if sys.stdin.isatty():
        print("reading the text from the keyboard; end it with Ctrl-D", file=sys.stderr)
    return _decoded(sys.stdin.buffer.read(), "standard input")


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        why = _REFUSED.get(type(error), error.strerror or "it cannot be read")
        raise InputError(f"--file {file} came: {why}. Give the path of a text file.") from error


def _decoded(content: bytes, what: str) -> str:
    if b"\0" in content[:4096]:
        wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        kind = "UTF-16 text" if wide else "binary"
        raise InputError(f"{what} is {kind}; UTF-8 text is needed. Convert it first.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{what} is not UTF-8 text (byte {error.start} is 0x{content[error.start]:02x}); "
            "convert it first, for example with: iconv -f latin1 -t utf-8"
        ) from error
    return text.removesuffix("\n").removesuffix("\r")

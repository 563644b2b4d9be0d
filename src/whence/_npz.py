"""Holds the form of every saved file: arrays and one JSON text in an npz, whole or not at all.

Nothing is ever pickled or unpickled. It does not know what the arrays mean.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError

#: What numpy, zipfile and zlib raise on files that are cut short, damaged or something else, and
#: what reading of their parts raises when they are not those that were expected.
UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    EOFError,
    RuntimeError,
    MemoryError,
    OverflowError,
    zipfile.BadZipFile,
    zlib.error,
    SyntaxError,
)


def write(path: Path, arrays: Mapping[str, NDArray[Any]], text: str) -> Path:
    """Write arrays and a JSON text; a missing suffix becomes `.npz`.

    Returns:
        The path written.

    Raises:
        InputError: the folder does not exist or cannot be written.
    """
    path = path if path.suffix == ".npz" else path.with_name(path.name + ".npz")
    meta = np.frombuffer(text.encode(), dtype=np.uint8)
    try:
        # Through a file beside it, so that a full disk does not cost an older version.
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, meta=meta, **arrays)
        part.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}). Give a path in a folder that "
            "exists and that you may write to."
        ) from error
    return path


def read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and the JSON text, as `write` had them.

    Raises:
        One of `UNREADABLE`: it is no such file.
    """
    # numpy leaves a file open that it cannot read, so it is opened here.
    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return arrays, json.loads(arrays.pop("meta").tobytes())

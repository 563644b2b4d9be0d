"""Holds the file form of a fitted quantizer: arrays and one JSON text in an npz, versioned.

It does not know what the arrays mean. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from whence import _npz
from whence.dictionaries.categories import Categories
from whence.dictionaries.factors import NMF, SemiNMF
from whence.dictionaries.kmeans import KMeans
from whence.dictionaries.quantizer import Quantizer
from whence.errors import InputError

FORMAT = "whence-quantizer"
VERSION = 1

Arrays = dict[str, NDArray[Any]]

_CLASSES = {"Categories": Categories, "KMeans": KMeans, "NMF": NMF, "SemiNMF": SemiNMF}


@runtime_checkable
class Kept(Protocol):
    """A quantizer that can be saved: its state as arrays, and as what JSON can hold."""

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Arrays by name, and plain JSON."""
        ...


def kept(quantizer: object) -> tuple[Arrays, dict[str, Any]]:
    """`quantizer.state()`, checked to be what `restored` can make the same quantizer from.

    Raises:
        InputError: not fitted, or of a class that is not one of `dictionaries`.
    """
    name = type(quantizer).__name__
    if _CLASSES.get(name) is not type(quantizer) or not isinstance(quantizer, Kept):
        raise InputError(
            f"A quantizer of class {name} came; {', '.join(_CLASSES)} can be saved. Save your own "
            "one yourself, and give it to the head when it is loaded."
        )
    return quantizer.state()


def restored(arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Quantizer:
    """The quantizer whose state these are.

    Raises:
        InputError: an unknown class, or arrays and numbers that do not fit together.
    """
    try:
        return _CLASSES[meta["class"]].from_state(arrays, meta)
    except _npz.UNREADABLE as error:
        raise InputError(
            f"What came is not the state of a quantizer ({type(error).__name__}: {error}); one of "
            f"{', '.join(_CLASSES)} is needed, as its `state()` gave it."
        ) from error


def save(quantizer: object, path: Path | str) -> Path:
    """Write a fitted quantizer; a missing suffix becomes `.npz`.

    Raises:
        InputError: see `kept`; or the folder does not exist or cannot be written.
    """
    arrays, meta = kept(quantizer)
    text = json.dumps({"format": FORMAT, "version": VERSION, **meta}, ensure_ascii=False)
    return _npz.write(Path(path), arrays, text)


def load(path: Path | str) -> Quantizer:
    """Read what `save` wrote.

    Raises:
        InputError: no such file, a damaged file, not such a file, or a newer version.
    """
    try:
        arrays, meta = _npz.read(Path(path))
        if meta.get("format") == FORMAT and meta.get("version", VERSION + 1) <= VERSION:
            return restored(arrays, meta)
    except _npz.UNREADABLE as error:
        raise InputError(
            f"{path} cannot be read as a quantizer ({type(error).__name__}). Give a file that "
            "dictionaries.saving.save wrote, whole."
        ) from error
    raise InputError(
        f"{path} has format {meta.get('format')!r}, version {meta.get('version')!r}; this "
        f"whence reads {FORMAT!r} up to version {VERSION}. Upgrade whence to read it."
    )

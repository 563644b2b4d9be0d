"""Holds what every ONNX model needs: opening the file, feeding it, and saying which file it is.

It does not know what the inputs mean (text, table).
"""

from __future__ import annotations

import hashlib
import mmap
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import InputError, MissingExtra

#: What a model declares of an input -> what it is fed. Text is fed as objects.
TYPES = {
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int16)": np.int16,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(string)": np.object_,
}
#: Where a model's file names another that holds its weights: a protobuf pair ("location", name).
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x01-\x7f]|[\x80-\xff][\x01-\x7f])")


def runtime() -> Any:
    """The onnxruntime package.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise missing(error) from error
    return onnxruntime


def missing(error: ImportError) -> MissingExtra:
    """What to say when a package is not installed."""
    return MissingExtra(
        f'{error.name} is not installed, and an ONNX model needs it: pip install "whence[onnx]"'
    )


def need_file(path: Path, what: str) -> None:
    """Nothing, if there is such a file.

    Raises:
        InputError: there is none.
    """
    if not path.is_file():
        raise InputError(f"{path} came as the {what}; there is no such file. Give its path.")


def open_session(path: Path, threads: int = 0) -> Any:
    """An `onnxruntime.InferenceSession` of a file, on the processor.

    Raises:
        MissingExtra: onnxruntime is not installed.
        InputError: no such file, or onnxruntime cannot read it.
    """
    ort = runtime()
    need_file(path, "model")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    # What goes wrong is raised; onnxruntime would also print it.
    options.log_severity_level = 4
    # Rounded weights are turned back to floats once, at loading. Left on, this pass would fuse
    # them into operators that round the activations as well.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a dozen kinds, with no base but Exception
        raise InputError(
            f"{path} came as the model; onnxruntime {ort.__version__} cannot open it: "
            f"{first_line(error)}. Export it again, or with an older opset; keep the files of its "
            "weights beside it."
        ) from error


def first_line(error: Exception) -> str:
    """What an error of onnxruntime says, without what it repeats."""
    said = str(error).strip().splitlines() or [type(error).__name__]
    return said[0].split(" : ")[-1][:300].rstrip(".")


def names_of(session: Any) -> list[str]:
    """The inputs' names."""
    return [one.name for one in session.get_inputs()]


def fixed(session: Any, axis: int) -> int | None:
    """The size of an axis that the model declares as a number for its inputs; None if free."""
    sizes = [one.shape[axis] for one in session.get_inputs() if len(one.shape) > axis]
    return max((size for size in sizes if isinstance(size, int) and size > 0), default=None)


def check_types(session: Any) -> None:
    """Nothing, if every input is of a type that can be fed.

    Raises:
        InputError: one is not.
    """
    for one in session.get_inputs():
        if one.type not in TYPES:
            raise InputError(
                f"The model's input {one.name!r} is declared as {one.type}; needed is one of "
                f"{', '.join(TYPES)}. Export the model with another type of input."
            )


def run(session: Any, given: Mapping[str, NDArray[Any]], outputs: list[str] | None) -> list[Any]:
    """Raw answers, one per output asked for (None: every one), as onnxruntime gives them.

    A model with a fixed batch is run as often as needed; rows that fill its last batch up are
    copies of the last one, and their answers are left out.

    Args:
        session: the model.
        given: input name -> array with `b >= 1` rows; what the model does not read is left out.
        outputs: the outputs' names.
    """
    feed = {one.name: given[one.name].astype(TYPES[one.type]) for one in session.get_inputs()}
    size = fixed(session, 0)
    rows = len(next(iter(feed.values())))
    if size is None or size == rows:
        return session.run(outputs, feed)
    parts: list[list[Any]] = []
    for start in range(0, rows, size):
        here = np.minimum(np.arange(start, start + size), rows - 1)
        answer = session.run(outputs, {name: array[here] for name, array in feed.items()})
        parts.append([one[: min(size, rows - start)] for one in answer])
    return [_joined(column) for column in zip(*parts, strict=True)]


def _joined(parts: tuple[Any, ...]) -> Any:
    """Arrays one after the other; lists (of maps) too."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return [one for part in parts for one in part]


def identity(model: Path, *others: Path) -> str:
    """The sha256 of the files' bytes, those of weights kept apart included, after "onnx:"."""
    digest = hashlib.sha256()
    for path in (model, *_weights(model), *others):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return f"onnx:{digest.hexdigest()}"


def _weights(model: Path) -> list[Path]:
    """The files beside a model that it names as the places of its weights, by name."""
    with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        named = {
            data[found.end() : found.end() + _varint(found[1])]
            for found in _LOCATION.finditer(data)
        }
    paths = [model.parent / name.decode("utf-8", errors="replace") for name in sorted(named)]
    return [path for path in paths if path.is_file()]


def _varint(octets: bytes) -> int:
    """A number as protobuf writes it: seven bits to an octet, the lowest first."""
    return sum((octet & 0x7F) << (7 * at) for at, octet in enumerate(octets))

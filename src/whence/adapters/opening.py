"""Holds open_model: a model named in words -> its Scorer, by the adapter that the name asks for.

It knows which adapter opens what, and no model framework: adapters are imported when they are
asked for. Others join by an entry point of the group `whence.adapters`: its name is the scheme,
its object a function (rest, options) -> Scorer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from whence.adapters.options import Options
from whence.errors import InputError, WhenceError
from whence.scoring import Facts, Scorer

#: The group of entry points that third-party adapters register in.
GROUP = "whence.adapters"
Open = Callable[[str, Options], Any]


@dataclass(frozen=True)
class Adapter:
    """A scheme that `open_model` knows.

    Attributes:
        scheme: what stands before the colon.
        opens: what it makes a scorer of, in a line.
        source: "whence", or the distribution that registers it.
        at: the function that opens, as "module:name".
    """

    scheme: str
    opens: str
    source: str
    at: str


#: The schemes that whence itself has. The embedded model lives in a higher room, which this one
#: may name and not import.
BUILT_IN = {
    scheme: Adapter(scheme, opens, "whence", f"{module}:opened")
    for scheme, module, opens in (
        ("embedded", "whence.models.sentiment", "the English sentiment classifier that ships"),
        ("onnx", "whence.adapters.onnx", "a text or tabular model in an .onnx file"),
        (
            "sklearn",
            "whence.adapters.sklearn",
            "an estimator or boosted trees: .skops, .txt (LightGBM), .json .ubj (XGBoost), .cbm",
        ),
        ("torch", "whence.adapters.torch", "in Python only: opening a .pt file would run its code"),
        ("transformers", "whence.adapters.transformers", "a Hugging Face model: a folder or name"),
        ("openai", "whence.adapters.openai", "a model behind an OpenAI-compatible server"),
        ("python", "whence.adapters.function", "your own function: module:name or file.py:name"),
    )
}
#: A file's suffix -> the scheme that opens it.
SUFFIXES = {
    ".onnx": "onnx",
    ".skops": "sklearn",
    ".cbm": "sklearn",
    ".ubj": "sklearn",
    ".json": "sklearn",
    ".txt": "sklearn",
    ".pt2": "torch",
    ".pt": "torch",
    ".pth": "torch",
    ".ts": "torch",
}
_PICKLED = (
    "a pickle, which runs code when it is opened and so never is. Save the model as .skops "
    "(skops.io.dump), .onnx, or in its library's own format; or open it in your own function "
    "and give --model python:file.py:name."
)
_WEIGHTS = "weights without the model they belong to. Give the folder that also holds config.json."
#: A file's suffix -> why it is not opened, and what to do.
REFUSED = {
    ".pkl": _PICKLED,
    ".pickle": _PICKLED,
    ".joblib": _PICKLED,
    ".safetensors": _WEIGHTS,
    ".bin": _WEIGHTS,
    ".gguf": (
        "read by servers: serve it (llama.cpp's server, Ollama, vLLM), and give "
        "--model openai:NAME --base-url URL."
    ),
}
#: At least two letters, so that no drive letter is a scheme; no slash, so that no path is.
_SCHEME = re.compile(r"([A-Za-z][\w.+-]+):(.*)", re.DOTALL)
#: What a model hub calls a model: "name" or "owner/name".
_HUB = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)


def open_model(spec: str, options: Options = Options()) -> Scorer:  # noqa: B008  frozen
    """The scorer of a model that is named in words, as `--model` takes them.

    Args:
        spec: "" or "embedded"; "scheme:rest", see `adapters`; a file, by its suffix; a folder; or
            a model's name on a hub.
        options: what else is said of the model; the adapter refuses what it does not read.

    Raises:
        InputError: an unknown scheme, a missing file, a file that cannot be opened safely, an
            adapter that fails to load or returns no scorer, or options it does not read.
        MissingExtra: what the adapter needs is not installed.
    """
    scheme, rest = _parted(spec)
    if "@" in rest and "//" in rest:
        raise InputError(
            f"{scheme}:... came as the model, with what may be a password before the @, which is "
            "not repeated here. A model behind a server is openai:NAME with --base-url URL; a key "
            "is read from the environment."
        )
    if scheme in BUILT_IN:
        return _checked(_imported(BUILT_IN[scheme])(rest, options), BUILT_IN[scheme])
    return _opened_by(_registered(scheme, rest), rest, options)


def load(spec: str | Path = "", **options: Any) -> Scorer:
    """The scorer of a model that is named in words: `open_model` with the options as keywords.

    Args:
        spec: as `open_model`; the embedded sentiment model when it is left out.
        options: fields of `whence.adapters.options.Options`: target=, chat=, device=, base_url=
            and others.

    Raises:
        InputError, MissingExtra: as `open_model`.
        TypeError: an option that does not exist.
    """
    if not isinstance(spec, str | Path):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(
            f"a {type(spec).__name__} came; load takes a model's name, folder or file. A model in "
            "memory: whence.adapters.transformers.load, or the scorer of whence.adapters.sklearn "
            "or whence.adapters.torch."
        )
    return open_model(str(spec), Options(**options))


def adapters() -> tuple[Adapter, ...]:
    """Every scheme there is: those of whence, then registered ones by name. Imports none of them.

    A registered one that has the name of another is listed too, and says so: whence's own is
    taken, and between two of others `open_model` refuses to choose.
    """
    return (*BUILT_IN.values(), *(_described(one) for one in _entries()))


# --- what a name asks for ----------------------------------------------------------------------


def _parted(spec: str) -> tuple[str, str]:
    """The scheme of a name, and what it is given."""
    if spec in ("", "embedded"):
        return "embedded", ""
    path = _existing(spec)
    if path is not None:
        return _folder(path) if path.is_dir() else _file(path)
    found = _SCHEME.fullmatch(spec)
    return (found[1], found[2]) if found else _absent(spec)


def _existing(spec: str) -> Path | None:
    """What lies where a name points, if anything does."""
    try:
        path = Path(spec).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError):  # a name too long for a file, or nobody's home
        return None


def _folder(path: Path) -> tuple[str, str]:
    """A folder is a Hugging Face one, unless a single .onnx file is all the weights it has."""
    graphs = sorted(path.glob("*.onnx"))
    if len(graphs) == 1 and not any(path.glob("*.safetensors")):
        return "onnx", str(graphs[0])
    return "transformers", str(path)


def _file(path: Path) -> tuple[str, str]:
    suffix = path.suffix.lower()
    if suffix in REFUSED:
        raise InputError(f"{path} came as the model; a {suffix} file is {REFUSED[suffix]}")
    if suffix not in SUFFIXES:
        raise InputError(
            f"{path} came as the model; its suffix {suffix!r} says nothing of what it is. Known "
            f"are {', '.join(SUFFIXES)}; or say which adapter opens it, as in onnx:{path.name}."
        )
    return SUFFIXES[suffix], str(path)


def _absent(spec: str) -> tuple[str, str]:
    """There is no such file or folder: the name of a model on a hub, or a mistake."""
    suffix = Path(spec).suffix.lower()
    if suffix in SUFFIXES or suffix in REFUSED or not _HUB.fullmatch(spec):
        raise InputError(
            f"{spec!r} came as the model; there is no such file or folder (from here, "
            f"{Path.cwd()}), and it is no scheme and no hub name. Correct the path, or give one "
            f"of: {_schemes()}."
        )
    return "transformers", spec


# --- who opens it ------------------------------------------------------------------------------


def _imported(adapter: Adapter) -> Open:
    module, name = adapter.at.split(":")
    return getattr(import_module(module), name)


def _entries() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda one: (one.name, one.value))


def _described(entry: EntryPoint) -> Adapter:
    note = ""
    if entry.name in BUILT_IN:
        note = f" (not taken: {entry.name}: is one of whence's own)"
    elif sum(one.name == entry.name for one in _entries()) > 1:
        note = " (not taken: registered more than once)"
    return Adapter(entry.name, f"registered as {entry.value}{note}", _source(entry), entry.value)


def _source(entry: EntryPoint) -> str:
    return "unknown" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


def _schemes() -> str:
    names = [*BUILT_IN, *(one.name for one in _entries() if one.name not in BUILT_IN)]
    return ", ".join(f"{name}:" for name in dict.fromkeys(names))


def _registered(scheme: str, rest: str) -> EntryPoint:
    """The one entry point of a scheme.

    Raises:
        InputError: there is none, or more than one.
    """
    found = [one for one in _entries() if one.name == scheme]
    if not found:
        raise InputError(
            f"{scheme}:{rest} came as the model, and {scheme}: is no scheme: no adapter of that "
            f"name is built in or registered as an entry point of {GROUP!r}. There are: "
            f"{_schemes()}. Install the package that brings it; a model behind a server is "
            f"{_served(scheme, rest)}."
        )
    if len(found) > 1:
        raise InputError(
            f"{scheme}: is registered {len(found)} times, by "
            f"{' and '.join(f'{_source(one)} ({one.value})' for one in found)}. Uninstall all but "
            "one of them."
        )
    return found[0]


def _served(scheme: str, rest: str) -> str:
    """How one writes what looks like a server's address, or its name for a model."""
    if scheme in ("http", "https"):
        return f"openai:NAME with --base-url {scheme}:{rest}"
    return f"openai:{scheme}:{rest} with --base-url URL"


def _opened_by(entry: EntryPoint, rest: str, options: Options) -> Scorer:
    """What a registered adapter makes.

    Raises:
        InputError: it cannot be loaded, fails, or makes no scorer.
    """
    who = f"the adapter {entry.name!r} of {_source(entry)} ({entry.value})"
    try:
        opening = entry.load()
    except Exception as error:  # the package is another's: anything may pass
        raise InputError(
            f"{who} cannot be loaded: {type(error).__name__}: {error}. Install what it needs, or "
            "another version of it."
        ) from error
    if not callable(opening):
        raise InputError(
            f"{who} is a {type(opening).__name__}; needed is a function (rest, options) -> Scorer."
        )
    try:
        made = opening(rest, options)
    except WhenceError:
        raise
    except Exception as error:  # as above
        raise InputError(
            f"{who} cannot open {rest!r}: {type(error).__name__}: {error}. Its own documentation "
            "says what it takes."
        ) from error
    return _checked(made, _described(entry))


def _checked(made: Any, adapter: Adapter) -> Scorer:
    """What an adapter made, if it can be called and says what it is.

    Raises:
        InputError: it is no scorer.
    """
    if not (isinstance(made, Scorer) and isinstance(made.facts, Facts)):  # pyright: ignore
        raise InputError(
            f"the adapter {adapter.scheme!r} of {adapter.source} ({adapter.at}) returned a "
            f"{type(made).__name__}; needed is a Scorer: a callable with facts (whence.scoring)."
        )
    return made

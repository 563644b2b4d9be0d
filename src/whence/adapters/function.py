"""Holds Function: your own Python function as a scorer, named from the command line.

It imports the module or the file that you name, because you name it, and nothing else: there is
no eval. It does not know what the function does.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from whence.adapters.options import Options
from whence.errors import InputError
from whence.scoring import Facts, Score, Scorer

#: What the numbers of a function may be, as `Options.scores` says it.
TASKS = ("logits", "probabilities", "values")
#: A function may be made for any of these; it alone knows.
READS = frozenset({"text", "image", "array", "row"})
_FORM = "needed is python:package.module:name or python:path/to/file.py:name"
_SOUGHT = (
    "Modules are looked for among installed packages, then in the working directory (for a file: "
    f"beside it); {_FORM}."
)


@dataclass(frozen=True)
class Function:
    """A plain function of a list of items, as a scorer.

    Its identity is not known: not even its source would be all of it, since it may read weights
    or ask a server. So a journal on disk refuses it; a function that must be remembered is an
    object with `facts` of its own (`whence.scoring.Scorer`).

    Attributes:
        call: items -> `(b,)` or `(b, *raw)` numbers.
        facts: what is said of it.
    """

    call: Score
    facts: Facts

    def __call__(self, items: Sequence[Any]) -> Any:
        """Whatever the function returns for a list of items, or a frame of rows."""
        return self.call(list(items) if isinstance(items, list | tuple) else items)


def as_scorer(
    call: Score, *, name: str = "a callable", labels: Sequence[str] = (), scores: str = ""
) -> Scorer:
    """A plain function as a scorer; what is one already stays as it is.

    Args:
        call: items -> `(b,)` or `(b, *raw)` numbers.
        name: for people.
        labels: the names of the columns.
        scores: "logits", "probabilities" or "values". "" is "logits" where labels are given, and
            else "values": numbers that are explained as they are.

    Raises:
        InputError: it cannot be called, `scores` is none of those, or something is said of a
            scorer, which says it itself.
    """
    if isinstance(call, type):
        raise InputError(
            f"{name} is a class; needed is what it makes. Put () after the name, as in "
            f"python:module:{call.__name__}()."
        )
    if not callable(call):
        raise InputError(
            f"{name} is a {type(call).__name__}; needed is a function from a list of inputs to one "
            "number, or one row of numbers, for each."
        )
    if scores not in ("", *TASKS):
        raise InputError(f"{scores!r} came for {name}; its numbers are {', '.join(TASKS)}.")
    if not isinstance(call, Scorer):
        kind = scores or ("logits" if labels else "values")
        return Function(call, Facts(name=name, scores=kind, labels=tuple(labels), reads=READS))
    if labels or scores:
        raise InputError(
            f"labels= or scores came for {name}, which has facts and says so itself. Leave them "
            "out, or change its facts."
        )
    return call


def opened(rest: str, options: Options) -> Scorer:
    """The scorer of `python:REST`, for the command line.

    Args:
        rest: "package.module:name" or "path/to/file.py:name". With "()" after the name it is
            called, with nothing, for the function or scorer that it makes.
        options: `labels`, the columns' names; `scores`, what the numbers are: "logits",
            "probabilities" or "values" (see `as_scorer`).

    Raises:
        InputError: no such module, file or name, an import that fails, or no function there.
    """
    options.only("a Python function", "labels", "scores")
    target, _, name = rest.rpartition(":")
    if not target or not name:
        raise InputError(f"python:{rest} came as the model; {_FORM}.")
    module = _from_file(Path(target)) if target.endswith(".py") else _from_name(target)
    made = _named(module, name.removesuffix("()"), rest)
    if name.endswith("()"):
        made = _called(made, rest)
    return as_scorer(made, name=f"python:{rest}", labels=options.labels, scores=options.scores)


def _from_name(target: str) -> ModuleType:
    if not all(part.isidentifier() for part in target.split(".")):
        raise InputError(f"{target!r} is no module's name and no .py file; {_FORM}.")
    with _on_path(Path.cwd()), _failing(f"the module {target} cannot be imported", _SOUGHT):
        return importlib.import_module(target)


def _from_file(path: Path) -> ModuleType:
    path = path.expanduser().resolve()
    if not path.is_file():
        raise InputError(f"{path} came for python:; there is no such file. Correct the path.")
    # A name of its own, so that it replaces no module that is loaded and is loaded once.
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    name = f"{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while it is being made
    try:
        with _on_path(path.parent), _failing(f"{path} cannot be imported", _SOUGHT):
            spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


@contextmanager
def _on_path(folder: Path) -> Generator[None]:
    """A folder as the last place where modules are looked for, and not one moment longer.

    The last: a file that happens to lie there never takes the place of an installed package.
    """
    sys.path.append(str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        places = [at for at, one in enumerate(sys.path) if one == str(folder)]
        if places:
            del sys.path[places[-1]]


@contextmanager
def _failing(what: str, hint: str) -> Generator[None]:
    """The user's own code, whose failure is told with what was asked of it."""
    try:
        yield
    except (Exception, SystemExit) as error:  # a script that ends itself is no module either
        raise InputError(f"{what}: {type(error).__name__}: {error}. {hint}") from error


def _named(module: ModuleType, name: str, rest: str) -> Any:
    held = vars(module)
    if name not in held:
        known = [key for key, one in held.items() if callable(one) and not key.startswith("_")]
        raise InputError(
            f"python:{rest} came as the model; {module.__file__ or module.__name__} has no "
            f"{name!r}. It has: {', '.join(known[:20]) or 'no function'}."
        )
    return held[name]


def _called(make: Any, rest: str) -> Any:
    if not callable(make):
        raise InputError(
            f"python:{rest} came as the model; what is called there is a {type(make).__name__}, "
            "which cannot be. Leave the () out."
        )
    with _failing(f"python:{rest} failed when it was called", "It is called with nothing."):
        return make()

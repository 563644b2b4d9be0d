"""Holds the file form of a fitted head: arrays and one JSON text in an npz, versioned.

It knows the fields of a head and nothing of what they mean. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from whence import _npz
from whence.dictionaries.categories import Categories
from whence.dictionaries.factors import NMF, SemiNMF
from whence.dictionaries.kmeans import KMeans
from whence.dictionaries.saving import kept, restored
from whence.errors import InputError
from whence.prospectors import kernels, linear
from whence.prospectors._base import Extra, Head
from whence.prospectors.calibration import Calibration
from whence.prospectors.counting import width
from whence.prospectors.folds import Performance
from whence.prospectors.head import Prospector, ProspectorRegressor

FORMAT = "whence-head"
VERSION = 1

Arrays = dict[str, NDArray[Any]]

#: Arguments that are plain numbers or words.
_PLAIN = ("k", "r", "softness", "linear", "smoothing", "bootstrap", "cv", "seed")
#: Fitted arrays; those that are None are left out.
_NEEDED = ("weights_", "spread_", "beta_", "centre_")
_TABLES = (*_NEEDED, "p_values_", "q_values_", "draws_", "beta_draws_")


def save(head: Head, path: Path, extra: Extra) -> Path:
    """Write a fitted head; a missing suffix becomes `.npz`.

    Raises:
        InputError: a quantizer or kernel of your own, labels or extras that JSON cannot hold,
            arguments or fitted attributes that were changed so that they do not fit together, or
            a path that cannot be written.
        NotFittedError: before `fit`.
    """
    check_is_fitted(head)
    own, state = kept(head.quantizer_)
    arrays: Arrays = {f"quantizer/{name}": array for name, array in own.items()}
    arrays |= {f"extra/{name}": np.asarray(array) for name, array in extra[0].items()}
    for name in _TABLES:
        if getattr(head, name) is not None:
            arrays[name] = getattr(head, name)
    arrays["slope"], arrays["intercept"] = head.calibration_.slope, head.calibration_.intercept
    _refuse_objects(arrays)
    text = _text(head, state, extra[1])
    # What `load` would refuse must not be written.
    _check_arguments(_arguments(head))
    _check_whole(head)
    return _npz.write(path, arrays, text)


def load(path: Path | str) -> Prospector | ProspectorRegressor:
    """Read what `Prospector.save` wrote.

    Raises:
        InputError: no such file, a damaged file, not such a file, parts that do not fit together,
            or a newer version.
    """
    try:
        arrays, meta = _npz.read(Path(path))
        if meta.get("format") == FORMAT and meta.get("version", VERSION + 1) <= VERSION:
            return _built(meta, arrays)
    except FileNotFoundError as error:
        raise InputError(f"{path} came as a head; there is no such file.") from error
    except _npz.UNREADABLE as error:
        # Numpy's own words are left out: of a pickle they tell to allow it.
        said = str(error) if isinstance(error, InputError) else type(error).__name__
        raise InputError(
            f"{path} cannot be read as a head ({said}). Give a file that "
            "Prospector.save wrote, whole."
        ) from error
    raise InputError(
        f"{path} has format {meta.get('format')!r}, version {meta.get('version')!r}; this "
        f"whence reads {FORMAT!r} up to version {VERSION}. Upgrade whence to read it."
    )


def _text(head: Head, quantizer: Mapping[str, Any], extra: Mapping[str, Any]) -> str:
    names = head.classes_ if isinstance(head, Prospector) else None
    classes = None if names is None else [names.dtype.str, [_plain(n) for n in names.tolist()]]
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "numbers": classes is None,
        "classes": classes,
        "arguments": _arguments(head),
        "kernel": _kernel_kept(head.kernel_),
        "default": head.kernel is None,
        "given": head.quantizer is not None,
        "quantizer": quantizer,
        "kind": head.kind_,
        "bags": head.n_bags_,
        "hops": int(head.hops_),
        "shares": {name: shares.tolist() for name, shares in head.shares_.items()},
        "performance": None if head.performance_ is None else asdict(head.performance_),
        "extra": extra,
    }
    try:
        return json.dumps(meta, ensure_ascii=False)
    except TypeError as error:
        raise InputError(
            f"JSON cannot hold what came with the head ({error}); classes are text or numbers, "
            "and extra is plain JSON beside its arrays."
        ) from error


def _arguments(head: Head) -> dict[str, Any]:
    """As plain numbers and words; r is the one that the weights were fitted with."""
    return {name: _plain(getattr(head, name)) for name in _PLAIN} | {"r": int(head.r_)}


def _refuse_objects(arrays: Arrays) -> None:
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise InputError(
                f"array {name!r} holds Python objects, which only pickle could write; give numbers "
                "or text."
            )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _kernel_kept(kernel: Any) -> Any:
    """A kernel's name, or its class and settings."""
    if isinstance(kernel, str):
        return kernel
    classes = {type(known).__name__: type(known) for known in kernels.KERNELS.values()}
    if type(kernel) is not classes.get(type(kernel).__name__):
        raise InputError(
            f"a kernel of class {type(kernel).__name__} came; {', '.join(classes)} can be saved. "
            "Keep the weights of your own one yourself: head.weights_."
        )
    plain = {name: _plain(value) for name, value in asdict(kernel).items()}
    return {"class": type(kernel).__name__, "settings": plain}


def _kernel_of(said: Any) -> Any:
    if isinstance(said, str):
        kernels.named(said)
        return said
    classes: dict[str, Any] = {type(k).__name__: type(k) for k in kernels.KERNELS.values()}
    return classes[said["class"]](**said["settings"])


def _built(meta: dict[str, Any], arrays: Arrays) -> Prospector | ProspectorRegressor:
    made = ProspectorRegressor() if meta["numbers"] else Prospector()
    _check_arguments(meta["arguments"])
    made.kernel_ = _kernel_of(meta["kernel"])
    made.set_params(**meta["arguments"], kernel=None if meta["default"] else made.kernel_)
    made.quantizer_ = restored(_under("quantizer/", arrays), meta["quantizer"])
    made.quantizer = made.quantizer_ if meta["given"] else None
    made.r_ = made.r
    if isinstance(made, Prospector):
        kind, values = meta["classes"]
        made.classes_ = np.array(values, dtype=np.dtype(kind))
    made.weights_, made.spread_, made.beta_, made.centre_ = (arrays[name] for name in _NEEDED)
    made.p_values_, made.q_values_, made.draws_, made.beta_draws_ = map(arrays.get, _TABLES[4:])
    made.shares_ = {name: np.array(shares) for name, shares in meta["shares"].items()}
    made.calibration_ = Calibration(arrays["slope"], arrays["intercept"])
    made.performance_ = None if meta["performance"] is None else Performance(**meta["performance"])
    made.kind_, made.n_bags_, made.hops_ = meta["kind"], meta["bags"], meta["hops"]
    made.extra = (_under("extra/", arrays), meta["extra"])
    _check_whole(made)
    made.errors_ = None if made.draws_ is None else made.draws_.std(axis=0, ddof=1)
    return made


def _under(prefix: str, arrays: Arrays) -> Arrays:
    return {name[len(prefix) :]: a for name, a in arrays.items() if name.startswith(prefix)}


def _need(fits: Any, part: str, needed: str) -> None:
    if not fits:
        raise InputError(f"{part} is not {needed}")


def _whole(value: Any, least: int) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and bool(value >= least)


def _finite(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and bool(np.isfinite(value))


def _check_arguments(given: dict[str, Any]) -> None:
    """Refuse arguments that are missing, or that no fit would have taken.

    k and softness are not read where a quantizer was given, so both may be None.
    """
    _need(set(given) == set(_PLAIN), f"the list of arguments {list(given)}", f"{list(_PLAIN)}")
    k, softness, hops = given["k"], given["softness"], given["smoothing"]
    _need(k is None or _whole(k, 0), f"k={k!r}", "a whole number from 0")
    _need(softness is None or _finite(softness), f"softness={softness!r}", "a number")
    for name in ("r", "bootstrap", "cv", "seed"):
        _need(_whole(given[name], 0), f"{name}={given[name]!r}", "a whole number from 0")
    _need(hops == "cv" or _whole(hops, 0), f"smoothing={hops!r}", 'a whole number from 0, or "cv"')
    terms = (None, *linear.TERMS, "auto")
    _need(given["linear"] in terms, f"linear={given['linear']!r}", f"one of {terms}")


class _Sizes(NamedTuple):
    """What the shapes of a head's arrays are made of: features, columns, and d or 0."""

    p: int
    c: int
    d: int


def _check_whole(head: Head) -> None:
    """Refuse parts that do not fit together.

    Raises:
        InputError: it names the part.
    """
    columns = _columns(head)
    _need(_whole(head.hops_, 0), f"hops={head.hops_!r}", "a whole number from 0")
    _need(_whole(head.n_bags_, 1), f"bags={head.n_bags_!r}", "a whole number from 1")
    made_for, dimensions = _tokens_of(head.quantizer_)
    _need(head.kind_ == made_for, f"kind={head.kind_!r}", f"the quantizer's, {made_for}")
    term = len(head.centre_) > 0
    sizes = _Sizes(width(head.quantizer_.k, head.r_), columns, dimensions if term else 0)
    _check_weights(head, sizes)
    _check_draws(head, sizes)
    _check_term(head, sizes)
    _check_calibration(head.calibration_, columns)
    _check_performance(head.performance_)


def _columns(head: Head) -> int:
    """Of the weights: one per class from three on, else one."""
    if not isinstance(head, Prospector):
        return 1
    names = head.classes_.tolist()
    fits = head.classes_.ndim == 1 and len(set(names)) == len(names) >= 2
    finite = head.classes_.dtype.kind != "f" or np.isfinite(head.classes_).all()
    _need(fits and finite, f"classes={names}", "two classes or more")
    return 1 if len(names) == 2 else len(names)


def _tokens_of(quantizer: Any) -> tuple[str, int]:
    """`Bag.kind` of what a quantizer takes, and the dimensions; 0 of names."""
    if isinstance(quantizer, Categories):
        return f"names ({'str' if quantizer.values_.dtype.kind == 'U' else 'int'})", 0
    assert isinstance(quantizer, KMeans | NMF | SemiNMF)
    rows = quantizer.centers_ if isinstance(quantizer, KMeans) else quantizer.components_
    return f"embeddings of {rows.shape[1]} dimensions", rows.shape[1]


def _check_array(part: str, array: NDArray[Any], *shape: int) -> None:
    _need(array.dtype.kind == "f", f"{part} of dtype {array.dtype}", "an array of floats")
    _need(array.shape == shape, f"{part} of shape {array.shape}", f"of shape {shape}")
    _need(np.isfinite(array).all(), f"{part} with nan or inf", "finite")


def _check_weights(head: Head, sizes: _Sizes) -> None:
    """The weights, and what is known of every feature."""
    _check_array("weights", head.weights_, sizes.p, sizes.c)
    _check_array("spread", head.spread_, sizes.p)
    _need((head.spread_ >= 0).all(), "a spread below 0", "a standard deviation")
    for part, table in (("p_values", head.p_values_), ("q_values", head.q_values_)):
        if table is not None:
            _check_array(part, table, sizes.p, sizes.c)
            _need(((table >= 0) & (table <= 1)).all(), part, "within 0 and 1")


def _check_draws(head: Head, sizes: _Sizes) -> None:
    flat, beta = head.draws_, head.beta_draws_
    _need(
        (flat is None) == (beta is None),
        "one of draws and beta_draws",
        "enough; both or neither are needed",
    )
    if flat is not None and beta is not None:
        resamples = max(len(flat), 2)
        _check_array("draws", flat, resamples, sizes.p, sizes.c)
        _check_array("beta_draws", beta, resamples, sizes.d, sizes.c)


def _check_term(head: Head, sizes: _Sizes) -> None:
    """The linear term, or that there is none."""
    _check_array("centre", head.centre_, sizes.d)
    _check_array("beta", head.beta_, sizes.d, sizes.c)
    shares = head.shares_
    _need((len(shares) > 0) == (sizes.d > 0), f"shares of {list(shares)}", "those of its members")
    for name, share in shares.items():
        _check_array(f"the share of {name!r}", share, sizes.c)


def _check_calibration(line: Calibration, columns: int) -> None:
    _check_array("slope", line.slope, columns)
    _check_array("intercept", line.intercept, columns)
    _need((line.slope >= 0).all(), f"slope={line.slope.tolist()}", "0 or more")


def _check_performance(said: Performance | None) -> None:
    """Numbers are numbers, and words are words."""
    if said is None:
        return
    for name in ("value", "low", "high", "chance"):
        number = getattr(said, name)
        _need(_finite(number), f"performance {name}={number!r}", "a number")
    for name in ("name", "words"):
        word = getattr(said, name)
        _need(isinstance(word, str), f"performance {name}={word!r}", "text")

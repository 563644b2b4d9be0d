"""Holds Game: units, and a value for every mask.

It checks what a value function returns. It does not know where values are remembered (journal),
which masks are worth asking for (samplers), or what a text or a model is (lenses, adapters).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import InputError, ModelError, NotFinite, ShapeError, WhenceError
from whence.masks import Masks, as_masks
from whence.units import Units, as_units

Values = NDArray[np.float64]
ValueFunction = Callable[[Masks], Any]
Readout = Callable[[Values], Values]
TokenCount = Callable[[Masks], NDArray[np.int64]]
#: Rows of some masks, or of other items, and their raw values.
Part = tuple[NDArray[np.intp], Values]


@runtime_checkable
class Streams(Protocol):
    """A value function whose answers arrive in parts, from a server, threads or a cluster."""

    def __call__(self, masks: Masks, /) -> Any:
        """Raw values `(b, *raw)` of masks `(b, n)`."""
        ...

    def stream(self, masks: Masks, /) -> Iterator[Part]:
        """Rows of `masks` and their raw values, as they arrive, in any order, each row once."""
        ...


@dataclass(frozen=True)
class InParts:
    """A value function made of one that answers in parts.

    Attributes:
        stream: masks -> rows of them and their raw values, each row once.
    """

    stream: Callable[[Masks], Iterator[Part]]

    def __call__(self, masks: Masks) -> Values:
        """Raw values `(b, *raw)`; `(0,)` for no masks."""
        return in_order(self.stream(masks))


def in_order(parts: Iterable[Part]) -> Values:
    """The raw values `(b, *raw)` of all parts, by row; `(0,)` when there are none."""
    arrived = list(parts)
    if not arrived:
        return np.zeros(0)
    order = np.argsort(np.concatenate([rows for rows, _ in arrived]))
    return join([np.asarray(values, dtype=np.float64) for _, values in arrived])[order]


@dataclass(frozen=True)
class Game:
    """Units, and what the model is worth with any subset of them present.

    Attributes:
        value: `(b, n)` boolean masks -> `(b,)` or `(b, *out)` finite floats, the model's raw
            outputs. Rows must be valued independently of one another. One that can answer in
            parts as they arrive is `Streams`: then each part is kept at once. Any other is asked
            for `batch` masks at a time.
        units: `Units`, a sequence of labels, or a count.
        readout: raw outputs `(b, *raw)` -> explained quantity `(b, *out)`, applied to what `value`
            returns; None explains the raw outputs. A journal stores what comes before it, so
            another readout of the same game costs no calls.
        outputs: one name per output, flattened; () leaves them unnamed.
        unit: the unit of the explained quantity, such as "log-odds"; "" when it has none.
        identity: a string that is equal for two games only if they return the same raw values for
            the same masks (model, input, units, absent policy); None for a bare callable, which
            then cannot be journalled on disk.
        batch: masks per call of `value`; what has been valued is kept call by call.
        again: like `value`, but always a fresh answer, to detect noise; None uses `value`.
        tokens: masks `(b, n)` -> tokens `(b,)` the model reads for them; None when not known.
        description: what is played, for people: model and input.
        model: the model's name, for people.
        notes: what a reader should know of how the values were made, asked when a run ends; None
            when there is nothing to say.
    """

    value: ValueFunction
    units: Units
    readout: Readout | None = None
    outputs: tuple[str, ...] = ()
    unit: str = ""
    identity: str | None = None
    batch: int = 256
    again: ValueFunction | None = None
    tokens: TokenCount | None = None
    description: str = ""
    model: str = ""
    notes: Callable[[], Sequence[str]] | None = None

    def __init__(
        self,
        value: ValueFunction,
        units: Units | Sequence[str] | int,
        *,
        readout: Readout | None = None,
        outputs: Sequence[str] = (),
        unit: str = "",
        identity: str | None = None,
        batch: int = 256,
        again: ValueFunction | None = None,
        tokens: TokenCount | None = None,
        description: str = "",
        model: str = "",
        notes: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        """See the class.

        Raises:
            InputError: `value` is not callable, `batch` is not positive, or fewer than two units.
        """
        if not callable(value):
            raise InputError(
                f"value came as {type(value).__name__}; a function from masks (b, n) to values "
                "(b,) or (b, *out) is needed."
            )
        whole = isinstance(batch, int | np.integer)  # pyright: ignore[reportUnnecessaryIsInstance]
        if not whole or batch < 1:
            raise InputError(
                f"batch={batch!r} came; it is the masks per call, a whole number of at least 1."
            )
        fields = {
            "value": value,
            "units": as_units(units),
            "readout": readout,
            "outputs": tuple(outputs),
            "unit": unit,
            "identity": identity,
            "batch": batch,
            "again": again,
            "tokens": tokens,
            "description": description,
            "model": model,
            "notes": notes,
        }
        for name, field in fields.items():
            object.__setattr__(self, name, field)

    @property
    def n(self) -> int:
        """Number of units."""
        return len(self.units)

    def __call__(self, masks: ArrayLike) -> Values:
        """The explained quantity for masks `(b, n)`: `(b,)` or `(b, *out)` floats.

        Asks the model for every row in calls of at most `batch` rows. Duplicates are not removed
        here: `explain` and the journal do that.

        Raises:
            InputError: masks that are not `(b, n)` booleans.
            ModelError: the model raised; its exception is the cause.
            ShapeError, NotFinite: the model's answer breaks the contract.
        """
        rows = as_masks(masks, self.n)
        return self.read(
            join(
                [
                    raw_values(self.value, rows[i : i + self.batch])
                    for i in range(0, max(len(rows), 1), self.batch)
                ]
            )
        )

    def read(self, raw: Values, masks: Masks | None = None) -> Values:
        """The explained quantity `(b, *out)` from raw outputs `(b, *raw)`.

        `masks`, where they are known, let an error name them.

        Raises:
            ShapeError, NotFinite: the readout's answer breaks the contract.
        """
        return (
            raw
            if self.readout is None
            else _checked(self.readout(raw), masks, len(raw), "the readout")
        )


def arriving(game: Game, masks: Masks) -> Iterator[Part]:
    """Rows of `masks` and their raw values, checked, as they arrive; each row once.

    Raises:
        ModelError, ShapeError, NotFinite: as `Game.__call__`, after the parts that came before.
    """
    ask = game.value
    if not isinstance(ask, Streams):
        for start in range(0, len(masks), game.batch):
            rows = np.arange(start, min(start + game.batch, len(masks)))
            yield rows, raw_values(game.value, masks[rows])
        return
    due = np.ones(len(masks), dtype=np.bool_)
    for where, answer in _named(ask.stream(masks.copy()), masks):
        rows = np.asarray(where, dtype=np.intp)
        _check_due(rows, due)
        due[rows] = False
        yield rows, _checked(answer, masks[rows], len(rows), "stream")
    if due.any():
        raise ShapeError(
            f"stream ended with {int(due.sum())} of {len(masks)} masks unanswered; every mask "
            "must come once, or an error must say why not."
        )


def _named(parts: Iterator[Any], masks: Masks) -> Iterator[Any]:
    """The same parts; what the model raises on the way becomes a ModelError."""
    try:
        yield from parts
    except WhenceError:
        raise
    except Exception as error:
        raise ModelError(
            f"the model raised {type(error).__name__}: {error} (while valuing {len(masks)} masks). "
            "Try game.value on one of them alone."
        ) from error


def _check_due(rows: NDArray[np.intp], due: NDArray[np.bool_]) -> None:
    inside = rows.ndim == 1 and bool(np.all((rows >= 0) & (rows < len(due))))
    if not inside or not due[rows].all() or len(np.unique(rows)) < len(rows):
        raise ShapeError(
            f"stream gave rows {rows.tolist()[:8]} of {len(due)} masks; each of them must come "
            "once, by its position."
        )


def raw_values(value: ValueFunction, masks: Masks) -> Values:
    """One call of a value function, checked: `(b, n)` masks -> `(b, *out)` finite floats.

    Raises:
        ModelError, ShapeError, NotFinite: as `Game.__call__`.
    """
    try:
        # A copy: what a value function does to its argument must not change what was asked.
        answer = value(masks.copy())
    except WhenceError:
        raise
    except Exception as error:
        raise ModelError(
            f"the model raised {type(error).__name__}: {error} (while valuing {len(masks)} masks, "
            f"the first with {int(masks[0].sum()) if len(masks) else 0} of {masks.shape[1]} units "
            "present). Try game.value on that mask alone."
        ) from error
    return _checked(answer, masks, len(masks), "value")


def join(parts: Sequence[Values]) -> Values:
    """Values of successive calls, joined.

    Raises:
        ShapeError: two calls gave outputs of different shapes.
    """
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) > 1:
        raise ShapeError(
            f"value returned outputs of shapes {sorted(shapes)} in different calls; every call "
            "must return the same outputs per mask."
        )
    return np.concatenate(parts)


def _checked(answer: Any, masks: Masks | None, b: int, who: str) -> Values:
    try:
        if np.iscomplexobj(answer):
            raise TypeError("complex numbers")
        # A copy: a model may hand out the same buffer at every call.
        values = np.array(answer, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(
            f"{who} returned a {type(answer).__name__} that is not an array of numbers; it must "
            f"return ({b},) or ({b}, *out) floats for {b} masks."
        ) from error
    if values.ndim == 0 or values.shape[0] != b:
        raise ShapeError(
            f"{who} returned shape {values.shape} for {b} masks; it must return ({b},) or "
            f"({b}, *out), one row of outputs per mask, in the order of the masks."
        )
    finite = np.isfinite(values).reshape(b, int(np.prod(values.shape[1:])))
    bad = np.flatnonzero(~finite.all(axis=1))
    if len(bad):
        raise NotFinite(
            f"{who} returned nan or inf for {len(bad)} of {b} masks, "
            f"{_describe(bad, masks)}; every value must be finite. Check the model on those "
            "inputs, or give a readout that stays finite (clip probabilities before a log)."
        )
    return values


def _describe(bad: NDArray[np.intp], masks: Masks | None) -> str:
    more = " ..." if len(bad) > 3 else ""
    if masks is None:
        return "rows " + ", ".join(map(str, bad[:3])) + more
    return "with present units " + "; ".join(_units_of(masks[r]) for r in bad[:3]) + more


def _units_of(mask: Masks) -> str:
    present = np.flatnonzero(mask)
    return "{" + ", ".join(map(str, present[:12])) + (", ..." if len(present) > 12 else "") + "}"

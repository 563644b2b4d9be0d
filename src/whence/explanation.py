"""Holds Explanation: a SetFunction with its evidence, and how to read, check and keep it.

It never calls the model. It does not know how it is drawn: views register themselves.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence import indices
from whence.errors import InputError, MissingExtra
from whence.evaluation import controls, inference
from whence.evaluation.controls import Check
from whence.evaluation.fidelity import Fidelity
from whence.indices import Interactions
from whence.samples import Samples
from whence.setfunction import SetFunction
from whence.units import Units

Floats = NDArray[np.float64]
Renderer = Callable[["Explanation"], str]

#: Index shown when none is named: one number per unit, and per set of units.
DEFAULT_ATTRIBUTION = "shapley"
DEFAULT_INTERACTION = "faith_banzhaf"

_renderers: dict[str, Renderer] = {}


def register_renderer(kind: str, renderer: Renderer) -> None:
    """Let a view draw Explanations: `kind` is "html" (for notebooks) or "text" (for `show`)."""
    _renderers[kind] = renderer


@dataclass(frozen=True)
class Cost:
    """What a run spent.

    Attributes:
        calls: distinct masks valued, held-out ones included; never more than the budget.
        duplicates: masks the explainer asked for again, which were not paid for again.
        repeats: extra calls that asked a mask a second time to detect noise.
        seconds: wall time from first to last value.
        tokens: tokens the model read for those calls, or None when the game cannot tell.
    """

    calls: int
    duplicates: int = 0
    repeats: int = 0
    seconds: float = 0.0
    tokens: int | None = None


@dataclass(frozen=True)
class Provenance:
    """How to repeat a run.

    Attributes:
        explainer: name of the recipe, or the explainer as it prints itself.
        fitted_by: the solver that made the function, where the explainer had a choice.
        budget: the most distinct masks the run was allowed.
        seed: the seed, or None when a generator was passed in.
        game: description of the game (model and input).
        identity: the game's identity, or None for a bare callable.
        versions: of whence, numpy and Python.
        interrupted: whether the run was stopped from outside before its budget was spent.
        stopped: why the run ended of itself before its budget was spent, in words; "" if it did
            not.
        model: the model's name, for people; "" when it has none.
        notes: what a reader should know of how the values were made.
    """

    explainer: str
    fitted_by: str
    budget: int
    seed: int | None
    game: str = ""
    identity: str | None = None
    versions: tuple[tuple[str, str], ...] = ()
    interrupted: bool = False
    stopped: str = ""
    model: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """A set function that stands in for a game, with the evidence for it.

    Attributes:
        f: the fitted function.
        units: labels of the n units, with their place in the input.
        outputs: one name per (flattened) output, or ().
        unit: unit of the explained quantity, such as "log-odds".
        ends: the full and the empty mask, in that order, with the model's own values.
        fitted: the samples the function was fitted to.
        judged: the samples its fit was measured on: held out, or all masks.
        fidelity: the measured fit; read it beside every finding.
        cost: what the run spent.
        provenance: how to repeat it.
    """

    f: SetFunction
    units: Units
    outputs: tuple[str, ...]
    unit: str
    ends: Samples
    fitted: Samples
    judged: Samples
    fidelity: Fidelity
    cost: Cost
    provenance: Provenance

    @property
    def n(self) -> int:
        """Number of units."""
        return len(self.units)

    @property
    def full(self) -> float | Floats:
        """The model's own value with all units present, `(*out)`."""
        return _value(self.ends.values[0])

    @property
    def empty(self) -> float | Floats:
        """The model's own value with no unit present, `(*out)`."""
        return _value(self.ends.values[1])

    def attributions(self, index: str = DEFAULT_ATTRIBUTION) -> Interactions:
        """One value per unit, `(n, *out)`, with standard errors; in the order of the units.

        Shapley values are held to the model's own two ends: they add up to `full - empty`
        exactly. What the function misses of that difference is split evenly among the units, as
        it would be by a term for each end alone. `whence.indices.shapley(e.f)` is without it.

        Args:
            index: "shapley", "banzhaf", "influence", or an interaction index at order 1.

        Raises:
            InputError: an unknown index.

        Source:
            Additive efficient normalisation: Ruiz, Valenciano and Zarzuelo (1998). On exact games
            it lowered the error of the default's Shapley values in every kind; see
            benchmarks/README.md.
        """
        found = indices.attributions(self.f, index)
        if found.index == "shapley":
            found = replace(found, f=_held_to(found.f, self.ends.values[0] - self.ends.values[1]))
        return replace(found, names=self.units.names())

    def interactions(self, index: str = DEFAULT_INTERACTION, order: int = 2) -> Interactions:
        """An interaction index for all sets of up to `order` units that the function holds.

        Shapley interactions ("sii") give every set its share of what the function misses of the
        model's own two ends, as `attributions` does for Shapley values: the ends weigh as much in
        them as all masks of another size together. With more than 20,000 sets they are left out.

        Args:
            index: see `whence.indices.INDICES`.
            order: the largest set wanted.

        Raises:
            InputError: an unknown index or an order below 1.
        """
        found = indices.interactions(self.f, index, order)
        if found.index == "shapley_interaction" and self.n**found.order <= 40_000:
            found = replace(found, f=self._with_ends(found.f, found.order))
        return replace(found, names=self.units.names())

    def _with_ends(self, found: SetFunction, order: int) -> SetFunction:
        missed = self.ends.values - self.f(self.ends.masks)
        extra = indices.shapley_of_ends(self.n, order, missed[1], missed[0])
        known = None if found.deviations is None else extra.values[None]
        return found + replace(extra, deviations=known)

    def top(self, k: int = 5) -> Interactions:
        """The k strongest units and pairs by the default interaction index."""
        return self.interactions().top(k)

    def confirmed(
        self, top: int = 20, *, fdr: float = 0.1, index: str = "fourier", order: int = 2
    ) -> inference.Discoveries:
        """Which of the strongest terms are there in the game, tested on the held-out masks.

        The held-out masks chose nothing, so they are a sample split: the terms are selected by
        the fit and tested on them, with a false discovery rate of at most `fdr`.

        Args:
            top: how many of the strongest terms are tested.
            fdr: the share of false ones that is tolerated among the confirmed, on average.
            index: "fourier", "banzhaf" or "faith_banzhaf".
            order: the largest set tested.

        Raises:
            InputError: several outputs (pick one with `output`), or an index that uniform masks
                say too little about.
        """
        noise = 0.0 if self.f.out else float(np.asarray(self.fidelity.noise))
        return inference.discoveries(
            self.f,
            self.judged,
            self.fitted,
            index=index,
            order=order,
            top=top,
            fdr=fdr,
            noise=noise,
        )

    def predict(self, masks: ArrayLike) -> Floats:
        """What the function says the model would answer for masks `(b, n)`: `(b, *out)`.

        Raises:
            InputError: masks that are not `(b, n)` booleans.
        """
        return self.f(masks)

    def check(self, seed: int = 0) -> Check:
        """Fit, completeness, random and reversed controls, without a call of the model.

        For the spread over other seeds, which costs calls, see `whence.explain.seed_spread`.
        """
        rng = np.random.default_rng(seed)
        return controls.check(self.f, self.fidelity, self.ends, self.judged, rng)

    def output(self, which: int | str) -> Explanation:
        """The explanation of one output of several, by name or flattened position.

        Raises:
            InputError: no such output.
        """
        place = self.outputs.index(which) if which in self.outputs else which
        if not isinstance(place, int | np.integer) or not 0 <= place < max(
            self.f.columns.shape[1], 1
        ):
            raise InputError(
                f"output {which!r} came; there are {', '.join(self.outputs) or self.f.out}."
            )
        at = tuple(int(i) for i in np.unravel_index(place, self.f.out)) if self.f.out else ()
        pick = {
            name: _pick(getattr(self.fidelity, name), at)
            for name in ("r2", "low", "high", "constant", "noise")
        }
        sets = {
            name: Samples(s.masks, s.values[(slice(None), *at)])
            for name in ("ends", "fitted", "judged")
            if (s := getattr(self, name))
        }
        return replace(
            self,
            f=self.f.output(at),
            outputs=self.outputs[place : place + 1],
            fidelity=replace(self.fidelity, **pick),
            **sets,
        )

    def save(self, path: str | Path) -> Path:
        """Write everything to one `.npz` file (arrays and versioned JSON, never pickle).

        Returns:
            The path written, with its suffix.
        """
        from whence import _archive

        return _archive.save(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> Explanation:
        """Read a file that `save` wrote.

        Raises:
            InputError: not such a file, or one of a newer version.
        """
        from whence import _archive

        return _archive.load(Path(path))

    def table(self, index: str = DEFAULT_INTERACTION, order: int = 2) -> dict[str, list[Any]]:
        """Attributions and interactions as columns, one row per set and output.

        Columns: index, order, units (labels joined by " + "), size, output, value, se, r2.
        """
        columns: dict[str, list[Any]] = {
            name: [] for name in ("index", "order", "units", "size", "output", "value", "se", "r2")
        }
        r2 = np.reshape(self.fidelity.r2, -1)
        for found in (self.attributions(), self.interactions(index, order)):
            errors = None if found.errors is None else found.errors.reshape(len(found), -1)
            for row, units in enumerate(found.sets):
                for q, value in enumerate(found.f.columns[row]):
                    se = None if errors is None else float(errors[row, q])
                    name = self.outputs[q] if q < len(self.outputs) else str(q)
                    label = " + ".join(found.names[i] for i in units)
                    cells = (
                        found.index,
                        found.order,
                        label,
                        len(units),
                        name,
                        float(value),
                        se,
                        float(r2[q]),
                    )
                    for column, cell in zip(columns.values(), cells, strict=True):
                        column.append(cell)
        return columns

    def to_pandas(self) -> Any:
        """`table()` as a pandas DataFrame.

        Raises:
            MissingExtra: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingExtra('pandas is not installed: pip install "whence[pandas]"') from error
        return pandas.DataFrame(self.table())

    def to_arrow(self) -> Any:
        """`table()` as a pyarrow Table.

        Raises:
            MissingExtra: pyarrow is not installed.
        """
        try:
            import pyarrow
        except ImportError as error:
            raise MissingExtra('pyarrow is not installed: pip install "whence[arrow]"') from error
        return pyarrow.table(self.table())

    def show(self) -> None:
        """Print the explanation as the command line does (plainly, if no view is registered)."""
        print(_renderers["text"](self) if "text" in _renderers else repr(self))

    def __repr__(self) -> str:
        name = self.provenance.game or f"game of {self.n} units"
        fit = self.fidelity
        lines = [f"Explanation of {name}: {self.n} units, {self.cost.calls} calls"]
        r2, low, high = (np.reshape(v, -1) for v in (fit.r2, fit.low, fit.high))
        constant = np.reshape(fit.constant, -1)
        for q in range(min(len(r2), 4)):
            label = f"{self.outputs[q]}: " if self.outputs else ""
            if constant[q]:
                lines.append(f"  {label}constant: no unit changes it")
            elif fit.exhaustive:
                lines.append(f"  {label}R2 {r2[q]:.3f}, exact, all {fit.masks} masks")
            else:
                lines.append(
                    f"  {label}R2 {r2[q]:.3f} [{low[q]:.3f}, {high[q]:.3f}] on "
                    f"{fit.masks} held-out masks ({fit.distribution})"
                )
        return "\n".join([*lines, *repr(self.top(5)).splitlines()])

    def _repr_html_(self) -> str:
        if "html" in _renderers:
            return _renderers["html"](self)
        return f"<pre>{html.escape(repr(self))}</pre>"


def _held_to(single: SetFunction, total: Floats) -> SetFunction:
    """One-unit values moved evenly so that they add up to `total` `(*out)`.

    How the moved part really divides is not known, so its size joins the standard errors.
    """
    share = (total - single.values.sum(axis=0)) / single.n
    values = single.values + share
    deviations = single.deviations
    if deviations is not None:
        deviations = deviations - deviations.mean(axis=1, keepdims=True)
        deviations = np.concatenate([deviations, np.broadcast_to(share, values.shape)[None]])
    return replace(single, values=values, deviations=deviations)


def _value(row: Floats) -> float | Floats:
    return float(row) if np.ndim(row) == 0 else np.array(row)


def _pick(value: Any, at: tuple[int, ...]) -> Any:
    return np.asarray(value)[at].item() if at else value

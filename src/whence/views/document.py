"""Holds document: an Explanation as a plain dict, ready for strict JSON.

The schema is a public contract, described in docs/json-schema.md: a field may be added to a
version; a change of meaning makes a new one. It does not know where the document is written.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from whence.explanation import Explanation
from whence.setfunction import SetFunction
from whence.units import Units

SCHEMA = "whence-explanation/1"


def document(
    e: Explanation,
    *,
    index: str = "shapley",
    interaction: str = "faith_banzhaf",
    order: int = 2,
) -> dict[str, Any]:
    """Everything that is known, as dicts, lists, strings, numbers and None.

    Every number that belongs to an output is a list with one entry per (flattened) output, also
    where there is one output; what is not defined is None, never nan.

    Args:
        e: what is written.
        index: of single units, see `Explanation.attributions`.
        interaction: of sets, see `Explanation.interactions`.
        order: the largest set among the findings.

    Raises:
        InputError: an unknown index, or an order below 1.
    """
    alone, found = e.attributions(index), e.interactions(interaction, order)
    findings = _terms(found.f)
    return {
        "schema": SCHEMA,
        "kind": e.units.kind,
        "text": e.units.text,
        "units": _units(e.units),
        "output": _output(e),
        "fidelity": _fidelity(e),
        "cost": _cost(e),
        "function": {"basis": e.f.basis, "terms": _terms(e.f)},
        "attributions": {"index": alone.index, "terms": _terms(alone.f)},
        "findings": {"index": found.index, "order": found.order, "terms": findings},
        "terms": findings,
        "index": found.index,
        "order": found.order,
        "basis": e.f.basis,
        "provenance": _provenance(e),
    }


def _units(units: Units) -> list[dict[str, Any]]:
    spans = units.spans or ((None, None),) * len(units)
    return [
        {"label": label, "start": start, "end": end}
        for label, (start, end) in zip(units.labels, spans, strict=True)
    ]


def _output(e: Explanation) -> dict[str, Any]:
    names = list(e.outputs) or [None] * e.f.columns.shape[1]
    return {
        "name": names,
        "shape": list(e.f.out),
        "unit": e.unit,
        "value_all": _numbers(e.full),
        "value_none": _numbers(e.empty),
    }


def _terms(f: SetFunction) -> list[dict[str, Any]]:
    errors = None if f.errors is None else f.errors.reshape(f.columns.shape)
    return [
        {
            "units": [int(i) for i in units],
            "value": _numbers(f.columns[row]),
            "se": None if errors is None else _numbers(errors[row]),
        }
        for row, units in enumerate(f.sets)
    ]


def _fidelity(e: Explanation) -> dict[str, Any]:
    fit = e.fidelity
    return {
        "r2": _numbers(fit.r2),
        "low": _numbers(fit.low),
        "high": _numbers(fit.high),
        "masks": int(fit.masks),
        "distribution": fit.distribution,
        "exact": bool(fit.exhaustive),
        "constant": [bool(c) for c in np.reshape(fit.constant, -1)],
        "noise": _numbers(fit.noise),
        "repeats": int(fit.repeats),
    }


def _cost(e: Explanation) -> dict[str, Any]:
    cost = e.cost
    return {
        "calls": int(cost.calls),
        "duplicates": int(cost.duplicates),
        "repeats": int(cost.repeats),
        "seconds": _number(cost.seconds),
        "tokens": None if cost.tokens is None else int(cost.tokens),
    }


def _provenance(e: Explanation) -> dict[str, Any]:
    made = e.provenance
    return {
        "explainer": made.explainer,
        "fitted_by": made.fitted_by,
        "budget": int(made.budget),
        "seed": None if made.seed is None else int(made.seed),
        "game": made.game,
        "identity": made.identity,
        "versions": dict(made.versions),
        "interrupted": bool(made.interrupted),
        "stopped": made.stopped,
        "model": made.model,
        "notes": list(made.notes),
    }


def _numbers(values: Any) -> list[float | None]:
    return [_number(v) for v in np.reshape(values, -1)]


def _number(value: Any) -> float | None:
    """A plain float; None for what JSON cannot say."""
    plain = float(value)
    return plain if math.isfinite(plain) else None

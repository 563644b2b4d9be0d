"""Holds document: prospector maps as plain dicts, ready for strict JSON.

The schema is a public contract, described in docs/prospectors/cli.md: a field may be added to a
version; a change of meaning makes a new one. It does not know where the document is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from whence.prospectors import Graph, Grid, Map
from whence.prospectors.folds import Performance
from whence.views.prospect_map import Mapped, concept_pairs

SCHEMA = "whence-prospect/1"


def document(
    shown: Sequence[Mapped],
    performance: Performance | None,
    *,
    head: Mapping[str, Any],
    top: int = 8,
) -> dict[str, Any]:
    """Everything that is known of maps, as dicts, lists, strings, numbers and None.

    Args:
        shown: the maps, one head's.
        performance: of the head; None when it was not measured.
        head: how the head was made, as plain JSON.
        top: pairs listed per token.
    """
    return {
        "schema": SCHEMA,
        "head": dict(head),
        "performance": _performance(performance),
        "maps": [_map(one, top) for one in shown],
    }


def _performance(found: Performance | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "measure": found.name,
        "value": _number(found.value),
        "low": _number(found.low),
        "high": _number(found.high),
        "chance": _number(found.chance),
        "words": found.words,
    }


def _map(shown: Mapped, top: int) -> dict[str, Any]:
    found = shown.map
    return {
        "name": shown.name,
        "label": shown.label or None,
        "output": found.output,
        "predicted": shown.predicted or None,
        "probability": None if found.probability is None else _number(found.probability),
        "margin": _number(found.margin),
        "total": _number(found.total),
        "performance": found.performance,
        "smoothing": int(found.smoothing),
        "kind": found.units.kind,
        "text": found.units.text,
        "layout": _layout(shown),
        "tokens": [_token(found, unit, top) for unit in range(len(found))],
        "pairs": [
            {"concepts": [found.names[a], found.names[b]], "value": _number(value)}
            for a, b, value in concept_pairs(found)
        ],
    }


def _layout(shown: Mapped) -> dict[str, Any]:
    layout = shown.layout
    if isinstance(layout, Grid):
        return {"kind": "grid", "height": int(layout.height), "width": int(layout.width)}
    if isinstance(layout, Graph):
        edges = layout.edges_of(len(shown.map))
        return {"kind": "graph", "edges": [[int(a), int(b)] for a, b in edges]}
    return {"kind": "sequence"}


def _token(found: Map, unit: int, top: int) -> dict[str, Any]:
    start, end = found.units.spans[unit] if found.units.spans else (None, None)
    return {
        "label": found.units.labels[unit],
        "start": start,
        "end": end,
        "value": _number(found.values[unit]),
        "se": None if found.errors is None else _number(found.errors[unit]),
        "smoothed": _number(found.smoothed[unit]),
        "concept": found.concept_of(unit),
        "alone": _number(found.monograms[unit]),
        "linear": _number(found.linear[unit]),
        "together": _number(found.pairs[unit].sum()),
        "pairs": [
            {"concept": near.name, "value": _number(near.value)}
            for near in found.top_pairs(unit, top)
        ],
    }


def _number(value: Any) -> float | None:
    """A plain float; None for what JSON cannot say."""
    plain = float(value)
    return plain if math.isfinite(plain) else None

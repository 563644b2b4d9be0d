"""Holds report_of: what a kept head learned, with examples and maps of data, as a view's Report.

It does not know how a report is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence._version import __version__
from whence.cli.prospect_data import Data
from whence.cli.prospect_fit import learned_from
from whence.cli.prospect_kept import Kept
from whence.dictionaries import Categories
from whence.dictionaries.exemplars import exemplars
from whence.prospectors import Bag
from whence.prospectors.bags import units_of
from whence.units import Units
from whence.views import words
from whence.views.overlay import places
from whence.views.prospect_report import PAIRS, Example, Learned, Report

#: Examples of a concept, and maps for and against a class.
EXAMPLES, MAPS = 3, 2
#: Pixels a side of an example at most.
THUMBNAIL = 96
#: Tokens that are looked through at once.
BATCH = 8192


def report_of(
    kept: Kept, data: Data | None, output: str | None, *, bags: Any = None, maps: bool = True
) -> Report:
    """Everything that is known of a head.

    Args:
        kept: the head.
        data: what examples and maps are taken from; None leaves them out.
        output: the class; None takes the marked one of two, or all of more.
        bags: the data, encoded already.
        maps: whether maps of some of the data are made too.
    """
    found = bags
    if data is not None and bags is None:
        found = data.things if kept.encoder is None else list(kept.encoded(data))
    chosen = kept.checked(output)
    several = chosen is None and len(kept.outputs) > 2
    outputs = list(kept.outputs) if several else [chosen]
    marks = chosen or ("" if several else str(kept.about["label"]))
    return Report(
        f"What marks {marks or 'each class'}",
        learned_from(kept),
        kept.fit,
        [_learned(kept, data if maps else None, found, one) for one in outputs],
        _notes(kept),
        facts(kept),
        kept.head.quantizer_.names if not kept.about["hints"] else _short(kept),
        kept.about["shares"],
        {} if data is None else _examples(kept, data, found),
        f"whence {__version__}, seed {kept.head.seed}",
    )


def _notes(kept: Kept) -> list[str]:
    """What a reader must know of how it was learned."""
    chosen, null = kept.about["chosen"], kept.about["null"]
    found = [f"Chosen: {chosen}"] if chosen else []
    if kept.head.shares_:
        found.append(
            "Part of every map is a linear term on the embeddings, which is not among the concepts "
            f"and pairs: {_linear(kept)}."
        )
    if null:
        weights = words.counted(int(null["standing"]), "weight")
        found.append(
            f"{weights} of concepts and pairs stand out of what all {null['shuffles']:,} shuffles "
            "gave (family-wise p up to 0.05)."
        )
    return found


def facts(kept: Kept) -> list[tuple[str, str]]:
    """What was chosen, and why, as names and values."""
    head, about = kept.head, kept.about
    null = about["null"]
    found = [
        ("encoder", _encoder(about.get("encoder"))),
        ("concepts", f"{len(head.quantizer_.names)} ({type(head.quantizer_).__name__})"),
        ("pairs within", f"{head.r} hops" if head.r else "none (r = 0)"),
        ("chosen", str(about["chosen"]) or "as asked, or by default; --select chooses"),
        ("kernel", str(head.kernel_)),
        ("softness of concepts", f"{head.softness:g}"),
        ("linear term", _linear(kept)),
        ("maps smoothed over", f"{head.hops_} hops"),
        ("standard errors", f"{head.bootstrap} resamples" if head.bootstrap else "none"),
        ("shuffled labels", _shuffled(null)),
    ]
    return found


def _shuffled(null: dict[str, Any] | None) -> str:
    return null["words"].replace("\n", "; ") if null else "not tried; --null 200 tries them"


def _linear(kept: Kept) -> str:
    """Which linear term there is, and how much each member of the stack counts."""
    head = kept.head
    if head.linear is None:
        return "none"
    counts = [
        ", ".join(f"{share:.2g}" for share in np.ravel(shares).tolist())
        for shares in head.shares_.values()
    ]
    told = [f"{name} {count}" for name, count in zip(head.shares_, counts, strict=True)]
    return f"{head.linear} (counts: {'; '.join(told)})" if told else str(head.linear)


def _encoder(about: dict[str, Any] | None) -> str:
    if about is None:
        return "none: the data holds the tokens"
    options = about.get("options", {})
    told = ", ".join(
        f"{name} {value}" for name, value in options.items() if value not in (None, "")
    )
    return f"{about['encoder']} ({told})" if told else str(about["encoder"])


def _short(kept: Kept) -> list[str]:
    """Names for the graph: a concept's number and first word."""
    hints = kept.about["hints"]
    return [
        f"#{name.removeprefix('concept ')} {hint[0] if hint else ''}".strip()
        for name, hint in zip(kept.head.quantizer_.names, hints, strict=True)
    ]


def _learned(kept: Kept, data: Data | None, bags: Any, output: str | None) -> Learned:
    head = kept.head
    concepts = kept.found(head.concepts(output))
    pairs = kept.found(head.bigrams(head.weights_.shape[0], output)) if head.r else ()
    pairs = sorted(pairs, key=lambda found: -abs(found.moves))[:PAIRS]
    name = output or str(kept.about["label"])
    maps = ()
    if data is not None:
        rows = _ends(kept, bags, name)
        maps = tuple(kept.mapped(data.take(rows), name if kept.outputs else None))
    return Learned(name, concepts, pairs, maps)


def _ends(kept: Kept, bags: Any, output: str) -> list[int]:
    """The bags with the highest margins for an output, and those with the lowest."""
    margins = np.asarray(kept.head.decision_function(bags))
    if margins.ndim == 2:
        margins = margins[:, kept.outputs.index(output)]
    elif kept.outputs and output == kept.outputs[0]:
        margins = -margins
    order = np.argsort(-margins, kind="stable").tolist()
    most = min(MAPS, len(order) // 2) or 1
    return [*order[:most], *order[max(most, len(order) - most) :]]


# --- examples ---------------------------------------------------------------------------------


def _examples(kept: Kept, data: Data, bags: Any) -> Mapping[int, list[Example]]:
    """The tokens nearest to each concept."""
    sizes: list[int] = []
    quantizer = kept.head.quantizer_
    if isinstance(quantizer, Categories):
        return {}  # its names say all that an example could
    rows = exemplars(quantizer, _Batches(bags, sizes), 3 * EXAMPLES)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return {
        c: _distinct(_example(data, bags, starts, int(row)) for row in found)
        for c, found in enumerate(rows)
    }


def _distinct(found: Iterable[Example]) -> list[Example]:
    """The first few that say different things; pictures differ anyway."""
    kept: dict[tuple[str, str], Example] = {}
    for one in found:
        kept.setdefault((one.label, one.bag if one.pixels is not None else ""), one)
        if len(kept) == EXAMPLES:
            break
    return list(kept.values())


class _Batches:
    """The tokens of bags, several bags a batch; counts them on the way."""

    def __init__(self, bags: Any, sizes: list[int]) -> None:
        self.bags, self.sizes = bags, sizes

    def __iter__(self) -> Iterator[NDArray[Any]]:
        self.sizes.clear()
        held: list[NDArray[Any]] = []
        for bag in self.bags:
            self.sizes.append(len(bag))
            held.append(bag.tokens)
            if sum(map(len, held)) >= BATCH:
                yield np.concatenate(held)
                held = []
        if held:
            yield np.concatenate(held)


def _example(data: Data, bags: Any, starts: NDArray[np.int64], row: int) -> Example:
    at = int(np.searchsorted(starts, row, side="right")) - 1
    token = row - int(starts[at])
    bag: Bag = bags[at]
    units = units_of(bag)
    pixels = _crop(data.things[at], units, bag, token) if data.kind == "picture" else None
    return Example(units.labels[token], data.names[at], pixels)


def _crop(
    picture: NDArray[np.uint8], units: Units, bag: Bag, token: int
) -> NDArray[np.uint8] | None:
    """A token's pixels, with as many again around it."""
    at = places(units, bag.layout)
    if at is None:
        return None
    rows, columns = np.nonzero(at == token)
    across, down = (p / g for p, g in zip(picture.shape[:2], at.shape, strict=True))
    top, bottom = _wider(rows, across, picture.shape[0])
    left, right = _wider(columns, down, picture.shape[1])
    return np.ascontiguousarray(picture[top:bottom, left:right][:THUMBNAIL, :THUMBNAIL])


def _wider(places: NDArray[np.intp], scale: float, end: int) -> tuple[int, int]:
    first, last = int(places.min() * scale), int((places.max() + 1) * scale)
    more = (last - first + 1) // 2
    return max(0, first - more), min(end, last + more)

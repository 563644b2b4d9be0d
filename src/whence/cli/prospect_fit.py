"""Holds Asked, and fit: bags with coarse labels -> a head, its null, and words for its concepts.

It does not know how options are spelled (prospect), nor how results are drawn (views).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from whence.cli.common import say
from whence.cli.progress import Bar
from whence.cli.prospect_data import Data
from whence.cli.prospect_encoding import Wanted, learned
from whence.cli.prospect_kept import FORMAT, Encoded, Kept, layout_of, marked
from whence.dictionaries import Categories
from whence.errors import InputError
from whence.prospectors import Bag, Graph, Prospector, ProspectorRegressor
from whence.prospectors.counting import counts, normaliser, width
from whence.prospectors.null import permutation_null
from whence.prospectors.selection import select
from whence.units import plural
from whence.views.words import counted

#: Configurations that --select tries, where --k and --radius name none.
KS, RADII = (10, 20, 40), (0, 1, 2)
#: Words of a hint, and how often a concept must hold a word for it to be one.
HINT, OFTEN = 3, 3

#: Folds of the performance, where there are bags enough.
FOLDS = 5
_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True)
class Asked:
    """How a head is fitted, as the command line gave it; None leaves it to the head.

    Attributes:
        encoder: which, and how.
        ks: numbers of concepts; several are for `choose`.
        radii: hops; several are for `choose`.
        kernel, softness, linear, smoothing: see `Prospector`.
        bootstrap: resamples for standard errors.
        choose: whether k and r are chosen by left-out bags.
        shuffles: of the permutation null; 0 leaves it out.
        seed: of everything.
        numbers: whether labels are numbers.
        label: what the number is called.
        output: the class that maps are of by default.
        quiet: whether notes and the bar are left out.
    """

    encoder: Wanted = field(default_factory=Wanted)
    ks: tuple[int, ...] = ()
    radii: tuple[int, ...] = ()
    kernel: str | None = None
    softness: float | None = None
    linear: str | None = None
    smoothing: int | str | None = None
    bootstrap: int = 50
    choose: bool = False
    shuffles: int = 0
    seed: int = 0
    numbers: bool = False
    label: str = "number"
    output: str | None = None
    quiet: bool = False


def fit(data: Data, asked: Asked) -> tuple[Kept, Any]:
    """A head of labelled data with everything that its file keeps, and the encoded bags.

    Raises:
        InputError: options that do not go together, or data that cannot be used.
    """
    assert data.labels is not None
    _check(asked)
    classes = [] if asked.numbers else sorted(set(data.labels.tolist()))
    meant = marked(classes, asked.output)
    encoder = learned(data, asked.encoder)
    bags: Any = data.things if encoder is None else list(_seen(Encoded(encoder, data), asked))
    head, chosen = _fitted(bags, data, asked)
    names = head.quantizer_.names
    about: dict[str, Any] = {
        "format": FORMAT,
        "kind": data.kind,
        "noun": _noun(data, bags),
        "unit": _unit(bags),
        "source": data.source,
        "layout": layout_of(bags),
        "label": asked.label,
        "marked": meant,
        "window": asked.encoder.window,
        "counts": {} if asked.numbers else dict(Counter(data.labels.tolist())),
        "bags": len(data),
        "chosen": chosen,
        "null": None,
        **_described(head, bags, len(names), texts=data.kind == "text"),
    }
    if asked.shuffles:
        about["null"] = _null(head, bags, data, asked)
    return Kept(head, encoder, about), bags


def _check(asked: Asked) -> None:
    for option, values in (("--k", asked.ks), ("--radius", asked.radii)):
        if len(values) > 1 and not asked.choose:
            raise InputError(
                f"{option} {','.join(map(str, values))} came without --select, which is what "
                "chooses among several. Add it, or give one."
            )


def _seen(bags: Encoded, asked: Asked) -> Iterator[Bag]:
    """Bags, one after the other, with a bar."""
    with Bar(asked.quiet, ("encoding", "encoded")) as bar:
        for i, bag in enumerate(bags, 1):
            bar(i, len(bags))
            yield bag


def _fitted(bags: Any, data: Data, asked: Asked) -> tuple[Prospector | ProspectorRegressor, str]:
    """A fitted head, and in words how its k and r were chosen."""
    assert data.labels is not None
    given: dict[str, Any] = {**_given(asked), "cv": _folds(data, asked)}
    if asked.ks and bags[0].tokens.ndim == 1:
        raise InputError(
            f"--k {','.join(map(str, asked.ks))} came with tokens that are names; every name is a "
            "concept. Leave it out."
        )
    made = ProspectorRegressor(**given) if asked.numbers else Prospector(**given)
    if asked.choose:
        with Bar(asked.quiet, ("trying settings", "fitting")) as bar:
            found = select(
                made,
                bags,
                data.labels,
                k=asked.ks or KS,
                r=asked.radii or RADII,
                groups=data.groups,
                progress=bar,
            )
        return found.head, found.reason
    with Bar(asked.quiet, ("reading bags", "fitting")) as bar:
        return made.fit(bags, data.labels, data.groups, progress=bar), ""


def _folds(data: Data, asked: Asked) -> int:
    """Folds of the performance: five, or as many as the rarest class or the groups allow."""
    assert data.labels is not None
    if data.groups is not None:
        most = len(set(data.groups.tolist()))
        what = "group"
    elif asked.numbers:
        most, what = len(data), "bag"
    else:
        name, most = Counter[str](data.labels.tolist()).most_common()[-1]
        what = f"bag of class {name!r}"
    if most < 2:
        raise InputError(
            f"{data.source} has one {what} only, so nothing can be left out of the fit to measure "
            "it. Give at least two."
        )
    return min(FOLDS, most)


def _given(asked: Asked) -> dict[str, Any]:
    """The arguments of a head that were given."""
    found: dict[str, Any] = {
        "kernel": asked.kernel,
        "softness": asked.softness,
        "linear": asked.linear,
        "k": asked.ks[0] if asked.ks else None,
        "r": asked.radii[0] if asked.radii else None,
        "smoothing": asked.smoothing,
        "bootstrap": asked.bootstrap,
        "seed": asked.seed,
    }
    return {name: value for name, value in found.items() if value is not None}


def _null(
    head: Prospector | ProspectorRegressor, bags: Any, data: Data, asked: Asked
) -> dict[str, Any]:
    assert data.labels is not None
    rng = np.random.default_rng([asked.seed, 2])
    with Bar(asked.quiet, ("fitting to shuffled labels", "comparing")) as bar:
        found = permutation_null(
            head,
            bags,
            data.labels,
            rng,
            permutations=asked.shuffles,
            groups=data.groups,
            progress=bar,
        )
    return {
        "p_value": found.performance.p_value,
        "shuffles": asked.shuffles,
        "words": found.words,
        "standing": len(found.standing),
    }


def _noun(data: Data, bags: Any) -> str:
    if data.kind != "bag":
        return data.kind
    return "graph" if isinstance(bags[0].layout, Graph) else "bag"


def _unit(bags: Any) -> str:
    units = bags[0].units
    return "token" if units is None else units.kind


def _described(
    head: Prospector | ProspectorRegressor, bags: Any, k: int, *, texts: bool
) -> dict[str, Any]:
    """Hints and shares of the concepts, and how much features differ between bags, in one pass."""
    shares, tokens = np.zeros(k), 0
    first, second = np.zeros(width(k, head.r)), np.zeros(width(k, head.r))
    size = len(bags)
    hinted = texts and not isinstance(head.quantizer_, Categories)
    held: list[Counter[str]] = [Counter() for _ in range(k)]
    for bag in bags:
        codes = head.quantizer_.transform(bag.tokens)
        shares += codes.sum(axis=0)
        tokens += len(bag)
        own = counts(codes, bag.layout, head.r) / normaliser(len(bag), bag.layout, head.r)
        first += own
        second += own**2
        if hinted and bag.units is not None:
            for label, concept in zip(bag.units.labels, codes.argmax(axis=1), strict=True):
                held[concept].update(set(_WORD.findall(label.lower())))
    return {
        "tokens": tokens,
        "shares": (shares / tokens).tolist(),
        "spreads": np.sqrt(np.maximum(second - first**2 / size, 0) / size).tolist(),
        "hints": _hints(held) if hinted else [],
    }


def _hints(held: Sequence[Counter[str]]) -> list[list[str]]:
    """The words of each concept that are furthest above what they are everywhere."""
    total = sum((counter for counter in held), Counter[str]())
    everything = max(total.total(), 1)

    def told(counter: Counter[str]) -> list[str]:
        often = [word for word in counter if counter[word] >= OFTEN]
        return [word for word in often if word not in ENGLISH_STOP_WORDS] or often

    def score(counter: Counter[str]) -> Callable[[str], float]:
        size = counter.total()
        return lambda word: (
            (counter[word] - size * total[word] / everything)
            / np.sqrt(size * total[word] / everything)
        )

    return [sorted(told(c), key=score(c), reverse=True)[:HINT] for c in held]


def learned_from(kept: Kept) -> str:
    """What a head learned from, in a sentence."""
    about = kept.about
    units = counted(int(about["tokens"]), str(about["unit"]))
    whole = f"{counted(int(about['bags']), kept.noun)} ({units}) of {about['source']}"
    if not kept.outputs:
        return f"Learned {about['label']} from {whole}."
    shares = ", ".join(f"{count:,} {name}" for name, count in sorted(about["counts"].items()))
    return f"Learned from {whole}: {shares}."


def remark(data: Data, quiet: bool) -> None:
    """Says what a small set of data cannot show."""
    if quiet or data.labels is None or data.labels.dtype.kind == "f":
        return
    counts = Counter[str](data.labels.tolist())
    fewest, count = counts.most_common()[-1]
    if count < 20:
        say(
            f"note: {fewest} has {count} {plural(data.kind)}; below about 20 a class, what is "
            "found is mostly chance. --null 200 says how much."
        )

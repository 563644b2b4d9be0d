"""Holds scoring: what a lens may know of a model's callable, and how its answers arrive.

A scorer gives one raw score, or row of raw scores, per item; an item is what a mask makes of the
input, as the model reads it. This file does not know what made the items (lenses) nor what scores
them (adapters).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from whence.errors import ShapeError
from whence.game import Part, Values, in_order
from whence.masks import Masks

#: What a model may read: "text" (str), "hidden" (HiddenText), "messages" (Messages), "image"
#: (an array `(h, w)` or `(h, w, c)`), "array" (any other array), "row" (a table's row).
Item = Any
__all__ = [
    "WINDOW",
    "Continues",
    "Executor",
    "Facts",
    "HiddenText",
    "InProcess",
    "Item",
    "Message",
    "Messages",
    "Part",
    "Score",
    "Scored",
    "Scorer",
    "as_executor",
    "facts_of",
    "in_order",
    "scores_of",
]

#: Items -> `(b, *raw)` raw scores, one row per item, each scored independently of the others.
Score = Callable[[Sequence[Any]], Any]
#: Masks that are made into items at a time at most: bounds memory when a run asks for very many.
WINDOW = 4096


class HiddenText(NamedTuple):
    """A text whose hidden spans the model may not attend to, though they keep their places.

    Attributes:
        text: the whole text.
        hidden: `(start, end)` character offsets, in order, that no attention may reach.
    """

    text: str
    hidden: tuple[tuple[int, int], ...] = ()


class Message(NamedTuple):
    """One turn of a conversation.

    Attributes:
        role: "system", "user", "assistant" or what the model's template knows.
        content: what was said.
    """

    role: str
    content: str


#: A conversation.
Messages = tuple[Message, ...]


@dataclass(frozen=True)
class Facts:
    """What a model's callable says of itself, so that a lens need not be told.

    Attributes:
        name: the model, for people.
        identity: equal for two callables only if they score alike; None when that is not known.
        scores: "logits" or "probabilities" of classes `(b, classes)`; "log-probabilities" of the
            tokens of a continuation `(b, tokens)`, in nats; or "values", plain numbers.
        labels: the names of the raw columns: classes or tokens; () when not known.
        unit: the unit of plain numbers; "" when they have none.
        split: of "log-probabilities", how many of the first columns are the target's; the rest
            are the contrast's. None when there is no contrast.
        reads: the kinds of items it scores, see `Item`.
        batch: how many items it likes to be given at once. Those may be answered in any order,
            short ones first, say; so what a run knows when it is stopped is a fair draw of its
            masks but for the last so many.
        max_tokens: the longest item it reads, everything counted; None when not limited.
        count_tokens: items -> `(b,)` tokens it reads for each, everything counted, or None.
        token_spans: a text -> `(start, end)` of each of its tokens, special ones left out, or
            None.
        mask: what the model itself puts in the place of a missing word, such as "[MASK]"; ""
            when it knows nothing of the kind.
        paid: whether calls are billed.
        pins: pieces of a text at which its scores are read; a lens keeps them always present.
        lanes: how many batches it scores at the same time.
        lane: how many items go together in one of them.
        notes: what a reader of a finding should know of how the values were made, such as the
            tier of a server's log-probabilities.
    """

    name: str = "a callable"
    identity: str | None = None
    scores: str = "logits"
    labels: tuple[str, ...] = ()
    unit: str = ""
    split: int | None = None
    reads: frozenset[str] = frozenset({"text"})
    batch: int = 64
    max_tokens: int | None = None
    count_tokens: Callable[[Sequence[Any]], NDArray[np.int64]] | None = field(
        default=None, compare=False, repr=False
    )
    token_spans: Callable[[str], Sequence[tuple[int, int]]] | None = field(
        default=None, compare=False, repr=False
    )
    mask: str = ""
    paid: bool = False
    pins: tuple[str, ...] = ()
    lanes: int = 1
    lane: int = 1
    notes: tuple[str, ...] = ()


@runtime_checkable
class Scorer(Protocol):
    """A model's callable that can say what it is: what adapters make."""

    @property
    def facts(self) -> Facts:
        """What it says of itself. Costs no model call."""
        ...

    def __call__(self, items: Sequence[Any], /) -> Any:
        """Raw scores `(b, *raw)`, one row per item, in their order."""
        ...


@runtime_checkable
class Executor(Protocol):
    """A callable whose answers arrive in parts: batches, threads, a server's replies, a cluster."""

    def stream(self, items: Sequence[Any], /) -> Iterator[Part]:
        """Every position among `items` once, with its raw scores, as they arrive, in any order.

        Closing the iterator early cancels what has not been asked yet. An error is raised after
        the parts that arrived before it.
        """
        ...


@runtime_checkable
class Continues(Protocol):
    """A scorer of continuations that can write one."""

    def continuing(self, item: Any, most: int) -> Scorer:
        """A scorer of the continuation that the model itself writes after `item`.

        Args:
            item: the whole input.
            most: tokens at most.
        """
        ...


def facts_of(score: object) -> Facts:
    """What a callable says of itself; a bare one says nothing."""
    return score.facts if isinstance(score, Scorer) else Facts()


@dataclass(frozen=True)
class InProcess:
    """The executor of a bare callable: one batch after the other, in this process.

    Attributes:
        score: items -> raw scores.
        batch: items at a time.
    """

    score: Score
    batch: int = 64

    def stream(self, items: Sequence[Any]) -> Iterator[Part]:
        """See `Executor`."""
        for start in range(0, len(items), self.batch):
            chunk = items[start : start + self.batch]
            yield np.arange(start, start + len(chunk)), scores_of(self.score(chunk), len(chunk))


def as_executor(score: Score | Executor, batch: int) -> Executor:
    """The callable itself if it streams, else one that runs it batch by batch."""
    return score if isinstance(score, Executor) else InProcess(score, batch)


@dataclass(frozen=True)
class Scored:
    """The value function of a lens: masks are made into items, and different items are scored.

    Attributes:
        executor: who scores items.
        render: masks `(b, n)` -> b items.
        key: item -> what is equal for items that are the same to the model; None where masks
            never make the same item twice.
        window: masks that are made into items at a time.
    """

    executor: Executor
    render: Callable[[Masks], Sequence[Any]]
    key: Callable[[Any], Hashable] | None = None
    window: int = WINDOW

    def __call__(self, masks: Masks) -> Values:
        """Raw scores `(b, *raw)`, one row per mask.

        Raises:
            ShapeError: not one score, or row of scores, for each item.
        """
        return in_order(self.stream(masks))

    def stream(self, masks: Masks) -> Iterator[Part]:
        """Rows of `masks` and their raw scores, as they arrive; each row once."""
        known: dict[Hashable, Values] = {}
        for start in range(0, len(masks), self.window):
            for rows, values in self._window(masks[start : start + self.window], known):
                yield rows + start, values

    def _window(self, masks: Masks, known: dict[Hashable, Values]) -> Iterator[Part]:
        """The same for the masks of one window; `known` holds what those before were worth."""
        items = list(self.render(masks))
        if self.key is None:
            yield from self.executor.stream(items)
            return
        places = _places(items, self.key)
        for key in [key for key in places if key in known]:
            rows = places.pop(key)
            yield rows, np.repeat(known[key], len(rows), axis=0)
        keys, rows_of = list(places), list(places.values())
        for where, values in self.executor.stream([items[rows[0]] for rows in rows_of]):
            for at, value in zip(where.tolist(), values, strict=True):
                known[keys[at]] = value[None]
            rows = [rows_of[at] for at in where.tolist()]
            yield np.concatenate(rows), np.repeat(values, list(map(len, rows)), axis=0)


def _places(
    items: Sequence[Any], key: Callable[[Any], Hashable]
) -> dict[Hashable, NDArray[np.intp]]:
    """Where each different item is, in the order they first came."""
    places: dict[Hashable, list[int]] = {}
    for row, item in enumerate(items):
        places.setdefault(key(item), []).append(row)
    return {key: np.array(rows, dtype=np.intp) for key, rows in places.items()}


def scores_of(answer: Any, items: int) -> Values:
    """What a model returned for some items, as floats `(items, *raw)`.

    Raises:
        ShapeError: not one number, or row of numbers, for each.
    """
    needed = "it must return one number, or one row of class scores, per input, in their order."
    try:
        scores = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(
            f"score returned a {type(answer).__name__} that is not an array of numbers; {needed}"
        ) from error
    if scores.ndim == 0 or len(scores) != items:
        raise ShapeError(f"score returned shape {scores.shape} for {items} inputs; {needed}")
    return scores

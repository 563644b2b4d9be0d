"""Holds Forward: one batch of token sequences through a language model, and Arena, what is kept.

Sequences of a batch may each go on from a prefix whose keys and values an Arena holds. Padding
stands only before prefixes and behind sequences, so that real tokens are neighbours in every row:
what a model makes of distances is not disturbed, and causality hides the padding behind.
It does not know how sequences were read, nor which of them share what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whence.adapters._torch import evaluating, require

SOFTMAX_BYTES = 1 << 26
"""Bytes of float32 logits at most of which log-probabilities are taken at a time."""


class Row(NamedTuple):
    """One sequence of a batch.

    Attributes:
        tokens: `(t,)` token ids, of the prefix too.
        hidden: `(t,)` whether each may not be attended to.
        start: tokens of the prefix; at least one token must follow it.
        stop: where the sequence ends.
        slots: `(start,)` where the arena keeps the prefix.
    """

    tokens: NDArray[np.int64]
    hidden: NDArray[np.bool_]
    start: int
    stop: int
    slots: NDArray[np.int64]


@dataclass
class Arena:
    """Keys and values of tokens, by slot. The first batch that is kept says what they look like.

    Attributes:
        slots: how many tokens it has room for.
        layers: keys and values of each layer, each `(slots, heads, width)`.
    """

    slots: int
    layers: list[tuple[Any, Any]] = field(default_factory=list[tuple[Any, Any]])

    def keep(self, cache: Any, width: int, rows: Any, places: Any, slots: Any) -> None:
        """Stores the tokens at `places` of `rows`, of those that came last, `width` in each row.

        Args:
            cache: a transformers cache.
            width: how many tokens of each row are new.
            rows: `(k,)` rows of the batch.
            places: `(k,)` places among the new tokens.
            slots: `(k,)` where to.
        """
        told = [(one.keys[:, :, -width:], one.values[:, :, -width:]) for one in cache.layers]
        if not self.layers:
            self.layers = [(self._room(keys), self._room(values)) for keys, values in told]
        for layer, kept in zip(told, self.layers, strict=True):
            for new, old in zip(layer, kept, strict=True):
                old[slots] = new[rows, :, places]

    def cache(self, slots: Any) -> Any:
        """A transformers cache of the tokens in `slots` `(b, t)`."""
        from transformers.cache_utils import DynamicCache, DynamicLayer

        cache = DynamicCache()
        for kept in self.layers:
            # Put in as they are: to go through `update` would copy them once more.
            keys, values = (self._taken(one, slots) for one in kept)
            layer = DynamicLayer()
            layer.lazy_initialization(keys, values)
            layer.keys, layer.values = keys, values
            cache.layers.append(layer)
        return cache

    def _room(self, like: Any) -> Any:
        return like.new_empty((self.slots, like.shape[1], like.shape[3]))

    def _taken(self, kept: Any, slots: Any) -> Any:
        b, t = slots.shape
        return kept.index_select(0, slots.reshape(-1)).view(b, t, *kept.shape[1:]).transpose(1, 2)


@dataclass(frozen=True)
class Forward:
    """A language model, run as it is found: never moved, its modes put back.

    Attributes:
        model: a causal language model of transformers.
        takes: the names of what its forward takes.
        device: where its token ids belong.
        endings: what may follow a prompt: continuations of one length that differ in their last
            token at most, so that one sequence (the prompt and all but that token) tells of all.
    """

    model: Any = field(repr=False)
    takes: frozenset[str]
    device: Any
    endings: tuple[tuple[tuple[int, ...], ...], ...]

    def log_probabilities(
        self, rows: Sequence[Row], which: Sequence[int], arena: Arena
    ) -> NDArray[np.float64]:
        """Of each token of an ending's continuations after each sequence, in nats.

        Args:
            rows: sequences, each a prompt and all but the last token of an ending.
            which: the number of that ending.
            arena: what keeps the prefixes.

        Returns:
            `(b, most columns of any ending)`, the continuations of an ending one after the other;
            zeros behind.
        """
        torch = require()
        sizes = np.array([len(self.endings[one][0]) for one in which])
        new = np.array([row.stop - row.start for row in rows])
        values = np.zeros((len(rows), max(len(one) * len(one[0]) for one in self.endings)))
        with evaluating(self.model):
            keep = int(new.max() - (new - sizes).min())
            logits = self._run(rows, arena, keep).logits[:, -keep:]
            for one in set(which):
                mine = np.flatnonzero(np.asarray(which) == one)
                first = new[mine] - sizes[mine] + keep - new.max()
                target = torch.tensor(self.endings[one], device=logits.device)
                values[mine, : target.numel()] = _of_tokens(logits, mine, first, target)
        return values

    def keep(self, rows: Sequence[Row], arena: Arena, slots: Sequence[NDArray[np.int64]]) -> None:
        """Computes sequences and keeps what follows their prefixes in `slots` of the arena."""
        with evaluating(self.model):
            cache = self._run(rows, arena, 1, cached=True).past_key_values
            sizes = [row.stop - row.start for row in rows]
            where = (
                np.repeat(np.arange(len(rows)), sizes),
                np.concatenate([np.arange(size) for size in sizes]),
                np.concatenate(slots),
            )
            arena.keep(cache, max(sizes), *(self._tensor(one) for one in where))

    def written(
        self,
        tokens: Sequence[int],
        hidden: Sequence[bool],
        most: int,
        stops: frozenset[int],
        *,
        cached: bool,
    ) -> tuple[int, ...]:
        """The tokens that the model itself goes on with, each the likeliest, at most `most`.

        Args:
            tokens: a prompt.
            hidden: whether each of its tokens may not be attended to.
            most: tokens at most.
            stops: tokens that end a text; none of them is written.
            cached: whether keys and values may be kept from token to token.
        """
        known, dark, done = list(tokens), list(hidden), 0
        cache = Arena(0).cache(None) if cached else None
        with evaluating(self.model):
            while len(known) < len(tokens) + most:
                given = {
                    "input_ids": np.array([known[done:]]),
                    "attention_mask": 1 - np.array([dark], dtype=np.int64),
                    "position_ids": np.arange(done, len(known))[None, :],
                }
                told = {k: self._tensor(v) for k, v in given.items() if k in self.takes}
                if cached:
                    told |= {"past_key_values": cache, "use_cache": True}
                    done = len(known)
                likeliest = int(self.model(**told).logits[0, -1].argmax())
                if likeliest in stops:
                    break
                known.append(likeliest)
                dark.append(False)
        return tuple(known[len(tokens) :])

    def _run(self, rows: Sequence[Row], arena: Arena, keep: int, cached: bool = False) -> Any:
        known, width = max(r.start for r in rows), max(r.stop - r.start for r in rows)
        ids = np.zeros((len(rows), width), dtype=np.int64)
        places = np.zeros((len(rows), width), dtype=np.int64)
        seen = np.ones((len(rows), known + width), dtype=np.int64)
        slots = np.zeros((len(rows), known), dtype=np.int64)
        for i, row in enumerate(rows):
            size, before = row.stop - row.start, known - row.start
            ids[i, :size] = row.tokens[row.start : row.stop]
            # Padding behind stands at the last place: there may be no place for it further on.
            places[i] = np.minimum(np.arange(row.start, row.start + width), row.stop - 1)
            seen[i, :before] = 0
            seen[i, before : before + row.stop] = ~row.hidden[: row.stop]
            slots[i, before:] = row.slots
        given = {"input_ids": ids, "attention_mask": seen}
        if known or not seen.all():
            given["position_ids"] = places
        told: dict[str, Any] = {k: self._tensor(v) for k, v in given.items() if k in self.takes}
        if "logits_to_keep" in self.takes:
            told["logits_to_keep"] = keep
        if known:
            told["past_key_values"] = arena.cache(self._tensor(slots))
        elif cached:
            told["past_key_values"] = Arena(0).cache(None)
        if "use_cache" in self.takes:
            told["use_cache"] = cached or bool(known)
        return self.model(**told)

    def _tensor(self, array: NDArray[np.int64]) -> Any:
        return require().from_numpy(array).to(self.device)


def _of_tokens(
    logits: Any, rows: NDArray[np.intp], first: NDArray[np.int64], targets: Any
) -> NDArray[np.float64]:
    """`(rows, m * T)` log-probabilities of `targets` `(m, T)`, from `first` of each row's logits.

    In float32 whatever the model's precision, a few rows at a time.
    """
    torch = require()
    values = np.empty((len(rows), targets.numel()))
    step = max(1, SOFTMAX_BYTES // (4 * targets.shape[1] * logits.shape[2]))
    for start in range(0, len(rows), step):
        some = slice(start, start + step)
        row = torch.from_numpy(rows[some]).to(logits.device)[:, None]
        place = torch.from_numpy(first[some]).to(logits.device)[:, None]
        place = place + torch.arange(targets.shape[1], device=logits.device)
        told = logits[row, place].float()
        got = told.gather(2, targets.T.expand(len(row), -1, -1)) - told.logsumexp(2, keepdim=True)
        values[some] = got.transpose(1, 2).flatten(1).cpu().numpy()
    return values

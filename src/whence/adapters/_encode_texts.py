"""Holds TextStates: texts as bags of units, each the mean of a transformers model's hidden states.

It does not know which model it is, nor what is learned from the bags.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from whence.adapters import _torch
from whence.adapters.transformers.reading import (
    fingerprint_of,
    limit_of,
    need_spans,
    refuse_misfit,
)
from whence.adapters.transformers.running import identity_of
from whence.errors import InputError
from whence.prospectors._segments import Segment, rule_of
from whence.prospectors.bags import Bag
from whence.prospectors.layouts import Sequence

#: Windows that go through the model at once.
WINDOWS = 8


@dataclass(frozen=True, eq=False)
class TextStates:
    """A transformers model as an encoder of texts.

    A text goes through the model whole; one that is longer than the model reads goes in windows
    that overlap by half, and each token counts where it stands farthest from the edge of one. A
    unit is the mean of its tokens, special tokens left out, scaled to length 1; a unit that the
    tokenizer leaves nothing of is 0.

    Attributes:
        model: a transformers model; left where it is, and as it is.
        tokenizer: its fast tokenizer.
        segment: a text -> its units.
        layer: which hidden states: -1 the last, after the final normalisation; else as
            `hidden_states` counts them, 0 being the embeddings.
        window: of the layout: units to each side that are neighbours.
        name: as `open_encoder` takes it.
        options: what else was said to it.
    """

    model: Any
    tokenizer: Any
    segment: Segment
    layer: int
    window: int
    name: str
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        """Refuses a tokenizer that cannot be used."""
        need_spans(self.tokenizer, "an encoder")
        refuse_misfit(self.tokenizer, self.model, self.name)

    def fit(self, things: Iterable[str], y: Any = None) -> Self:
        """Nothing is learned."""
        return self

    def encode(self, thing: str, name: str = "") -> Bag:
        """The bag of one text.

        Raises:
            InputError: no text, or one without units.
        """
        if not isinstance(thing, str) or not thing.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputError(f"{name or 'what came'} is no text, or an empty one; leave it out.")
        units = self.segment(thing)
        if units.spans is None or units.text != thing or not len(units):
            raise InputError("segment= gave units without spans in the text as it came.")
        spans, states = self._states(thing)
        return Bag(_means(units.spans, spans, states), Sequence(self.window), units, name)

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Its name, options and identity; the model itself stays where it is."""
        return {}, {
            "encoder": self.name,
            "options": self.options,
            "rule": rule_of(self.segment),
            "identity": self.identity,
        }

    @property
    def identity(self) -> str | None:
        """Equal only for encoders that embed alike; None if that is not known."""
        return identity_of(self.model, [fingerprint_of(self.tokenizer)], "states", self.layer)

    def _states(self, text: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Where each token stands `(t, 2)`, and its states `(t, d)`; no token twice."""
        limit = limit_of(self.tokenizer, self.model)
        cut: dict[str, Any] = {}
        if limit is not None:
            room = limit - self.tokenizer.num_special_tokens_to_add()
            cut = {"truncation": True, "max_length": limit, "stride": room // 2}
        read = self.tokenizer(
            text,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            return_overflowing_tokens=limit is not None,
            verbose=False,
            **cut,
        )
        ids = read["input_ids"] if limit is not None else [read["input_ids"]]
        spans = read["offset_mapping"] if limit is not None else [read["offset_mapping"]]
        special = read["special_tokens_mask"]
        special = special if limit is not None else [special]
        places = [np.array(one, dtype=np.int64).reshape(-1, 2) for one in spans]
        kept = [
            (np.array(one) == 0) & (place[:, 0] < place[:, 1])
            for one, place in zip(special, places, strict=True)
        ]
        mine = _central(places, kept)
        states = self._run(ids)
        chosen = [s[m] for s, m in zip(states, mine, strict=True)]
        where = [p[m] for p, m in zip(places, mine, strict=True)]
        return np.concatenate(where), np.concatenate(chosen)

    def _run(self, windows: list[list[int]]) -> list[NDArray[np.float32]]:
        """The states `(t, d)` of every window, in their order; those of one length together."""
        torch = _torch.require()
        trunk = trunk_of(self.model, "text_model")
        made: dict[int, NDArray[np.float32]] = {}
        for length in sorted({len(one) for one in windows}):
            same = [i for i, one in enumerate(windows) if len(one) == length]
            for start in range(0, len(same), WINDOWS):
                some = same[start : start + WINDOWS]
                ids = torch.tensor([windows[i] for i in some], device=_torch.device_of(self.model))
                with _torch.evaluating(self.model):
                    found = states_of(
                        trunk, self.layer, input_ids=ids, attention_mask=torch.ones_like(ids)
                    )
                    rows = found.to(device="cpu", dtype=torch.float32).numpy()
                made.update(zip(some, rows, strict=True))
        return [made[i] for i in range(len(windows))]


def trunk_of(model: Any, part: str) -> Any:
    """The part of a model that makes hidden states: without its head, and of several one."""
    base = model.get_encoder() if model.config.is_encoder_decoder else model.base_model
    return dict(base.named_children()).get(part, base)


def states_of(trunk: Any, layer: int, **given: Any) -> Any:
    """Hidden states of a layer, a tensor.

    Raises:
        InputError: a layer that the model does not have.
    """
    if layer == -1:
        return trunk(**given, return_dict=True).last_hidden_state
    states = trunk(**given, return_dict=True, output_hidden_states=True).hidden_states
    if not -len(states) <= layer < len(states):
        raise InputError(f"layer={layer} came; the model has 0 to {len(states) - 1}, or -1.")
    return states[layer]


def _central(
    places: list[NDArray[np.int64]], kept: list[NDArray[np.bool_]]
) -> list[NDArray[np.bool_]]:
    """Of every window the tokens that count there: those farthest from its edges."""
    best: dict[tuple[int, int], tuple[int, int]] = {}
    for window, (place, keep) in enumerate(zip(places, kept, strict=True)):
        for at in np.flatnonzero(keep).tolist():
            key = (int(place[at, 0]), int(place[at, 1]))
            inside = min(at, len(place) - 1 - at)
            if key not in best or inside > best[key][0]:
                best[key] = inside, window
    chosen: list[NDArray[np.bool_]] = []
    for window, (place, keep) in enumerate(zip(places, kept, strict=True)):
        own = [best.get((int(s), int(e)), (0, -1))[1] == window for s, e in place]
        chosen.append(keep & np.array(own, dtype=np.bool_))
    return chosen


def _means(
    units: tuple[tuple[int, int], ...], spans: NDArray[np.int64], states: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The mean state of the tokens that touch each unit, at length 1; 0 where none does."""
    rows = np.zeros((len(units), states.shape[1]), dtype=np.float32)
    for row, (start, end) in zip(rows, units, strict=True):
        touching = (spans[:, 0] < end) & (spans[:, 1] > start)
        if touching.any():
            row[:] = states[touching].mean(axis=0)
    return scaled(rows)


def scaled(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows at length 1; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)

"""Holds the encoders that need no model: texts and pictures -> bags of embedded tokens, or names.

An encoder's state is arrays and plain JSON, which a head's file keeps beside the head: so a map of
a new text or picture is made by what the head was fitted on, and by nothing else. It does not know
labels, nor models (adapters know those).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from whence.errors import InputError
from whence.prospectors._patches import PatchEncoder
from whence.prospectors._segments import Rule, Segment, cut, key, rule_of
from whence.prospectors._texts import TextEncoder
from whence.prospectors.bags import Bag, as_bags
from whence.prospectors.layouts import Sequence

__all__ = [
    "Encoder",
    "NoEncoder",
    "PatchEncoder",
    "Rule",
    "Segment",
    "TextEncoder",
    "identity_of",
    "restored",
]

Arrays = dict[str, NDArray[Any]]


@runtime_checkable
class Encoder(Protocol):
    """Things to bags: a text, a picture, or whatever the encoder reads."""

    @property
    def name(self) -> str:
        """What it is called, as `whence.adapters.encoders.open_encoder` takes it."""
        ...

    def fit(self, things: Iterable[Any], y: Any = None) -> Self:
        """Learn from things without labels; what has nothing to learn returns itself."""
        ...

    def encode(self, thing: Any, name: str = "") -> Bag:
        """The bag of one thing; `name` is for people."""
        ...

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Arrays and plain JSON that make it again; the JSON names it as "encoder"."""
        ...


class NoEncoder(BaseEstimator):
    """No encoder: letters or words of a text are categories; names and vectors stay as they came.

    A word is counted in small letters without punctuation at its edges, and shown as it stands.

    Args:
        units: of texts: "letter" or "word".
        window: of the layout of a text: units to each side that are neighbours.
        segment: a text -> its Units, in place of the plain rules; it stands for `units`.
    """

    def __init__(
        self, units: str = "letter", *, window: int = 1, segment: Segment | None = None
    ) -> None:
        self.units = units
        self.window = window
        self.segment = segment

    @property
    def name(self) -> str:
        """As `open_encoder` takes it: "none"."""
        return "none"

    def fit(self, things: Iterable[Any], y: Any = None) -> Self:
        """Nothing is learned."""
        return self

    def encode(self, thing: Any, name: str = "") -> Bag:
        """The bag of a text; anything else becomes what `as_bags` makes of it.

        Raises:
            InputError: a text without units, or nothing that a bag can be made of.
        """
        if not isinstance(thing, str):
            [bag] = as_bags([thing])
            return Bag(bag.tokens, bag.layout, bag.units, name or bag.name)
        if self.units not in ("letter", "word") and self.segment is None:
            raise InputError(
                f"units={self.units!r} came; without an encoder a text is letters or words. For "
                "sentences use TextEncoder."
            )
        units = cut(thing, self.units, self.segment, name)
        as_counted = units.labels if self.units == "letter" else map(key, units.labels)
        return Bag(np.array(list(as_counted)), Sequence(self.window), units, name)

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Its options; there are no arrays."""
        options = {"units": self.units, "window": self.window}
        return {}, {"encoder": self.name, "options": options, "rule": rule_of(self.segment)}

    def restore(self, arrays: Arrays, meta: dict[str, Any]) -> Self:
        """Nothing to take."""
        return self


#: Name -> the encoder that is made of its own state.
BUILT_IN: dict[str, type[TextEncoder | PatchEncoder | NoEncoder]] = {
    "tfidf": TextEncoder,
    "patches": PatchEncoder,
    "none": NoEncoder,
}


def restored(arrays: Arrays, meta: dict[str, Any], segment: Segment | None = None) -> Encoder:
    """The encoder that a state was taken of.

    Args:
        arrays: the arrays of `Encoder.state`.
        meta: its JSON.
        segment: the rule that cut the texts, where one was given when it was fitted: no file can
            keep a function.

    Raises:
        InputError: a state of no encoder of this file, a damaged one, or another rule than it was
            fitted with.
    """
    kind = meta.get("encoder")
    if kind not in BUILT_IN:
        raise InputError(
            f"the state of an encoder {kind!r} came; known here are {', '.join(BUILT_IN)}. Others "
            "are opened by whence.adapters.encoders.reopened."
        )
    options = dict(meta["options"])
    rule = meta.get("rule", "")
    if rule != rule_of(segment):
        said = {"": "our plain rules", "given": "a function of its own"}
        raise InputError(
            f"the encoder cut texts by {said.get(rule, rule)}, and segment= came as "
            f"{said.get(rule_of(segment), rule_of(segment))}; give the one it was fitted with."
        )
    if rule:
        options["segment"] = segment
    try:
        return BUILT_IN[kind](**options).restore(arrays, meta)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the state of the encoder {kind} cannot be read ({type(error).__name__}: {error}); "
            "it is damaged, or of another version of whence."
        ) from error


def identity_of(arrays: Arrays, meta: dict[str, Any]) -> str:
    """Equal only for equal states: 64 hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()

"""Holds Waiting: a model of which nobody has said yet what of its answer is scored.

It does not know what the model is, nor what it could be asked (answering, filling).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from whence.errors import InputError
from whence.scoring import Facts, HiddenText, Scorer


@dataclass(frozen=True)
class Waiting:
    """A scorer that scores nothing before it is told what; see `whence.scoring.Continues`.

    Attributes:
        facts: what it says of itself.
        own: a text, and how many tokens at most -> the scorer of the model's own answer to it.
        knob: what can be said instead, and how the model's own is found.
    """

    facts: Facts
    own: Callable[[str, int], Scorer]
    knob: str

    def __call__(self, items: Sequence[Any]) -> Any:
        """Nothing.

        Raises:
            InputError: always; it names the knob.
        """
        raise InputError(f"{self.facts.name} was not told what to score. {self.knob}")

    def continuing(self, item: Any, most: int) -> Scorer:
        """The scorer of the model's own answer to the whole text, which may be hidden nowhere.

        Raises:
            InputError: an item of another kind.
        """
        if isinstance(item, HiddenText) and not item.hidden:
            item = item.text
        if not isinstance(item, str):
            raise InputError(f"a {type(item).__name__} came; the whole text is needed.")
        return self.own(item, most)

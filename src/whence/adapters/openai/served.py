"""Holds ServedScorer: a model behind an OpenAI-compatible server as one callable.

It does not know masks or games: texts or conversations come in, raw scores go out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.adapters.openai.client import Answer, Ask, Server, answers, one, usage
from whence.adapters.openai.counting import Counting
from whence.adapters.openai.measures import Measure
from whence.adapters.openai.probe import labelled, letters, pieces_of
from whence.adapters.openai.reading import first_tokens, first_value, said, target_row
from whence.adapters.openai.spending import Spent, Tally, told
from whence.adapters.openai.wire import Wire
from whence.errors import InputError, ModelError
from whence.scoring import Facts, Part

#: Said of every server.
CACHE = (
    "Whether the server caches prefixes is not known; with a cache, values may depend on the "
    "order of requests (vLLM #42245)"
)


@dataclass(frozen=True)
class ServedScorer:
    """A model behind a server; call it with items, get raw scores. Made by `scorer`.

    What it is asked is not cleared of duplicates: a game's lens does that.

    Attributes:
        server: where it listens.
        wire: the form of requests.
        tier: "prompt", "first-token" or "text".
        target: the continuation, or reference answer; None until `continuing` finds one.
        contrast: another, whose value is subtracted; None for none.
        labels: tokens of the target, then those of the contrast.
        split: how many of them are the target's; None without a contrast.
        measure: what a written answer is worth; None but for tier "text".
        max_answer: tokens that an answer may have, for tier "text".
        counting: how tokens are counted.
        tally: what was spent so far.
    """

    server: Server
    wire: Wire
    tier: str
    counting: Counting = field(repr=False)
    tally: Tally = field(repr=False, compare=False)
    target: str | None = None
    contrast: str | None = None
    labels: tuple[str, ...] = ()
    split: int | None = None
    measure: Measure | None = None
    max_answer: int = 64

    @property
    def spent(self) -> Spent:
        """What was asked so far, by this scorer and those that it made; grows during a run."""
        return self.tally.spent()

    @property
    def facts(self) -> Facts:
        """See `Scorer`. The notes count what happened in the answers so far."""
        return Facts(
            name=f"{self.wire.model} at {self.server.base_url}",
            identity=self._identity(),
            scores="log-probabilities" if self.measure is None else "values",
            labels=self.labels,
            unit="" if self.measure is None else self.measure.unit,
            split=self.split,
            reads=frozenset({"text", "messages"} if self.wire.chat else {"text"}),
            batch=max(64, 16 * self.server.concurrency),
            lanes=self.server.concurrency,
            count_tokens=self.counting,
            token_spans=None if self.counting.tokenizer is None else self.counting.spans,
            paid=not self.server.local,
            notes=self._notes(),
        )

    def __call__(self, items: Sequence[Any]) -> NDArray[np.float64]:
        """Raw scores `(b, tokens)`, or `(b,)` for tier "text", in the order of the items.

        Raises:
            InputError, ModelError: as `stream`.
        """
        rows = np.zeros((len(items), len(self.labels)) if self.measure is None else len(items))
        for where, values in self.stream(items):
            rows[where] = values
        return rows

    def stream(self, items: Sequence[Any]) -> Iterator[Part]:
        """See `Executor`: each item's scores as its answer arrives.

        Raises:
            InputError: an item that is not read, no target, a wrong key or model, a text that is
                too long.
            ModelError: the server is down, too slow, too busy, or answers with something else.
        """
        given = self._checked(items)
        jobs = [self._asks(item) for item in given]

        def read(number: int, came: list[Answer]) -> NDArray[np.float64]:
            return self._row(given[number], came)

        for some in answers(self.server, jobs, read, self.tally):
            yield np.array([number for number, _ in some]), np.stack([row for _, row in some])

    def continuing(self, item: Any, most: int) -> ServedScorer:
        """See `Continues`. One greedy request; one or two more for tier "prompt".

        For tier "text" the answer becomes the reference, and answers may have `most` tokens.

        Raises:
            InputError, ModelError: as `stream`, or the model writes nothing.
        """
        self.wire.check(item)
        asked = replace(self.wire, form="text").ask(item, most=most)
        answer = one(self.server, asked, self.tally)
        text = said(answer, self.wire.chat)
        if not text.strip():
            raise InputError(
                f"{self.wire.model} writes nothing after this text, so there is no continuation "
                "to explain. Give target=."
            )
        counting = replace(self.counting, letters=letters(self.wire, answer, item, ""))
        return replace(self, max_answer=most, counting=counting).aimed(item, text)

    def aimed(self, item: Any, target: str, answer: Answer | None = None) -> ServedScorer:
        """The same scorer with a target, whose tokens are labelled as after `item`.

        Args:
            item: what stands before the target.
            target: the continuation.
            answer: the server's for just this, where it is at hand.
        """
        labels, contrast = self._labels(item, target, answer), ()
        if self.contrast is not None:
            contrast = self._labels(item, self.contrast, None)
        counting = replace(self.counting, tails=self._tails(target))
        return replace(
            self,
            target=target,
            labels=labels + contrast,
            split=len(labels) if contrast else None,
            counting=counting,
        )

    def _labels(self, item: Any, target: str, answer: Answer | None) -> tuple[str, ...]:
        if self.tier == "text":
            return ()
        if self.tier == "first-token":
            return (_apart(target, self.contrast),)
        came = answer or one(self.server, self.wire.ask(item, target), self.tally)
        return labelled(self.server, self.wire, item, target, came, self.tally)

    def _tails(self, target: str) -> tuple[str, ...]:
        if self.tier != "prompt":
            return ("",)
        return (target,) if self.contrast is None else (target, self.contrast)

    def _checked(self, items: Sequence[Any]) -> list[Any]:
        if isinstance(items, str):
            raise InputError("One string came; a list of items is needed. Put it in brackets.")
        for item in items:
            self.wire.check(item)
        judged = self.measure is not None and self.measure.judge is not None
        if self.target is None and not judged:
            raise InputError(self._aimless())
        return list(items)

    def _aimless(self) -> str:
        if self.contrast is not None:
            return (
                f"contrast= came for {self.wire.model} without target=, so there is nothing to "
                "hold it against. Give target= too, or leave contrast= out to explain what the "
                "model itself writes (in Python, continuing(item, most) keeps the contrast)."
            )
        return (
            f"{self.wire.model} was opened without a target, so an answer has nothing to be "
            "valued by. Give target=, or let the model write one: continuing(text, most)."
        )

    def _asks(self, item: Any) -> list[Ask]:
        if self.tier == "prompt":
            return [self.wire.ask(item, tail) for tail in self.counting.tails]
        return [self.wire.ask(item, most=self.max_answer if self.measure else 1)]

    def _row(self, item: Any, came: list[Answer]) -> NDArray[np.float64]:
        if self.counting.exact:
            for tail, answer in zip(self.counting.tails, came, strict=True):
                self.counting.refuse_cut(item, tail, usage(answer)[0])
        if self.measure is not None:
            return np.array(self._worth(self.measure, item, said(came[0], self.wire.chat)))
        if self.tier == "prompt":
            return self._prompt_row(item, came)
        return self._first_row(came[0])

    def _prompt_row(self, item: Any, came: list[Answer]) -> NDArray[np.float64]:
        rows: list[NDArray[np.float64]] = []
        split = len(self.labels) if self.split is None else self.split
        labels = (self.labels[:split], self.labels[split:])
        for answer, tail, names in zip(came, self.counting.tails, labels, strict=False):
            pieces = pieces_of(self.wire, answer, item, tail)
            if pieces is None:
                raise ModelError(_half("log-probabilities of the prompt"))
            row, usual = target_row(pieces, names, tail)
            self.tally.add(Spent(recut=int(not usual), cut=1))
            rows.append(row)
        return np.concatenate(rows)

    def _first_row(self, answer: Answer) -> NDArray[np.float64]:
        tokens = first_tokens(answer)
        if tokens is None:
            raise ModelError(_half("the likeliest first tokens"))
        target, other = str(self.target), self.contrast or ""
        pairs = [(target, other)] + ([(other, target)] if other else [])
        found = [first_value(tokens, wanted, rival) for wanted, rival in pairs]
        absent = sum(not listed for _, listed in found)
        self.tally.add(Spent(sought=len(found), absent=absent))
        return np.array([value for value, _ in found])

    def _worth(self, measure: Measure, item: Any, answer: str) -> float:
        worth = measure.of(item, self.target, answer)
        if self.contrast is None:
            return worth
        return worth - measure.of(item, self.contrast, answer)

    def _identity(self) -> str | None:
        if self.measure is not None and self.measure.identity is None:
            return None
        asked = {
            "openai": 1,
            "url": self.server.base_url,
            "model": self.wire.model,
            "tier": self.tier,
            "form": self.wire.form,
            "top": self.wire.top if self.tier == "first-token" else None,
            "chat": self.wire.chat,
            "system": self.wire.system,
            "extra": dict(self.wire.extra),
            "target": self.target,
            "contrast": self.contrast,
            "labels": self.labels,
            "measure": None if self.measure is None else self.measure.identity,
            "max_answer": None if self.measure is None else self.max_answer,
        }
        return json.dumps(asked, sort_keys=True)

    def _notes(self) -> tuple[str, ...]:
        made = {"listed": self.wire.listed, "form": self.wire.form, "most": self._most()}
        notes = [_TIERS[self.tier].format(**made), *told(self.spent, self.wire.listed)]
        if not self.counting.exact:
            notes.append(f"Tokens are estimated, {self.counting.letters:.2f} characters each")
        return (*notes, CACHE)

    def _most(self) -> str:
        unit = "" if self.measure is None else self.measure.unit
        return f"{unit} of the written answer, of at most {self.max_answer} tokens"


_TIERS = {
    "prompt": "Tier 'prompt': log-probabilities of the target's tokens, from the server's "
    "log-probabilities of its prompt ({form})",
    "first-token": "Tier 'first-token': log-probability that the first token written begins the "
    "target, from the {listed} likeliest tokens",
    "text": "Tier 'text': {most}",
}


def _apart(target: str, contrast: str | None) -> str:
    """The label of a first token, refused where no first token tells target and contrast apart."""
    one, other = target.strip(), (contrast or "").strip()
    if one != other and other and (one.startswith(other) or other.startswith(one)):
        raise InputError(
            f"target={target!r} and contrast={contrast!r} came for tier 'first-token', and one "
            "begins the other, so no first token tells them apart. Give two that begin "
            "differently, or a server with tier 'prompt'."
        )
    return one


def _half(what: str) -> str:
    return (
        f"the server answered without {what}, which it gave before. See its log, or choose "
        "another tier=."
    )

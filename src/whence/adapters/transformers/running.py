"""Holds TextScorer: a model that reads texts, and the part of its answer that is the value.

It runs the model batch by batch. It does not know which part of an answer a task reads (a Head
does: classify, tagging, answering, filling), nor how texts become tokens (reading).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from whence.adapters import _torch
from whence.adapters._batches import OVERHEAD, Size, in_batches
from whence.adapters.transformers.forwarding import Forward, forward
from whence.adapters.transformers.reading import Read, Reader, fingerprint_of, spans_known
from whence.errors import InputError
from whence.game import Values
from whence.scoring import Facts, HiddenText, Part, in_order

#: Items that a game gives at a time: enough that those of one length fill whole batches.
ITEMS = 512
#: Tokens of a batch, padding counted: on a processor, and on anything faster.
TOKENS, TOKENS_FAST = 2048, 32768

#: What a configuration says of where and how it was written, not of what is computed; the
#: precision is told by the weights.
UNTOLD = ("_name_or_path", "transformers_version", "architectures", "dtype")


class Head(Protocol):
    """Which part of a model's answer is the value."""

    def aim(self, item: str | HiddenText, read: Read) -> Any:
        """Where in the answer for one item to look.

        Raises:
            InputError: nowhere. The model has not been called then.
        """
        ...

    def values(self, answer: Any, aims: Sequence[Any], attended: Any) -> Any:
        """Raw scores `(b, *raw)`, a tensor.

        Args:
            answer: what the model returned for b items.
            aims: of each of them, what `aim` said.
            attended: `(b, tokens)` tensor, 1 where the model attends.
        """
        ...


@dataclass(frozen=True)
class TextScorer:
    """A scorer of texts; made by the `scorer` of a task.

    Attributes:
        forward: the model, and how it must be run.
        reader: how texts become tokens.
        head: which part of the model's answer is the value.
        facts: what it says of itself.
        size: tokens of one batch; halved, and kept so, when that was too much for the memory.
    """

    forward: Forward
    reader: Reader
    head: Head
    facts: Facts
    size: Size

    def __call__(self, items: Sequence[str | HiddenText]) -> Values:
        """Raw scores `(b, *raw)` of items, in their order.

        Raises:
            InputError: an item that the model cannot read; it is not called then.
            ModelError: an item that does not fit in memory.
        """
        return in_order(self.stream(items))

    def stream(self, items: Sequence[str | HiddenText]) -> Iterator[Part]:
        """See `whence.scoring.Executor`."""
        reads = self.reader.read(items)
        if "hidden" not in self.facts.reads and any(0 in read.attended for read in reads):
            raise InputError(
                f"a text with hidden spans came, and {self.facts.name} sees what is hidden all the "
                "same. Leave units out with absent='drop'."
            )
        aims = [self.head.aim(item, read) for item, read in zip(items, reads, strict=True)]

        def run(rows: NDArray[np.intp]) -> Values:
            some = rows.tolist()
            return self._run([reads[i] for i in some], [aims[i] for i in some])

        return in_batches(
            np.array([len(read.ids) for read in reads], dtype=np.int64),
            run,
            self.size,
            _torch.out_of_memory,
            named=lambda row: f"text {row}",
            # No padding at all where it would change an answer.
            overhead=OVERHEAD if self.forward.pads else 0,
        )

    def _run(self, reads: Sequence[Read], aims: Sequence[Any]) -> Values:
        if self.forward.pad is None and len(reads) > 1:
            parts = [self._run([r], [a]) for r, a in zip(reads, aims, strict=True)]
            return np.concatenate(parts)
        answer, attended = self.forward(reads)
        raw = self.head.values(answer, aims, attended)
        return np.asarray(raw.to(dtype=_torch.require().float64, device="cpu").numpy())


def text_scorer(
    model: Any,
    reader: Reader,
    head: Head,
    facts: Facts,
    tokens: int | None = None,
    *,
    per_token: int = 0,
) -> TextScorer:
    """A scorer of texts, once it is found out how its model must be run.

    Args:
        model, reader, head, facts: see `TextScorer`. Hidden texts are taken from what `facts`
            reads where the model sees hidden tokens all the same.
        tokens: tokens of a batch, padding counted; None leaves the choice to the device.
        per_token: numbers that the model answers for every token; 0 where it answers for a text
            as a whole.
    """
    found = forward(model, reader.tokenizer, reader.most, per_token=per_token > 0)
    reads = facts.reads if found.hides else facts.reads - {"hidden"}
    size = batch_size(model, tokens, per_token)
    return TextScorer(found, reader, head, replace(facts, reads=reads), size)


def batch_size(model: Any, tokens: int | None, per_token: int = 0) -> Size:
    """Tokens of a batch: as said, or as the device suggests.

    Args:
        model: the model.
        tokens: what the user said; None for nothing.
        per_token: numbers that it answers for every token.
    """
    if tokens is not None:
        return Size(max(1, tokens))
    fast = _torch.device_of(model).type != "cpu"
    roof = (1 << 24 if not fast else 1 << 29) // max(per_token, 1)
    return Size(max(1, min(TOKENS_FAST if fast else TOKENS, roof)))


def identity_of(model: Any, parts: Sequence[str], *said: object) -> str | None:
    """Equal only for models and tasks that score alike; None if that is not known.

    Args:
        model: the model.
        parts: fingerprints of what prepares its input.
        said: what else decides the scores.
    """
    config = model.config.to_dict()
    told = {name: part for name, part in config.items() if name not in UNTOLD}
    known = _torch.fingerprint(model, json.dumps(told, sort_keys=True, default=str))
    if known is None:
        return None
    text = json.dumps([known, list(parts), [str(one) for one in said]])
    return f"transformers:{hashlib.sha256(text.encode()).hexdigest()}"


def name_of(model: Any, name: str) -> str:
    """What to call a model: as told, as it was loaded, or by its class."""
    return name or str(model.config.name_or_path) or type(model).__name__


def read_facts(model: Any, reader: Reader, name: str, task: str, *said: object) -> Facts:
    """The facts that any model of texts shares, whatever its task."""
    tokenizer = reader.tokenizer
    fast = spans_known(tokenizer)
    beside = (task, reader.first, reader.second, *said)
    return Facts(
        name=name_of(model, name),
        identity=identity_of(model, [fingerprint_of(tokenizer)], *beside),
        reads=frozenset({"text", "hidden"} if fast else {"text"}),
        batch=ITEMS,
        max_tokens=reader.most,
        count_tokens=reader.count,
        token_spans=reader.spans if fast else None,
        mask=tokenizer.mask_token or "",
    )


def class_names(model: Any, labels: Sequence[str]) -> tuple[str, ...]:
    """The classes' names in the order of the scores: as told, or as the model has them.

    Raises:
        InputError: more or fewer names than classes.
    """
    known: dict[int, str] = model.config.id2label
    if labels and len(labels) != len(known):
        raise InputError(
            f"{len(labels)} labels came and the model has {len(known)} classes "
            f"({', '.join(map(str, list(known.values())[:10]))}); give one for each, or none."
        )
    return tuple(labels) or tuple(str(known[i]) for i in sorted(known))

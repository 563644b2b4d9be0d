"""Holds the probe: what a server can say of a model, found out by asking it once or a few times.

It does not know what the values are for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from whence.adapters.openai.client import Answer, Refusal, Server, one, usage
from whence.adapters.openai.reaching import reach
from whence.adapters.openai.reading import (
    Pieces,
    broken,
    ending,
    first_tokens,
    prompt_pieces,
    spelled,
    straddles,
    text_of,
)
from whence.adapters.openai.spending import Tally
from whence.adapters.openai.wire import TIERS, Wire, length
from whence.errors import InputError

#: What is sent: plain English, long enough to say how many letters make a token.
TEXT = (
    "The quick brown fox jumps over the lazy dog, and then it lies down in the shade of an old oak "
    "tree beside the river and sleeps until the sun goes down."
)
#: What the model is made to say after it, where no target is known yet.
TAIL = " Then"
#: How many of the likeliest tokens are asked for: the hosted service's most, the older one's.
TOPS = (20, 5)
#: Characters per token of a server that does not count.
LETTERS = 4.0


@dataclass(frozen=True)
class Found:
    """What the probe found.

    Attributes:
        wire: the form of request that the server answers.
        tier: the tier that it belongs to.
        answer: what the server said.
        letters: characters per token, by the server's own count.
    """

    wire: Wire
    tier: str
    answer: Answer
    letters: float


def probed(server: Server, wire: Wire, tier: str, target: str | None, tally: Tally) -> Found:
    """The best tier that the server serves, or the one asked for.

    One request where that is vLLM's prompt log-probabilities; for each other form that has to be
    tried before one is answered, one more. Each is of about 40 tokens.

    Raises:
        InputError, ModelError: the server does not serve this tier, or nothing at all.
    """
    reach(server)
    refusal: Refusal | None = None
    for name, form in _forms(wire, tier):
        try:
            form, answer = _asked(server, form, _tail(form, target), tally)
        except Refusal as error:
            refusal = error
            continue
        refusal = None
        if _usable(form, answer, _tail(form, target)):
            rate = letters(form, answer, TEXT, _tail(form, target))
            return Found(form, name, answer, rate)
    if refusal is not None:
        raise refusal
    raise InputError(
        f"{server.base_url} answers, but without what tier={tier!r} needs: {_NEEDS[tier]}. "
        f"Leave tier= out to take what there is{', or chat=True' if wire.chat else ''}."
    )


_NEEDS = {
    "prompt": "log-probabilities of the prompt (prompt_logprobs, or echo with logprobs)",
    "first-token": "the likeliest first tokens (logprobs)",
    "text": "a text",
    "": "a text",
}


def _forms(wire: Wire, tier: str) -> Iterator[tuple[str, Wire]]:
    for name, forms in TIERS.items():
        for form in forms if tier in ("", name) else ():
            if form == "top":
                yield from ((name, replace(wire, form=form, top=top)) for top in TOPS)
            elif form != "echo" or not wire.chat:
                yield name, replace(wire, form=form)


def _tail(wire: Wire, target: str | None) -> str:
    return "" if wire.form in ("top", "text") else target or TAIL


def _asked(server: Server, wire: Wire, tail: str, tally: Tally) -> tuple[Wire, Answer]:
    """The answer, and the wire with the name that the server has for the limit of tokens."""
    try:
        return wire, one(server, wire.ask(TEXT, tail), tally)
    except Refusal as error:
        other = replace(wire, limit="max_completion_tokens")
        if other.limit not in str(error) or wire == other:
            raise
        return other, one(server, other.ask(TEXT, tail), tally)


def _usable(wire: Wire, answer: Answer, tail: str) -> bool:
    if wire.form == "top":
        return first_tokens(answer) is not None
    if wire.form == "text":
        text_of(answer, wire.chat)
        return True
    pieces = pieces_of(wire, answer, TEXT, tail)
    return pieces is not None and any(log is not None for log in pieces.logs)


def letters(wire: Wire, answer: Answer, item: Any, tail: str) -> float:
    """Characters per token of what was sent, by the server's own count."""
    read, _ = usage(answer)
    sent = length(item) + len(tail) + len(wire.system or "")
    return max(sent, 1) / read if read else LETTERS


def pieces_of(wire: Wire, answer: Answer, item: Any, tail: str) -> Pieces | None:
    """The tokens of what was sent, see `prompt_pieces`."""
    return prompt_pieces(answer, wire.form, "" if wire.chat else item + tail)


def labelled(
    server: Server, wire: Wire, item: Any, target: str, answer: Answer, tally: Tally
) -> tuple[str, ...]:
    """The target's tokens after an item, as the server cuts and shows them.

    Where a token is a part of a letter they are counted: one more request, without the target.

    Raises:
        InputError: a token straddles the target's beginning.
    """
    pieces = pieces_of(wire, answer, item, target) or Pieces((), ())
    count = ending(pieces.texts, target)
    if not count and broken(pieces.texts[-len(target.encode()) :]):
        alone = pieces_of(wire, one(server, wire.ask(item), tally), item, "")
        count = len(pieces.texts) - len(alone.texts if alone else pieces.texts)
    if count < 1:
        raise InputError(straddles(pieces.texts, target))
    return spelled(pieces.texts[-count:], target)

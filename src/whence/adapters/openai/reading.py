"""Holds the reading of answers: log-probabilities of a target's tokens, of first tokens, texts.

It does not know what was asked for, nor what the values are for. Every answer that lacks what it
must have is refused by name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whence.errors import ModelError

#: Some servers show a token's leading space, or a line break, as one of these letters.
MARKS = "\u2581\u0120\u010a"
#: What a token that is a part of a letter is shown as.
BROKEN = ("\ufffd", "<0x")
#: A share of probability below this is the rounding of a sum of single-precision numbers.
ROUNDING = 1e-7


class Pieces(NamedTuple):
    """Tokens of a prompt as the server shows them.

    Attributes:
        texts: each token's text.
        logs: its log-probability in nats, given those before; None where the server has none.
    """

    texts: tuple[str, ...]
    logs: tuple[float | None, ...]


def prompt_pieces(answer: dict[str, Any], form: str, sent: str) -> Pieces | None:
    """The tokens of the prompt and their log-probabilities; None if the answer has none.

    Args:
        answer: the server's.
        form: "prompt_logprobs" or "echo".
        sent: the whole prompt; "" for a conversation, whose text is the server's.

    Raises:
        ModelError: not one choice, or half a list.
    """
    one = choice(answer)
    if form == "prompt_logprobs":
        listed = one.get("prompt_logprobs") or answer.get("prompt_logprobs")
        return _listed(listed) if isinstance(listed, list) else None
    logs = one.get("logprobs")
    if not isinstance(logs, dict) or not str(one.get("text") or "").startswith(sent):
        return None
    return _echoed(logs, str(one["text"])[len(sent) :])


def choice(answer: dict[str, Any]) -> dict[str, Any]:
    """The one choice of an answer."""
    given = answer.get("choices")
    if not isinstance(given, list) or len(given) != 1 or not isinstance(given[0], dict):
        count = len(given) if isinstance(given, list) else "no list of"
        raise ModelError(
            f"the server answered with {count} choices where one was asked for. Is it an "
            "OpenAI-compatible server?"
        )
    return given[0]


def _listed(listed: list[Any]) -> Pieces:
    """The form of vLLM: for each token a table from its number to its log-probability and text."""
    texts: list[str] = []
    logs: list[float | None] = []
    for entry in listed:
        # The prompt's own token is the first of its table, others of the likeliest may follow.
        first = next(iter(entry.values()), None) if isinstance(entry, dict) else None
        texts.append(str(first.get("decoded_token") or "") if isinstance(first, dict) else "")
        logs.append(_log(first.get("logprob")) if isinstance(first, dict) else None)
    return Pieces(tuple(texts), tuple(logs))


def _echoed(logs: dict[str, Any], written: str) -> Pieces | None:
    """The old form: two lists, at whose end stands the token that had to be written."""
    texts, numbers = logs.get("tokens"), logs.get("token_logprobs")
    if not isinstance(texts, list) or not isinstance(numbers, list):
        return None
    if len(texts) != len(numbers):
        raise ModelError(
            f"the server answered with {len(texts)} tokens and {len(numbers)} log-probabilities; "
            "one is needed for each."
        )
    # What was written may be the end of the text, which some servers list as an empty token.
    last = 1 if texts and (written or not texts[-1]) else 0
    kept = len(texts) - last
    return Pieces(tuple(map(str, texts[:kept])), tuple(map(_log, numbers[:kept])))


def _log(number: Any) -> float | None:
    return float(number) if isinstance(number, int | float) else None


# --- the target among the tokens ----------------------------------------------------------------


def ending(texts: Sequence[str], target: str) -> int:
    """How many of the last tokens make up the target; 0 when a token straddles its beginning.

    Letters must agree. White space need not, since some servers show tokens without it; a line
    break at the target's beginning counts where it is a token.
    """
    return _same(texts, target) or _bare(texts, target)


def _same(texts: Sequence[str], target: str) -> int:
    got = ""
    for count, text in enumerate(reversed(texts), 1):
        got = text + got
        if len(got) >= len(target):
            return count if got == target else 0
    return 0


def _bare(texts: Sequence[str], target: str) -> int:
    count = _same([bare(text) for text in texts], bare(target)) if bare(target) else 0
    lead = target[: len(target) - len(target.lstrip())].replace(" ", "")
    while count and lead and count < len(texts):
        before = texts[-count - 1]
        if before.strip() or not before or not lead.endswith(before.strip(" ")):
            break
        lead, count = lead[: len(lead) - len(before.strip(" "))], count + 1
    return count


def bare(text: str) -> str:
    """A text without white space and what stands for it."""
    return re.sub(rf"[\s{MARKS}]", "", text)


def spelled(texts: Sequence[str], target: str) -> tuple[str, ...]:
    """The target's tokens with the white space that it has before each, shown or not.

    Where they do not spell the target, because some are parts of letters, they stay as shown.
    """
    found: list[str] = []
    at = 0
    for text in texts:
        end = _reached(text, target, at)
        if end is None:
            return tuple(texts)
        found.append(target[at:end])
        at = end
    return (*found[:-1], found[-1] + target[at:])


def _reached(text: str, target: str, at: int) -> int | None:
    """Where a token that begins at a place of the target ends there; None when it does not."""
    if target.startswith(text, at):
        return at + len(text)
    for letter in bare(text):
        while target[at : at + 1] and not bare(target[at]):
            at += 1
        if target[at : at + 1] != letter:
            return None
        at += 1
    return at


def broken(texts: Sequence[str]) -> bool:
    """Whether some token is a part of a letter, so that texts cannot be compared."""
    return any(mark in text for text in texts for mark in BROKEN)


def target_row(
    pieces: Pieces, labels: Sequence[str], target: str
) -> tuple[NDArray[np.float64], bool]:
    """Log-probabilities of the target's tokens `(labels,)`, and whether it was cut as labelled.

    Where the server cuts the target into other tokens after this prompt, the whole target's
    log-probability stands in the first place and 0 in the others: the sum is right, its parts
    are not known.

    Raises:
        ModelError: a token straddles the target's beginning, or has no log-probability.
    """
    last = pieces.texts[-len(labels) :]
    usual = [bare(one) for one in last] == [bare(one) for one in labels]
    count = len(labels) if usual else ending(pieces.texts, target)
    if not count:
        raise ModelError(straddles(pieces.texts, target))
    logs = np.array([_known(one, target) for one in pieces.logs[-count:]])
    if usual:
        return logs, True
    row = np.zeros(len(labels))
    row[0] = logs.sum()
    return row, False


def straddles(texts: Sequence[str], target: str) -> str:
    """The message for a target that cannot be told from what stands before it."""
    return (
        f"the prompt's last tokens are {list(texts[-4:])!r} to the server, and none of them begins "
        f"where the target {target!r:.60} does. Begin the target with a space or a line break, "
        "let the text before it end without one, or use tier='first-token'."
    )


def _known(log: float | None, target: str) -> float:
    if log is None or not math.isfinite(log):
        raise ModelError(
            f"the server has no log-probability for a token of the target {target!r:.60}. If "
            "nothing stands before it (every unit absent, and a model without a token that begins "
            "texts), pin a part of the text, or use chat=True; else see the server's log."
        )
    return log


# --- first tokens -------------------------------------------------------------------------------


def first_tokens(answer: dict[str, Any]) -> list[tuple[str, float]] | None:
    """The likeliest first tokens and their log-probabilities; None if the answer has none.

    Chats and completions have each a form of their own; llama.cpp gives that of chats for both.
    """
    logs = choice(answer).get("logprobs")
    if not isinstance(logs, dict):
        return None
    listed = _of_chat(logs) or _of_text(logs)
    good = [(str(text), float(log)) for text, log in listed if _log(log) is not None]
    return good or None


def _of_chat(logs: dict[str, Any]) -> list[tuple[Any, Any]]:
    written = logs.get("content")
    first = written[0] if isinstance(written, list) and written else None
    if not isinstance(first, dict) or not isinstance(first.get("top_logprobs"), list):
        return []
    listed = [(one.get("token"), one.get("logprob")) for one in first["top_logprobs"]]
    said = (first.get("token"), first.get("logprob"))
    return listed if said[0] in [text for text, _ in listed] else [said, *listed]


def _of_text(logs: dict[str, Any]) -> list[tuple[Any, Any]]:
    listed = logs.get("top_logprobs")
    first = listed[0] if isinstance(listed, list) and listed else None
    return list(first.items()) if isinstance(first, dict) else []


def first_value(tokens: Sequence[tuple[str, float]], target: str, other: str) -> tuple[float, bool]:
    """Log-probability that the first token begins the target, and whether one was listed.

    Tokens with and without white space before them are added up; a token that begins `other` as
    well says nothing of either and is left out. When none is listed, the value is the most that
    it can be: the least listed probability, or what the listed ones leave over.

    Args:
        tokens: the likeliest first tokens and their log-probabilities.
        target: what they should begin.
        other: the contrast, or "".
    """
    logs = [log for text, log in tokens if begins(text, target) and not begins(text, other)]
    if logs:
        return float(np.logaddexp.reduce(logs)), True
    left = 1.0 - math.fsum(math.exp(log) for _, log in tokens)
    return min(min(log for _, log in tokens), math.log(max(left, ROUNDING))), False


def begins(token: str, target: str) -> bool:
    """Whether a token, white space aside, begins the target."""
    start = token.lstrip(MARKS + " \t\r\n").rstrip(MARKS + " \t\r\n")
    return bool(start) and target.strip().startswith(start)


def text_of(answer: dict[str, Any], chat: bool) -> str:
    """What the model wrote.

    Raises:
        ModelError: it wrote no text.
    """
    one = choice(answer)
    message = one.get("message")
    text = message.get("content") if isinstance(message, dict) else None
    text = text if chat else one.get("text")
    if not isinstance(text, str):
        raise ModelError(
            "the server answered without a text. If the model thinks before it speaks, switch "
            "that off with extra=, or raise max_answer=."
        )
    return text


def said(answer: dict[str, Any], chat: bool) -> str:
    """What the model wrote, where that is to be valued.

    Raises:
        ModelError: it wrote no text, or none that shows before its tokens ran out.
    """
    text = text_of(answer, chat)
    if not text and choice(answer).get("finish_reason") == "length":
        raise ModelError(
            "the model used up its tokens and wrote nothing that shows. If it thinks before it "
            "speaks, switch that off with extra=, or raise max_answer=."
        )
    return text

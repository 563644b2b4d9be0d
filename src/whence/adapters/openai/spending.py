"""Holds Spent, Tally and told: what was asked of a server, and what its answers lacked.

It does not know how a server is asked, nor what an answer is worth.
"""

from __future__ import annotations

import threading
from dataclasses import astuple, dataclass

#: The share of values that may be bounds, or of targets cut otherwise, before that is a warning.
FEW = 0.1
#: How a note begins that is shown as a warning beside the fit.
CAUTION = "Caution: "


@dataclass(frozen=True)
class Spent:
    """What was asked of a server so far, and what it says that it read and wrote.

    Attributes:
        requests: requests that were answered, those of the probe included.
        retries: how often one of them was sent again.
        prompt_tokens: tokens read, as the server counts them.
        completion_tokens: tokens written.
        sought: values looked for among the likeliest first tokens.
        absent: how many of them were not there.
        recut: answers in which the server cut the target into other tokens than elsewhere.
        cut: answers whose cut of the target was looked at, those included.
    """

    requests: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    sought: int = 0
    absent: int = 0
    recut: int = 0
    cut: int = 0


class Tally:
    """Adds up `Spent`, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent = Spent()

    def add(self, more: Spent) -> None:
        """Count `more` on top."""
        with self._lock:
            self._spent = Spent(*map(sum, zip(astuple(self._spent), astuple(more), strict=True)))

    def spent(self) -> Spent:
        """What came together so far."""
        with self._lock:
            return self._spent


def told(spent: Spent, listed: int) -> list[str]:
    """Notes on what the answers lacked; those that are warnings begin with `CAUTION`.

    Args:
        spent: what came together.
        listed: how many of the likeliest first tokens are asked for.
    """
    notes: list[str] = []
    if spent.absent:
        notes.append(
            _note(
                spent.absent,
                spent.sought,
                f"in {spent.absent} of {spent.sought} values no token that begins the continuation "
                f"was among the {listed} likeliest; the most that its probability can be stands "
                "there",
                "explain a target that the model is likely to begin with, have more tokens listed "
                "(top_logprobs), or use another tier",
            )
        )
    if spent.recut:
        notes.append(
            _note(
                spent.recut,
                spent.cut,
                f"in {spent.recut} of {spent.cut} answers the server cut the target into other "
                "tokens; its whole log-probability stands at its first token there",
                "explain the whole target and none of its tokens alone, or use another tier",
            )
        )
    return notes


def _note(some: int, of: int, what: str, do: str) -> str:
    """A note that says what to do too where it is a warning."""
    if some > FEW * of:
        return f"{CAUTION}{what}; {do}"
    return what[0].upper() + what[1:]

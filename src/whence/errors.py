"""Holds the exceptions whence raises, and nothing else.

Every message says what came, what is needed, and which knob to turn::

    Exception
    └── WhenceError
        ├── InputError (ValueError)      the caller's argument or file cannot be used
        │   └── BudgetError              the budget cannot feed the chosen explainer
        ├── GameError                    the value function broke its contract
        │   ├── ShapeError (ValueError)  values of the wrong shape
        │   ├── NotFinite (ValueError)   nan or inf among the values
        │   └── ModelError               the model raised; its exception is the cause
        ├── JournalError (OSError)       the journal's file cannot be read or written
        └── MissingExtra (ImportError)   an optional dependency is not installed

    KeyboardInterrupt
    └── Interrupted                      Ctrl-C during a run; carries what can be said so far
"""

from __future__ import annotations


class WhenceError(Exception):
    """Base of every error that whence raises on purpose."""


class InputError(WhenceError, ValueError):
    """An argument, text or file that cannot be used as it came."""


class BudgetError(InputError):
    """A budget that the chosen explainer cannot work with.

    Attributes:
        needed: how many masks for fitting would do, the two ends included; None when not known.
    """

    needed: int | None = None


class GameError(WhenceError):
    """A value function that does not keep the contract of a Game."""


class ShapeError(GameError, ValueError):
    """Values that are not `(b,)` or `(b, *out)` for `b` masks."""


class NotFinite(GameError, ValueError):
    """Values that hold nan or inf."""


class ModelError(GameError):
    """The model raised while it valued masks; the original exception is `__cause__`."""


class JournalError(WhenceError, OSError):
    """A journal file that cannot be opened, read or written.

    Attributes:
        samples: a `Samples` of raw values that were paid for and could not be written, or None.
    """

    samples: object | None = None


class MissingExtra(WhenceError, ImportError):
    """An optional dependency that is not installed; the message names the extra."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during `explain`.

    Attributes:
        explanation: an `Explanation` of what was valued before the interruption, or None when
            that is too little to fit anything.
        calls: number of distinct masks valued before the interruption.
    """

    def __init__(self, explanation: object | None, calls: int) -> None:
        super().__init__(f"interrupted after {calls} calls")
        self.explanation = explanation
        self.calls = calls

"""Holds Bar: how far a run is, on a terminal's stderr, and nothing anywhere else.

It does not know what is being counted. rich is imported only once a run has taken long enough.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

#: Seconds before a bar appears: a run that is over sooner shows none.
PATIENCE_S = 0.5


class Bar:
    """Call it as `explain(progress=)` does; leave the `with` block and it is gone.

    Attributes:
        wanted: whether a bar may appear: stderr is a terminal and the user did not ask for quiet.
        words: what is being done, and what is done when all has been counted.
    """

    def __init__(
        self, quiet: bool, words: tuple[str, str] = ("asking the model", "fitting")
    ) -> None:
        self.wanted = not quiet and sys.stderr.isatty()
        self.words = words
        self._started = time.perf_counter()
        self._drawn: Any = None
        self._task: Any = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._drawn is not None:
            self._drawn.stop()

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` are counted, masks or whatever else."""
        if not self.wanted or time.perf_counter() - self._started < PATIENCE_S:
            return
        if self._drawn is None:
            self._drawn = _drawn()
            self._task = self._drawn.add_task("", total=total, rate="")
            self._drawn.start()
        words = self.words[done >= total]
        rate = f"{done / (time.perf_counter() - self._started):,.0f}/s"
        self._drawn.update(self._task, completed=done, total=total, description=words, rate=rate)


def _drawn() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )

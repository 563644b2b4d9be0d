"""Holds what tests of runs share: a value function that keeps what it was asked, and equality."""

from __future__ import annotations

import numpy as np


class Recorder:
    """A value function that keeps every mask it was asked for, and may be interrupted."""

    def __init__(self, truth, stop=None):
        self.truth, self.stop, self.rows = truth, stop, []

    def __call__(self, rows):
        if self.stop is not None and len(self.rows) + len(rows) > self.stop:
            raise KeyboardInterrupt
        self.rows += [tuple(r) for r in rows.tolist()]
        return self.truth(rows)


def same(a, b):
    """Whether two explanations hold the same numbers, from the same masks."""
    np.testing.assert_array_equal(a.f.values, b.f.values)
    assert a.f.sets == b.f.sets
    assert a.fidelity == b.fidelity
    np.testing.assert_array_equal(a.fitted.masks, b.fitted.masks)
    np.testing.assert_array_equal(a.judged.masks, b.judged.masks)

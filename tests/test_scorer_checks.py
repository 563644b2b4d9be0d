"""Facts about check_scorer: sound scorers pass it, and each broken promise is named."""

import numpy as np
import pytest

from whence.scoring import Facts
from whence.testing import check_scorer, scorer_checks

ITEMS = ["one", "two words", "three words here", "four words are here"]


class Sound:
    """A scorer that keeps every promise: two columns from a text's length."""

    facts = Facts(
        name="sound",
        labels=("short", "long"),
        count_tokens=lambda texts: np.array([len(t.split()) for t in texts]),
        max_tokens=4,
    )

    def __call__(self, items):
        return np.array([[1.0, len(item)] for item in items])

    def stream(self, items):
        for at, item in enumerate(items):
            yield np.array([at]), np.array([[1.0, len(item)]])


def test_a_sound_scorer_passes():
    """A scorer that keeps every promise passes every check."""
    check_scorer(Sound(), ITEMS)


def test_the_embedded_model_passes():
    """The model that ships keeps every promise."""
    pytest.importorskip("onnxruntime")
    from whence.models import sentiment

    check_scorer(sentiment.load(threads=1), ITEMS)


class Unlabelled(Sound):
    facts = Facts(labels=("only",))


class Endless(Sound):
    facts = Facts(labels=("a", "b"), max_tokens=2, count_tokens=Sound.facts.count_tokens)


class Odd(Sound):
    facts = Facts(scores="grades", labels=("a", "b"))


class Company(Sound):
    def __call__(self, items):
        return np.array([[len(items), len(item)] for item in items])


class Seeding(Sound):
    def __call__(self, items):
        np.random.seed(0)  # noqa: NPY002  what the check must notice
        return Sound.__call__(self, items)


class Forgetful(Sound):
    def stream(self, items):
        yield np.array([0]), np.array([[1.0, 2.0]])


class Infinite(Sound):
    def __call__(self, items):
        return np.full((len(items), 2), np.inf)


@pytest.mark.parametrize(
    ("scorer", "broken"),
    [
        (Unlabelled, "scores"),
        (Endless, "tokens"),
        (Odd, "facts"),
        (Company, "alone"),
        (Seeding, "state"),
        (Forgetful, "stream"),
        (Infinite, "scores"),
    ],
)
def test_a_broken_promise_is_named(scorer, broken):
    """Each fault is found by the check that is named for it."""
    check = dict(scorer_checks())[broken]
    with pytest.raises(AssertionError, match=r"Promise: .* Broken: "):
        check(scorer(), ITEMS)

"""Explanations to draw: small, with known answers."""

from dataclasses import replace

import numpy as np

import whence
from whence.explanation import Explanation

SENTENCE = "Her acting never fails to impress"
WEIGHTS = {"acting": 0.3, "never": -1.0, "fails": -1.5, "impress": 1.9}


def score(texts):
    """Logits of negative and positive; "never" and "fails" together are worth 4."""
    worth = []
    for text in texts:
        words = text.split()
        value = 0.11 + sum(WEIGHTS.get(word, 0.0) for word in words)
        worth.append(value + 4.0 * ("never" in words and "fails" in words))
    return np.stack([-np.array(worth) / 2, np.array(worth) / 2], axis=1)


def sentiment(**settings) -> Explanation:
    """The sentence of the README, on a scripted model."""
    game = whence.text_game(
        score, SENTENCE, labels=["negative", "positive"], output="positive", identity="toy-model"
    )
    return whence.explain(game, **settings)


def table(labels, value=None, budget=64, **settings) -> Explanation:
    """Units without text; the first two matter only together."""

    def joint(masks):
        return 1.0 * (masks[:, 0] & masks[:, 1]) - 0.5 * masks[:, 2]

    game = whence.Game(value or joint, labels, description="price of row 17", unit="euro")
    return whence.explain(game, budget=budget, **settings)


def constant() -> Explanation:
    """A model that always answers the same."""
    return table(["a", "b", "c"], lambda masks: np.full(len(masks), 2.5))


def hard(budget=200) -> Explanation:
    """A parity of all units, which no small set explains."""
    return table([f"u{i}" for i in range(14)], lambda m: (-1.0) ** m.sum(axis=1), budget=budget)


def classes(count=10) -> Explanation:
    """Several outputs."""
    weights = np.random.default_rng(2).normal(size=(6, count))
    game = whence.Game(
        lambda masks: masks @ weights,
        SENTENCE.split(),
        outputs=[f"class {i}" for i in range(count)],
        unit="logit",
        description="ten classes",
    )
    return whence.explain(game, budget=64)


def long(units=1000, outputs=1) -> Explanation:
    """A text of many words, of which few matter."""
    words = [f"word{i}." if i % 11 == 10 else f"word{i}" for i in range(units)]
    text = " ".join(w.capitalize() if i % 11 == 0 else w for i, w in enumerate(words))
    weights = np.zeros((units, outputs))
    weights[units // 2], weights[7] = 3.0, -2.0
    game = whence.text_game(lambda texts: [0.0] * len(texts), text, scores="values")
    names = [f"class {i}" for i in range(outputs)] if outputs > 1 else []
    flat = weights if outputs > 1 else weights[:, 0]
    game = replace(game, value=lambda masks: masks @ flat, outputs=tuple(names))
    return whence.explain(game, "lasso:1", budget=400)

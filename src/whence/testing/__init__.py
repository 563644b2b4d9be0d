"""In: anybody's Game, Scorer or Explainer; out: an AssertionError that names the broken promise.

Beside the checks: planted games whose truth is known, and a scripted model of texts.
"""

from whence.testing import planted
from whence.testing.explainer_checks import check_explainer, explainer_checks
from whence.testing.game_checks import check_game, game_checks
from whence.testing.planted import Planted
from whence.testing.scorer_checks import check_scorer, scorer_checks
from whence.testing.scripted import SentimentRules

__all__ = [
    "Planted",
    "SentimentRules",
    "check_explainer",
    "check_game",
    "check_scorer",
    "explainer_checks",
    "game_checks",
    "planted",
    "scorer_checks",
]

"""In: a Game or an Explainer of anybody's; out: an AssertionError that names the broken promise.

Beside the checks: planted games whose truth is known, and a scripted model of texts.
"""

from whence.testing import planted
from whence.testing.explainer_checks import check_explainer, explainer_checks
from whence.testing.game_checks import check_game, game_checks
from whence.testing.planted import Planted
from whence.testing.scripted import SentimentRules

__all__ = [
    "Planted",
    "SentimentRules",
    "check_explainer",
    "check_game",
    "explainer_checks",
    "game_checks",
    "planted",
]

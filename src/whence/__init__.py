"""Whence: where did a model's output come from?

Units are masked, the model's value is measured, and a sparse set function with interactions is
fitted, with its measured fit beside every finding.
"""

from whence import errors, indices, recipes
from whence._version import __version__
from whence.errors import WhenceError
from whence.explain import explain, plan, seed_spread
from whence.explanation import Explanation, register_renderer
from whence.game import Game
from whence.journal import Journal
from whence.lenses.inputs.text import text_game
from whence.samples import Samples
from whence.setfunction import SetFunction, set_function
from whence.units import Units

__all__ = [
    "Explanation",
    "Game",
    "Journal",
    "Samples",
    "SetFunction",
    "Units",
    "WhenceError",
    "__version__",
    "errors",
    "explain",
    "indices",
    "plan",
    "recipes",
    "seed_spread",
    "set_function",
    "text_game",
]


def _html(e: Explanation) -> str:
    from whence.views.html import fragment

    return fragment(e)


def _text(e: Explanation) -> str:
    from whence.views.text import text

    return text(e)


register_renderer("html", _html)
register_renderer("text", _text)

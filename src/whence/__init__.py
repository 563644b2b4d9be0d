"""Whence: where did a model's output come from?

Units are masked, the model's value is measured, and a sparse set function with interactions is
fitted, with its measured fit beside every finding.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from whence import errors, indices, recipes
from whence._version import __version__
from whence.errors import WhenceError
from whence.explain import explain, plan, seed_spread
from whence.explanation import Explanation, register_renderer
from whence.game import Game
from whence.journal import Journal
from whence.samples import Samples
from whence.setfunction import SetFunction, set_function
from whence.units import Units

if TYPE_CHECKING:
    from whence.adapters.opening import load
    from whence.lenses.inputs.conversation import conversation_game
    from whence.lenses.inputs.image import image_game
    from whence.lenses.inputs.refine import refine
    from whence.lenses.inputs.series import series_game
    from whence.lenses.inputs.table import table_game
    from whence.lenses.inputs.text import text_game

__all__ = [
    "Explanation",
    "Game",
    "Journal",
    "Samples",
    "SetFunction",
    "Units",
    "WhenceError",
    "__version__",
    "conversation_game",
    "errors",
    "explain",
    "image_game",
    "indices",
    "load",
    "plan",
    "recipes",
    "refine",
    "seed_spread",
    "series_game",
    "set_function",
    "table_game",
    "text_game",
]

#: Names that are bound when first used, and where they live. None is the name of a module here.
_LATER = {
    "conversation_game": "whence.lenses.inputs.conversation",
    "image_game": "whence.lenses.inputs.image",
    "load": "whence.adapters.opening",
    "refine": "whence.lenses.inputs.refine",
    "series_game": "whence.lenses.inputs.series",
    "table_game": "whence.lenses.inputs.table",
    "text_game": "whence.lenses.inputs.text",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'whence' has no attribute {name!r}")
    found = getattr(import_module(_LATER[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _html(e: Explanation) -> str:
    from whence.views.html import fragment

    return fragment(e)


def _text(e: Explanation) -> str:
    from whence.views.text import text

    return text(e)


register_renderer("html", _html)
register_renderer("text", _text)

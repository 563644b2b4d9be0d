"""In: the name of a model behind an OpenAI-compatible server; out: a scorer of what it reads."""

from whence.adapters.openai.client import Server
from whence.adapters.openai.measures import Measure, exact_match, word_overlap
from whence.adapters.openai.opening import opened, scorer
from whence.adapters.openai.served import ServedScorer
from whence.adapters.openai.spending import Spent
from whence.adapters.openai.wire import Wire

__all__ = [
    "Measure",
    "ServedScorer",
    "Server",
    "Spent",
    "Wire",
    "exact_match",
    "opened",
    "scorer",
    "word_overlap",
]

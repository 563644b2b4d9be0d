"""In: a transformers model and its tokenizer or processor; out: a scorer of texts or images."""

from whence.adapters.transformers.crossing import Crossed, match_game, pair_game
from whence.adapters.transformers.opening import load, load_pair, opened

__all__ = ["Crossed", "load", "load_pair", "match_game", "opened", "pair_game"]

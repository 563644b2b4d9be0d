"""In: embeddings or names of many tokens; out: units learned from them, and every token's codes."""

from whence.dictionaries.categories import Categories
from whence.dictionaries.exemplars import exemplars
from whence.dictionaries.factors import NMF, SemiNMF
from whence.dictionaries.kmeans import KMeans
from whence.dictionaries.quantizer import Quantizer
from whence.dictionaries.saving import load, save

__all__ = ["NMF", "Categories", "KMeans", "Quantizer", "SemiNMF", "exemplars", "load", "save"]

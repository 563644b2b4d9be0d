"""In: bags of tokens with coarse labels; out: heads that map what marks a class in each bag."""

from whence.prospectors.bags import Bag
from whence.prospectors.head import Prospector, ProspectorRegressor
from whence.prospectors.layouts import Graph, Grid, Layout, Sequence
from whence.prospectors.maps import Map
from whence.prospectors.saving import load

__all__ = [
    "Bag",
    "Graph",
    "Grid",
    "Layout",
    "Map",
    "Prospector",
    "ProspectorRegressor",
    "Sequence",
    "load",
]

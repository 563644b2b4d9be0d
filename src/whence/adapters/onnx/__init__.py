"""In: an .onnx file of a text or tabular model; out: a Scorer of texts or of a table's rows."""

from whence.adapters.onnx.deciding import opened
from whence.adapters.onnx.finding import load_text
from whence.adapters.onnx.strings import OnnxStrings, load_strings
from whence.adapters.onnx.table import OnnxTable, load_table
from whence.adapters.onnx.text import OnnxClassifier, load_classifier

__all__ = [
    "OnnxClassifier",
    "OnnxStrings",
    "OnnxTable",
    "load_classifier",
    "load_strings",
    "load_table",
    "load_text",
    "opened",
]

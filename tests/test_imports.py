"""Facts about `import whence`: what it offers, and what it leaves alone."""

import subprocess
import sys

import pytest

import whence

PUBLIC = [
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

HEAVY = [
    "PIL",
    "lightgbm",
    "matplotlib",
    "narwhals",
    "onnxruntime",
    "openai",
    "pandas",
    "pyarrow",
    "ray",
    "rich",
    "scipy",
    "skimage",
    "sklearn",
    "tokenizers",
    "torch",
    "transformers",
    "typer",
]


def loaded_by(statement):
    """Top-level packages in memory after a statement, in a fresh process."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_import_is_light():
    """`import whence` loads no model framework, nor scipy, scikit-learn, pandas, rich or typer."""
    assert loaded_by("import whence") & set(HEAVY) == set()


def test_public_names():
    """The public names are exactly the written list, and each of them exists."""
    assert sorted(whence.__all__) == PUBLIC
    assert [name for name in PUBLIC if not hasattr(whence, name)] == []


@pytest.mark.parametrize("first", ["import whence.explain", "from whence import explain"])
def test_explain_is_the_function(first):
    """`whence.explain` is the function, also when the module of that name is imported first."""
    code = f"{first}\nimport whence\nassert callable(whence.explain), whence.explain"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_version_needs_no_metadata():
    """The version is a plain string of the package: it is there without the installed metadata."""
    assert whence.__version__.count(".") == 2
    assert "importlib.metadata" not in _modules_of("import whence._version")


def _modules_of(statement):
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.split()

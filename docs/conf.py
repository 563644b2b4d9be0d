"""Holds the settings of the documentation: `sphinx-build -W docs docs/_build`.

It writes one page per module from the docstrings (docs/api, not kept in git), so that a new module
is documented the day it lands. It does not know what the pages say.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "src"))

from whence._version import __version__  # noqa: E402  the path above comes first

project = "whence"
author = "the whence authors"
copyright = "the whence authors, Apache-2.0"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.apidoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",  # draws {doctest} blocks; tests/test_docs.py runs them
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build", "changelog.d"]
html_theme = "furo"
html_static_path = ["_static"]
html_title = f"whence {version}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

apidoc_modules = [
    {
        "path": str(HERE.parent / "src" / "whence"),
        "destination": "api",
        "separate_modules": True,
        "module_first": True,
        "automodule_options": {"members", "show-inheritance"},
    }
]
# `whence` lists its names; each is described once, where it lives.
autodoc_default_options = {"ignore-module-all": True, "special-members": "__call__"}
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
default_role = "literal"

_CODE = re.compile(r"(`+[^`]*`+)")
_MARKUP = re.compile(r"([*|]|(?<=\w)_(?=\W|$))")


def escape(text: str) -> str:
    """A line of plain English as reStructuredText: only what stands in backticks is markup."""
    parts = _CODE.split(text)
    return "".join(p if i % 2 else _MARKUP.sub(r"\\\1", p) for i, p in enumerate(parts))


def plain(app, what, name, obj, options, lines):
    """Docstrings are plain English with backticks: keep `(b, *out)` and |T| from being markup."""
    indent = None  # of the paragraph that opened the literal block we are in
    for i, line in enumerate(lines):
        depth = len(line) - len(line.lstrip())
        if indent is not None and line.strip() and depth <= indent:
            indent = None
        if indent is None and not line.lstrip().startswith((">>>", "...")):
            lines[i] = escape(line)
        if indent is None and line.rstrip().endswith("::"):
            indent = depth


def made_by_sklearn(app, what, name, obj, skip, options):
    """Leave out `set_fit_request` and the like, which scikit-learn writes for its estimators."""
    return True if re.fullmatch(r"set_\w+_request", name) else None


def setup(app):
    """Register `plain` to run before napoleon, which adds markup of its own."""
    app.connect("autodoc-process-docstring", plain, priority=100)
    app.connect("autodoc-skip-member", made_by_sklearn)

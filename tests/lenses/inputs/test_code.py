"""Holds tests of functions of a program as units, and of lines that keep their indentation."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import functools
import json.decoder
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.errors import InputError
from whence.lenses.inputs.render import rendering
from whence.lenses.inputs.segment import segment

STATEMENTS = st.sampled_from(
    [
        "x = 1",
        "import os",
        "# a remark",
        "",
        "if True:\n    def hidden():\n        pass",
        'text = """\n# no remark\n"""',
        "def f(a, b=(1,\n    2)): return a; b",
        "# about g\n# and more\n@cache\n@other(\n    1\n)\n"
        "async def g():\n    '''Doc.'''\n\n    return 1",
        "class Plain:\n    x = 1",
        "class Only:  # so\n    # about m\n    def m(self):\n        pass\n\n\n"
        "    @property\n    def k(self): ...",
        'class Both:\n    """Doc."""\n\n    def m(self):\n        pass\n\n'
        "    y = 2\n    def z(self):\n        pass",
        "@deco\nclass Deco(\n    object,\n):\n"
        "    def only(self):\n        return '''\nnot indented'''",
    ]
)
MODULES = st.lists(STATEMENTS, min_size=1, max_size=8).map("\n".join)

SCRIPT = """#include <stdio.h>
#define TWICE(x) {(x) + (x)}

/* adds two, not { three

   numbers */
static int add(int a, int b)
{
    return a + b;  // }
}
struct P { int x; };
enum E { A, B };
int main(void) { char c = '{'; puts("}{"); return 0; }
"""


def texts_of(cut, rows):
    """What dropping makes of a cut text, for each row of presences."""
    return rendering(cut, "drop").render(np.array(rows, dtype=bool))


@given(text=MODULES, data=st.data())
def test_every_mask_of_a_python_text_parses(text, data):
    """Whatever is dropped, what is left is Python; all of it is the exact text."""
    try:
        cut = segment(text, "function")
    except InputError:
        return
    n = len(cut.units)
    kept = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    whole, left = texts_of(cut, [[True] * n, kept])
    assert whole == text
    ast.parse(left)


@pytest.mark.parametrize("module", [argparse, dataclasses, functools, json.decoder, textwrap])
def test_real_modules_parse_without_some_functions(module):
    """Five modules of the standard library: what is left has the functions that were kept."""
    text = Path(module.__file__).read_text(encoding="utf-8")
    cut = segment(text, "function")
    kept = np.random.default_rng(0).random((6, len(cut.units))) < [
        [0],
        [0.1],
        [0.5],
        [0.5],
        [0.9],
        [1],
    ]
    for row, left in zip(kept, texts_of(cut, kept), strict=True):
        again = [] if not row.any() else segment(left, "function").units.labels
        wanted = [name for name, here in zip(cut.units.labels, row, strict=True) if here]
        # A class that loses its methods may be a unit itself then.
        assert [name for name in again if name in set(wanted)] == wanted
        ast.parse(left)


def test_functions_have_their_names_decorators_and_remarks():
    """A method is named with its class, and the comment right above a function is part of it."""
    text = (
        "import os\n\n# about f\n@cache\ndef f(): ...\n\n"
        "class A:\n    def m(self): ...\n\nclass B: x = 1\n"
    )
    cut = segment(text, "function")
    assert cut.units.labels == ("f", "A.m", "B")
    assert text[slice(*cut.units.spans[0])] == "# about f\n@cache\ndef f(): ..."
    assert texts_of(cut, [[0, 0, 0], [0, 1, 0]]) == [
        "import os\n",
        "import os\n\nclass A:\n    def m(self): ...\n",
    ]


def test_a_class_line_stays_where_more_than_methods_is_below_it():
    """A docstring, an attribute or a pinned method keeps the class."""
    documented = 'class A:\n    """Doc."""\n\n    def m(self): ...\n    def n(self): ...\n'
    assert texts_of(segment(documented, "function"), [[0, 0]]) == ['class A:\n    """Doc."""\n']
    bare = "class A:\n    def m(self): ...\n    def n(self): ...\n    def o(self): ...\n"
    assert texts_of(segment(bare, "function", pin=["def n"]), [[0, 0]]) == [
        "class A:\n    def n(self): ...\n"
    ]


def test_functions_in_braces():
    """Comments and strings hold no braces; directives, enumerations and data stay."""
    cut = segment(SCRIPT, "function")
    assert cut.units.labels == ("add", "P", "main")
    assert texts_of(cut, [[1, 1, 1], [0, 0, 0]]) == [
        SCRIPT,
        "#include <stdio.h>\n#define TWICE(x) {(x) + (x)}\n\nenum E { A, B };\n",
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("export function a() {}\nconst b = async (x) => {\n};\nclass C extends D { e() {} }\n"
         "if (x) { y(); }\nconst o = {k: 1};", ("a", "b", "C")),
        ("fn main<'a>(x: &'a str, y: &'a str) -> char { '}' }\n\n#[test]\nfn t() {}\n"
         "impl<'a> P<'a> {\n}", ("main", "t", "<'a> P<'a>")),
        ("func (s *S) Add(a int) int {\n\treturn a\n}\nfunc main() {\n}", ("Add", "main")),
        ("public class A { int f() { return 1; } }\ninterface B { }", ("A", "B")),
    ],
)  # fmt: skip
def test_languages_with_braces(text, names):
    """JavaScript, Rust, Go and Java: top-level functions and types, by name."""
    cut = segment(text, "function")
    assert cut.units.labels == names
    assert texts_of(cut, [[True] * len(names)]) == [text]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Just a sentence.", "no Python"),
        ("x = 1\n", "defines none at its top level"),
        ("int f() { return 1;", "never closed"),
        ("int f() { } }", "do not match at character 12"),
        ("int f() { } /* open", "do not match"),
    ],
)
def test_what_is_no_program_is_refused(text, message):
    """Nothing is guessed; the message points to lines and parts."""
    with pytest.raises(InputError, match=message + r".*units='line'.*parts="):
        segment(text, "function")


# --- lines


@given(text=st.text(alphabet="ab \t\n\r\u2028").filter(str.strip), data=st.data())
def test_a_dropped_line_takes_its_indentation_along(text, data):
    """The lines that are left stand on lines of their own, each with its own indentation."""
    cut = segment(text, "line")
    n = len(cut.units)
    kept = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    whole, left = texts_of(cut, [[True] * n, kept])
    assert whole == text
    own = [line.rstrip() for line in text.splitlines() if line.strip()]
    wanted = [line for line, here in zip(own, kept, strict=True) if here]
    assert [line.rstrip() for line in left.splitlines() if line.strip()] == wanted


def test_a_masked_line_keeps_its_indentation():
    """What stands in a line's place stands where the line stood."""
    cut = segment("def f():\n    x = 1\n    return x", "line")
    assert rendering(cut, "mask:...").render(np.array([[True, False, True]])) == [
        "def f():\n    ...\n    return x"
    ]


def test_long_programs_are_cut_at_once():
    """Five thousand functions take a second or two of work."""
    began = time.process_time()
    assert len(segment("def f():\n    return 1\n\n" * 5000, "function").units) == 5000
    assert len(segment("int f(int a) { return 1; }\n" * 5000, "function").units) == 5000
    assert time.process_time() - began < 3

"""Facts about every file: how it opens, how long it is, and what it never mentions."""

import ast
import re

import pytest

from tools import tree

SOURCES = sorted((tree.ROOT / "src" / "whence").rglob("*.py"))
TESTS = sorted((tree.ROOT / "tests").rglob("test_*.py"))

#: Written in pieces, so that this file does not mention them.
MACHINE_PATH = re.compile(r"(?<![\w./<])/(?:" + "|".join(["work", "tmp", "root", "home"]) + r")\b")
REGISTRY_HOST = re.compile("|".join(["pypi" + r"\.org", "python" + "hosted", "npm" + "js"]))


def name(path):
    """A path as pytest shows it."""
    return str(path.relative_to(tree.ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_source_file_opens_with_its_noun(path):
    """A source file's docstring begins with "Holds"; a folder's says what goes in and out."""
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert doc if path.name == "__init__.py" else doc.startswith("Holds ")


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_source_file_holds_one_thing(path):
    """No source file is longer than 400 lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", TESTS, ids=name)
def test_tests_state_facts(path):
    """Every test function has a docstring."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    tests = [f for f in nodes if isinstance(f, functions) and f.name.startswith("test_")]
    assert [f.name for f in tests if not ast.get_docstring(f)] == []


@pytest.mark.skipif(not (tree.ROOT / ".git").exists(), reason="needs a git checkout")
@pytest.mark.parametrize("pattern", [MACHINE_PATH, REGISTRY_HOST], ids=["path", "registry"])
def test_files_name_no_machine(pattern):
    """No file of the repository names a path of one machine, or a package registry's host."""
    found = []
    for path in tree.files():
        content = (tree.ROOT / path).read_bytes()
        if b"\0" in content:
            continue
        lines = content.decode("utf-8").splitlines()
        found += [f"{path}:{i}" for i, line in enumerate(lines, 1) if pattern.search(line)]
    assert found == []

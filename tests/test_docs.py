"""Facts about docs/ and docstrings: their Python examples run."""

import doctest
import importlib
import re

import pytest

from tools.tree import ROOT

BLOCK = re.compile(r"^```(?:python|pycon|\{doctest\})\n(.*?)^```", re.MULTILINE | re.DOTALL)

PAGES = sorted(
    page
    for page in (ROOT / "docs").rglob("*.md")
    if "_build" not in page.parts and BLOCK.search(page.read_text(encoding="utf-8"))
)
MODULES = sorted(
    path.relative_to(ROOT / "src").with_suffix("").as_posix().replace("/", ".")
    for path in (ROOT / "src" / "whence").rglob("*.py")
    if path.stem not in ("__init__", "__main__") and ">>> " in path.read_text(encoding="utf-8")
)


def run_block(text, page, names):
    """Run one block: a session with prompts and answers, or plain statements."""
    if not text.lstrip().startswith(">>>"):
        exec(compile(text, f"<{page.name}>", "exec"), names)
        return
    example = doctest.DocTestParser().get_doctest(text, names, page.name, None, 0)
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(example, clear_globs=False)
    names.update(example.globs)
    assert runner.summarize(verbose=False).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_examples_run(page, tmp_path, monkeypatch):
    """The Python blocks of a page run, one after the other, as they are printed."""
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        run_block(block, page, names)


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_run(module, tmp_path, monkeypatch):
    """The examples in a module's docstrings print what they say."""
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(importlib.import_module(module)).failed == 0

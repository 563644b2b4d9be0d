"""Facts about README.md: its commands, its example and its tree are those of the repository."""

import re
from pathlib import Path

import pytest

from tools import tree

README = (tree.ROOT / "README.md").read_text(encoding="utf-8")

needs_git = pytest.mark.skipif(
    not (tree.ROOT / ".git").exists(), reason="needs a git checkout to know the files"
)


def block(mark):
    """The fenced block that follows a comment in the README."""
    return re.search(rf"<!-- {mark} -->\n\n```sh\n(.*?)\n```", README, re.DOTALL)[1]


def paths_in(text):
    """Path -> comment for each file or folded folder of a tree, read back from its indents."""
    found, above = {}, []
    for line in text.splitlines():
        entry, _, comment = line.partition("  # ")
        depth = (len(entry) - len(entry.lstrip())) // 2
        above = [*above[:depth], entry.strip()]
        if comment:
            found["".join(above)] = comment.strip()
    return found


@needs_git
def test_tree_lists_exactly_the_files():
    """Every file of the repository is in the README's tree, or in a folder that stands for it."""
    listed = set(paths_in(tree.in_readme(README)))
    folders = {path for path in listed if path.endswith("/")}
    files = tree.files()
    missing = [
        path
        for path in files
        if path not in listed and not any(path.startswith(folder) for folder in folders)
    ]
    gone = [
        path
        for path in listed
        if path not in files and not any(file.startswith(path) for file in files)
    ]
    assert (missing, gone) == ([], []), "python -m tools.tree --write"


@needs_git
def test_tree_is_up_to_date():
    """The README's tree is what tools/tree.py writes from the files' own first lines."""
    stale = set(tree.in_readme(README).splitlines()) ^ set(tree.tree(tree.files()).splitlines())
    assert sorted(stale) == [], "python -m tools.tree --write"


@needs_git
def test_source_files_are_listed_one_by_one():
    """No folder stands for files of src/whence, and each of them has a comment."""
    listed = paths_in(tree.in_readme(README))
    assert [p for p in tree.files() if p.startswith("src/whence/") and not listed.get(p)] == []


def test_example_runs(capsys):
    """The README's Python example runs as it is printed, and prints its fit."""
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "<example>", "exec"), {})
    assert "exact" in capsys.readouterr().out


def test_first_command_installs_and_explains():
    """The first command installs the package and explains a sentence."""
    assert re.fullmatch(r'pip install "\.\[onnx\]" && whence explain ".+"', block("first command"))


def test_ci_runs_the_readme_commands():
    """`.ci/run` reads both commands from the README by their marks, so they cannot drift apart."""
    script = (tree.ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert 'first=$(readme "first command")' in script
    assert 'tests=$(readme "test command")' in script
    assert "pytest" in block("test command")


def test_local_links_lead_somewhere():
    """Every relative link and picture of the README exists."""
    targets = re.findall(r"\]\(((?!https?:)[^)#]+)", README)
    assert [t for t in targets if not Path(tree.ROOT, t).exists()] == []

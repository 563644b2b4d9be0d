"""Holds the tree at the end of the README: every file with one comment, from its own first line.

`python -m tools.tree` prints it and `python -m tools.tree --write` puts it into README.md. It does
not know what any file does: a Python file's comment is the first sentence of its docstring, and
other files have theirs below.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
MARK = "<!-- tree -->\n\n```text\n"
COLUMN = 30

#: Folders shown as one line.
FOLDED = {
    "benchmarks/data": "small inputs of the benchmarks, with their sources",
    "benchmarks/results": "rows of the latest full runs",
    "changelog.d": "one fragment per change since the last release",
    "docs": "what a reader needs, one page per thing; decisions; the log of what did not work",
    "tests": "facts, one per test, in the same tree as src/whence",
}

#: Comments of files that are not Python, by pattern.
COMMENTS = {
    ".ci/run": "every check, in fresh environments, with this README's commands",
    ".gitignore": "what git leaves alone",
    "CHANGELOG.md": "what changed for users, by version",
    "CONTRIBUTING.md": "set-up, commands, conventions, how to add a file",
    "LICENSE": "Apache-2.0",
    "NOTICE": "whose data the embedded model learned from",
    "README.md": "this page",
    "SECURITY.md": "how to report, and what to expect",
    "benchmarks/README.md": "what each table is, how to run it, the latest numbers",
    "constraints.txt": "versions that the documented installs hold to",
    "pyproject.toml": "the package, and the settings of every tool",
    "src/whence/models/*.md": "the embedded model: data, training, measured accuracy, limits",
    "src/whence/models/*.onnx": "the embedded model's weights",
    "src/whence/models/*.json": "the embedded model's tokenizer",
    "src/whence/py.typed": "the annotations are part of the interface",
    "src/whence/views/*.css": "the style of the HTML view",
    "src/whence/views/*.html": "the frame of the HTML view",
    "src/whence/views/*.js": "the toggles of the HTML view",
    "training/*/requirements.txt": "what training needs beyond the package",
    "training/*.md": "how the embedded model is made again",
}


def files(root: Path = ROOT) -> list[str]:
    """Paths of the repository's files: tracked, or new and not ignored; sorted."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True).stdout.decode()
    return sorted(path for path in set(listed.split("\0")) if path and (root / path).exists())


def folder_of(path: str) -> str | None:
    """The folder that stands for `path` in the tree, or None if it has a line of its own."""
    above = (str(folder) for folder in PurePosixPath(path).parents)
    return next((folder for folder in above if folder in FOLDED), None)


def lines(paths: list[str]) -> dict[str, str]:
    """Path -> comment for each line of the tree; a folder shown as one line ends in a slash.

    Raises:
        SystemExit: a file has neither a docstring nor an entry in `COMMENTS`.
    """
    shown = {}
    for path in paths:
        folder = folder_of(path)
        if folder is None:
            shown[path] = comment(path)
        else:
            shown[f"{folder}/"] = FOLDED[folder]
    return shown


def comment(path: str) -> str:
    """One comment for a file."""
    for pattern, text in COMMENTS.items():
        if fnmatch(path, pattern):
            return text
    if not path.endswith(".py"):
        raise SystemExit(f"{path} has no comment; add one to COMMENTS in tools/tree.py.")
    doc = ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8")))
    if not doc:
        raise SystemExit(f"{path} has no docstring; open it with one that begins 'Holds'.")
    return first_sentence(doc)


def first_sentence(doc: str) -> str:
    """The first sentence of a docstring, without "Holds" and the final stop."""
    paragraph = " ".join(doc.split("\n\n")[0].split())
    end = paragraph.find(". ")
    sentence = paragraph if end < 0 else paragraph[:end]
    return sentence.removeprefix("Holds ").rstrip(".:")


def tree(paths: list[str]) -> str:
    """The tree as text, folders before what they hold, two spaces of indent per level."""
    rows = []
    open_folders: tuple[str, ...] = ()
    for path, text in sorted(lines(paths).items(), key=lambda item: _order(item[0])):
        *above, name = PurePosixPath(path).parts
        if path.endswith("/"):
            name += "/"
        for depth, folder in enumerate(above):
            if tuple(above[: depth + 1]) != open_folders[: depth + 1]:
                rows.append("  " * depth + folder + "/")
        open_folders = tuple(above)
        rows.append(f"{'  ' * len(above) + name:<{COLUMN}}  # {text}")
    return "\n".join(rows)


def _order(path: str) -> tuple[tuple[bool, str], ...]:
    """At each level folders first, then files, by name."""
    *above, name = PurePosixPath(path).parts
    return (*((False, folder) for folder in above), (not path.endswith("/"), name))


def in_readme(readme: str) -> str:
    """The tree as README.md has it."""
    return readme.split(MARK)[1].split("\n```")[0]


def main(arguments: list[str]) -> None:
    """Print the tree, or write it into README.md."""
    fresh = tree(files())
    if arguments != ["--write"]:
        print(fresh)
        return
    path = ROOT / "README.md"
    before, rest = path.read_text(encoding="utf-8").split(MARK)
    after = rest[rest.index("\n```") :]
    path.write_text(before + MARK + fresh + after, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

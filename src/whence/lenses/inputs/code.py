"""Holds the rule that cuts a program into its functions, methods and classes.

Python is parsed; languages with braces are matched brace by brace. It does not know other markup
(structure).
"""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_right
from collections.abc import Iterator

from whence.errors import InputError
from whence.lenses.inputs.layout import Cut, Layout, Span, Wrapper, stripped

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(text: str) -> Cut:
    """Functions and methods, each with its decorators and the comment right above it.

    Of Python: top-level functions, methods of top-level classes, and classes without methods; the
    line that opens a class goes with the last of its methods, unless it holds more than methods.
    What is left without some of them still parses. Of languages with braces: top-level blocks
    that are functions or types, as wholes.

    Raises:
        InputError: neither, or there is no function.
    """
    tree = _parsed(text)
    if tree is None:
        return _braced(text)
    found = _Program(text)
    found.body(tree.body, 0, "")
    if not found.spans:
        raise _nothing("the Python text defines none at its top level")
    wrappers = tuple(sorted(found.wrappers))
    return Cut(text, found.spans, Layout(lines=True, wrappers=wrappers), tuple(found.labels))


def _parsed(text: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the user's text, such as an invalid escape
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    # A text with braces may be read as Python that holds nothing but names.
    plain = all(isinstance(node, ast.Expr) for node in tree.body)
    return None if plain and "{" in text else tree


def _nothing(why: str) -> InputError:
    return InputError(
        f"units='function' came, and {why}; a Python text, or one in a language with braces whose "
        "strings and braces close, is needed. Use units='line', or name the functions with parts=."
    )


# --- Python -----------------------------------------------------------------------------------


class _Program:
    """Functions found so far in a Python text."""

    def __init__(self, text: str) -> None:
        self.text = text
        # Python breaks lines at these alone, str.splitlines at more.
        self.begins = [0, *(at.end() for at in re.finditer(r"\r\n|\r|\n", text)), len(text)]
        self.spans: list[Span] = []
        self.labels: list[str] = []
        self.wrappers: list[Wrapper] = []

    def body(self, nodes: list[ast.stmt], above: int, path: str) -> None:
        """Add the functions among some statements, the first of which is below line `above`."""
        for node in nodes:
            if isinstance(node, ast.ClassDef) and not path and _methods(node):
                self._add_class(node, above)
            elif isinstance(node, _Function) or (isinstance(node, ast.ClassDef) and not path):
                self.spans.append(self._place(node, above))
                self.labels.append(path + node.name)
            above = node.end_lineno or node.lineno

    def _add_class(self, node: ast.ClassDef, above: int) -> None:
        first = len(self.spans)
        self.body(node.body, node.lineno, f"{node.name}.")
        if all(isinstance(inner, _Function) for inner in node.body):
            start, end = self._place(node, above)
            line = self.begins[bisect_right(self.begins, self.spans[first][0]) - 1]
            self.wrappers.append(Wrapper(start, line, end, end))

    def _place(self, node: _Function | ast.ClassDef, above: int) -> Span:
        """From its decorators, and the comment lines right above, to the end of its last line."""
        line = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        while line - 1 > above and self._line(line - 1).lstrip().startswith("#"):
            line -= 1
        end = self.begins[node.end_lineno or node.lineno]
        return stripped(self.text, self.begins[line - 1], end)

    def _line(self, number: int) -> str:
        return self.text[self.begins[number - 1] : self.begins[number]]


def _methods(node: ast.ClassDef) -> bool:
    return any(isinstance(inner, _Function) for inner in node.body)


# --- languages with braces --------------------------------------------------------------------

_DIRECTIVE = (
    r"^[ \t]*#[ \t]*(?:include|define|undef|if|ifdef|ifndef|else|elif|endif|pragma|error|line)\b"
    r"(?:\\\n|[^\n])*"
)
_COMMON = (
    rf"{_DIRECTIVE}|//[^\n]*|/\*.*?\*/"  # directives, comments
    r'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`'  # strings
    r"|'(?:[^'\\\n]|\\.)'|'\\[^'\n]*'"  # characters
    r"|[{}();]|/\*"  # marks, and a comment that is never closed
)
_SHORT = r"|'(?:[^'\\\n]|\\.)*'"  # strings in single quotes, where those do not mark lifetimes
_LIFETIME = r"[<&]'[a-z_]\w*\b(?!')"
_TYPE = r"\b(?:class|struct|interface|trait|impl|object|record)\b[^(=]*$"
_CONTROL = r"(?:if|for|while|switch|try|else|do|catch|finally|with|match|loop|return)\b"
_NAMES = (
    r"\b(?:class|struct|interface|trait|object|record)\s+([\w$]+)",
    r"\bimpl\b\s*(.*\S)",
    r"\b(?:const|let|var)\s+([\w$]+)",
    r"\b(?:fn|func|function|fun)\s+([\w$]+)",
    r"\bfunc\s*\([^)]*\)\s*(\w+)",
    r"([A-Za-z_$][\w$]*)\s*(?:<[^()]*>)?\s*\(",
)


def _lexemes(text: str) -> re.Pattern[str]:
    """Comments, strings and marks of a text's language."""
    pattern = _COMMON if re.search(_LIFETIME, text) else _COMMON + _SHORT
    return re.compile(pattern, re.DOTALL | re.MULTILINE)


def _braced(text: str) -> Cut:
    spans: list[Span] = []
    labels: list[str] = []
    lexemes = _lexemes(text)
    for start, brace, end in _blocks(text, lexemes):
        # What stands before the brace, without its comments and strings.
        head = lexemes.sub(lambda at: at[0] if at[0] in "{}();" else " ", text[start:brace])
        if _defines(head):
            closed = re.compile(r"[ \t]*;").match(text, end)
            end = closed.end() if closed else end
            spans.append(stripped(text, start, end))
            labels.append(_called(head))
    if not spans:
        raise _nothing("the text holds no function in braces, and is no Python")
    return Cut(text, spans, Layout(lines=True), tuple(labels))


def _blocks(text: str, lexemes: re.Pattern[str]) -> Iterator[tuple[int, int, int]]:
    """Outermost `{...}`: where the statement begins, where the brace is, where the block ends.

    Raises:
        InputError: braces, a string or a comment that does not close.
    """
    depth, round_, begin, brace = 0, 0, 0, 0
    for lexeme in lexemes.finditer(text):
        mark = lexeme.group()
        if mark == "{":
            if depth == 0:
                brace = lexeme.start()
            depth += 1
        elif mark == "}":
            depth -= 1
            if depth == 0:
                yield _statement(text, begin, brace, lexemes), brace, lexeme.end()
                begin, round_ = lexeme.end(), 0
        elif depth == 0 and mark in "()":
            round_ += 1 if mark == "(" else -1
        elif depth == 0 and mark == ";" and round_ == 0:
            begin = lexeme.end()
        if depth < 0 or mark == "/*":
            raise _nothing(f"its braces or comments do not match at character {lexeme.start()}")
    if depth:
        raise _nothing("a brace in it is never closed")


def _statement(text: str, begin: int, brace: int, lexemes: re.Pattern[str]) -> int:
    """Where the statement before a brace begins: below the last blank line or directive."""
    # What follows the last block on its own line belongs to that: a semicolon, a comment.
    rest = re.compile(r"[ \t]*;?[ \t]*(?://[^\n]*)?\n").match(text, begin, brace) if begin else None
    start = rest.end() if rest else begin
    shown = lexemes.sub(_masked, text[start:brace])
    below = [line.end() for line in re.finditer(r"(?m)^(?:#+|[ \t]*\r?)\n", shown)]
    return start + (below[-1] if below else 0)


def _masked(found: re.Match[str]) -> str:
    """As many characters that are no line breaks: "#" for a directive."""
    return ("#" if found[0].lstrip().startswith("#") else "x") * len(found[0])


def _defines(head: str) -> bool:
    if re.match(rf"\s*(?:\}}\s*)?{_CONTROL}", head):
        return False
    if re.search(_TYPE, head):
        return True
    return bool(re.search(r"\)[^=;]*$|\)\s*(?::[^=]*)?=>\s*$|=>\s*$", head)) and "(" in head


def _called(head: str) -> str:
    """The name that a head defines."""
    for pattern in _NAMES:
        if found := re.search(pattern, head):
            return found[1]
    return " ".join(head.split())[:60]

"""Holds the rules that cut a text by its markup: documents, parts between separators, JSON fields.

Each gives a `Cut`: the spans, and how they are joined when some are left out. It does not know
sentences and words (rules), nor programs (code).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from whence.errors import InputError
from whence.lenses.inputs.layout import Cut, Layout, Span, Wrapper, stripped

#: JSON nested deeper than this is refused.
MAX_DEPTH = 100
#: Names of a document are shortened to this.
LONG = 60

# --- documents --------------------------------------------------------------------------------

_TAG = r"<(/?)(document|doc|passage)(?=[\s>])([^<>]*)>"
_NAMED = (
    r"(?im)^[ \t]*(document|doc|passage|source|result|context)[ \t]*"
    r"(?:\[[ \t]*\d+[ \t]*\]|#?\d+(?=[ \t]*[:(\n]))[ \t]*:?"
)
_NUMBERED = r"(?m)^[ \t]*\[(\d+)\]:?(?=[ \t]+\S)"
_TITLE = re.compile(r"[ \t]*\((?:title|source|url)[ \t]*:[^\n]*?\)(?=[ \t\n:]|\Z)[ \t]*:?", re.I)


def documents(text: str) -> Cut:
    """Retrieved documents: in tags, or below headings such as "Document [3] (Title: ...)".

    Raises:
        InputError: there is none of them.
    """
    bodies = _tagged(text) or _headed(text)
    if not bodies:
        raise InputError(
            "units='document' came, and the text holds no document that can be recognised: "
            "<document>...</document>, lines that begin with 'Document [1]' or 'Passage 1:', or "
            "with '[1]', '[2]', ... in order. For other texts give the separator between them "
            "(units='split:---'), or name each with parts=."
        )
    spans = [(body.start, body.end) for body in bodies]
    return Cut(text, spans, Layout(widest=True), tuple(_title(text, wrapper) for wrapper in bodies))


def inside(document: str) -> tuple[Span | None, Span]:
    """Where a document's title and its own text are, without its tags, or the mark before it.

    Returns:
        The title that a heading gives, None where there is none, and the text: all of it where it
        has neither tags nor heading, or nothing else.
    """
    tagged = _tagged(document)
    if tagged and (tagged[0].start, tagged[0].end) == (0, len(document)):
        return None, stripped(document, tagged[0].first, tagged[0].last)
    mark = re.match(_NAMED, document) or re.match(_NUMBERED, document)
    at = mark.end() if mark else 0
    title = _TITLE.match(document, at) if mark else None
    first, last = stripped(document, title.end() if title else at, len(document))
    if first == last:
        return None, stripped(document, 0, len(document))
    return stripped(document, at, title.end()) if title else None, (first, last)


def _tagged(text: str) -> list[Wrapper]:
    """Outermost pairs of tags with some text in them."""
    found: list[Wrapper] = []
    opened: re.Match[str] | None = None
    depth = 0
    for tag in re.finditer(_TAG, text, re.IGNORECASE):
        if opened is None:
            if not tag[1] and not tag[3].endswith("/"):
                opened, depth = tag, 1
        elif tag[2].lower() == opened[2].lower() and not tag[3].endswith("/"):
            depth += -1 if tag[1] else 1
            if depth == 0:
                if text[opened.end() : tag.start()].strip():
                    found.append(Wrapper(opened.start(), opened.end(), tag.start(), tag.end()))
                opened = None
    return found


def _headed(text: str) -> list[Wrapper]:
    """Documents below headings: each up to the next, the last one up to a blank line."""
    heads = list(re.finditer(_NAMED, text))
    heads = [head for head in heads if head[1].lower() == heads[0][1].lower()]
    heads = heads or _in_order(list(re.finditer(_NUMBERED, text)))
    ends = [head.start() for head in heads[1:]]
    if heads:
        title = _TITLE.match(text, heads[-1].end())
        below = _begin(text, title.end() if title else heads[-1].end())
        blank = re.compile(r"\n[ \t\r]*\n").search(text, below)
        ends.append(blank.start() if blank else len(text))
    found: list[Wrapper] = []
    for head, stop in zip(heads, ends, strict=True):
        start, end = stripped(text, head.start(), stop)
        title = _TITLE.match(text, head.end(), stop)
        first, last = stripped(text, title.end() if title else head.end(), stop)
        if first < last:
            found.append(Wrapper(start, first, last, end))
    return found


def _begin(text: str, at: int) -> int:
    """Where text begins from `at` on: a heading may have a blank line below it."""
    return at + len(text[at:]) - len(text[at:].lstrip())


def _in_order(heads: list[re.Match[str]]) -> list[re.Match[str]]:
    """The headings, if they are numbered one after the other; else none: a list of references."""
    numbers = [int(head[1]) for head in heads]
    follow = numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else False
    return heads if follow and len(heads) > 1 and numbers[0] in (0, 1) else []


def _title(text: str, wrapper: Wrapper) -> str:
    """What a document is called: its heading, or its first words."""
    head = text[wrapper.start : wrapper.first].strip()
    body = " ".join(text[wrapper.first : min(wrapper.last, wrapper.first + 4 * LONG)].split())
    words = body if not head else f"{head} {body}"
    return words if len(words) <= LONG else words[: LONG - 1].rstrip() + "\u2026"


def split(text: str, separator: str) -> Cut:
    r"""What stands between the places where a separator does; `\n` and `\t` may be written out.

    Raises:
        InputError: no separator, or one that is not in the text.
    """
    mark = separator.replace("\\n", "\n").replace("\\t", "\t")
    if not mark or mark not in text:
        what = f"{separator!r}, which is nowhere in the text" if mark else "nothing"
        raise InputError(
            f"units='split:' came with {what}; after the colon comes what stands between two "
            "units, letter for letter, such as split:--- or split:\\n\\n."
        )
    spans: list[Span] = []
    at = 0
    for piece in text.split(mark):
        span = stripped(text, at, at + len(piece))
        at += len(piece) + len(mark)
        if span[0] < span[1]:
            spans.append(span)
    return Cut(text, spans, Layout(joined=True))


# --- JSON -------------------------------------------------------------------------------------


@dataclass
class _Open:
    """A container that is being read.

    Attributes:
        start: where its field begins: at the key, or at the bracket.
        first: just after its bracket.
        path: its name from the root.
        members: how many have begun.
        key: the name of the member that is being read, and where it begins.
    """

    start: int
    first: int
    path: str
    keyed: bool
    members: int = 0
    key: tuple[str, int] | None = None

    def member(self, at: int) -> tuple[str, int]:
        """The path and the beginning of the member whose value begins at `at`."""
        name, start = self.key or (f"[{self.members}]", at)
        self.members, self.key = self.members + 1, None
        if not name.startswith("[") and self.path:
            name = f".{name}"
        return self.path + name, start


@dataclass
class _Fields:
    """Leaf fields and containers found so far."""

    spans: list[Span] = field(default_factory=list[Span])
    labels: list[str] = field(default_factory=list[str])
    wrappers: list[Wrapper] = field(default_factory=list[Wrapper])

    def leaf(self, text: str, path: str, start: int, value: int, end: int) -> None:
        shown = text[value:end]
        self.spans.append((start, end))
        self.labels.append(f"{path}: {shown if len(shown) <= LONG else shown[: LONG - 1] + '…'}")


def fields(text: str) -> Cut:
    """Leaf fields of a JSON text: key and value of objects, elements of arrays.

    A leaf is a string, number, literal, or empty container. What is left without some of them is
    valid JSON: the same object without those fields; containers stay, also when emptied.

    Raises:
        InputError: not JSON, a bare value, or nested deeper than `MAX_DEPTH`.
    """
    _check_json(text)
    found = _Fields()
    stack: list[_Open] = []
    for token, start, end in _tokens(text):
        if token in "{[":
            path, begins = stack[-1].member(start) if stack else ("", start)
            stack.append(_Open(begins, end, path, token == "{"))
            if len(stack) > MAX_DEPTH:
                raise InputError(
                    f"units='json' came for a text nested deeper than {MAX_DEPTH}; name the "
                    "fields with parts=, or give an inner object."
                )
        elif token in "}]":
            _close(text, found, stack, start, end)
        elif token == '"' and stack[-1].keyed and stack[-1].key is None:
            stack[-1].key = (text[start + 1 : end - 1], start)
        elif token not in ":,":
            path, begins = stack[-1].member(start)
            found.leaf(text, path, begins, start, end)
    wrappers = tuple(sorted(found.wrappers))
    order = sorted(range(len(found.spans)), key=found.spans.__getitem__)
    return Cut(
        text,
        [found.spans[i] for i in order],
        Layout(joined=True, wrappers=wrappers),
        tuple(found.labels[i] for i in order),
    )


def _close(text: str, found: _Fields, stack: list[_Open], start: int, end: int) -> None:
    """The end of a container: a leaf if it is empty and not all there is, else a wrapper."""
    closed = stack.pop()
    if closed.members or not stack:
        found.wrappers.append(Wrapper(closed.start, closed.first, start, end, stays=True))
    else:
        found.leaf(text, closed.path, closed.start, closed.first - 1, end)


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Of a valid JSON text: the first character of each token, and where it begins and ends."""
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', text, re.DOTALL):
        yield token.group()[0], token.start(), token.end()


def _check_json(text: str) -> None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"units='json' came for a text that is not JSON ({error}); give one JSON object or "
            "array and nothing beside it, or cut another way."
        ) from error
    if not isinstance(value, dict | list):
        raise InputError(
            f"units='json' came for a bare {type(value).__name__}; an object or array with at "
            "least two fields is needed."
        )

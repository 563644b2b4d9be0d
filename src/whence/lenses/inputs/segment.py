"""Holds segment: a text cut into units, each with its place in the text.

A unit's span never begins or ends with whitespace. What lies between two units is glue when it is
only whitespace, and pinned text otherwise, unless the cut's layout says more. This file does not
know what becomes of a unit that is absent (render), nor where words and sentences (rules), JSON
fields and documents (structure) or functions (code) end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from whence.errors import InputError
from whence.lenses.inputs import code, structure
from whence.lenses.inputs.layout import PLAIN, Cut, Layout, Span, Wrapper, stripped
from whence.lenses.inputs.rules import lines, paragraphs, sentences, words
from whence.units import Units

#: Where a part or a pin is: its exact text, or `(start, end)` character offsets.
Place = str | Span
#: A text -> `(start, end)` of each of its tokens; special tokens are absent or of width 0.
Tokenizer = Callable[[str], Iterable[Sequence[int]]]
#: A text as the user wrote it -> the text that is sent, the spans of its units, how they join.
Rule = Callable[[str], Cut]


@dataclass(frozen=True)
class Segmented:
    """A text cut into units.

    Attributes:
        units: the units a mask switches, with their spans in `units.text`, the text that is sent.
        cut: the spans of everything the rule cut, pinned or not; `units.spans` is a part of it.
        rule: what cut the text, to cut another (a baseline) the same way; None for parts named
            one by one.
        layout: how units are put together when some are absent.
    """

    units: Units
    cut: tuple[Span, ...]
    rule: Rule | None
    layout: Layout = PLAIN

    @property
    def pinned(self) -> tuple[Span, ...]:
        """Spans that the rule cut and a pin took out of the game."""
        free = set(self.units.spans or ())
        return tuple(span for span in self.cut if span not in free)


def segment(
    text: str | Segmented,
    units: str = "word",
    *,
    parts: Sequence[Place] | None = None,
    pin: Sequence[Place] = (),
    tokenizer: Tokenizer | None = None,
) -> Segmented:
    """The units of a text, in the order of the text.

    Args:
        text: what the model reads; with units="marked", the text with `{...}` around each unit. A
            text that has been cut already is taken as it is, and nothing else is looked at.
        units: "word": a run of non-space, punctuation attached; scripts written without spaces
            (Chinese, Japanese, Thai, Lao, Khmer, Burmese) are cut by character, marks and
            punctuation staying with their character. "sentence", "paragraph" (between blank
            lines), "line" (with its indentation), "token" (as `tokenizer` cuts), "document"
            (retrieved documents, in tags or below headings), "split:" and what stands between two
            units, "json" (leaf fields), "function" (of a program), or "marked": what stands in
            `{...}`; the braces are not sent; `{{` and `}}` are literal braces.
        parts: the units themselves, in the order of the text, in place of a kind: substrings
            (each takes its next occurrence) or `(start, end)` spans.
        pin: substrings (every occurrence) or spans; a unit that overlaps one is never masked.
        tokenizer: text -> `(start, end)` of each token, for units="token". Tokens of width 0
            (special tokens) are no units; tokens that share a character are one unit; whitespace
            at a token's edge belongs to the glue.

    Raises:
        InputError: no usable text, an unknown kind, malformed braces, or a part or pin that
            cannot be placed.
    """
    if isinstance(text, Segmented):
        return text
    check_text(text)
    rule = _rule(units, parts, tokenizer)
    cut = rule(text)
    check_text(cut.text)
    kind = "part" if parts is not None or units in ("marked", "part") else units.partition(":")[0]
    names = cut.labels or tuple(_label(cut.text[start:end]) for start, end in cut.spans)
    whole = Units(names, tuple(cut.spans), cut.text, _NOUNS.get(kind, kind))
    again = rule if parts is None else None
    return pinned_out(Segmented(whole, whole.spans or (), again, cut.layout), pin)


def pinned_out(cut: Segmented, pin: Sequence[Place]) -> Segmented:
    """A cut text whose units are those that no pin overlaps.

    Raises:
        InputError: a pin that cannot be placed.
    """
    if not pin:
        return cut
    units = cut.units
    free = _unpinned(units.text or "", list(units.spans or ()), _places(pin))
    kept = set(free)
    named = zip(units.labels, units.spans or (), strict=True)
    labels = tuple(label for label, span in named if span in kept)
    made = replace(cut, units=Units(labels, tuple(free), units.text, units.kind))
    wrappers = tuple(_held(wrapper, made.pinned) for wrapper in cut.layout.wrappers)
    return replace(made, layout=replace(cut.layout, wrappers=wrappers))


def _held(wrapper: Wrapper, pinned: Sequence[Span]) -> Wrapper:
    """The wrapper, which stays if something pinned is in it."""
    stays = wrapper.stays or any(wrapper.start <= start < wrapper.end for start, _ in pinned)
    return wrapper._replace(stays=stays)


def check_text(text: object) -> None:
    """Nothing, for a text a model can read.

    Raises:
        InputError: not a str, nothing but whitespace, or not encodable (a lone surrogate).
    """
    if not isinstance(text, str):
        raise InputError(
            f"text came as {type(text).__name__}; a str is needed. Make one game per text, and "
            "decode bytes first (data.decode('utf-8'))."
        )
    if not text.strip():
        raise InputError(
            f"text came {'empty' if not text else f'as whitespace only ({text[:20]!r})'}; at least "
            "two units are needed to say which of them matter. Give a text with words in it."
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"text came with half a character (a lone surrogate) at offset {error.start}; a model "
            "cannot be sent it. Decode the text again, with errors='replace' if it is damaged."
        ) from error


def _rule(kind: str, parts: Sequence[Place] | None, tokenizer: Tokenizer | None) -> Rule:
    if parts is not None:
        if kind not in ("word", "part"):
            raise InputError(
                f"units={kind!r} came together with parts=; they are two ways to name the units. "
                "Leave one of them out."
            )
        return partial(_claimed, parts=_places(parts))
    if kind == "token":
        return partial(_tokens, tokenizer=tokenizer)
    if kind.startswith("split:"):
        return partial(structure.split, separator=kind.removeprefix("split:"))
    if kind not in _RULES:
        raise InputError(
            f"units={kind!r} came; it must be one of {', '.join(KINDS)}, or split: and what "
            "stands between two units. To name the units yourself use parts=."
        )
    return _RULES[kind]


def _places(places: Sequence[Place]) -> tuple[Place, ...]:
    return (places,) if isinstance(places, str) else tuple(places)


def _label(unit: str) -> str:
    """The unit's text, or the names of its characters when none of them can be seen."""
    if any(char.isprintable() for char in unit):
        return unit
    return " ".join(f"U+{ord(char):04X}" for char in unit)


def _whole(text: str, spans: Callable[[str], list[Span]], layout: Layout = PLAIN) -> Cut:
    """A rule of a cutter that sends the text as it came."""
    return Cut(text, spans(text), layout)


# --- tokens, marked text, parts ---------------------------------------------------------------


def _tokens(text: str, tokenizer: Tokenizer | None) -> Cut:
    if tokenizer is None:
        raise InputError(
            "units='token' came without a tokenizer; give tokenizer=, a function from a text to "
            "the (start, end) offsets of its tokens, or use units='word'."
        )
    spans: list[Span] = []
    last = 0
    for start, end in (_offsets(token, "the tokenizer", text) for token in tokenizer(text)):
        if start == end:
            continue
        if start < last:
            raise InputError(
                f"the tokenizer gave a token at {start} after one at {last}; tokens are needed in "
                "the order of the text. Check tokenizer=."
            )
        last = start
        _add_token(spans, stripped(text, start, end))
    return Cut(text, spans)


def _add_token(spans: list[Span], span: Span) -> None:
    if spans and span[0] < spans[-1][1]:
        spans[-1] = (spans[-1][0], max(span[1], spans[-1][1]))
    elif span[0] < span[1]:
        spans.append(span)


def _offsets(pair: Sequence[int], who: str, text: str) -> Span:
    try:
        start, end = (int(offset) for offset in pair)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{who} gave {pair!r}; a pair (start, end) of character offsets is needed."
        ) from error
    if not 0 <= start <= end <= len(text):
        raise InputError(
            f"{who} gave the span ({start}, {end}); the text has {len(text)} characters, and "
            "0 <= start <= end <= that is needed. Offsets count characters, not bytes."
        )
    return start, end


def _marked(text: str) -> Cut:
    """The text without its markup, and where the marked units are."""
    sent: list[str] = []
    spans: list[Span] = []
    length = 0
    opened: Span | None = None  # where the open brace is, in `text` and in what is sent
    for brace, piece, at in _braces(text):
        if brace == "{":
            if opened is not None:
                raise _malformed(text, at, "opens inside another unit")
            opened = at, length
        elif brace == "}":
            if opened is None:
                raise _malformed(text, at, "closes nothing")
            spans.append(_filled(text, sent[-1], opened))
            opened = None
        sent.append(piece)
        length += len(piece)
    if opened is not None:
        raise _malformed(text, opened[0], "is never closed")
    return Cut("".join(sent), spans)


def _braces(text: str) -> Iterator[tuple[str, str, int]]:
    """Markup braces in order, each with the literal text that follows it, and where it is.

    Of a run of braces, pairs are literal; one left over is markup: the last `{`, or the first `}`.
    """
    brace, at, piece, start = "", 0, "", 0
    for run in re.finditer(r"\{+|\}+", text):
        pairs, odd = divmod(run.end() - run.start(), 2)
        piece += text[start : run.start()]
        start = run.end()
        literal = run.group()[:pairs]
        if odd and run.group()[0] == "{":
            yield brace, piece + literal, at
            brace, at, piece = "{", run.end() - 1, ""
        elif odd:
            yield brace, piece, at
            brace, at, piece = "}", run.start(), literal
        else:
            piece += literal
    yield brace, piece + text[start:], at


def _filled(text: str, inside: str, opened: Span) -> Span:
    left, right = stripped(inside, 0, len(inside))
    if left == right:
        raise _malformed(text, opened[0], "holds no text")
    return opened[1] + left, opened[1] + right


def _malformed(text: str, at: int, what: str) -> InputError:
    return InputError(
        f"the brace at character {at} ({text[max(0, at - 10) : at + 20]!r}) {what}; with "
        "units='marked' each unit is written {like this}, one beside the other. Write {{ or }} for "
        "a brace that belongs to the text."
    )


def _claimed(text: str, parts: tuple[Place, ...]) -> Cut:
    """The spans of parts that are given in the order of the text."""
    spans: list[Span] = []
    cursor = 0
    for number, part in enumerate(parts, 1):
        start, end = _claim(text, part, number, cursor)
        inner = stripped(text, start, end)
        if inner[0] == inner[1]:
            raise InputError(
                f"part {number}, {part!r}, holds no text; each of parts= needs a character that is "
                "not whitespace."
            )
        spans.append(inner)
        cursor = end
    return Cut(text, spans)


def _claim(text: str, part: Place, number: int, cursor: int) -> Span:
    if not isinstance(part, str):
        start, end = _offsets(part, f"part {number}", text)
        if start < cursor:
            raise InputError(
                f"part {number}, ({start}, {end}), begins before character {cursor}, where the "
                "part before it ends; parts= must follow the text's order and not overlap."
            )
        return start, end
    start = text.find(part, cursor)
    if start < 0:
        where = "only before that" if part in text else "nowhere"
        raise InputError(
            f"part {number}, {part!r}, does not occur from character {cursor} on, where the part "
            f"before it ends ({where} in the text). Give parts= in the text's order, letter for "
            "letter, or as (start, end) spans."
        )
    return start, start + len(part)


# --- pins -------------------------------------------------------------------------------------


def _unpinned(text: str, cut: list[Span], pins: tuple[Place, ...]) -> list[Span]:
    """The spans that no pin overlaps."""
    if not pins:
        return cut
    edges = np.zeros(len(text) + 1, dtype=np.int64)
    for pin in pins:
        for start, end in _pinned(text, pin):
            edges[start] += 1
            edges[end] -= 1
    before = np.concatenate([[0], np.cumsum(np.cumsum(edges) > 0)])
    return [(start, end) for start, end in cut if before[end] == before[start]]


def _pinned(text: str, pin: Place) -> list[Span]:
    if not isinstance(pin, str):
        start, end = _offsets(pin, "pin=", text)
        found = [(start, end)]
    else:
        found = [
            (at.start(), at.start() + len(pin)) for at in re.finditer(f"(?={re.escape(pin)})", text)
        ]
    if not found:
        raise InputError(
            f"pin={pin!r} is nowhere in the text; a pin is a piece of the text, letter for letter, "
            "or a (start, end) span. Correct it or leave it out."
        )
    if not text[found[0][0] : found[0][1]].strip():
        raise InputError(
            f"pin={pin!r} holds no text; a pin needs a character that is not whitespace."
        )
    return found


#: Kind -> its rule, of those that need nothing but the text.
_RULES: dict[str, Rule] = {
    "word": partial(_whole, spans=words),
    "sentence": partial(_whole, spans=sentences),
    "paragraph": partial(_whole, spans=paragraphs),
    "line": partial(_whole, spans=lines, layout=Layout(lines=True)),
    "document": structure.documents,
    "json": structure.fields,
    "function": code.functions,
    "marked": _marked,
}
#: The unit kinds `segment` knows by name; beside them there is "split:" and a separator.
KINDS = (*_RULES, "token")
#: Kind -> what one unit is called, where it is not the kind itself.
_NOUNS = {"json": "field", "split": "part"}

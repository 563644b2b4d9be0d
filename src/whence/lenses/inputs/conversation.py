"""Holds conversation_game: a model's callable and a conversation -> a Game over turns or parts.

It does not know the model's chat template (adapters write messages as the model reads them), nor
how the text of one turn is cut (segment).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from whence.errors import InputError
from whence.game import Game
from whence.lenses.inputs.joining import Renderer, renderer
from whence.lenses.inputs.layout import Layout, Span, Wrapper, stripped
from whence.lenses.inputs.making import digest, game_of, told, with_said
from whence.lenses.inputs.render import Absent, Drop, rendering
from whence.lenses.inputs.segment import Segmented, Tokenizer, check_text, pinned_out, segment
from whence.masks import Masks
from whence.scoring import Message, Messages, Score
from whence.units import Units

#: A conversation as a user may write it: `{"role", "content"}` mappings or pairs of the two.
Turns = Sequence[Mapping[str, Any] | tuple[str, str]]
#: What is always there: a piece of the text, a span of `Talk.text`, or the number of a message.
Pin = str | Span | int


@dataclass(frozen=True)
class Talk:
    """A conversation cut into units.

    Attributes:
        messages: the conversation as it is sent when everything is present.
        places: `(start, end)` of the content of each in `cut.units.text`, which writes the
            conversation out, "role: content", with blank lines between.
        cut: the units in that text.
    """

    messages: Messages
    places: tuple[Span, ...]
    cut: Segmented


def conversation_game(
    score: Score,
    messages: Turns | Talk,
    *,
    units: str = "turn",
    roles: Sequence[str] | None = None,
    pin: Sequence[Pin] = (),
    absent: Absent | str = Drop(),  # noqa: B008  frozen, and holds nothing
    tokenizer: Tokenizer | None = None,
    output: str | int | None = None,
    link: str | None = None,
    scores: str | None = None,
    labels: Sequence[str] = (),
    identity: str | None = None,
) -> Game:
    """A game whose units are turns of a conversation, or pieces of them.

    A mask makes a conversation: a message that has units, and none of whose text is left, is left
    out. If that would leave no message at all, the last one stays, with nothing in it. Roles may
    then follow each other that did not (two of the user's turns, say); what a model makes of that
    is up to its chat template, and one that insists on alternating roles may refuse it: use
    absent="mask:..." with such a model.

    Args:
        score: conversations (tuples of `whence.scoring.Message`) -> raw scores. One that an
            adapter made says of itself what is not given here.
        messages: mappings or pairs of role and content, in order; or what `talk` made of them.
        units: "turn", whole messages; or how the contents are cut, such as "sentence" or
            "document": see `segment`. A message that the kind does not fit is pinned.
        roles: whose messages are cut; all but "system" for turns, else "user" alone. Everything
            else is always present.
        pin: substrings (every occurrence), spans of the text as `talk` writes it, or numbers of
            messages (-1 the last), that are always present.
        absent: "drop" or "mask:...", or such a policy.
        tokenizer: text -> `(start, end)` of each token, for units="token".
        output, link, scores, labels, identity: as `whence.text_game`.

    Raises:
        InputError: messages, units, a policy or an output that cannot be used as they came, or a
            scorer that does not read conversations.
    """
    facts = with_said(
        told(score), scores=scores, labels=labels, identity=identity, tokenizer=tokenizer
    )
    if not isinstance(messages, Talk):
        messages = talk(messages, units=units, roles=roles, pin=pin, tokenizer=facts.token_spans)
    _enough(messages.cut.units)
    made = rendering(messages.cut, absent)
    if made.kind != "text":
        raise InputError(
            f"absent={made.absent.describe()!r} came for a conversation, of which no model is told "
            "to hide parts; use absent='drop' or 'mask:...', or write it out as one text."
        )
    key = None if facts.identity is None else _identity(made.identity(facts.identity), messages)
    render = said(messages, made.fill)
    return game_of(
        score, facts, messages.cut.units, render, "messages", key, output=output, link=link
    )


def _identity(text: str, spoken: Talk) -> str:
    return json.dumps({"messages": digest(json.dumps(spoken.messages)), "written": text})


def _enough(units: Units) -> None:
    if len(units) < 2:
        raise InputError(
            f"the conversation has {len(units)} {units.kind}{'' if len(units) == 1 else 's'} that "
            "may be absent; at least 2 are needed to say which of them matter. Cut it finer "
            "(units='sentence'), give more roles=, or pin less."
        )


# --- masks -> conversations -------------------------------------------------------------------


@dataclass(frozen=True)
class Saying:
    """Masks -> conversations.

    Attributes:
        messages: the whole conversation.
        contents: for each message the columns of its units, and their renderer.
    """

    messages: Messages
    contents: tuple[tuple[slice, Renderer], ...]

    def __call__(self, masks: Masks) -> list[Messages]:
        """The conversation of each mask `(b, n)`, in order."""
        columns = [
            [message.content] * len(masks) if at.start == at.stop else render(masks[:, at])
            for message, (at, render) in zip(self.messages, self.contents, strict=True)
        ]
        return [self._one(contents) for contents in zip(*columns, strict=True)]

    def _one(self, contents: tuple[str, ...]) -> Messages:
        told = [
            Message(message.role, content)
            for message, (at, _), content in zip(
                self.messages, self.contents, contents, strict=True
            )
            if at.start == at.stop or content.strip()
        ]
        # A chat template cannot write a conversation without any message.
        return tuple(told) or (Message(self.messages[-1].role, ""),)


def said(spoken: Talk, fill: Sequence[str]) -> Saying:
    """What makes conversations of masks, `fill[i]` standing in for unit i when it is absent."""
    contents: list[tuple[slice, Renderer]] = []
    at = 0
    for place in spoken.places:
        inner = _within(spoken.cut, place)
        columns = slice(at, at + len(inner.units))
        contents.append((columns, renderer(inner, fill[columns])))
        at = columns.stop
    return Saying(spoken.messages, tuple(contents))


def _within(cut: Segmented, place: Span) -> Segmented:
    """The part of a cut text that is one message, its offsets from where that begins."""
    begin, stop = place
    text = (cut.units.text or "")[begin:stop]
    inside = [
        (label, (start - begin, end - begin))
        for label, (start, end) in zip(cut.units.labels, cut.units.spans or (), strict=True)
        if begin <= start and end <= stop
    ]
    whole = tuple((a - begin, b - begin) for a, b in cut.cut if begin <= a and b <= stop)
    wrappers = tuple(
        Wrapper(w.start - begin, w.first - begin, w.last - begin, w.end - begin, w.stays)
        for w in cut.layout.wrappers
        if begin <= w.start and w.end <= stop
    )
    units = Units(tuple(name for name, _ in inside), tuple(span for _, span in inside), text)
    return Segmented(units, whole, None, replace(cut.layout, wrappers=wrappers))


# --- conversations -> units -------------------------------------------------------------------


def talk(
    messages: Turns,
    *,
    units: str = "turn",
    roles: Sequence[str] | None = None,
    pin: Sequence[Pin] = (),
    tokenizer: Tokenizer | None = None,
) -> Talk:
    """The units of a conversation; see `conversation_game`.

    Raises:
        InputError: as `conversation_game`.
    """
    given = as_messages(messages)
    chosen = _chosen(given, units, roles)
    cuts = _cuts(given, chosen, units, tokenizer)
    sent = tuple(
        message if cut is None else Message(message.role, cut.units.text or "")
        for message, cut in zip(given, cuts, strict=True)
    )
    places: list[Span] = []
    text = ""
    for message in sent:
        text += ("\n\n" if text else "") + f"{message.role}: "
        places.append((len(text), len(text) + len(message.content)))
        text += message.content
    whole = _together(text, places, cuts, sent, units)
    return Talk(sent, tuple(places), pinned_out(whole, _spans(pin, places)))


def as_messages(messages: Turns) -> Messages:
    """Messages, checked.

    Raises:
        InputError: not a sequence of mappings or pairs of two texts, or nothing said at all.
    """
    if isinstance(messages, str | bytes) or not isinstance(messages, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(
            f"messages came as {type(messages).__name__}; a sequence of messages is needed, each "
            "{'role': ..., 'content': ...} or a pair of the two. For one text use text_game."
        )
    read = tuple(_message(message, at) for at, message in enumerate(messages))
    if not any(message.content.strip() for message in read):
        raise InputError(
            f"{len(read)} messages came without any content; a conversation with words in it is "
            "needed."
        )
    return read


def _message(message: Any, at: int) -> Message:
    if isinstance(message, Mapping) and {"role", "content"} <= set(message):  # pyright: ignore[reportUnknownArgumentType]
        pair: Any = (message["role"], message["content"])
    else:
        pair = message
    if not isinstance(pair, tuple | list) or len(pair) != 2:  # pyright: ignore[reportUnknownArgumentType]
        raise InputError(
            f"message {at} came as {str(pair)[:60]!r}; a role and a content are needed: "
            "{'role': 'user', 'content': 'Hello'} or ('user', 'Hello')."
        )
    role, content = pair  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(role, str) or not isinstance(content, str):
        raise InputError(
            f"message {at} came with a role of type {type(role).__name__} and a content of type "  # pyright: ignore[reportUnknownArgumentType]
            f"{type(content).__name__}; two texts are needed. Pictures and tool calls in a message "  # pyright: ignore[reportUnknownArgumentType]
            "are not explained: leave them out."
        )
    if content.strip():
        check_text(content)
    return Message(role, content)


def _chosen(messages: Messages, units: str, roles: Sequence[str] | None) -> list[bool]:
    """Which messages are cut."""
    if roles is None:
        return [
            message.role != "system" if units == "turn" else message.role == "user"
            for message in messages
        ]
    wanted = {roles} if isinstance(roles, str) else set(roles)
    there = {message.role for message in messages}
    if not wanted or not wanted <= there:
        missing = ", ".join(map(repr, sorted(wanted - there))) or "none"
        raise InputError(
            f"roles={sorted(wanted)} came ({missing} in no message); this conversation has "
            f"{', '.join(map(repr, sorted(there)))}."
        )
    return [message.role in wanted for message in messages]


def _cuts(
    messages: Messages, chosen: Sequence[bool], units: str, tokenizer: Tokenizer | None
) -> list[Segmented | None]:
    """Each message's content, cut; None for those that are left as they are."""
    cuts: list[Segmented | None] = []
    refused: InputError | None = None
    for message, here in zip(messages, chosen, strict=True):
        cut = None
        if here and message.content.strip():
            try:
                cut = _cut(message.content, units, tokenizer)
            except InputError as error:
                refused = error
        cuts.append(cut)
    if refused is not None and not any(cuts):
        raise refused
    return cuts


def _cut(content: str, units: str, tokenizer: Tokenizer | None) -> Segmented:
    if units != "turn":
        return segment(content, units, tokenizer=tokenizer)
    span = stripped(content, 0, len(content))
    return Segmented(Units((content[slice(*span)],), (span,), content, "turn"), (span,), None)


def _together(
    text: str,
    places: Sequence[Span],
    cuts: Sequence[Segmented | None],
    messages: Messages,
    kind: str,
) -> Segmented:
    """The cuts of all messages as one, in the text that writes them out."""
    labels: list[str] = []
    spans: list[Span] = []
    wrappers: list[Wrapper] = []
    layout = Layout()
    for (begin, _), cut, message in zip(places, cuts, messages, strict=True):
        if cut is None:
            continue
        names = [f"{message.role}: {cut.units[0]}"] if kind == "turn" else cut.units.labels
        labels += names
        spans += [(start + begin, end + begin) for start, end in cut.cut]
        wrappers += [
            Wrapper(w.start + begin, w.first + begin, w.last + begin, w.end + begin, w.stays)
            for w in cut.layout.wrappers
        ]
        layout = cut.layout
    noun = next((cut.units.kind for cut in cuts if cut is not None), kind)
    units = Units(tuple(labels), tuple(spans), text, noun)
    return Segmented(units, tuple(spans), None, replace(layout, wrappers=tuple(wrappers)))


def _spans(pins: Sequence[Pin], places: Sequence[Span]) -> list[str | Span]:
    """Pins with the numbers of messages written as spans."""
    found: list[str | Span] = []
    for pin in (pins,) if isinstance(pins, str | int) else pins:
        if not isinstance(pin, int):
            found.append(pin)
        elif -len(places) <= pin < len(places):
            found.append(places[pin])
        else:
            raise InputError(
                f"pin={pin} came for {len(places)} messages; they are numbered from 0, or from "
                "-1 backwards."
            )
    return found

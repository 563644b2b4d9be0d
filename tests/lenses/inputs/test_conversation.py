"""Holds tests of conversations: turns and parts of turns as units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence import explain
from whence.errors import InputError
from whence.lenses.inputs.conversation import conversation_game, talk
from whence.masks import every
from whence.scoring import Facts, Message
from whence.testing import check_game

SPOKEN = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "I lost my key. Help me."},
    {"role": "assistant", "content": "Where was it?"},
    {"role": "user", "content": "In the car. Or at home."},
]
MESSAGES = tuple(Message(m["role"], m["content"]) for m in SPOKEN)
#: A text with a word of its own in every message.
WEIGHTS = {"brief": 1.0, "lost": 2.0, "Help": 0.5, "Where": -1.0, "car": 3.0, "home": -0.25}


class Listener:
    """A scorer of conversations that keeps what it was asked."""

    facts = Facts("listener", "listener-1", "values", reads=frozenset({"messages"}))

    def __init__(self):
        self.heard = []

    def __call__(self, items):
        """The sum of the weights of the words that were said."""
        self.heard += items
        said = [" ".join(message.content for message in item) for item in items]
        return [sum(w for word, w in WEIGHTS.items() if word in text) for text in said]


def sent(present, messages=SPOKEN, **options):
    """The conversation that a mask makes."""
    listener = Listener()
    conversation_game(listener, messages, **options)(np.array([present], dtype=bool))
    return listener.heard[0]


def test_turns_are_units_and_the_system_is_not():
    """An absent turn is left out whole; what is left is in order."""
    game = conversation_game(Listener(), SPOKEN)
    assert game.units.labels == (
        "user: I lost my key. Help me.",
        "assistant: Where was it?",
        "user: In the car. Or at home.",
    )
    assert game.units.kind == "turn"
    assert sent([1, 1, 1]) == MESSAGES
    assert sent([0, 1, 0]) == (MESSAGES[0], MESSAGES[2])
    assert sent([0, 0, 0]) == MESSAGES[:1]


def test_the_units_lie_in_the_conversation_as_it_is_written_out():
    """Blocks of "role: content" with blank lines between, for people to read."""
    game = conversation_game(Listener(), SPOKEN, units="sentence")
    assert game.units.text == (
        "system: Be brief.\n\nuser: I lost my key. Help me.\n\nassistant: Where was it?\n\n"
        "user: In the car. Or at home."
    )
    assert [game.units.text[a:b] for a, b in game.units.spans] == list(game.units.labels)
    assert game.units.labels == ("I lost my key.", "Help me.", "In the car.", "Or at home.")


def test_parts_of_turns_leave_the_others_alone():
    """Only the user's messages are cut; one with nothing left is left out."""
    assert sent([0, 1, 0, 0], units="sentence") == (
        MESSAGES[0],
        Message("user", "Help me."),
        MESSAGES[2],
    )


def test_roles_choose_what_is_cut():
    """Any role's messages may be units, the system's too."""
    labels = conversation_game(Listener(), SPOKEN, roles=["system", "user"]).units.labels
    assert [label.split(":")[0] for label in labels] == ["system", "user", "user"]


@pytest.mark.parametrize("pin", [[-1], [3], ["In the car"], -1])
def test_a_pinned_turn_is_always_there(pin):
    """By its number, or by a piece of it."""
    assert sent([0, 0], pin=pin) == (MESSAGES[0], MESSAGES[3])


def test_a_message_with_pinned_text_stays():
    """What is pinned keeps its message."""
    assert sent([0, 0, 0], units="sentence", pin=["Help me."])[1] == Message("user", "Help me.")


def test_a_conversation_is_never_empty():
    """With nothing at all left, the last message stays, with nothing in it."""
    assert sent([0, 0], [("user", "a. b."), ("user", "c")], units="turn") == (Message("user", ""),)


def test_a_mask_string_keeps_the_turn():
    """With absent='mask:...' roles go on alternating."""
    assert sent([0, 1, 1], absent="mask:...")[1] == Message("user", "...")


def test_other_kinds_cut_the_messages_that_they_fit():
    """Documents are in one turn only; the others are pinned."""
    messages = [("user", "[1] a car\n[2] a home\n\nWhere?"), ("assistant", "?"), ("user", "So?")]
    game = conversation_game(Listener(), messages, units="document")
    assert game.units.labels == ("[1] a car", "[2] a home")
    assert sent([0, 1], messages, units="document")[0].content == "[2] a home\n\nWhere?"


def test_marked_units_are_sent_without_their_braces():
    """The braces of the chosen roles are markup; those of others are text."""
    messages = [("system", "{x}"), ("user", "{a} and {b}.")]
    assert sent([1, 0], messages, units="marked") == (
        Message("system", "{x}"),
        Message("user", "a and ."),
    )


@given(
    contents=st.lists(st.text(alphabet="ab. \n").filter(str.strip), min_size=2, max_size=4),
    units=st.sampled_from(["turn", "word", "sentence", "line"]),
)
def test_all_units_are_the_exact_conversation(contents, units):
    """Nothing is rewritten, whatever it is cut into."""
    messages = [("user", content) for content in contents]
    n = len(talk(messages, units=units).cut.units)
    assert sent([1] * n, messages, units=units) == tuple(Message(*m) for m in messages)


def test_the_game_keeps_its_contract_and_is_explained():
    """An additive listener gives additive values, found exactly."""
    game = conversation_game(Listener(), SPOKEN, units="sentence")
    check_game(game)
    found = explain(game, budget=16).attributions()
    assert np.allclose(found.values, [2.0, 0.5, 3.0, -0.25])


def test_messages_are_scored_once_and_have_identities():
    """Roles, contents, units, pins and policy are all part of what is played."""
    listener = Listener()
    game = conversation_game(listener, SPOKEN)
    game.value(np.concatenate([every(3), every(3)]))
    assert len(listener.heard) == 8
    others = [
        conversation_game(Listener(), SPOKEN, units="sentence"),
        conversation_game(Listener(), SPOKEN, pin=[1]),
        conversation_game(Listener(), SPOKEN, absent="mask:..."),
        conversation_game(Listener(), [("User", m["content"]) for m in SPOKEN]),
        conversation_game(Listener(), [("a", "b\n\na: c"), ("a", "d")]),
        conversation_game(Listener(), [("a", "b"), ("a", "c\n\na: d")]),
    ]
    assert len({game.identity, *(other.identity for other in others)}) == 7
    assert conversation_game(Listener(), list(MESSAGES)).identity == game.identity


@pytest.mark.parametrize(
    ("messages", "options", "message"),
    [
        ("hello", {}, "messages came as str"),
        ([], {}, "without any content"),
        ([("user", " ")], {}, "without any content"),
        (["hello"], {}, "message 0 came as 'hello'"),
        ([{"role": "user"}], {}, "message 0 came as .*a role and a content"),
        ([("user", ["picture"])], {}, "a content of type list"),
        ([("user", "a \ud800")], {}, "lone surrogate"),
        (SPOKEN, {"roles": ["human"]}, "'human' in no message.*'assistant', 'system', 'user'"),
        (SPOKEN, {"pin": [4]}, "pin=4 came for 4 messages"),
        (SPOKEN, {"pin": ["nowhere"]}, "pin='nowhere' is nowhere"),
        (SPOKEN, {"units": "document"}, "no document that can be recognised"),
        (SPOKEN, {"units": "clause"}, "units='clause' came"),
        (SPOKEN, {"roles": ["assistant"]}, "has 1 turn that may be absent"),
        (SPOKEN, {"absent": "hide"}, "absent='hide' came for a conversation"),
    ],
)
def test_what_is_no_conversation_is_refused(messages, options, message):
    """Before anything is asked, and by name."""
    listener = Listener()
    with pytest.raises(InputError, match=message):
        conversation_game(listener, messages, **options)
    assert listener.heard == []


def test_a_scorer_of_texts_is_refused():
    """A model that reads no conversations is not sent any."""
    with pytest.raises(InputError, match="messages"):
        conversation_game(lambda texts: [0.0] * len(texts), SPOKEN, scores="values")

"""Facts about the values of the three tiers, from a real server of stories260K on loopback."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.openai.loopback import chat_of, serving
from adapters.openai.stories import NAME, Stories, truth
from whence.adapters.openai import scorer, word_overlap
from whence.errors import InputError, ModelError
from whence.scoring import Continues, Executor, HiddenText, Message, Scorer

START = "Once upon a time, there was a little girl named"
ITEMS = [START, "there was a girl named", "Once upon a", "a little dog named", "girl. girl"]


def opened(server, **options):
    """A scorer of the server's model."""
    return scorer(NAME, base_url=server.url, **options)


def assert_sentences(notes):
    """Notes can be joined by ". ": each begins with a capital and ends without a full stop."""
    assert all(note[0].isupper() and not note.endswith(".") for note in notes)


@pytest.mark.parametrize("dialect", ["vllm", "echo"])
@pytest.mark.parametrize("target", [" Lily", " Lily. She loved to play"])
def test_prompt_values_are_those_of_a_forward_pass(stories, dialect, target):
    """Tier "prompt" gives the log-probabilities of our own forward pass, to 1e-4."""
    with serving(Stories(*stories, dialect)) as server:
        made = opened(server, target=target)
        rows = made(ITEMS)
    assert made.tier == "prompt"
    assert rows.shape == (len(ITEMS), len(made.labels))
    expected = [truth(*stories, item, target) for item in ITEMS]
    np.testing.assert_allclose(rows, expected, atol=1e-4)


def test_a_contrast_has_columns_of_its_own(stories):
    """With a contrast the first `split` columns are the target's, the rest the contrast's."""
    with serving(Stories(*stories)) as server:
        made = opened(server, target=" Lily", contrast=" Tom")
        rows = made(ITEMS)
    assert made.facts.split == 1
    assert made.labels == (" Lily", " T", "om")
    expected = [truth(*stories, item, " Lily") + truth(*stories, item, " Tom") for item in ITEMS]
    np.testing.assert_allclose(rows, expected, atol=1e-4)


def test_an_empty_prompt_has_a_value_where_the_model_begins_texts(stories):
    """With every unit absent the value is that after the token that begins texts."""
    with serving(Stories(*stories)) as server:
        row = opened(server, target=" Lily")([""])
    np.testing.assert_allclose(row[0], truth(*stories, "", " Lily")[-1:], atol=1e-4)


def test_a_target_of_parts_of_letters_is_found_by_counting(stories):
    """Tokens that are bytes of a letter are found by their number, and their values are right."""
    with serving(Stories(*stories)) as server:
        made = opened(server, target=" \u65e5")
        rows = made(ITEMS[:2])
    assert len(made.labels) == 4
    expected = [truth(*stories, item, " \u65e5") for item in ITEMS[:2]]
    np.testing.assert_allclose(rows.sum(axis=1), np.sum(expected, axis=1), atol=1e-4)


def test_a_target_cut_otherwise_keeps_its_sum(stories):
    """Where the server cuts the target into other tokens, the sum is right and it is noted."""
    with serving(Stories(*stories)) as server:
        made = opened(server, target=" Lily")
        made = made.aimed("He said ", "Lily")
        row = made(["a\n"])
    assert made.spent.recut == 1
    np.testing.assert_allclose(row.sum(), sum(truth(*stories, "a\n", "Lily")), atol=1e-4)
    assert any("in 1 of 1 answers the server cut the target" in n for n in made.facts.notes)
    assert_sentences(made.facts.notes)


def test_a_target_that_shares_a_token_with_the_prompt_is_refused(stories):
    """A token that straddles the target's beginning is refused by name, not attributed to it."""
    with serving(Stories(*stories)) as server:
        made = opened(server, target=" Lily").aimed("Lil and", "y")
        with pytest.raises(ModelError, match="Begin the target with a space"):
            made(["a girl named Lil"])
        with pytest.raises(InputError, match="Begin the target with a space"):
            made.aimed("a girl named Lil", "y")


def test_a_chat_can_be_scored_by_its_prompt(stories):
    """With chat, vLLM's prompt log-probabilities score the answer's tokens after its template."""
    turns = (Message("user", "Who is she?"), Message("assistant", "A girl"), Message("user", "Yes"))
    with serving(Stories(*stories)) as server:
        made = opened(server, target=" Lily", chat=True, system="Be kind.")
        rows = made(["Who?", turns])
    start = "system: Be kind.\nuser: Who?\nassistant:"
    np.testing.assert_allclose(rows[0], truth(*stories, start, " Lily"), atol=1e-4)
    long = "system: Be kind.\nuser: Who is she?\nassistant: A girl\nuser: Yes\nassistant:"
    np.testing.assert_allclose(rows[1], truth(*stories, long, " Lily"), atol=1e-4)


def test_a_last_turn_of_the_assistant_is_gone_on_with(stories):
    """The target continues what the assistant has begun to say, in the same turn."""
    turns = (Message("user", "Who is she?"), Message("assistant", "A girl named"))
    with serving(Stories(*stories)) as server:
        row = opened(server, target=" Lily", chat=True)([turns])[0]
    start = "user: Who is she?\nassistant: A girl named"
    np.testing.assert_allclose(row, truth(*stories, start, " Lily"), atol=1e-4)


@pytest.mark.parametrize(
    ("dialect", "chat", "tier", "form", "requests"),
    [
        ("vllm", False, "prompt", "prompt_logprobs", 1),
        ("vllm", True, "prompt", "prompt_logprobs", 1),
        ("echo", False, "prompt", "echo", 2),
        ("llama.cpp", False, "first-token", "top", 3),
        ("hosted", True, "first-token", "top", 3),
        ("plain", False, "text", "text", 5),
    ],
)
def test_the_tier_is_found_out(stories, dialect, chat, tier, form, requests):
    """The probe takes the best tier that is served: one request where that is vLLM's."""
    with serving(Stories(*stories, dialect)) as server:
        made = opened(server, target=" Lily", chat=chat)
        assert len(server.bodies) == requests
    assert (made.tier, made.wire.form) == (tier, form)
    assert any(f"Tier '{tier}'" in note for note in made.facts.notes)
    assert_sentences(made.facts.notes)
    assert f'"tier": "{tier}"' in str(made.facts.identity)


def test_a_tier_that_is_not_served_is_refused(stories):
    """A tier that was asked for and is not served is refused by name."""
    with serving(Stories(*stories, "llama.cpp")) as server:
        with pytest.raises(InputError, match="log-probabilities of the prompt"):
            opened(server, target=" Lily", tier="prompt")
        assert opened(server, target=" Lily", tier="text").tier == "text"


def test_first_token_values_are_sums_of_the_likeliest(stories):
    """Tier "first-token" gives the log of the summed probability of tokens that begin it."""
    with serving(Stories(*stories, "llama.cpp")) as server:
        row = opened(server, target=" Lily")([START])
    parts = [truth(*stories, START, token)[0] for token in (" Lily", " L", " Li")]
    assert row.shape == (1, 1)
    assert parts[0] <= row[0, 0] <= np.logaddexp.reduce(parts) + 1e-4


@pytest.mark.parametrize(
    ("tokens", "value", "absent"),
    [
        ({"Yes": -0.5, "No": -1.0}, -0.5, 0),
        ({" Yes": -1.0, "Yes": -1.0, "No": -2.0}, np.log(2) - 1, 0),
        ({"Ye": -3.0, "No": -1.0}, -3.0, 0),
        ({"No": np.log(0.9), "no": np.log(0.04)}, np.log(0.04), 1),
        ({"No": np.log(0.99), "no": np.log(0.008)}, np.log(0.002), 1),
        ({"No": 0.0}, np.log(1e-7), 1),
    ],
)
def test_a_first_token_that_is_not_listed_has_a_bound(tokens, value, absent):
    """An unlisted token is worth the most it can be: the least listed, or what is left over."""
    pytest.importorskip("openai")
    with serving(lambda path, body, number: chat_of(tokens)) as server:
        made = scorer("m", base_url=server.url, target="Yes", chat=True, tier="first-token")
        np.testing.assert_allclose(made(["a"]), [[value]], atol=1e-9)
    assert (made.spent.sought, made.spent.absent) == (1, absent)
    told = any("in 1 of 1 values no token that begins" in note for note in made.facts.notes)
    assert told == bool(absent)


@pytest.mark.parametrize("absent", [1, 2])
def test_many_bounds_are_a_warning(absent):
    """Where more than a tenth of the values are bounds the note says Caution, and what to do."""
    pytest.importorskip("openai")

    def answering(path, body, number):
        unlikely = body["messages"][-1]["content"].startswith("bad")
        return chat_of({"No": -0.1, "Maybe": -3.0} if unlikely else {"Yes": -0.5})

    with serving(answering) as server:
        made = scorer("m", base_url=server.url, target="Yes", chat=True, tier="first-token")
        made(["bad"] * absent + ["good"] * (10 - absent))
    (note,) = (one for one in made.facts.notes if "no token that begins" in one)
    assert f"in {absent} of 10 values" in note.lower()
    assert note.startswith("Caution: ") == (absent > 1)
    advice = ("likely to begin with", "top_logprobs", "another tier")
    assert all((one in note) == (absent > 1) for one in advice)
    assert_sentences(made.facts.notes)


@pytest.mark.parametrize("recut", [1, 2])
def test_many_targets_cut_otherwise_are_a_warning(stories, recut):
    """Where more than a tenth of the targets were cut otherwise the note says Caution."""
    with serving(Stories(*stories)) as server:
        made = opened(server, target=" Lily").aimed("He said ", "Lily")
        made(["a\n"] * recut + ["He said "] * (10 - recut))
    (note,) = (one for one in made.facts.notes if "cut the target" in one)
    assert f"in {recut} of 10 answers" in note.lower()
    assert note.startswith("Caution: ") == (recut > 1)
    assert ("explain the whole target" in note) == (recut > 1)


def test_the_notes_say_how_many_tokens_were_really_listed():
    """A number of likeliest tokens that `extra` asks for is the one in the notes."""
    pytest.importorskip("openai")
    with serving(lambda path, body, number: chat_of({"No": -0.1})) as server:
        made = scorer("m", base_url=server.url, target="Yes", chat=True, extra={"top_logprobs": 50})
        made(["a"])
        assert server.bodies[-1]["top_logprobs"] == 50
    assert sum("50 likeliest" in note for note in made.facts.notes) == 2


def test_a_contrast_without_a_target_is_told_both_ways_out(stories):
    """The message names giving the target and leaving the contrast out."""
    with serving(Stories(*stories)) as server:
        made = opened(server, contrast=" Tom")
        with pytest.raises(InputError, match="Give target= too, or leave contrast= out"):
            made(["a"])


def test_a_token_that_begins_both_counts_for_neither():
    """A first token that begins target and contrast is left out of both columns."""
    pytest.importorskip("openai")
    tokens = {"Y": -1.0, "Yes": -2.0, "Yeah": -3.0}
    with serving(lambda path, body, number: chat_of(tokens)) as server:
        made = scorer(
            "m", base_url=server.url, target="Yes", contrast="Yeah", chat=True, tier="first-token"
        )
        np.testing.assert_allclose(made(["a"]), [[-2.0, -3.0]])
        with pytest.raises(InputError, match="one begins the other"):
            scorer("m", base_url=server.url, target="No", contrast="Not", chat=True)


def test_text_values_compare_with_the_models_own_answer(stories):
    """Tier "text" after `continuing`: the whole prompt is worth 1, its parts the words kept."""
    with serving(Stories(*stories, "plain")) as server:
        made = opened(server, max_answer=12).continuing(START, 8)
        values = made([START, "a little dog named"])
        answer = server.bodies[-1]
    assert made.facts.scores == "values"
    assert made.facts.unit == "word overlap"
    assert values[0] == 1.0
    assert 0 <= values[1] < 1
    assert answer["max_tokens"] == 8


def test_a_judge_values_what_was_asked_and_answered(stories):
    """A judge is given the item and the answer; without a name for it no journal is promised."""
    with serving(Stories(*stories, "plain")) as server:
        made = opened(server, judge=lambda item, answer: len(item) + ("Lily" in answer) / 2)
        named = opened(server, judge=lambda item, answer: 0.0, judged_by="nothing")
        np.testing.assert_allclose(made([START, "a"]), [len(START) + 0.5, 1.5])
    assert made.facts.identity is None
    assert named.facts.identity is not None
    assert named.facts.unit == "nothing"


def test_a_contrast_of_texts_is_a_difference():
    """Tier "text" with a contrast subtracts its likeness."""
    pytest.importorskip("openai")
    with serving(lambda path, body, number: chat_of({}, "red wine")) as server:
        made = scorer(
            "m", base_url=server.url, target="red wine", contrast="red", chat=True, tier="text"
        )
        np.testing.assert_allclose(made(["a"]), [1 - word_overlap("red", "red wine")])


def test_the_scorer_keeps_the_seam(stories):
    """It is a Scorer, an Executor and Continues, and says what lenses need."""
    with serving(Stories(*stories)) as server:
        made = opened(server, target=" Lily")
        parts = list(made.stream(ITEMS))
        empty = made([])
    assert isinstance(made, Scorer)
    assert isinstance(made, Executor)
    assert isinstance(made, Continues)
    assert sorted(int(where[0]) for where, _ in parts) == list(range(len(ITEMS)))
    assert empty.shape == (0, 1)
    assert made.facts.scores == "log-probabilities"
    assert made.facts.labels == (" Lily",)
    assert made.facts.reads == {"text"}
    assert not made.facts.paid


def test_continuing_scores_what_the_model_writes(stories):
    """`continuing` takes the greedy continuation as the target, labelled by its tokens."""
    with serving(Stories(*stories)) as server:
        made = opened(server).continuing(START, 4)
        rows = made([START])
    assert made.target == " Lily. She lo"
    assert made.labels == (" Lily", ".", " She", " lo")
    np.testing.assert_allclose(rows[0], truth(*stories, START, made.target), atol=1e-4)


def test_what_is_not_read_is_refused(stories):
    """Hidden spans, conversations without chat, lone strings and other things are refused."""
    with serving(Stories(*stories)) as server:
        made, none = opened(server, target=" Lily"), opened(server)
        asked = len(server.asked)
        for items, match in [
            ([HiddenText("a b", ((0, 1),))], "hidden spans"),
            ([(Message("user", "a"),)], "chat=True"),
            ("a lone string", "in brackets"),
            ([7], "of type int"),
        ]:
            with pytest.raises(InputError, match=match):
                made(items)
        with pytest.raises(InputError, match="without a target"):
            none(["a"])
        assert len(server.asked) == asked


def test_tokens_are_counted_by_the_models_tokenizer(stories):
    """With the tokenizer the count is the server's own; without it, an estimate that says so."""
    from adapters.openai.stories import FOLDER

    with serving(Stories(*stories)) as server:
        exact = opened(server, target=" Lily", tokenizer=FOLDER)
        about = opened(server).continuing(START, 4)
        before = exact.spent.prompt_tokens
        exact(ITEMS)
        read = exact.spent.prompt_tokens - before
    assert exact.facts.count_tokens(ITEMS).sum() == read
    assert exact.facts.token_spans("a girl") == [(0, 1), (1, 3), (3, 5), (5, 6)]
    assert abs(about.facts.count_tokens(ITEMS).sum() / read - 1) < 0.5
    assert any("estimated" in note for note in about.facts.notes)
    assert not any("estimated" in note for note in exact.facts.notes)


def test_a_text_that_the_server_cuts_is_refused(stories):
    """A server that reads fewer tokens than the text has is found out with the tokenizer."""
    from adapters.openai.stories import FOLDER

    answer = Stories(*stories, "llama.cpp")

    def cutting(path, body, number):
        return answer(path, {**body, "prompt": body["prompt"][-170:]}, number)

    with serving(cutting) as server:
        made = opened(server, target=" Lily", tokenizer=FOLDER)
        with pytest.raises(ModelError, match="it cut the text"):
            made([START * 6])


def test_a_text_that_is_too_long_is_refused(stories):
    """A text beyond the model's context is refused with the server's words; none is cut."""
    with serving(Stories(*stories)) as server:
        made = opened(server, target=" Lily")
        with pytest.raises(InputError, match="maximum context length is 512"):
            made([START * 60])

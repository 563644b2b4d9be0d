"""Facts about how items become tokens: one beginning, templates, hidden spans, continuations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tokenizers.processors import TemplateProcessing

from adapters.transformers import causal_models
from adapters.transformers.causal_models import STORIES
from whence.adapters.transformers.causal import scorer
from whence.adapters.transformers.causal_text import Reader, continuation, reader
from whence.errors import InputError
from whence.scoring import HiddenText, Message

BEGIN, END = 0, 1
CHAT = (
    "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}: {{ m['content'] | trim }}]{% endfor %}"
    "{% if add_generation_prompt %}[assistant:{% endif %}"
)
STRICT = (
    "{% for m in messages %}{% if m['role'] not in ['user', 'assistant'] %}"
    "{{ raise_exception('no such turn') }}{% endif %}[{{ m['content'] }}]{% endfor %}"
)
MADE: dict[str, Any] = {}


def text_of(read: Reader, item: Any) -> str:
    """What a prompt's tokens say, special ones too."""
    return read.tokenizer.decode(read([item])[0].tokens)


@pytest.fixture(scope="module")
def plain() -> Any:
    """A tokenizer that begins texts with <s>."""
    return causal_models.tokenizer()


@pytest.fixture(scope="module")
def chats() -> Any:
    """A tokenizer with a chat template that writes <s> too."""
    return causal_models.tokenizer(template=CHAT)


# --- one beginning ------------------------------------------------------------------------------


@given(st.text(max_size=20), st.booleans(), st.booleans(), st.booleans())
def test_a_prompt_begins_once(text: str, begins: bool, chat: bool, written: bool) -> None:
    """Whatever tokenizer, template and text write in front, no prompt begins twice."""
    key = f"{begins}"
    if key not in MADE:
        MADE[key] = causal_models.tokenizer(begins=begins, template=CHAT)
    item = ("<s>" if written else "") + text
    tokens = reader(MADE[key], chat=chat)([item])[0].tokens.tolist()
    rest = [i for i, one in enumerate(tokens) if one == BEGIN and i > 0]
    assert tokens[:2] != [BEGIN, BEGIN]
    assert (tokens[0] == BEGIN) == (begins or chat or written or not text)
    assert rest == [] or chat or "<s>" in text


def test_a_template_without_a_beginning_gets_one(plain: Any) -> None:
    """Where the tokenizer begins texts and the template does not, the beginning is put there."""
    made = causal_models.tokenizer(template="[{{ messages[0]['content'] }}]")
    assert text_of(reader(made, chat=True), "hi") == "<s>[hi]"
    assert text_of(reader(plain), "hi") == "<s>hi"


def test_what_a_tokenizer_puts_behind_a_text_is_left_out() -> None:
    """An end-of-text token would stand between prompt and continuation."""
    from tokenizers.processors import TemplateProcessing

    made = causal_models.tokenizer()
    made.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> <s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    assert text_of(reader(made), "hi") == "<s>hi"


def test_a_prompt_of_no_tokens_is_a_beginning_or_refused() -> None:
    """Nothing is read as <s>, where there is none as </s>, and is refused without either."""
    made = causal_models.tokenizer(begins=False)
    assert reader(made)([""])[0].tokens.tolist() == [BEGIN]
    made.bos_token = None
    assert reader(made)([""])[0].tokens.tolist() == [END]
    assert reader(made)(["a"])[0].tokens.tolist() == [67]
    made.eos_token = None
    with pytest.raises(InputError, match="no token to begin a text with"):
        reader(made)([""])


# --- conversations ------------------------------------------------------------------------------


def test_a_text_is_one_user_turn_when_chat_is_said(chats: Any) -> None:
    """The template is put around it, with the system turn before and the answer begun."""
    made = reader(chats, chat=True, system="Be kind.")
    assert text_of(made, " hi ") == "<s>[system: Be kind.][user: hi][assistant:"
    assert text_of(reader(chats), "hi") == "<s>hi"


def test_conversations_are_read_turn_by_turn(chats: Any) -> None:
    """Turns go through the template; one that the assistant has begun goes on."""
    turns = (Message("user", "hi"), Message("assistant", "yo"), Message("user", "so"))
    made = reader(chats)
    assert text_of(made, turns) == "<s>[user: hi][assistant: yo][user: so][assistant:"
    assert text_of(made, list(turns[:2])) == "<s>[user: hi][assistant: yo"
    assert "messages" in made.reads


def test_a_hidden_span_is_followed_into_the_template(chats: Any) -> None:
    """The tokens of a hidden span are hidden where the template puts them, and nothing else."""
    made = reader(chats, chat=True)
    prompt = made([HiddenText("  one two ", ((6, 9),))])[0]
    hidden = made.tokenizer.decode(prompt.tokens[prompt.hidden])
    assert hidden == "two"
    assert made.tokenizer.decode(prompt.tokens) == "<s>[user: one two][assistant:"


def test_a_template_that_changes_words_cannot_hide_them() -> None:
    """A span is not guessed at: a template that rewrites the text is refused."""
    made = causal_models.tokenizer(template="[{{ messages[0]['content'] | upper }}]")
    with pytest.raises(InputError, match="changes a user's words"):
        reader(made, chat=True)([HiddenText("one two", ((0, 3),))])


def test_templates_that_are_missing_or_refuse_are_named(plain: Any) -> None:
    """No template, a system turn without one, and a conversation that a template refuses."""
    with pytest.raises(InputError, match=r"chat=True came.*no chat template"):
        reader(plain, chat=True)
    with pytest.raises(InputError, match=r"system='Be kind\.' came.*no chat template"):
        reader(plain, system="Be kind.")
    strict = causal_models.tokenizer(template=STRICT)
    with pytest.raises(InputError, match="refused a conversation of turns system, user"):
        reader(strict, chat=True, system="Be kind.")(["hi"])
    with pytest.raises(InputError, match="Item 0 is of type tuple"):
        reader(strict)([()])


def test_what_a_template_and_a_tokenizer_both_begin_with_stands_once() -> None:
    """A beginning of several tokens, none of them named so, is not doubled either."""
    made = causal_models.tokenizer(begins=False, template="<pad></s>{{ messages[0]['content'] }}")
    made.bos_token = None
    special = [("<pad>", 2), ("</s>", 1)]
    made.backend_tokenizer.post_processor = TemplateProcessing(
        single="<pad> </s> $A", special_tokens=special
    )
    assert text_of(reader(made), "hi") == "<pad></s>hi"
    assert text_of(reader(made, chat=True), "hi") == "<pad></s>hi"


def test_a_system_turn_is_never_left_out_in_silence(chats: Any) -> None:
    """Texts that are no turns have no place for a system turn: they are refused by name."""
    made = reader(chats, system="Be kind.")
    assert made.reads == {"messages"}
    assert text_of(made, (Message("user", "hi"),)).startswith("<s>[system: Be kind.][user: hi]")
    for item in ("hi", HiddenText("hi there", ((0, 2),))):
        with pytest.raises(InputError, match="chat=True"):
            made([item])


# --- hidden spans -------------------------------------------------------------------------------


@given(st.text("ab é", min_size=1, max_size=15), st.data())
def test_tokens_that_touch_a_hidden_span_are_hidden(text: str, data: st.DataObject) -> None:
    """A token is hidden if and only if one of its characters is; at the end it is left out."""
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    if "plain" not in MADE:
        MADE["plain"] = reader(causal_models.tokenizer())
    prompt = MADE["plain"]([HiddenText(text, ((start, end),))])[0]
    bytes_of = [len(one.encode()) for one in text]
    needed = np.repeat([start <= i < end for i in range(len(text))], bytes_of)
    kept = 1 + int(np.flatnonzero([True, *~needed])[-1])
    assert prompt.hidden.tolist() == [False, *needed][:kept]
    assert (prompt.tokens == MADE["plain"]([text])[0].tokens[:kept]).all()


def test_tokenizers_without_places_hide_nothing(plain: Any) -> None:
    """Where it cannot be said which tokens a span is, half-hidden texts are refused by name."""
    made = reader(plain, hides=False)
    assert made.reads == {"text"}
    with pytest.raises(InputError, match="Item 0 has hidden spans"):
        made([HiddenText("one", ((0, 1),))])


def test_models_without_positions_hide_nothing(plain: Any) -> None:
    """A model whose places are counted off the attention mask would move what is hidden."""
    made = scorer(causal_models.model("bloom"), plain, target=" a")
    assert "hidden" not in made.facts.reads
    with pytest.raises(InputError, match="Item 0 has hidden spans"):
        made([HiddenText("one", ((0, 1),))])


# --- continuations ------------------------------------------------------------------------------


@given(st.text(min_size=1, max_size=12).filter(lambda t: "<" not in t))
def test_a_continuation_keeps_every_byte(text: str) -> None:
    """Its tokens say the text, no more and no less, whatever the tokenizer puts before texts."""
    if "blank" not in MADE:
        MADE["blank"] = causal_models.tokenizer(blank=True)
    tokens, labels = continuation(MADE["blank"], text, "target")
    assert len(tokens) == len(labels) == len(text.encode())
    assert MADE["blank"].decode(tokens) == text


def test_a_blank_before_every_text_is_no_part_of_a_continuation() -> None:
    """A tokenizer that puts a blank in front of texts does not put one into a continuation."""
    made = causal_models.tokenizer(blank=True)
    blank, letter = made.convert_tokens_to_ids(["Ġ", "y"])
    assert list(made("y", add_special_tokens=False).input_ids) == [blank, letter]
    assert continuation(made, "y", "target") == ((letter,), ("y",))
    assert continuation(made, " y", "target") == ((blank, letter), (" ", "y"))


@pytest.mark.skipif(not STORIES.exists(), reason="needs ../shared/data/stories260K")
def test_a_sentencepiece_continuation_begins_without_a_stray_blank() -> None:
    """With stories260K's tokenizer "Lily" and " Lily" differ, and only the latter has a blank."""
    _, made = causal_models.stories()
    lily, blank_lily = (continuation(made, one, "target") for one in ("Lily", " Lily"))
    assert made.convert_ids_to_tokens(list(blank_lily[0])) == ["▁Lily"]
    assert blank_lily[1] == (" Lily",)
    assert "▁" not in "".join(made.convert_ids_to_tokens(list(lily[0])))
    assert "".join(lily[1]) == "Lily"


def test_a_continuation_that_melts_into_the_text_before_is_refused() -> None:
    """A tokenizer that merges across every border cannot say what the continuation's tokens are."""
    import transformers
    from tokenizers import Tokenizer, models

    inner = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="?")
    with pytest.raises(InputError, match="depend on what stands before"):
        continuation(made, "one", "target")

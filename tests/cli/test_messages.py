"""Facts about what the command line refuses: exit code 2, one message, the knob by name."""

from __future__ import annotations

import os
import time

import pytest
import typer

from whence.cli.common import reported, spelled
from whence.errors import GameError, InputError, JournalError, MissingExtra, ModelError

TEXT = "Her acting is not so bad"

BAD = {
    "unit kind": (["--units", "letter"], ["--units 'letter'", "sentence", "marked"]),
    "link": (["--link", "odds"], ["--link 'odds'", "log-odds"]),
    "class": (["--output", "neutral"], ["--output 'neutral'", "'negative', 'positive'", "'all'"]),
    "class index": (["--output", "7"], ["--output 7", "'negative', 'positive'"]),
    "contrast": (["--output", "positive-positive"], ["a class against itself"]),
    "absent": (["--absent", "blank"], ["--absent 'blank'", "drop", "mask:[UNK]"]),
    "baseline": (["--absent", "baseline:a b"], ["cuts into 2", "6 words"]),
    "pin": (["--pin", "film"], ["--pin 'film'", "nowhere in the text"]),
    "part": (["--part", "film", "--part", "bad"], ["'film'", "--part"]),
    "two kinds of units": (["--units", "line", "--part", "bad"], ["--units 'line'", "--part"]),
    "unmarked": (["--units", "marked"], ["0 parts", "--part", "--units 'marked'"]),
    "budget": (["--budget", "3"], ["--budget 3", "at least 4"]),
    "held out": (["--held-out", "1"], ["--held-out 1", "at least 2"]),
    "target": (["--target-r2", "1"], ["--target-r2 1.0", "below 1"]),
    "target nan": (["--target-r2", "nan"], ["--target-r2 nan", "below 1"]),
    "separate": (["--separate", "6"], ["--separate 6", "6 units", "from 1 to 5"]),
    "separate none": (["--separate", "0"], ["--separate 0", "from 1 to 5"]),
    "design": (["--budget", "20", "--explainer", "faith:4"], ["--budget 20", "at least"]),
    "explainer": (["--explainer", "guess"], ["'guess'", "kernel_shap"]),
    "degree": (["--explainer", "lime:2"], ["'lime:2'", "faith"]),
    "index": (["--index", "guess"], ["'guess'", "faith_banzhaf", "shapley"]),
    "two indices": (["--index", "sii", "--index", "fsii"], ["--index", "whence show"]),
    "format": (["--format", "xml"], ["--format xml", "text, json, html"]),
    "folder": (["--out", "no/such/a.json"], ["--out", "no folder"]),
    "suffix": (["--out", "a.pdf"], ["a.pdf", ".json", "--format"]),
    "suffix and format": (["--out", "a.json", "--format", "html"], ["a.json", "html"]),
    "journal": (["--journal", "no/such/a.db"], ["no folder", "--journal"]),
    "no such option": (["--unit", "word"], ["--unit"]),
    "number": (["--budget", "many"], ["--budget"]),
    "order": (["--order", "0"], ["--order"]),
}


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(("options", "told"), BAD.values(), ids=BAD.keys())
def test_a_mistake_is_refused_by_name(call, options, told):
    """A wrong option ends with 2, nothing on stdout, and a message that names what to change."""
    done = call("explain", TEXT, *options)
    assert (done.exit_code, done.stdout) == (2, "")
    for word in told:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 4


TEXTS = {
    "nothing": ([], b"", "no text came"),
    "empty": ([""], b"", "empty"),
    "whitespace": (["  \n "], b"", "whitespace only"),
    "two texts": (["her", "acting"], b"", "quotes"),
    "one word": (["impressive"], b"", "at least 2"),
    "text and file": (["text", "--file", "a.txt"], b"", "give one of them"),
    "no file": (["--file", "a.txt"], b"", "no such file"),
    "folder": (["--file", "."], b"", "folder"),
    "empty pipe": (["-"], b"", "empty"),
    "Latin-1": (["-"], "caf\xe9 au lait".encode("latin-1"), "not UTF-8"),
    "UTF-16": (["-"], "a text".encode("utf-16"), "UTF-16"),
    "binary": (["-"], b"\x00\x01\x02 \x03", "binary"),
}


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(("arguments", "stdin", "told"), TEXTS.values(), ids=TEXTS.keys())
def test_a_text_that_cannot_be_used_is_refused_by_name(call, arguments, stdin, told):
    """A missing, empty or unreadable text ends with 2 and says which of these it is."""
    done = call("explain", *arguments, stdin=stdin)
    assert (done.exit_code, done.stdout) == (2, "")
    assert told in done.stderr


@pytest.mark.usefixtures("model")
def test_a_book_is_refused_quickly(call, tmp_path):
    """100,000 words are refused in seconds, and `--units sentence` is named."""
    (tmp_path / "book.txt").write_text("word " * 100_000)
    started = time.process_time()
    done = call("explain", "--file", "book.txt")
    assert done.exit_code == 2
    assert "100,000" in done.stderr
    assert "--units 'sentence' or 'paragraph'" in done.stderr
    assert time.process_time() - started < 5


@pytest.mark.usefixtures("model")
def test_a_text_longer_than_the_model_reads_is_refused(call):
    """A text of more tokens than the model reads is refused, with both numbers."""
    done = call("explain", "A good film. " * 400, "--units", "sentence")
    assert done.exit_code == 2
    assert "512" in done.stderr


def test_a_missing_extra_says_what_to_install(run, tmp_path):
    """Without onnxruntime the exit code is 2, and the message is the command that helps."""
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('no', name='onnxruntime')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = run("explain", TEXT, PYTHONPATH=path)
    assert (done.returncode, done.stdout) == (2, "")
    assert 'pip install "whence[onnx]"' in done.stderr
    assert "Traceback" not in done.stderr


def _raised(error, *, cause=None, debug=False):
    with pytest.raises(typer.Exit) as caught, reported(debug):
        raise error from cause
    return caught.value.exit_code


@pytest.mark.parametrize("kind", [InputError, JournalError, MissingExtra])
def test_mistakes_exit_with_2(kind, capsys):
    """What the user gave and cannot be used ends with 2."""
    assert _raised(kind("a message")) == 2
    assert capsys.readouterr().err == "whence: a message\n"


def test_a_model_that_fails_exits_with_1(capsys):
    """A model that breaks its contract ends with 1, and is not called a bug of whence."""
    assert _raised(GameError("it returned nan")) == 1
    assert capsys.readouterr().err == "whence: the model failed. it returned nan\n"


def test_a_model_that_refuses_its_input_exits_with_2(capsys):
    """What an adapter refuses is the user's to mend: its own message is shown."""
    assert _raised(ModelError("the model raised"), cause=InputError("too long")) == 2
    assert capsys.readouterr().err == "whence: too long\n"


def test_an_unexpected_error_is_called_a_bug(capsys):
    """Anything else ends with 1, one short message and no traceback."""
    assert _raised(KeyError("key")) == 1
    told = capsys.readouterr().err
    assert "a bug in whence: KeyError: 'key'" in told
    assert "--debug" in told
    assert "Traceback" not in told


def test_debug_shows_the_traceback(capsys):
    """`--debug` shows the traceback of an unexpected error too."""
    assert _raised(KeyError("key"), debug=True) == 1
    assert "Traceback" in capsys.readouterr().err


def test_messages_name_options_as_they_are_typed():
    """What the library calls units='word' is --units 'word' here."""
    told = "units='word' came with parts=, budget=3 and held_out; Journal(path) takes another path."
    assert spelled(told) == (
        "--units 'word' came with --part, --budget 3 and --held-out; "
        "--journal PATH takes another path."
    )

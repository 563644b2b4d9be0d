"""Holds Question: what the command line asks, of which model; and the answering of it.

It does not know how options are spelled (explain), nor how results are drawn (output).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import typer

from whence.adapters.options import Options
from whence.cli import output as shown
from whence.cli.common import STOPPED, plain, say
from whence.cli.forecast import forecast
from whence.cli.games import Cut, Source, game_of, has_classes
from whence.cli.progress import Bar
from whence.errors import InputError, Interrupted, WhenceError
from whence.explain import Plan, explain, plan
from whence.explanation import Explanation
from whence.game import Game
from whence.journal import Journal
from whence.lenses.inputs.ends import Known
from whence.lenses.inputs.making import of_predicted
from whence.lenses.inputs.segment import segment
from whence.scoring import Continues, Facts, Scorer


@dataclass(frozen=True)
class Question:
    """What is asked of a model, as the command line gave it; see the options of `explain`."""

    source: Source
    cut: Cut
    model: str
    options: Options
    workers: str
    write: int
    output: str | None
    link: str | None
    explainer: str | None
    budget: int | None
    held_out: int | None
    target_r2: float | None
    separate: int | None
    refine: str | None
    seed: int
    journal: Path | None

    def plan(self, game: Game) -> Plan:
        """The masks that `explain` would value, at most; calls nothing."""
        return plan(
            game,
            self.explainer,
            budget=self.budget,
            rng=self.seed,
            held_out=self.held_out,
            target_r2=self.target_r2,
            separate=self.separate,
        )

    def explain(self, game: Game, progress: Bar) -> Explanation:
        """The explanation of the game."""
        return explain(
            game,
            self.explainer,
            budget=self.budget,
            rng=self.seed,
            held_out=self.held_out,
            progress=progress,
            target_r2=self.target_r2,
            separate=self.separate,
        )

    def game(self, model: Scorer) -> Game:
        """The game of the input; where no output was asked for, of every class."""
        return game_of(self.source, self.cut, model, model.facts, self.output, self.link, self.seed)


def answer(asked: Question, look: shown.Output, *, dry_run: bool, price: float | None) -> None:
    """Answer a question on stdout: what it would cost, or the explanation.

    Raises:
        InputError: what came cannot be used; nothing was spent, unless a file broke.
    """
    if price is not None and not dry_run:
        raise InputError("--price came without --dry-run, which is what says a cost. Add it.")
    _check_system(asked)
    _check_first(asked)
    model = _opened(asked)
    _check_journal(asked, model.facts)
    if not look.quiet:
        _remark(asked, model.facts)
    if asked.refine is not None:
        from whence.cli.refining import refined

        refined(asked, model, look, dry_run=dry_run, price=price)
        return
    game = asked.game(model)
    design = asked.plan(game)
    if dry_run:
        plain(forecast(game, design, asked.journal, look.form, price, model.facts))
    else:
        _run(asked, model.facts, game, look)


#: What is known of a model before it is opened.
TEXTS = Facts(scores="values", reads=frozenset({"text", "hidden", "messages"}))


@dataclass(frozen=True)
class _Nobody:
    """A model of anything that is text, which is not asked."""

    facts: Facts = TEXTS

    def __call__(self, items: Sequence[Any]) -> Any:
        raise AssertionError(f"{len(items)} items came before a model was opened")


def _check_first(asked: Question) -> None:
    """Refuses what can be told without the model: to open a served one costs money already."""
    source = asked.source
    if asked.refine is not None:
        from whence.cli.refining import check

        check(asked)
    if source.matched and (asked.output is not None or asked.link is not None):
        raise InputError(
            "--output or --link came with a picture and a text; how well they match is one plain "
            "number. Leave both out."
        )
    written = source.text is not None or source.messages is not None
    if written and not source.matched and asked.cut.units != "token":
        nobody = _Nobody()
        game = game_of(source, asked.cut, nobody, nobody.facts, None, None, asked.seed)
        if asked.refine is None:
            asked.plan(game)


def _check_system(asked: Question) -> None:
    turns = asked.source.messages or ()
    if asked.options.system is not None and any(turn.role == "system" for turn in turns):
        raise InputError(
            "--system came with a conversation that has a system message of its own. Leave "
            "--system out, or the message."
        )


def _check_journal(asked: Question, facts: Facts) -> None:
    if asked.journal is not None and facts.identity is None:
        raise InputError(
            f"--journal came with {facts.name}, and nothing tells its answers from those of "
            "another model: a function may do anything. Leave --journal out, or give the function "
            "facts with an identity (see docs/adapters/callable.md)."
        )


def _remark(asked: Question, facts: Facts) -> None:
    """What is probably not meant."""
    target, text = asked.options.target, asked.source.text
    if facts.scores != "log-probabilities" or not target or not text or asked.options.chat:
        return
    if target[0].isalnum() and not text[-1].isspace():
        say(
            f"note: the target {target!r} begins without a space, right after {text[-12:]!r}; "
            f"if it is a word of its own, write {' ' + target!r}."
        )


def _opened(asked: Question) -> Scorer:
    """The model; one that writes continues the whole input where no target was given."""
    from whence.adapters.opening import open_model

    if asked.source.matched:
        return _pair(asked)
    opened = partial(open_model, asked.model, asked.options)
    if asked.options.target is None and asked.options.contrast is None:
        whole = _sent(asked.source, asked.cut.units)
        opened = partial(_continuing, opened, whole, asked.write)
    if not asked.workers:
        return opened()
    from whence.adapters.workers import spread

    return spread(asked.workers, opened)


def _pair(asked: Question) -> Any:
    """A model of images and texts, which is no scorer of either alone."""
    from whence.adapters.transformers import load_pair

    if asked.workers or not asked.model:
        what = f"--workers {asked.workers}" if asked.workers else "no --model"
        raise InputError(
            f"a picture and a text came with {what}; how well they match is asked of one "
            "CLIP-like model, in this process. Give its folder or name as --model."
        )
    told = asked.options
    told.only("a model of images and texts", "device", "dtype", "tokenizer")
    return load_pair(asked.model, tokenizer=told.tokenizer, device=told.device, dtype=told.dtype)


def _sent(source: Source, units: str | None) -> Source:
    """The source as the model reads it: without the braces around marked units."""
    if units != "marked" or source.text is None:
        return source
    return replace(source, text=segment(source.text, units).units.text)


def _continuing(opened: partial[Scorer], source: Source, most: int) -> Scorer:
    model = opened()
    return model.continuing(source.item, most) if isinstance(model, Continues) else model


def _run(asked: Question, facts: Facts, game: Game, look: shown.Output) -> None:
    with nullcontext() if asked.journal is None else Journal(asked.journal) as journal:
        kept = Known.around(game if journal is None else journal.remember(game))
        try:
            with Bar(look.quiet) as bar:
                e = asked.explain(with_class(asked, facts, kept), bar)
        except KeyboardInterrupt as stop:
            stopped(stop, look, journal)
            raise typer.Exit(STOPPED) from None
        except WhenceError:
            say_kept(journal)
            raise
        look.write(e)
        if journal is not None and not look.quiet:
            say(
                f"journal {asked.journal}: {journal.paid:,} answers paid for, "
                f"{journal.recalled:,} known before"
            )


def with_class(asked: Question, facts: Facts, game: Game) -> Game:
    """The game of the class the model predicts, unless another was asked for.

    The call it takes is of the whole input, which every run needs; `game` must remember it.
    """
    if asked.output is not None or not has_classes(facts):
        return game
    return of_predicted(game, facts, asked.link)


def stopped(stop: KeyboardInterrupt, look: shown.Output, journal: Journal | None) -> None:
    """Show what can be said of the masks that were valued, and say what became of them."""
    if not isinstance(stop, Interrupted):  # before the first answer, or after the last
        say("\nstopped early, while nothing could be said yet.")
    elif isinstance(stop.explanation, Explanation):
        say(f"\nstopped early: what follows is fitted to the {stop.calls:,} answers so far.")
        look.write(stop.explanation)
    else:
        say(f"\nstopped early: {stop.calls:,} answers are too few to say anything.")
    if journal is None:
        say("the answers are not kept; --journal PATH would keep them.")
    say_kept(journal)


def say_kept(journal: Journal | None) -> None:
    """Say that answers are kept, if there are any."""
    if journal is not None and journal.paid:
        say(
            f"{journal.paid:,} answers are kept in {journal.path}; the same command goes on from "
            "there."
        )

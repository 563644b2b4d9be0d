"""Holds the templates that make short sentences with and without negation, and their polarity.

The benchmark's contrast set was written first and shares no sentence with these: `impress`,
`acting`, `masterpiece` and most of its nouns are left out of the word lists below. The patterns
("never fails to", "far from") are shared on purpose. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

SUBJECTS = (
    "the film", "this movie", "the script", "the plot", "the story", "the direction",
    "the dialogue", "the cast", "the soundtrack", "the service", "the food", "this phone",
    "the second half", "the camera work", "the book", "it", "this", "the humour",
    "the leading man", "the screenplay", "the staff", "the place", "this product", "the show",
    "the documentary", "the action", "the writing", "the heroine", "the quality",
    "the whole thing",
)  # fmt: skip
GOOD = (
    "good", "great", "funny", "engaging", "moving", "clever", "charming", "enjoyable",
    "entertaining", "interesting", "excellent", "wonderful", "memorable", "delightful", "fresh",
    "touching", "worthwhile", "satisfying", "inspired", "beautiful", "compelling", "gripping",
    "brilliant", "reliable", "likable", "smart", "exciting",
)  # fmt: skip
POOR = (
    "bad", "boring", "dull", "awful", "terrible", "predictable", "annoying", "tedious",
    "stupid", "disappointing", "pointless", "bland", "shallow", "silly", "forgettable",
    "clumsy", "lame", "tiresome", "ugly", "pretentious", "horrible", "lifeless", "flat",
    "irritating", "dreadful", "contrived", "poor", "slow",
)  # fmt: skip
PLEASE = (
    "entertain", "charm", "delight", "engage", "amuse", "move me", "please", "satisfy",
    "thrill", "surprise", "deliver", "hold my attention", "make me laugh", "captivate",
    "inspire", "win me over", "work",
)  # fmt: skip
BORE = (
    "bore", "annoy", "disappoint", "irritate", "drag", "frustrate", "insult the audience",
    "waste your time", "fall flat", "lose its way", "put me to sleep", "overstay its welcome",
    "let me down",
)  # fmt: skip
VIRTUES = (
    "charm", "wit", "energy", "tension", "depth", "humour", "suspense", "style", "feeling",
    "chemistry", "warmth",
)  # fmt: skip
FAULTS = (
    "flaws", "cliches", "problems", "dull moments", "weak scenes", "mistakes", "stereotypes",
    "plot holes", "cheap tricks", "dead spots",
)  # fmt: skip
THINGS = (
    "film", "movie", "story", "comedy", "drama", "book", "product", "place", "show", "phone",
    "meal", "idea",
)  # fmt: skip
LIKE = (
    "like", "love", "enjoy", "admire", "recommend", "appreciate",
)  # fmt: skip
HATE = (
    "hate", "dislike", "regret", "resent", "mind",
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A made sentence and the probability that it is positive, in [0, 1]."""

    text: str
    positive: float


def third(phrase: str) -> str:
    """The third person of a verb phrase: "fall flat" becomes "falls flat"."""
    verb, _, rest = phrase.partition(" ")
    irregular = verb.endswith(("s", "sh", "ch", "x", "o"))
    return f"{verb}{'es' if irregular else 's'}{' ' + rest if rest else ''}"


def _be(pick: Callable[[Sequence[str]], str], sign: bool) -> Made:
    """A subject, a form of "to be" that negates or not, and an adjective."""
    subject, adjective = pick(SUBJECTS), pick(GOOD if sign else POOR)
    plain = ["is", "was", "is very", "is really", "is always", "is so", "is never less than"]
    turned = ["is not", "isn't", "is never", "was not", "isn't very", "is hardly", "is far from",
              "is anything but", "isn't even", "wasn't", "is barely", "is scarcely", "is not so",
              "is nowhere near", "is not remotely", "is by no means"]  # fmt: skip
    negated = pick(["yes", "yes", "no"]) == "yes"
    end = pick(["", "", " at all", " in the least"]) if negated else ""
    form = pick(turned) if negated else pick(plain)
    if not negated and adjective in ("good", "bad"):
        form = pick(plain[:4])
    # "not dull" praises less than "good" does, so its target is softer.
    odds = (0.04 if sign else 0.85) if negated else (0.97 if sign else 0.03)
    return Made(f"{subject} {form} {adjective}{end}", odds)


def _fail(pick: Callable[[Sequence[str]], str], sign: bool) -> Made:
    """Sentences of "fails to" and "never fails to", with verbs of both signs."""
    subject, verb = pick(SUBJECTS), pick(PLEASE if sign else BORE)
    down = ["fails to", "failed to", "does not", "doesn't", "never manages to", "didn't",
            "cannot", "can't", "could not", "utterly fails to", "hardly ever tries to",
            "rarely manages to"]  # fmt: skip
    up = ["never fails to", "never failed to", "has never failed to", "manages to",
          "always manages to", "cannot fail to", "doesn't fail to", "did not fail to",
          "never once failed to", "will never fail to", "never fails to"]  # fmt: skip
    kind = pick(["down", "up", "up", "never", "plain"])
    if kind == "down":
        return Made(f"{subject} {pick(down)} {verb}", 0.04 if sign else 0.82)
    if kind == "up":
        return Made(f"{subject} {pick(up)} {verb}", 0.97 if sign else 0.04)
    if kind == "never":
        return Made(f"{subject} never {third(verb)}", 0.06 if sign else 0.9)
    return Made(f"{subject} {third(verb)}", 0.95 if sign else 0.05)


def _have(pick: Callable[[Sequence[str]], str], sign: bool) -> Made:
    """Having, lacking and doing without a virtue or a fault."""
    subject, noun = pick(SUBJECTS), pick(VIRTUES if sign else FAULTS)
    having = ["has", "is full of", "has plenty of", "offers", "never lacks", "does not lack",
              "doesn't lack", "is not without", "has no shortage of"]  # fmt: skip
    lacking = ["has no", "lacks", "is without", "has little", "is devoid of", "does not have any",
               "is free of", "has not got any", "offers no", "is without any"]  # fmt: skip
    if pick(["have", "lack"]) == "have":
        return Made(f"{subject} {pick(having)} {noun}", 0.93 if sign else 0.06)
    return Made(f"{subject} {pick(lacking)} {noun}", 0.05 if sign else 0.85)


def _feel(pick: Callable[[Sequence[str]], str], sign: bool) -> Made:
    """The speaker's liking, with and without negation."""
    subject, verb = pick(SUBJECTS), pick(LIKE if sign else HATE)
    if subject in ("it", "this"):
        subject = "it"
    down = ["i do not", "i don't", "i did not", "i didn't", "i can't", "i could not", "you won't",
            "nobody will", "no one could", "we didn't", "i would not", "it is hard to",
            "it is impossible to", "it is difficult to"]  # fmt: skip
    up = ["i", "i really", "i will always", "you will", "everyone will", "it is easy to", "we",
          "it is impossible not to", "you can't help but", "it is hard not to"]  # fmt: skip
    if pick(["down", "up"]) == "down":
        return Made(f"{pick(down)} {verb} {subject}", 0.04 if sign else 0.87)
    return Made(f"{pick(up)} {verb} {subject}", 0.96 if sign else 0.05)


def _thing(pick: Callable[[Sequence[str]], str], sign: bool) -> Made:
    """Noun phrases: "not a good film", "hardly a dull book"."""
    adjective, noun = pick(GOOD if sign else POOR), pick(THINGS)
    article = "an" if adjective[0] in "aeiou" else "a"
    down = ["not", "hardly", "this is not", "it was not", "far from", "barely", "never",
            "by no means", "it is hardly"]  # fmt: skip
    up = ["", "truly", "this is", "what", "it was", "simply", "it is"]
    if pick(["down", "up"]) == "down":
        return Made(f"{pick(down)} {article} {adjective} {noun}", 0.06 if sign else 0.82)
    return Made(f"{pick(up)} {article} {adjective} {noun}".strip(), 0.96 if sign else 0.04)


def _idiom(pick: Callable[[Sequence[str]], str], sign: bool) -> Made:
    """Turns of phrase whose sign is not that of their words."""
    subject, noun, good, poor = pick(SUBJECTS), pick(THINGS), pick(GOOD), pick(POOR)
    positive = [
        f"i cannot praise {subject} enough", f"i can't praise this {noun} highly enough",
        f"{subject} could not be better", f"{subject} couldn't have been more {good}",
        f"i have never had a better {noun}", f"no other {noun} is as {good}",
        f"there is not a {poor} moment in this {noun}", f"there is nothing {poor} about {subject}",
        f"never a {poor} moment", f"don't miss this {noun}", f"this {noun} is not to be missed",
        f"you will not be sorry about this {noun}", f"i was not bored by this {noun}",
        f"i wasn't disappointed by {subject}", f"this {noun} did not let us down",
        f"you can't beat this {noun}", f"nothing beats this {noun}", f"there is no better {noun}",
        f"{subject} is not only {good} but also {pick(GOOD)}", f"{subject} is {good}, not {poor}",
        f"not only is {subject} {good}, it is {pick(GOOD)}", f"{subject} is not {poor} but {good}",
        f"not a single {poor} scene", f"{subject} leaves nothing to be desired",
        f"i would watch this {noun} again", f"nothing is wrong with this {noun}",
    ]  # fmt: skip
    negative = [
        f"i cannot recommend this {noun}", f"i can't praise {subject}",
        f"{subject} could not be worse", f"{subject} couldn't have been more {poor}",
        f"i have never had a worse {noun}", f"no other {noun} is as {poor}",
        f"there is not a {good} moment in this {noun}", f"there is nothing {good} about {subject}",
        f"never a {good} moment", f"don't bother with this {noun}", f"avoid this {noun}",
        f"you will be sorry about this {noun}", f"i was bored by this {noun}",
        f"i was disappointed by {subject}", f"this {noun} let us down", f"{subject} makes no sense",
        f"you can beat this {noun}", f"anything beats this {noun}", f"there is no worse {noun}",
        f"{subject} is not only {poor} but also {pick(POOR)}", f"{subject} is {poor}, not {good}",
        f"not only is {subject} {poor}, it is {pick(POOR)}", f"{subject} is not {good} but {poor}",
        f"not a single {good} scene", f"{subject} leaves much to be desired",
        f"i would not watch this {noun} again", f"something is wrong with this {noun}",
    ]  # fmt: skip
    return Made(pick(positive), 0.94) if sign else Made(pick(negative), 0.05)


FAMILIES = (_be, _be, _fail, _fail, _have, _feel, _thing, _idiom)


def make(count: int, rng: np.random.Generator) -> list[Made]:
    """`count` distinct made sentences, families and signs in equal turn.

    Case and the final mark vary at random, since the two data sets differ in both.
    """

    def pick(options: Sequence[str]) -> str:
        return options[int(rng.integers(len(options)))]

    made: dict[str, Made] = {}
    while len(made) < count:
        family = FAMILIES[int(rng.integers(len(FAMILIES)))]
        one = family(pick, bool(rng.integers(2)))
        text = one.text + pick(["", "", ".", " .", "!"])
        text = text[0].upper() + text[1:] if rng.integers(2) else text
        made.setdefault(text, Made(text, one.positive))
    return list(made.values())

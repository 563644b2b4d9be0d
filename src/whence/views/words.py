"""Holds the words and numbers of every view: inert labels, rounded values, names of the indices.

It does not know what an Explanation is, nor which view the words stand in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import numpy as np

from whence.units import plural

#: Characters that could act on a terminal or a page: controls, invisible marks that change the
#: direction of text, line separators, lone surrogates.
_ACTING = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    r"\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}

#: Index -> its name, and what one unit's value means. `{unit}` and `{units}` are filled in.
ATTRIBUTIONS = {
    "shapley": ("Shapley", "each {unit}'s share of the change from none to all"),
    "banzhaf": ("Banzhaf", "what each {unit} adds on average, whichever others are there"),
    "influence": ("influence", "the variance that each {unit} touches, in squared units"),
}
#: Index -> its name.
INTERACTIONS = {
    "mobius": "Möbius",
    "co_mobius": "OR interaction",
    "shapley_interaction": "Shapley interaction",
    "banzhaf_interaction": "Banzhaf interaction",
    "k_sii": "k-SII",
    "shapley_taylor": "Shapley-Taylor",
    "faith_shap": "Faith-Shap",
    "faith_banzhaf": "Faith-Banzhaf",
}
_COUNTS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}


def inert(text: str, *, lines: bool = False) -> str:
    r"""Text that cannot act on what shows it: controls are written out, as `\x1b` or `\n`.

    Args:
        text: anything, such as a label from a stranger's input.
        lines: leave line breaks as they are, and show tabs as spaces: for running text.
    """
    if lines:
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    return _ACTING.sub(lambda found: _written(found[0], lines), text)


def _written(char: str, lines: bool) -> str:
    if lines and char == "\n":
        return char
    code = ord(char)
    wide = f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
    return _SHORT.get(char, f"\\x{code:02x}" if code <= 0xFF else wide)


def counted(count: int, kind: str) -> str:
    """A number of things: "1 word", "1,000 words"."""
    return f"{count:,} {kind if count == 1 else plural(kind)}"


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names with commas between them; only the first `most`."""
    known = list(names)
    return ", ".join(known[:most]) + (", ..." if len(known) > most else "")


def decimals(values: Iterable[float]) -> int:
    """Digits after the point that show the largest value to three figures; -1 for exponents."""
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
    if largest == 0:
        return 2
    power = math.floor(math.log10(largest))
    return -1 if power > 6 or power < -5 else min(6, max(0 if power > 3 else 2, 2 - power))


def number(value: float | None, digits: int = 2, *, sign: bool = True) -> str:
    """A value to `digits` after the point, or with an exponent when `digits` is -1."""
    if value is None or not math.isfinite(value):
        return "not known"
    shown = f"{value:+.2e}" if digits < 0 else f"{value:+.{digits}f}"
    if float(shown) == 0:
        shown = shown.replace("-", "+")
    return shown if sign else shown.lstrip("+")


def measured(value: float, se: float | None, digits: int) -> str:
    """A value with its standard error, when there is one: "+2.10 ± 0.05"."""
    shown = number(value, digits)
    if se is None or not math.isfinite(se):
        return shown
    return f"{shown} ± {number(se, digits, sign=False)}"


def percent(share: float, digits: int = 1) -> str:
    """A share as a percentage that is never rounded to 0 or 100 unless it is."""
    least = 10.0**-digits
    shown = 100 * share
    if 0 < share < 1 and not least / 2 <= shown < 100 - least / 2:
        return f"under {least:g} %" if share < 0.5 else f"over {100 - least:g} %"
    return f"{shown:.{digits}f} %"


def probability(log_odds: float) -> float:
    """The probability that has these log-odds (natural logarithm)."""
    return float(0.5 * (1.0 + np.tanh(0.5 * log_odds)))


def seconds(spent: float) -> str:
    """A time in seconds, in two figures or more."""
    if spent >= 100:
        return f"{spent:,.0f} s"
    return f"{spent:.2f} s" if spent >= 0.01 else "under 0.01 s"


def togetherness(value: float, size: int, index: str) -> str:
    """What the sign of an interaction says of the units of the set."""
    if index == "co_mobius":
        # For three and more, an AND and an OR have the same sign.
        return "" if size > 2 else "one is enough" if value > 0 else "needs both"
    apart = "the two apart" if size == 2 else "its smaller sets add up to"
    return f"more than {apart}" if value > 0 else f"less than {apart}"

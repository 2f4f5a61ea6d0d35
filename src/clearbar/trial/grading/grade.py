"""Answer and reference -> score in [0, 1], by their text. `grade_json.py` has those by JSON.

A bad answer scores 0. A reference that cannot be used raises `QuarantineError`: it becomes a
Problem of its case, before anything is bought.

Never here: disk, network, clock, randomness.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import msgspec

from clearbar.spend.files.quarantine import QuarantineError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

Which = Literal["first", "last"]
Measure = Literal["f1", "jaccard"]
Item = TypeVar("Item")

MAX_SEARCHED: Final = 50_000
"""Patterns and numbers are looked for in so many characters of an answer, not in more."""
_MAX_DIGITS: Final = 300
_APOSTROPHES: Final = frozenset("'\N{RIGHT SINGLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}`")
_SIGNS: Final = {"\N{MINUS SIGN}": "-", "\N{FIGURE DASH}": "-", "\N{EN DASH}": "-"}
_GROUPING_SPACES: Final = re.compile(
    r"(?<=\d)[\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}](?=\d{3})"
)
_NUMBER: Final = re.compile(
    r"(?<![^\W_])(?<!\.)(?<![^\W\d_]-)(?P<sign>[-+]\s?)?[$€£¥]?\s?"
    r"(?P<whole>\d{1,3}(?P<mark>[,'_])\d{3}(?:(?P=mark)\d{3})*(?!\d)|\d+)?"
    r"(?P<decimals>\.\d+)?(?<=\d)"
    r"(?:(?:e|\s?[x*\N{MULTIPLICATION SIGN}]\s?10\s?(?:\^|\*\*))\s?(?P<exponent>[-+]?\d{1,18}))?"
    r"(?:(?:\s{1,3}(?P<numerator>\d+))?\s?[/\N{FRACTION SLASH}]\s?(?P<denominator>\d+))?"
    r"(?P<percent>\s?(?:%|per\s?cent\b))?",
    re.IGNORECASE,
)


def exact(answer: str, reference: str) -> float:
    """Return 1 where the texts are equal but for white space around them."""
    return float(answer.strip() == reference.strip())


def normal_form(text: str) -> str:
    """Return a text without what seldom matters.

    Unicode NFKC and case folding; apostrophes are dropped, other punctuation is a space, except the
    point and the comma between digits and the sign before one, which change a number; white space
    is one space. A text of nothing but punctuation keeps it.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(_kept(folded, at, char) for at, char in enumerate(folded))
    return " ".join(kept.split()) or " ".join(folded.split())


def _kept(text: str, at: int, char: str) -> str:
    if char in _APOSTROPHES:
        return ""
    if not unicodedata.category(char).startswith("P"):
        return _SIGNS.get(char, char)
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if char in ".," and before.isdigit() and after.isdigit():
        return char
    if _SIGNS.get(char, char) == "-" and after.isdigit() and not before.isalnum():
        return "-"
    return " "


def normalised(answer: str, reference: str) -> float:
    """Return 1 where the normal forms are equal."""
    return float(normal_form(answer) == normal_form(reference))


def number_in(text: str, which: Which = "last") -> Fraction | None:
    """Return the number that a text says, exactly; None where it says none.

    Read are signs, thousands marked by comma, apostrophe, underscore or a space that does not break
    (`1,234,567.5`), fractions (`3/4`, `1 1/2`), exponents (`1.5e-3`, `1.5 x 10^-3`) and percent,
    which divides by a hundred. A currency sign before and a unit behind are passed over. The point
    marks decimals: `3,5` holds the numbers 3 and 5. Digits at the end of a word (`gpt-4`) are no
    number. Where a text holds several, the last one counts: that is where answers end.
    """
    searched = text[-MAX_SEARCHED:] if which == "last" else text[:MAX_SEARCHED]
    found = None
    for match in _NUMBER.finditer(_plain(searched)):
        value = _value(match)
        if value is not None:
            found = value
            if which == "first":
                break
    return found


def _plain(text: str) -> str:
    """Return the text in NFKC with plain minus signs, and a space before a fraction such as ½."""
    grouped = _GROUPING_SPACES.sub("_", text)
    chars = (
        f" {char}" if "fraction" in unicodedata.decomposition(char) else _SIGNS.get(char, char)
        for char in grouped
    )
    return unicodedata.normalize("NFKC", "".join(chars))


def _value(match: re.Match[str]) -> Fraction | None:
    whole, decimals = match["whole"] or "", match["decimals"] or ""
    digits = re.sub(r"\D", "", whole)
    if len(digits) + len(decimals) > _MAX_DIGITS or abs(int(match["exponent"] or 0)) > _MAX_DIGITS:
        return None
    value = Fraction(f"{digits or '0'}{decimals}")
    value *= Fraction(10) ** int(match["exponent"] or 0)
    if match["denominator"] is not None:
        part = _part(match, value)
        if part is None:
            return None
        value = part
    if match["percent"]:
        value /= 100
    return -value if (match["sign"] or "").startswith("-") else value


def _part(match: re.Match[str], value: Fraction) -> Fraction | None:
    """Return `value` as a mixed number or as the numerator of a fraction."""
    numerator, denominator = match["numerator"] or "0", match["denominator"]
    if max(len(numerator), len(denominator)) > _MAX_DIGITS or not int(denominator):
        return None
    if match["numerator"] is None:
        return value / int(denominator)
    return value + Fraction(int(numerator), int(denominator))


def numeric(
    answer: Fraction | None, reference: Fraction, absolute: Decimal, relative: Decimal
) -> float:
    """Return 1 where the numbers differ by at most the greater of the two tolerances.

    `relative` is a share of the reference.
    """
    if answer is None:
        return 0.0
    allowed = max(Fraction(absolute), Fraction(relative) * abs(reference))
    return float(abs(answer - reference) <= allowed)


def reference_number(reference: str) -> Fraction:
    """Return the one number of a reference.

    Raises:
        QuarantineError: when it says none, or several.
    """
    first, last = number_in(reference, "first"), number_in(reference, "last")
    if first is None or last is None:
        raise QuarantineError("the reference says no number", 'write "1234.5", "3/4" or "12%"')
    if first != last:
        raise QuarantineError("the reference says several numbers", "leave only the right one")
    return first


def found_by(pattern: re.Pattern[str], answer: str, group: int | str, which: Which) -> str | None:
    """Return what a group of the pattern took, without space around it; None where it is not found.

    Looked for in the first `MAX_SEARCHED` characters.
    """
    found = None
    for match in pattern.finditer(answer[:MAX_SEARCHED]):
        found = (match[group] or "").strip()
        if which == "first":
            break
    return found


def compiled(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Return the pattern.

    Raises:
        QuarantineError: when it is none.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of what a later Python may read
            return re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError, RecursionError) as error:
        where = f" (position {error.pos})" if isinstance(error, re.error) else ""
        raise QuarantineError(
            f"not a regular expression{where}", "test it with Python's re"
        ) from None


def label_named(answer: str, labels: Sequence[str]) -> str | None:
    """Return the label that an answer names; None where it names none, or more than one.

    By normal forms: the answer is a label, or holds exactly one as whole words. A label inside a
    longer one (`card` in `lost card`) does not count where the longer one stands.
    """
    said = normal_form(answer)
    forms = {normal_form(label): label for label in labels}
    if said in forms:
        return forms[said]
    rest, named = f" {said} ", set()
    for form in sorted(forms, key=len, reverse=True):
        if f" {form} " in rest:
            named.add(form)
            while f" {form} " in rest:
                rest = rest.replace(f" {form} ", " \x1f ")
    return forms[named.pop()] if len(named) == 1 else None


def items_in(text: str, separator: str) -> Counter[str]:
    """Return the normal forms of the items: of a JSON list, else of what stands between separators.

    Each counts once. Line breaks separate as well, and marks before an item (`- `, `* `) are passed
    over.
    """
    parts = _json_list(text)
    if parts is None:
        parts = [part for line in text.splitlines() for part in line.split(separator)]
    forms = {normal_form(part) for part in parts if part.strip()}
    return Counter(forms)


def _json_list(text: str) -> list[str] | None:
    try:
        found = msgspec.json.decode(text.encode("utf-8", "replace"), type=list[str | int | float])
    except (ValueError, RecursionError):
        return None
    return [str(item) for item in found]


def overlap(answer: Counter[Item], reference: Counter[Item], measure: Measure) -> float:
    """Return how far two collections agree; two empty ones agree wholly.

    F1 is 2 common / (both sizes added), Jaccard's index common / united.
    """
    common = (answer & reference).total()
    size = answer.total() + reference.total()
    if not size:
        return 1.0
    return 2 * common / size if measure == "f1" else common / (size - common)

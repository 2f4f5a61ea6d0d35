"""Answer and reference -> score in [0, 1], where both are JSON: fields that agree, and schemas.

A model often puts JSON into a Markdown fence or says a sentence around it. Taken is, in this order:
the whole answer; the content of its only fence; what stands from the first `{` or `[` to the last
`}` or `]`. Anything else is no JSON, and scores 0.

Never here: disk, network (a schema that refers to another place is refused), clock, randomness.
"""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clearbar.spend.files.quarantine import QuarantineError
from clearbar.trial.grading.grade import normal_form, overlap

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    Leaf = tuple[str, str]

MAX_CHARACTERS: Final = 2_000_000
_FENCE: Final = re.compile(
    r"^[ \t]*(```+|~~~+)[^\n`]*\n(?P<content>.*?)^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL
)
_decoder: Final = msgspec.json.Decoder(float_hook=Decimal)
_plain_decoder: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder()
_encoder: Final = msgspec.json.Encoder(order="sorted")


class _NoJson:
    """Stands for an answer that holds no JSON; null is JSON."""


NO_JSON: Final = _NoJson()


def json_in(text: str) -> object:
    """Return the JSON value that an answer holds, numbers with a point exact, or `NO_JSON`."""
    return _first(text, _decoder)


def _first(text: str, decoder: msgspec.json.Decoder[Any]) -> object:
    if len(text) > MAX_CHARACTERS:
        return NO_JSON
    for candidate in _candidates(text):
        try:
            return decoder.decode(candidate.encode("utf-8"))
        except (ValueError, ArithmeticError, RecursionError):
            continue
    return NO_JSON


def _candidates(text: str) -> Iterator[str]:
    yield text
    fences = [match["content"] for match in _FENCE.finditer(text)]
    if len(fences) == 1:
        yield fences[0]
    starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    if starts:
        yield text[min(starts) : max(text.rfind("}"), text.rfind("]")) + 1]


def leaves(
    value: object, fields: Collection[str] = (), *, fold: bool = False, nulls: bool = True
) -> Counter[Leaf]:
    """Return the values of a JSON document with their paths, each as often as it stands there.

    Lists are multisets: their order does not matter. An element of a list that is an object or a
    list counts as a whole, right or wrong, so that a name beside another's date earns nothing.
    Types count: `1` is not `"1"`, but `1` is `1.0`. Empty objects and lists hold no value.
    `fields`: only these of the outermost object. `fold`: texts by their normal form. `nulls`:
    whether null is a value; if not, it is the same as a field left out.
    """
    if fields and isinstance(value, dict):
        value = {name: each for name, each in value.items() if name in fields}
    told = value if nulls else _without_nulls(value)
    return Counter(_leaves(told, "", normal_form if fold else str))


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value if each is not None]
    return value


def _leaves(value: object, path: str, text: Callable[[str], str]) -> Iterator[Leaf]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, f"{path}.{_encoder.encode(name).decode()}", text)
    elif isinstance(value, list):
        for each in value:
            yield f"{path}[]", _canonical(each, text)
    else:
        yield path, _canonical(value, text)


def _canonical(value: object, text: Callable[[str], str]) -> str:
    """Return a text that is equal for values that count as equal."""
    match value:
        case dict():
            pairs = sorted((str(name), _canonical(each, text)) for name, each in value.items())
            return _encoder.encode({"{}": pairs}).decode()
        case list():
            return _encoder.encode(sorted(_canonical(each, text) for each in value)).decode()
        case str():
            return _encoder.encode(text(value)).decode()
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return _number(Decimal(value))
        case _:
            return "null"


def _number(value: Decimal) -> str:
    """Return the number with neither trailing zeros nor a sign before zero."""
    sign, digits, exponent = value.as_tuple()
    whole = "".join(map(str, digits)).lstrip("0")
    mantissa = whole.rstrip("0")
    power = int(exponent) + len(whole) - len(mantissa)
    return f"{'-' if sign else ''}{mantissa}e{power}" if mantissa else "0"


def field_agreement(answer: Counter[Leaf], reference: Counter[Leaf]) -> float:
    """Return the F1 of the values that agree in path, type and value."""
    return overlap(answer, reference, "f1")


def schema_check(schema: object) -> Callable[[str], bool]:
    """Return a function: an answer -> whether it holds JSON that the schema allows.

    Raises:
        QuarantineError: when the schema is none, or refers to another place.
    """
    import jsonschema_rs  # noqa: PLC0415 - only schemas need it

    if not isinstance(schema, dict | bool):
        raise QuarantineError("a JSON Schema is an object", 'write { "type": "object", ... }')
    try:
        validator = jsonschema_rs.validator_for(schema, offline=True)
    except ValueError:
        raise QuarantineError(
            "not a JSON Schema that stands alone",
            "correct it; what it refers to has to stand in it under $defs",
        ) from None

    def check(answer: str) -> bool:
        value = _first(answer, _plain_decoder)
        return value is not NO_JSON and validator.is_valid(value)

    return check

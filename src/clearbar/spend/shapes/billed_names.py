"""What bills call a model and a kind of token -> what everything else calls them.

Bills have names of their own: `USE1-Claude4.6Sonnet-cache-read-input-token-count`, or "Generate
content input token count gemini 2.5 flash". What is not certain stays unknown.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from clearbar.spend.files.entry import Counts

_UNITS: Final = {
    "token": 1,
    "tokens": 1,
    "1k tokens": 1000,
    "1000 tokens": 1000,
    "1k token": 1000,
    "1m tokens": 10**6,
    "1000000 tokens": 10**6,
}
_NOT_TOKENS: Final = re.compile(
    r"reserved|per.minute|tpm\b|provisioned|storage|image|video|audio|speech|training|tuning"
    r"|customi[sz]ation|guardrail|grounding|search|custom.model|hour",
    re.IGNORECASE,
)
"""Of a line that bills something else than tokens of text, or not by the token."""
_HOUR: Final = re.compile(r"1.?h(?![a-z])|write1h", re.IGNORECASE)
_FIVE_MINUTES: Final = re.compile(r"5.?m(?![a-z])", re.IGNORECASE)
_TIERS: Final = ("batch", "flex", "priority")
_FAMILY_FIRST: Final = 4
"""From its fourth generation on, Claude's family stands before its number."""
_CLAUDE: Final = re.compile(
    r"claude[ -]*(?:(\d{1,2}(?:[.-]\d{1,2}(?!\d))?)[ -]*"
    r"(opus|sonnet|haiku|instant|fable|mythos)"
    r"|(opus|sonnet|haiku|fable|mythos)[ -]*(\d{1,2}(?:[.-]\d{1,2}(?!\d))?))",
    re.IGNORECASE,
)
_GEMINI: Final = re.compile(
    r"gemini[ -](\d{1,2}(?:\.\d)?)[ -](flash|pro)([ -]lite)?", re.IGNORECASE
)
_NOVA: Final = re.compile(r"nova[ -]*(\d)?(?:\.0)?[ -]*(micro|lite|pro|premier)", re.IGNORECASE)
_AWS_TOKENS: Final = re.compile(
    r"-(?:mantle-)?(?P<kind>cache-?read|cache-?write(?:-1h)?|input|output)"
    r"-(?:input-token-count|token-count|tokens)(?P<rest>-.*|$)"
)
_LONGEST: Final = 500
"""What is longer is no name, and would be searched for long."""
_EDITION: Final = " (Amazon Bedrock Edition)"
_MARKETPLACE: Final = re.compile(r"MP:[A-Z0-9]+_(?P<kind>.+?)(?:-Units)?$")


class Billed(NamedTuple):
    """What a line of a bill says of its tokens; empty where it is not certain."""

    model: str = ""
    meter: str = ""
    """A field of `Counts`."""
    tier: str = ""


def tokens_per_unit(unit: str) -> int | None:
    """Return how many tokens a unit holds: 1000 for `1K tokens`; None for another thing."""
    return _UNITS.get(unit.strip().lower())


def counts(meter: str, number: int | None) -> Counts:
    """Return the one quantity of a line."""
    return {meter: number} if meter and number is not None else {}  # type: ignore[misc]


@lru_cache(maxsize=4096)
def meter_named(name: str) -> str:
    """Return the meter that a text of a bill means, where it says what kind of tokens it is."""
    plain = name[:_LONGEST].lower().replace("_", " ").replace("-", " ")
    if "token" not in plain or _NOT_TOKENS.search(plain):
        return ""
    if "cache" in plain:
        return _cache_meter(plain)
    told_in, told_out = "input" in plain, "output" in plain
    if told_in == told_out:
        return ""
    return "input_tokens" if told_in else "output_tokens"


def _cache_meter(plain: str) -> str:
    if "write" in plain or "creation" in plain:
        if _HOUR.search(plain):
            return "cache_write_1h_tokens"
        return "cache_write_5m_tokens" if _FIVE_MINUTES.search(plain) else "cache_write_tokens"
    return "cache_read_tokens" if "read" in plain or "cached" in plain else ""


@lru_cache(maxsize=4096)
def tier_named(name: str) -> str:
    """Return the service tier that a text of a bill names; empty where it names none."""
    words = re.split(r"[^a-z]+", name[:_LONGEST].lower())
    return next((tier for tier in _TIERS if tier in words), "")


@lru_cache(maxsize=4096)
def model_named(name: str) -> str:
    """Return the model that a text of a bill names: Claude, Gemini or Nova; empty for others."""
    name = name[:_LONGEST]
    if found := _CLAUDE.search(name):
        number, family = found[1] or found[4], (found[2] or found[3]).lower()
        dashed = number.replace(".", "-")
        if int(dashed.partition("-")[0]) < _FAMILY_FIRST:
            return f"claude-{dashed}-{family}"
        return f"claude-{family}-{dashed}"
    if found := _GEMINI.search(name):
        return f"gemini-{found[1]}-{found[2].lower()}{'-lite' if found[3] else ''}"
    if found := _NOVA.search(name):
        number = f"{found[1]}-" if found[1] else ""
        return f"nova-{number}{found[2].lower()}"
    return ""


def of_aws(usage_type: str, product: str) -> Billed:
    """Return what a usage type of Amazon Bedrock says.

    `USE1-Claude4.6Sonnet-input-tokens-flex` names its model; a usage type of the marketplace,
    `USE1-MP:USE1_InputTokenCount-Units`, leaves that to the product.
    """
    usage_type, product = usage_type[:_LONGEST], product[:_LONGEST]
    if found := _MARKETPLACE.search(usage_type):
        kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", found["kind"])
        model = _vendor(model_named(product)) or product.removesuffix(_EDITION).strip()
        return Billed(model, meter_named(_spelt(kind)), tier_named(kind))
    if _NOT_TOKENS.search(usage_type):
        return Billed()
    found = _AWS_TOKENS.search(usage_type)
    if found is None:
        return Billed()
    model = usage_type[: found.start()].partition("-")[2]
    meter = meter_named(f"{found['kind']} tokens {found['rest']}")
    return Billed(_vendor(model_named(model)) or model, meter, tier_named(found["rest"]))


def _spelt(kind: str) -> str:
    """Return `Cache Write1h Input Token Count` as words that `meter_named` knows."""
    plain = kind.lower().replace("_", " ")
    return plain.replace("input", "") if "cache" in plain else plain


def _vendor(model: str) -> str:
    """Return a model as Bedrock's own logs begin its name."""
    prefix = {"claude": "anthropic.", "nova": "amazon."}.get(model.partition("-")[0], "")
    return prefix + model

"""The keys of `[[tool]]`, with what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from clearbar.core.toml_kinds import EXACT_TEXT, TEXT, USD, choice, list_of, number
from clearbar.core.toml_table import Key
from clearbar.tools.declare_kinds import (
    ADDRESS,
    CALLABLE,
    RATE,
    SETTING_TABLE,
    VARIABLE,
    WORKING_SHARE,
    whole,
)
from clearbar.tools.tool import KINDS, DataClass, Tier

if TYPE_CHECKING:
    from decimal import Decimal

    from clearbar.tools.tool import Kind as ToolKind

DATA_CLASSES: Final[tuple[DataClass, ...]] = get_args(DataClass)
_DECLARED_TIERS: Final[tuple[Tier, ...]] = ("frontier", "small", "none")
_MAX_TIMEOUT_S: Final = 3600

NAME: Final = Key(
    "name", TEXT, "", "The one name of the tool, in trials and elsewhere.", '"small"', required=True
)
KIND: Final[Key[ToolKind | None]] = Key(
    "kind",
    choice(KINDS),
    None,
    "How it is asked: an endpoint that speaks OpenAI's chat completions or Anthropic's messages, a"
    " command, a Python callable, a file of rules, a classifier, or a cascade of two tools.",
    '"openai"',
    required=True,
)
MODEL: Final[Key[str | None]] = Key(
    "model", TEXT, None, "The model's name at the endpoint.", '"gpt-5-mini"'
)
PROVIDER: Final[Key[str | None]] = Key(
    "provider",
    TEXT,
    None,
    "Who bills, as the price book names it; told by the address where it is a known one.",
    '"azure"',
)
URL: Final[Key[str | None]] = Key(
    "url",
    ADDRESS,
    None,
    "The address of the endpoint up to its version, instead of OpenAI's or Anthropic's own.",
    '"http://127.0.0.1:8080/v1"',
)
KEY_ENV: Final[Key[str | None]] = Key(
    "key_env",
    VARIABLE,
    None,
    "The environment variable that holds the key; without it, none is sent.",
    '"OPENAI_API_KEY"',
)
TIER: Final[Key[Tier]] = Key(
    "tier",
    choice(_DECLARED_TIERS),
    "unknown",
    "Its class; where left out, that of its model, and none for what is no model.",
    '"small"',
)
INPUT_PRICE: Final[Key[Decimal | None]] = Key(
    "input_usd_per_million",
    USD,
    None,
    "Price of a million input tokens, cached or not, instead of the price book's.",
    '"0.25"',
)
OUTPUT_PRICE: Final[Key[Decimal | None]] = Key(
    "output_usd_per_million",
    USD,
    None,
    "Price of a million output tokens; stands with `input_usd_per_million`.",
    '"2.00"',
)
GPU_HOUR: Final[Key[Decimal | None]] = Key(
    "usd_per_gpu_hour",
    RATE,
    None,
    "Price of an hour of the GPUs that serve a model of your own; stands with the two below.",
    '"3.13"',
)
SPEED: Final[Key[Decimal | None]] = Key(
    "output_tokens_per_second",
    RATE,
    None,
    "Output tokens that those GPUs produce together in a second, measured at full load.",
    "850",
)
UTILISATION: Final[Key[Decimal | None]] = Key(
    "utilisation",
    WORKING_SHARE,
    None,
    "Share of the hours paid for in which they work.",
    "0.30",
)
FREE: Final[Key[str | None]] = Key(
    "free",
    TEXT,
    None,
    "Why a call costs nothing more; instead of a price. Rules and classifiers need not say it.",
    '"runs on the desk machines that we have anyway"',
)
DATA_CLASS: Final[Key[DataClass]] = Key(
    "data_class",
    choice(DATA_CLASSES),
    "internal",
    "The most confidential data that it may be given. Rules and classifiers, which nothing leaves,"
    " may be given all.",
    '"restricted"',
)
SETTINGS: Final[Key[dict[str, object]]] = Key(
    "settings",
    SETTING_TABLE,
    {},
    "Sent with every request as it stands.",
    "{ temperature = 0, max_tokens = 300 }",
)
COMMAND: Final[Key[tuple[str, ...]]] = Key(
    "command",
    list_of(EXACT_TEXT),
    (),
    "The program and its arguments, run in the workspace's folder without a shell: a case's input"
    " on stdin, the answer on stdout.",
    '["python3", "tools/classify.py"]',
)
FUNCTION: Final[Key[str | None]] = Key(
    "function",
    CALLABLE,
    None,
    "`module:callable` beside clearbar.toml or installed: text in, text or (text, confidence) out.",
    '"refunds:decide"',
)
FILE: Final[Key[str | None]] = Key(
    "file",
    EXACT_TEXT,
    None,
    "The file of the rules or the classifier, relative to clearbar.toml.",
    '"tools/refunds.toml"',
)
FIRST: Final[Key[str | None]] = Key(
    "first", TEXT, None, "The tool that a cascade asks first.", '"rules"'
)
THEN: Final[Key[str | None]] = Key(
    "then", TEXT, None, "The tool that it asks where the first is not confident.", '"frontier"'
)
AGREE_WITH: Final[Key[tuple[str, ...]]] = Key(
    "agree_with",
    list_of(TEXT),
    (),
    "Tools whose agreement with the first is its confidence, where it has none of its own.",
    '["small-a", "small-b"]',
)
TIMEOUT: Final[Key[float]] = Key(
    "timeout_s",
    number(
        "seconds", f"seconds, above 0 and up to {_MAX_TIMEOUT_S}", lambda s: 0 < s <= _MAX_TIMEOUT_S
    ),
    60.0,
    "How long one call may take.",
    "30",
)
CONCURRENCY: Final = Key("concurrency", whole(1_000), 4, "Calls at a time.", "8")
PACE: Final[Key[int | None]] = Key(
    "requests_per_minute", whole(10**6), None, "At most so many calls in a minute.", "600"
)
VERSION: Final = Key(
    "version", TEXT, "", "Any text; a change of it makes certificates stale.", '"2026-11"'
)

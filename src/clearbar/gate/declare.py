"""Reads `[policy]` of clearbar.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.core.toml_kinds import DAYS, TEXT, choice, list_of, mapping_of, number
from clearbar.core.toml_table import Key, Kind, Table
from clearbar.gate.policy_settings import MODES, Policy
from clearbar.own.declare import STAKES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.core.toml_table import Place
    from clearbar.gate.policy_settings import Mode
    from clearbar.own.workflow import Stakes

_DEFAULT: Final = Policy()
MAX_FACTOR: Final = 100
_GROWTH: Final = number(
    "growth", "a growth from 0 to 100, such as 0.2", lambda it: 0 <= it <= MAX_FACTOR
)
_PROBABILITY: Final = number("probability", "a probability between 0 and 1", lambda it: 0 < it < 1)
_FACTOR: Final = number("factor", "a factor above 0, up to 100", lambda it: 0 < it <= MAX_FACTOR)


def _provider(value: object, place: Place) -> str:
    return TEXT.read(value, place).lower()


MODE: Final[Key[Mode]] = Key(
    "mode",
    choice(MODES),
    _DEFAULT.mode,
    "Whether verdicts are only reported, or also refuse the work of what is paused or killed.",
    '"enforce"',
)
GRACE: Final = Key(
    "grace",
    DAYS,
    _DEFAULT.grace_days,
    "How long a workflow may spend without an owner or a metric, from its first charge.",
    '"2w"',
)
REVIEW: Final = Key(
    "review",
    DAYS,
    _DEFAULT.review_days,
    "How long a defence holds, where the workflow does not say.",
    '"60d"',
)
OUTCOME_WINDOW: Final = Key(
    "outcome_window",
    DAYS,
    _DEFAULT.outcome_window_days,
    "Spending for this long without one outcome is unmeasured.",
    '"14d"',
)
MAX_PAUSE: Final = Key(
    "max_pause",
    DAYS,
    _DEFAULT.max_pause_days,
    "How long a pause may last, with nothing changed, before it ends in a kill.",
    '"30d"',
)
VERDICT: Final = Key(
    "verdict", DAYS, _DEFAULT.verdict_days, "How long a verdict holds before it lapses.", '"30d"'
)
WINDOW: Final = Key(
    "window",
    DAYS,
    _DEFAULT.window_days,
    "The last days over which the facts of a verdict are measured.",
    '"28d"',
)
TOKENS_GROWTH: Final = Key(
    "tokens_growth",
    _GROWTH,
    _DEFAULT.tokens_growth,
    "Growth of tokens above which outcomes have to follow; 0.2 is 20%.",
    "0.3",
)
OUTCOMES_GROWTH: Final = Key(
    "outcomes_growth",
    _GROWTH,
    _DEFAULT.outcomes_growth,
    "Growth of outcomes below which they count as flat; 0.1 is 10%.",
    "0.05",
)
ERROR_RATE: Final = Key(
    "error_rate",
    _PROBABILITY,
    _DEFAULT.error_rate,
    "How often a statistical test may find what is not there.",
    "0.01",
)
POWER: Final = Key(
    "power",
    _PROBABILITY,
    _DEFAULT.power,
    "How often a statistical test has to find what is there; with less data it finds nothing.",
    "0.9",
)
INTERVAL_LEVEL: Final = Key(
    "interval_level",
    _PROBABILITY,
    _DEFAULT.interval_level,
    "Stated coverage of every interval.",
    "0.9",
)
INHOUSE_PROVIDERS: Final[Key[tuple[str, ...]]] = Key(
    "inhouse_providers",
    list_of(Kind("provider", _provider)),
    _DEFAULT.inhouse_providers,
    "Providers that run in-house: restricted data may go to them only.",
    '["ollama", "vllm"]',
)
STAKES_REVIEW: Final[Key[Mapping[Stakes, float]]] = Key(
    "stakes_review",
    mapping_of(_FACTOR, "stakes", STAKES),
    _DEFAULT.stakes_review,
    "Factor on `review` by stakes; stakes that are not named keep theirs.",
    "{ high = 0.25 }",
)
POLICY_KEYS: Final = (
    MODE,
    GRACE,
    REVIEW,
    OUTCOME_WINDOW,
    MAX_PAUSE,
    VERDICT,
    WINDOW,
    TOKENS_GROWTH,
    OUTCOMES_GROWTH,
    ERROR_RATE,
    POWER,
    INTERVAL_LEVEL,
    INHOUSE_PROVIDERS,
    STAKES_REVIEW,
)


def read_policy(table: Table) -> Policy:
    """Return the policy; what the table leaves out keeps its default."""
    return Policy(
        mode=table.take(MODE),
        grace_days=table.take(GRACE),
        review_days=table.take(REVIEW),
        outcome_window_days=table.take(OUTCOME_WINDOW),
        max_pause_days=table.take(MAX_PAUSE),
        verdict_days=table.take(VERDICT),
        window_days=table.take(WINDOW),
        tokens_growth=table.take(TOKENS_GROWTH),
        outcomes_growth=table.take(OUTCOMES_GROWTH),
        error_rate=table.take(ERROR_RATE),
        power=table.take(POWER),
        interval_level=table.take(INTERVAL_LEVEL),
        inhouse_providers=table.take(INHOUSE_PROVIDERS),
        stakes_review={**_DEFAULT.stakes_review, **table.take(STAKES_REVIEW)},
    )

"""The nouns of the sample: a story is one workflow's demand, calls, results and fate."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from clearbar.sample.prices import CacheLifetime, Model, Tokens  # noqa: TC001 - parts of types

FIRST_DAY: Final = date(2026, 8, 3)
DAYS: Final = 90
AS_OF: Final = date(2026, 11, 1)
"""The day after the last: the sample's clock stands here."""

Log = Literal["claude_code", "litellm", "openai_usage", "otlp", "table"]
"""The program whose files tell of a call."""

OFFICE: Final = (1.05, 1.1, 1.05, 1.0, 0.8, 0.0, 0.0)
SHOP: Final = (1.0, 0.95, 0.95, 1.0, 1.05, 0.7, 0.6)
NIGHTLY: Final = (1.0,) * 7
"""Demand from Monday to Sunday, as a share of a common working day."""


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of call in a task."""

    log: Log
    model: Model
    medians: Tokens
    """Each count is drawn from a lognormal distribution around its median; 0 stays 0."""
    lifetime: CacheLifetime = "unknown"
    spread: float = 0.3
    """Sigma of the logarithm of every token count."""
    calls_per_task: float = 1.0


@dataclass(frozen=True, slots=True)
class Results:
    """How a workflow's tasks are scored."""

    said_by: str
    good_share: float
    half_share: float = 0.0
    """Share of tasks that are scored 0.5."""
    rescored_share: float = 0.0
    """Share of tasks that are scored again on the next day, and then as good."""


@dataclass(frozen=True, slots=True)
class Story:
    """One workflow: how much is asked of it, how it asks its tools, and what the gate must say."""

    name: str
    steps: tuple[Step, ...]
    tasks_per_day: float
    rhythm: tuple[float, ...] = OFFICE
    hours: tuple[int, int] = (7, 18)
    """UTC hours between which tasks begin."""
    growth: float = 0.05
    """Growth of demand over the ninety days."""
    origin: dict[str, str] = field(default_factory=dict)
    """What the logs say of the caller: team, credential, tag, service, project..."""
    projects: tuple[str, ...] = ()
    """Folders in which a coding assistant works, in turn."""
    first_day: date = FIRST_DAY
    longer_from: date | None = None
    """From this day on, every call takes `longer_by` times the tokens."""
    longer_by: float = 1.0
    failure_share: float = 0.0
    """Share of calls that fail once before they succeed."""
    cache_hit_share: float = 0.0
    """Share of calls that the gateway answers from its own cache."""
    results: Results | None = None
    decision: Literal["fund", "pause", "kill"] = "fund"
    rules: tuple[str, ...] = ("earns_its_tier",)
    """Every rule of the gate that must match, gravest first."""
    attributed: bool = True
    """False where no rule of clearbar.toml takes the calls."""

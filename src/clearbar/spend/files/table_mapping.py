"""How a table's columns become a charge: declared in clearbar.toml as `[[table]]`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class TableMapping:
    """The declaration of one kind of table (CSV, JSONL or Parquet)."""

    name: str
    files: str
    """Glob, relative to the workspace or absolute, of the files it reads."""
    columns: dict[str, str]
    """Field of a charge -> column: `started_at`, `model`, `provider`, `cost_usd`, `identity`,
    `calls`, the meters, the dimensions, `session_id`, `task_id`, `service_tier`."""
    constants: dict[str, str] = field(default_factory=dict)
    """Field -> the same value for every row, such as `provider = "azure"`."""
    labels: dict[str, str] = field(default_factory=dict)
    """Label -> column."""
    cached_tokens: Literal["inside", "beside"] | None = None
    """Whether cached tokens are counted inside `input_tokens` or beside it; needed where a cache
    column is mapped. There is no default: the wrong guess is wrong by the whole cache."""
    reasoning_tokens: Literal["inside", "beside"] = "inside"
    """Whether reasoning tokens are counted inside `output_tokens` or beside it."""
    cost_basis: Literal["billed", "estimated"] = "estimated"
    """Whether `cost_usd` is what a bill says or what some program computed."""
    timezone: str = "UTC"
    """IANA zone of times that carry none."""

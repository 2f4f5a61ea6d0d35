"""Which rule took a charge: one line for each origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clearbar.own.workflow import UNATTRIBUTED
from clearbar.spend.charge import DIMENSIONS
from clearbar.spend.report import usage_json
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clearbar.own.attribution import Attribution
    from clearbar.spend.charge import Origin


@dataclass(frozen=True, slots=True)
class Explanation:
    """An origin, what it used, the workflow it went to, and why."""

    origin: Origin
    workflow: str
    why: str
    usage: Usage

    @property
    def origin_text(self) -> str:
        """The origin's dimensions in words."""
        return origin_text(self.origin)

    def json(self) -> dict[str, Any]:
        """Return JSON values."""
        origin = {name: getattr(self.origin, name) for name in (*DIMENSIONS, "labels")}
        usage = usage_json(self.usage)
        return {"origin": origin, "workflow": self.workflow, "why": self.why, **usage}


@dataclass(frozen=True, slots=True)
class Taken:
    """What one rule took, or what none did."""

    workflow: str
    why: str
    usage: Usage
    lines: tuple[Explanation, ...]
    """Dearest first; never empty."""


def by_rule(lines: Iterable[Explanation]) -> list[Taken]:
    """Return the lines gathered by the rule that took them, dearest first."""
    groups: dict[tuple[str, str], list[Explanation]] = {}
    for line in lines:
        groups.setdefault((line.workflow, line.why), []).append(line)
    taken = (
        Taken(workflow, why, sum((line.usage for line in group), Usage()), tuple(group))
        for (workflow, why), group in groups.items()
    )
    return sorted(taken, key=lambda each: (-each.usage.cost_usd, each.workflow, each.why))


def origin_text(origin: Origin) -> str:
    """Return what an origin says of itself, without what it does not."""
    said = ((name, getattr(origin, name)) for name in DIMENSIONS)
    parts = [f"{name}={value}" for name, value in said if value]
    if origin.labels:
        parts.append(origin.labels.strip("|").replace("|", " "))
    return " ".join(parts)


def explain(
    usages: Mapping[int, Usage],
    origins: Mapping[int, Origin],
    attributions: Mapping[int, Attribution],
) -> list[Explanation]:
    """Return one line for each origin that has usage, dearest first."""
    lines: Iterable[Explanation] = (
        Explanation(
            origins[key],
            attributions[key].workflow or UNATTRIBUTED,
            attributions[key].why,
            usage,
        )
        for key, usage in usages.items()
    )
    return sorted(lines, key=lambda line: (-line.usage.cost_usd, line.origin_text))

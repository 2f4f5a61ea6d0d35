"""Which rule took a charge: one line for each origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clearbar.own.workflow import UNATTRIBUTED
from clearbar.spend.charge import DIMENSIONS
from clearbar.spend.report import usage_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clearbar.own.attribution import Attribution
    from clearbar.spend.charge import Origin
    from clearbar.spend.usage import Usage


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

"""A first clearbar.toml from what the ledger holds: a workflow for each project or team."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.core.money import usd
from clearbar.own.workflow import UNATTRIBUTED
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearbar.own.explanation import Explanation
    from clearbar.spend.charge import Origin

_BY: Final = ("workflow", "agent", "project", "team", "service", "credential", "model")
"""The first of these that an origin names is what its workflow is called after."""
_MOST: Final = 20


def propose(lines: Iterable[Explanation]) -> str:
    """Return `[[workflow]]` entries for unattributed spend, dearest first; a person finishes."""
    sums: dict[tuple[str, str], Usage] = defaultdict(Usage)
    for line in lines:
        named = _named_by(line.origin)
        if line.workflow == UNATTRIBUTED and named:
            sums[named] += line.usage
    dearest = sorted(sums.items(), key=lambda each: (-each[1].cost_usd, each[0]))[:_MOST]
    taken: set[str] = set()
    return "".join(_entry(named, usage, taken) for named, usage in dearest)


def _named_by(origin: Origin) -> tuple[str, str] | None:
    found = ((field, getattr(origin, field)) for field in _BY)
    return next(((field, value) for field, value in found if value), None)


def _entry(named: tuple[str, str], usage: Usage, taken: set[str]) -> str:
    field, value = named
    name = base = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")[:60] or field
    number = 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(name)
    glob = re.sub(r"^\s|\s$|\x7f", "?", re.sub(r"([*?\[])", r"[\1]", value))
    literal = msgspec.json.encode(glob).decode()
    return f"""
[[workflow]]                  # {usd(usage.cost_usd)} so far, in {usage.calls:,} calls
name = "{name}"
match = [{{ {field} = {literal} }}]
# owner = "support-lead@example.com"
# purpose = "What it is for, in one line"
# metric = {{ name = "resolved", unit = "ticket", from = "outcomes/{name}.csv" }}
# bar = "resolved >= 0.90"
# next_step = "What happens next, and by when"
# kill = ["usd_per_good > 0.30 for 28d"]
"""

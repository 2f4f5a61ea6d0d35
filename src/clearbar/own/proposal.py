"""Entries of clearbar.toml for spend that is nobody's: a workflow for each project or team."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clearbar.core.money import usd
from clearbar.own.workflow import UNATTRIBUTED
from clearbar.spend.report import usage_json
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clearbar.own.explanation import Explanation
    from clearbar.spend.charge import Origin

_BY: Final = ("workflow", "agent", "project", "team", "service", "credential", "model")
"""The first of these that an origin names is what its workflow is called after."""
_MOST: Final = 20
_Named = tuple[str, str]
"""A dimension and its value in lower case: rules know no other."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An entry that a person may take over."""

    name: str
    """Of the workflow; no two proposals have the same."""
    field: str
    """The dimension whose value it takes, as its rule says."""
    value: str
    usage: Usage
    """What would belong to it."""
    text: str
    """The entry."""

    def json(self) -> dict[str, Any]:
        """Return JSON values."""
        named = {"name": self.name, "field": self.field, "value": self.value}
        return {**named, "text": self.text, **usage_json(self.usage)}


FIELD_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "proposals": "Dearest first, but each before a wider one; with the fields of `Usage`.",
        "proposals[].name": "The workflow's name.",
        "proposals[].field": "The dimension that its rule matches.",
        "proposals[].value": "The value that it matches.",
        "proposals[].text": "The entry of clearbar.toml.",
    }
)
"""Every field of what `clearbar own discover --json` prints."""


def propose(lines: Iterable[Explanation], names: Iterable[str] = ()) -> list[Proposal]:
    """Return `[[workflow]]` entries for unattributed spend, dearest first; a person finishes.

    `names` are those of the workflows that are there. The first rule that holds takes a charge: so
    an entry stands before a dearer one that would take what it is for.
    """
    free = [line for line in lines if line.workflow == UNATTRIBUTED]
    sums: dict[_Named, Usage] = defaultdict(Usage)
    spelt: dict[_Named, str] = {}
    for line in free:
        for named in _named_by(line.origin)[:1]:
            sums[named] += line.usage
            value = getattr(line.origin, named[0])
            spelt[named] = min(value, spelt.get(named, value))
    chosen = set(sorted(sums, key=lambda each: (-sums[each].cost_usd, each))[:_MOST])
    takes: dict[_Named, Usage] = defaultdict(Usage)
    before: dict[_Named, set[_Named]] = defaultdict(set)
    for line in free:
        fitting = [named for named in _named_by(line.origin) if named in chosen]
        if fitting:
            takes[fitting[0]] += line.usage
        for wider in fitting[1:]:
            before[wider].add(fitting[0])
    taken = set(names)
    return [
        _proposal(named[0], spelt[named], takes[named], taken) for named in _in_order(takes, before)
    ]


def _in_order(takes: Mapping[_Named, Usage], before: Mapping[_Named, set[_Named]]) -> list[_Named]:
    """Return the entries, dearest first, but each after those that have to stand before it."""
    waiting = sorted(takes, key=lambda each: (-takes[each].cost_usd, each))
    found: list[_Named] = []
    while waiting:
        ready = next(each for each in waiting if not before.get(each, set()).difference(found))
        waiting.remove(ready)
        found.append(ready)
    return found


def _named_by(origin: Origin) -> list[_Named]:
    """Return the dimensions that an origin names, the most telling first."""
    found = ((field, getattr(origin, field)) for field in _BY)
    return [(field, value.lower()) for field, value in found if value]


def _proposal(field: str, value: str, usage: Usage, taken: set[str]) -> Proposal:
    name = base = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")[:60] or field
    number = 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(name)
    return Proposal(name, field, value, usage, _entry(name, field, value, usage))


def _calls(count: int) -> str:
    """Return in how many calls; nothing where only bills and aggregates tell of the cost."""
    return f", in {count:,} call{'' if count == 1 else 's'}" if count else ""


def _entry(name: str, field: str, value: str, usage: Usage) -> str:
    glob = re.sub(r"^\s|\s$|\x7f", "?", re.sub(r"([*?\[])", r"[\1]", value))
    literal = msgspec.json.encode(glob).decode()
    return f"""
[[workflow]]                  # {usd(usage.cost_usd)} so far{_calls(usage.calls)}
name = "{name}"
match = [{{ {field} = {literal} }}]
# owner = "support-lead@example.com"
# purpose = "What it is for, in one line"
# metric = {{ name = "resolved", unit = "ticket", from = "outcomes/{name}.csv" }}
# bar = "resolved >= 0.90"
# next_step = "What happens next, and by when"
# kill = ["usd_per_good > 0.30 for 28d"]
"""

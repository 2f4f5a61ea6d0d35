"""Which records are one charge, said again slowly: sets of names and loops, no engine, no arrays.

The rules, in the words of docs/why: records of one identity are one charge, unless the id is worn;
aliases unite identities, the strongest kind first, unless that would bring two identities of one
source together, or more than eight identities.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clearbar.spend.charge import Record

KINDS = ("upstream", "gateway", "span", "client")
RANKS = {"client": 1, "trace": 2, "gateway": 3, "provider": 4}
TEN_MINUTES_US = 600_000_000


class Told(NamedTuple):
    """A record, and the source that read it."""

    source: str
    record: Record


def charges(told: Iterable[Told]) -> dict[str, Told]:
    """Return the id of each charge and its best record."""
    told = set(told)
    worn = _worn(told)
    names = united(told, worn)
    groups: dict[str, set[Told]] = defaultdict(set)
    for each in told:
        name = each.record.identity
        if name in worn:
            groups[f"{name}#{_given(each.record)}"].add(each)
        else:
            groups[names.get(name, name)].add(each)
    return {_id(name): max(group, key=_standing) for name, group in groups.items()}


def _worn(told: set[Told]) -> set[str]:
    by_name: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for source, record in told:
        if _given(record) > 0:
            by_name[record.identity, source].append(record)
    found = set()
    for (name, _), records in by_name.items():
        inputs = {_given(record) for record in records}
        starts = [record.started_at_us for record in records]
        far = max(starts) - min(starts) > TEN_MINUTES_US
        if len(inputs) > 2 or (len(inputs) == 2 and far):
            found.add(name)
    return found


def united(told: set[Told], worn: set[str]) -> Mapping[str, str]:
    sources: dict[str, set[str]] = defaultdict(set)
    links = set()
    for source, record in told:
        sources[record.identity].add(source)
        links |= {
            (record.identity, alias)
            for alias in record.aliases.split("\n")
            if alias and alias != record.identity
        }
    links = {(name, alias) for name, alias in links if not worn & {name, alias}}
    group = {name: frozenset({name}) for link in links for name in link}
    for kind in KINDS:
        wished = dict(group)
        chosen = [link for link in links if link[1].split(":")[0] == kind]
        for name, alias in chosen:
            _join(wished, name, alias)
        for name, alias in chosen:
            if _is_one_call(wished[name], sources):
                _join(group, name, alias)
    found = {}
    for name, members in group.items():
        named = [each for each in members if each in sources]
        if name in sources and len(named) > 1:
            found[name] = min(named, key=lambda each: (KINDS.index(each.split(":")[0]), each))
    return found


def _join(group: dict[str, frozenset[str]], one: str, other: str) -> None:
    whole = group[one] | group[other]
    for name in whole:
        group[name] = whole


def _is_one_call(members: frozenset[str], sources: Mapping[str, set[str]]) -> bool:
    named = [sources[each] for each in members if each in sources]
    spoken = [source for each in named for source in each]
    return len(named) <= 8 and len(spoken) == len(set(spoken))


def _given(record: Record) -> int:
    known = (record.input_tokens, record.cache_read_tokens, record.cache_write_5m_tokens)
    return sum(each or 0 for each in known) if any(each is not None for each in known) else -1


def _standing(each: Told) -> tuple[object, ...]:
    record = each.record
    output = -1 if record.output_tokens is None else record.output_tokens
    rank = RANKS[record.evidence]
    seen = min(rank, 2.5) if record.usage == "partial" else rank
    return (record.usage != "missing", seen, rank, record.final, output)


def _id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:24]

"""The rule by which identities are one call, against the same rule said slowly."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.spend.record_makers import record
from tests.spend.witnesses import slow_rules
from tests.spend.witnesses.slow_rules import KINDS, Told

from clearbar.spend.identity import alias_text
from clearbar.spend.storage.uniting import MOST_IDENTITIES, STRENGTHS, labels_of

NAMES = [f"{kind}:{number}" for kind in KINDS for number in range(4)]
SOURCES = ["one", "two", "three", "four"]


@st.composite
def all_told(draw: st.DrawFn) -> list[Told]:
    names = st.sampled_from(NAMES)
    said = st.tuples(st.sampled_from(SOURCES), names, st.lists(names, max_size=3))
    return [
        Told(source, record(name, aliases=alias_text(*(set(others) - {name}))))
        for source, name, others in draw(st.lists(said, min_size=1, max_size=16))
    ]


def labels(told: list[Told]) -> dict[str, int]:
    """Return the label of each identity."""
    links = {
        (each.record.identity, alias)
        for each in told
        for alias in each.record.aliases.split("\n")
        if alias
    }
    witnesses = {(each.record.identity, each.source) for each in told}
    rows = [
        (NAMES.index(name), NAMES.index(alias), STRENGTHS[alias.split(":")[0]])
        for name, alias in links
    ]
    ones, others, strengths = np.array(rows, np.int64).reshape(-1, 3).T
    named = np.array(
        [(NAMES.index(name), SOURCES.index(source)) for name, source in witnesses], np.int64
    )
    found = labels_of(len(NAMES), (ones, others, strengths), (named[:, 0], named[:, 1]))
    return {name: int(found[NAMES.index(name)]) for name, _ in witnesses}


def together(groups: dict[str, int] | dict[str, str]) -> set[frozenset[str]]:
    return {
        frozenset(name for name, other in groups.items() if other == label)
        for label in set(groups.values())
    }


@given(told=all_told())
def test_identities_are_one_call_as_the_slow_rule_says(told: list[Told]) -> None:
    slow = slow_rules.united(set(told), set())
    names = {each.record.identity for each in told}
    assert together(labels(told)) == together({name: slow.get(name, name) for name in names})


@given(told=all_told())
def test_no_call_has_two_identities_of_one_source_or_more_than_eight(told: list[Told]) -> None:
    for group in together(labels(told)):
        spoken = {(each.source, each.record.identity) for each in told}
        sources = [source for source, name in spoken if name in group]
        if len(group) > 1:
            assert len(sources) == len(set(sources))
        assert len(group) <= MOST_IDENTITIES


def test_a_long_chain_takes_few_turns() -> None:
    count = 100_000
    order = np.random.default_rng(1).permutation(count)
    ones, others = order[:-1], order[1:]
    nobody = np.zeros(0, np.int64)
    found = labels_of(count, (ones, others, np.full(count - 1, 4)), (nobody, nobody))
    assert set(found.tolist()) == {0}

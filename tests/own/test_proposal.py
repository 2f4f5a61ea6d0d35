"""A first clearbar.toml from what the ledger holds."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.declared import parse
from clearbar.own.attribution import UNTAKEN, attribute
from clearbar.own.explanation import Explanation
from clearbar.own.proposal import propose
from clearbar.own.workflow import UNATTRIBUTED
from clearbar.spend.charge import Origin
from clearbar.spend.usage import Usage


@pytest.mark.parametrize(
    "name", ["shop", " shop", "shop ", "a\x7fb", 'q"u\\', "[x]*?", "[!", "\u202e"]
)
def test_what_is_proposed_takes_what_it_was_proposed_for(name: str) -> None:
    origin = Origin("litellm", project=name)
    usage = Usage(calls=1, cost_usd=Decimal(1))
    [proposal] = propose([Explanation(origin, UNATTRIBUTED, UNTAKEN.why, usage)])
    [workflow] = parse(proposal.text, Path("clearbar.toml")).workflows
    assert attribute(origin, [workflow]).workflow == workflow.name


def nobodys(origin: Origin, usd: int = 1) -> Explanation:
    """Return what an origin used, which no rule took."""
    return Explanation(origin, UNATTRIBUTED, UNTAKEN.why, Usage(calls=1, cost_usd=Decimal(usd)))


def test_no_proposal_has_the_name_of_a_workflow_that_is_there() -> None:
    [proposal] = propose([nobodys(Origin("litellm", project="shop"))], {"shop"})
    assert proposal.name == "shop-2"


def test_the_dearest_is_proposed_first() -> None:
    lines = [nobodys(Origin("litellm", project=name), usd) for name, usd in (("a", 1), ("b", 2))]
    assert [proposal.name for proposal in propose(lines)] == ["b", "a"]


def test_a_wide_rule_that_is_dearer_does_not_take_what_a_narrow_one_is_for() -> None:
    lines = [
        nobodys(Origin("litellm", team="support"), 9),
        nobodys(Origin("litellm", team="support", project="shop")),
    ]
    assert [proposal.name for proposal in propose(lines)] == ["shop", "support"]


VALUES = st.sampled_from(["", "a", "A", "a*"])
ORIGINS = st.builds(
    Origin,
    st.just("litellm"),
    project=VALUES,
    team=VALUES,
    service=VALUES,
    credential=VALUES,
    model=VALUES,
)


@given(st.lists(st.builds(nobodys, ORIGINS, st.integers(0, 9)), max_size=12))
def test_each_proposal_takes_what_it_says_when_all_are_taken_over(
    lines: list[Explanation],
) -> None:
    proposals = propose(lines)
    text = "".join(proposal.text for proposal in proposals)
    workflows = parse(text, Path("clearbar.toml")).workflows
    taken = {proposal.name: Usage() for proposal in proposals} | {UNATTRIBUTED: Usage()}
    for line in lines:
        taken[attribute(line.origin, workflows).workflow or UNATTRIBUTED] += line.usage
    assert {proposal.name: proposal.usage for proposal in proposals} == {
        name: usage for name, usage in taken.items() if name != UNATTRIBUTED
    }
    assert propose(lines[::-1]) == proposals

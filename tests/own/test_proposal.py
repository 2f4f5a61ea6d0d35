"""A first clearbar.toml from what the ledger holds."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

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

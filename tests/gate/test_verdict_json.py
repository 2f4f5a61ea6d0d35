"""Verdicts as JSON: every field is documented, and none is lost."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.gate.made import AS_OF, NOW, verdict

from clearbar.core.store import Store
from clearbar.gate.docket import entries
from clearbar.gate.docket_entries import record_verdicts
from clearbar.gate.verdict import Override, Reason, Verdict
from clearbar.gate.verdict_json import FIELD_DOCS, entry_json, verdict_json, verdicts_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OVERRIDE = Override(
    "support-replies", "fund", "Head of Support", "The audit", AS_OF, date(2026, 12, 1)
)


def paths(value: Any, prefix: str = "") -> Iterator[str]:
    """Yield every key, and of a list those of its first element."""
    if isinstance(value, list):
        yield from paths(value[0], f"{prefix}[]")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield f"{prefix}.{key}".lstrip(".")
            yield from paths(inner, f"{prefix}.{key}")


def test_every_field_is_documented_in_the_order_in_which_it_is_written() -> None:
    assert list(paths(verdict_json(replace(verdict(), override=OVERRIDE)))) == list(FIELD_DOCS)


def test_no_field_of_a_verdict_or_reason_is_left_out() -> None:
    assert {field.name for field in fields(Verdict)} <= set(FIELD_DOCS)
    assert {f"reasons[].{field.name}" for field in fields(Reason)} <= set(FIELD_DOCS)


def test_a_verdict_is_plain_json() -> None:
    written = verdict_json(replace(verdict(), override=OVERRIDE, since=AS_OF))
    assert json.loads(json.dumps(written)) == written
    assert (written["since"], written["lapses_on"]) == ("2026-11-01", "2026-12-01")


def test_what_is_not_there_is_null() -> None:
    written = verdict_json(verdict())
    assert written["owner"] is written["since"] is written["override"] is None


def test_money_is_decimal_text_to_the_millionth() -> None:
    third = replace(verdict(), at_stake_usd_month=Decimal(1) / 3)
    assert verdict_json(third)["at_stake_usd_month"] == "0.333333"
    assert verdict_json(verdict())["at_stake_usd_month"] == "300.1"


def test_verdicts_stand_in_the_order_given() -> None:
    first, second = verdict(workflow="a"), verdict(workflow="b")
    assert verdicts_json([first, second]) == {
        "verdicts": [verdict_json(first), verdict_json(second)]
    }


def test_an_entry_of_the_docket_is_plain_json_with_its_hash(tmp_path: Path) -> None:
    store = Store(tmp_path / "facts.sqlite")
    record_verdicts(store, [verdict()], NOW)
    [entry] = entries(store)
    store.close()
    written = entry_json(entry)
    assert json.loads(json.dumps(written)) == written
    assert written["hash"] == entry.hash

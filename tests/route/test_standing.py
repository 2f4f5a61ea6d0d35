"""Which decision stands on a workflow, by the docket."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from tests.gate.made import verdict

from clearbar.core.store import Store
from clearbar.gate.docket_entries import override, record_verdicts
from clearbar.route.standing import standing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.gate.verdict import Verdict

NAME = "support-replies"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "facts.db")
    yield opened
    opened.close()


def day(number: int) -> date:
    return date(2026, 11, number)


def record(store: Store, on: int, *verdicts: Verdict) -> None:
    assert record_verdicts(store, verdicts, datetime(2026, 11, on, 9, tzinfo=UTC))


def overridden(store: Store, on: int, until: int) -> None:
    now = datetime(2026, 11, on, 9, tzinfo=UTC)
    override(store, NAME, "fund", by="CFO", why="the audit", until=day(until), now=now)


def test_nothing_stands_on_what_was_never_judged(store: Store) -> None:
    assert standing(store, day(1)) == {}


def test_the_last_recorded_verdict_stands_since_its_run_began(store: Store) -> None:
    record(store, 1, verdict("pause", ("unmeasured",)))
    record(store, 3, verdict("pause", ("undefended",)))
    found = standing(store, day(5))[NAME]
    assert (found.decision, found.since, found.lapses_on) == ("pause", day(1), date(2026, 12, 1))
    assert (found.next_step, found.facts) == ("mend it", ("the fact of undefended",))
    assert found.override is None


def test_what_was_recorded_later_does_not_count(store: Store) -> None:
    record(store, 1, verdict("pause"))
    record(store, 9, verdict("kill"))
    assert standing(store, day(8))[NAME].decision == "pause"
    assert standing(store, day(9))[NAME].decision == "kill"


def test_an_override_stands_at_once_and_up_to_its_end(store: Store) -> None:
    record(store, 1, verdict("kill"))
    overridden(store, 2, until=10)
    found = standing(store, day(9))[NAME]
    assert (found.decision, found.since, found.lapses_on) == ("fund", day(2), day(10))
    assert found.override is not None
    assert found.next_step == "mend it"
    assert standing(store, day(10))[NAME].decision == "kill"


def test_an_override_stands_on_what_was_never_judged(store: Store) -> None:
    overridden(store, 2, until=10)
    found = standing(store, day(3))[NAME]
    assert (found.decision, found.next_step, found.facts) == ("fund", "", ())


def test_after_an_override_that_was_recorded_what_the_table_found_stands(store: Store) -> None:
    from dataclasses import replace

    now = datetime(2026, 11, 2, 9, tzinfo=UTC)
    made = override(store, NAME, "fund", by="CFO", why="audit", until=day(10), now=now)
    record(store, 3, replace(verdict("kill"), decision="fund", override=made, lapses_on=day(10)))
    assert standing(store, day(9))[NAME].decision == "fund"
    found = standing(store, day(10))[NAME]
    assert (found.decision, found.since) == ("kill", day(10))

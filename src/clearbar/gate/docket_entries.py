"""What people and the gate write to the docket, and what it says as of a day."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, TypeVar, cast

import msgspec

from clearbar.core.errors import ClearbarError, LedgerError
from clearbar.gate.docket import Entry, append, append_within, entries
from clearbar.gate.recorded import DocketState, RecordedVerdict, recorded_after
from clearbar.gate.verdict import SEVERITY, Decision, Override, Verdict
from clearbar.own.card import Defence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearbar.core.store import Store

MAX_REASON_CHARACTERS: Final = 2000
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]+")
_ROLE: Final = re.compile(r"[^\W\d_][\w &./-]*")
_MAX_NAME_CHARACTERS: Final = 200

_Said = TypeVar("_Said", Defence, Override, Verdict)


def defend(
    store: Store, workflow: str, *, by: str, why: str, on: date, expires: date, now: datetime
) -> Defence:
    """Record that somebody stands up for a workflow until `expires`.

    Raises:
        ClearbarError: when a part of it does not make sense.
    """
    if on > _day(now):
        raise ClearbarError(
            f"a defence cannot be given on {on}, which is still to come",
            f"give the day on which it was given, at the latest {_day(now)}",
        )
    if expires <= on:
        raise ClearbarError(
            f"a defence of {on} cannot expire on {expires}", "give a later day, or none"
        )
    defence = Defence(workflow, _name(by), on, expires, _reason(why))
    append(store, "defence", workflow, now, _body(defence))
    return defence


def override(
    store: Store,
    workflow: str,
    decision: Decision,
    *,
    by: str,
    why: str,
    until: date,
    now: datetime,
) -> Override:
    """Record a person's decision against the table, in force up to the day before `until`.

    The last override of a workflow replaces those before it.

    Raises:
        ClearbarError: when a part of it does not make sense.
    """
    today = _day(now)
    if decision not in SEVERITY:
        raise ClearbarError(f'"{decision}" is no decision', f"give one of: {', '.join(SEVERITY)}")
    if until <= today:
        raise ClearbarError(
            f"an override cannot end on {until}: today is {today}",
            "give the first day on which it no longer holds, tomorrow or later",
        )
    made = Override(workflow, decision, _name(by), _reason(why), today, until)
    append(store, "override", workflow, now, _body(made))
    return made


def record_verdicts(
    store: Store, verdicts: Iterable[Verdict], now: datetime
) -> tuple[Verdict, ...]:
    """Record the verdicts that are news, and return them.

    News is another decision, other rules, or a verdict that had lapsed.
    """
    with store.transaction() as connection:
        recorded = last_verdicts(store)
        news = tuple(
            verdict
            for verdict in verdicts
            if _is_news(verdict, recorded.get(verdict.workflow), _day(now))
        )
        for verdict in news:
            append_within(connection, "verdict", verdict.workflow, now, _body(verdict))
    return news


def docket_state(store: Store, as_of: date) -> DocketState:
    """Return what the docket says as of a day.

    Raises:
        LedgerError: when an entry cannot be understood (so do the readers below).
    """
    return DocketState(
        last_defences(store, as_of), active_overrides(store, as_of), last_verdicts(store, as_of)
    )


def last_defences(store: Store, as_of: date) -> dict[str, Defence]:
    """Return each workflow's defence of the latest day up to `as_of`; of one day, the last."""
    found: dict[str, Defence] = {}
    for entry in entries(store, "defence"):
        defence, before = said(entry, Defence), found.get(entry.workflow)
        if defence.on <= as_of and (before is None or before.on <= defence.on):
            found[entry.workflow] = defence
    return found


def active_overrides(store: Store, as_of: date) -> dict[str, Override]:
    """Return each workflow's last override, where it is in force on `as_of`."""
    made = (said(entry, Override) for entry in entries(store, "override"))
    last = {each.workflow: each for each in made if each.on <= as_of}
    return {workflow: each for workflow, each in last.items() if as_of < each.until}


def last_verdicts(store: Store, as_of: date = date.max) -> dict[str, RecordedVerdict]:
    """Return each workflow's last verdict recorded up to `as_of`, and since when it has been so."""
    found: dict[str, RecordedVerdict] = {}
    for entry in entries(store, "verdict"):
        if entry.day > as_of:
            continue
        verdict = said(entry, Verdict)
        before = found.get(entry.workflow)
        found[entry.workflow] = recorded_after(before, verdict, entry.day)
    return found


def said(entry: Entry, kind: type[_Said]) -> _Said:
    """Return what an entry of that kind says.

    Raises:
        LedgerError: when its body says nothing of the kind.
    """
    try:
        return msgspec.json.decode(entry.body, type=kind)
    except msgspec.MsgspecError as error:
        raise LedgerError(
            f"entry {entry.entry} of the docket is no {entry.kind} that can be read",
            "verify the chain: clearbar check",
        ) from error


def _is_news(verdict: Verdict, before: RecordedVerdict | None, today: date) -> bool:
    if before is None or before.lapses_on <= today:
        return True
    rules = tuple(reason.rule for reason in verdict.reasons)
    return (verdict.decision, rules) != (before.decision, before.rules)


def _body(what: Defence | Override | Verdict) -> dict[str, object]:
    return cast("dict[str, object]", msgspec.to_builtins(what))


def _day(now: datetime) -> date:
    return now.astimezone(UTC).date()


def _name(by: str) -> str:
    name = by.strip()
    if len(name) <= _MAX_NAME_CHARACTERS and (_EMAIL.fullmatch(name) or _ROLE.fullmatch(name)):
        return name
    raise ClearbarError(
        f"{by!r} names nobody who could answer for it",
        "give an e-mail address or a role, such as support-lead@example.com or Head of Support",
    )


def _reason(why: str) -> str:
    text = " ".join(why.split())
    if not text:
        raise ClearbarError("a reason is needed", "say why in a sentence")
    if len(text) > MAX_REASON_CHARACTERS:
        raise ClearbarError(
            f"the reason has {len(text)} characters",
            f"keep it to {MAX_REASON_CHARACTERS}, and name the document that says more",
        )
    if not text.isprintable():
        raise ClearbarError("the reason holds control characters", "write it as plain text")
    return text

"""Tickets of the help desk with the queue that a person chose, and what tools once answered.

The queue stands in the subject of nearly every ticket: eight keyword rules find it. The text below
the subject misleads, because it speaks of other things too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

SUBJECTS: Final = {
    "returns": ("Return of order {n}", "How do I send back order {n}?", "Exchange for order {n}"),
    "delivery": ("Where is my parcel {n}?", "Delivery of {n} is late", "Tracking of {n} stopped"),
    "billing": ("Invoice {n} is wrong", "Charged twice for {n}", "Refund for {n} has not come"),
    "warranty": ("Warranty for {n}", "Broken after a month: {n}", "Defect in {n}"),
    "account": ("Password does not work", "Log in fails since {n}", "Delete my account {n}"),
    "assembly": ("Screws are missing in {n}", "Assembly of {n}", "Manual for {n} is unclear"),
    "stock": ("When is {n} in stock again?", "Is {n} available in grey?", "Sold out: {n}"),
    "trade": ("Trade discount for {n}", "Wholesale offer {n}", "Reseller terms, case {n}"),
}
"""Queue -> subjects from which a person, and a keyword, can tell it."""

_VAGUE: Final = ("Hello", "A question", "Fwd:", "Please call me back", "Order {n}")
_TEXTS: Final = (
    "I ordered in {month} and paid the invoice at once. The parcel came, my account shows it.",
    "My neighbour took the delivery in. I have the manual and the receipt here.",
    "We have bought from you for years, with and without a discount, and were never disappointed.",
    "The table is lovely, in grey as in the catalogue; only this one thing is left to settle.",
    "I tried your site first, and could not find where to log in, so I write to you instead.",
)
_MONTHS: Final = ("August", "September", "October")

VAGUE_SHARE: Final = 0.015
"""Tickets whose subject tells nothing."""
SECOND_TICKET_SHARE: Final = 0.1
"""Tickets of a customer who wrote before."""
TICKETS: Final = 1_600
_LAST: Final = datetime(2026, 10, 31, 17, 0, tzinfo=UTC)
_MINUTES_BETWEEN: Final = 47


LOGGED: Final = {"gpt-5-mini": 0.972, "opus": 0.988}
"""Tools whose answers to these tickets were logged, and the share of them that is right."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket, told as a line of a file of cases."""

    id: str
    input: str
    reference: str
    cluster: str
    at: str
    answers: dict[str, str]


def tickets(rng: Random) -> list[Ticket]:
    """Return the tickets, oldest first."""
    return [_ticket(number, rng) for number in range(TICKETS)]


def _ticket(number: int, rng: Random) -> Ticket:
    queue = rng.choice(list(SUBJECTS))
    vague = rng.random() < VAGUE_SHARE
    subject = rng.choice(_VAGUE if vague else SUBJECTS[queue]).format(n=rng.randrange(10**5, 10**6))
    text = rng.choice(_TEXTS).format(month=rng.choice(_MONTHS))
    customer = number // 2 if rng.random() < SECOND_TICKET_SHARE else number
    at = _LAST - timedelta(minutes=_MINUTES_BETWEEN * (TICKETS - number))
    return Ticket(
        id=f"T-{40_000 + number}",
        input=f"Subject: {subject}\n\n{text}",
        reference=queue,
        cluster=f"customer-{customer}",
        at=f"{at:%Y-%m-%dT%H:%M:%S}Z",
        answers={tool: _answer(queue, share, rng) for tool, share in LOGGED.items()},
    )


def _answer(queue: str, right_share: float, rng: Random) -> str:
    return queue if rng.random() < right_share else rng.choice(list(SUBJECTS))

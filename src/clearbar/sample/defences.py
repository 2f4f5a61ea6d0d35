"""Who stood up for which workflow: for the docket, so that the gate finds its owners present."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final


@dataclass(frozen=True, slots=True)
class DefenceTruth:
    """A defence for the caller to put on the docket."""

    workflow: str
    by: str
    on: date
    expires_days: int
    why: str


DEFENCES: Final = (
    DefenceTruth(
        "coding-assistant",
        "engineering-lead@example.com",
        date(2026, 10, 19),
        90,
        "Merged changes a week are up by a third since July at the same team size",
    ),
    DefenceTruth(
        "knowledge-search",
        "knowledge-lead@example.com",
        date(2026, 10, 12),
        90,
        "People ask it before they ask a colleague",
    ),
    DefenceTruth(
        "listing-descriptions",
        "catalogue-lead@example.com",
        date(2026, 10, 14),
        90,
        "Listings with a description sell twice as often",
    ),
    DefenceTruth(
        "sales-outreach",
        "sales-lead@example.com",
        date(2026, 10, 6),
        90,
        "Replies should pick up with the autumn fairs",
    ),
    DefenceTruth(
        "regulated-letters",
        "letters-lead@example.com",
        date(2026, 10, 20),
        45,
        "Two readers check every letter; rework fell from 11% to 3%",
    ),
    DefenceTruth(
        "ticket-routing",
        "support-lead@example.com",
        date(2026, 10, 15),
        90,
        "No ticket went to the wrong queue this quarter",
    ),
    DefenceTruth(
        "invoice-extraction",
        "accounts-lead@example.com",
        date(2026, 10, 22),
        90,
        "Three days of typing a week are saved",
    ),
    # The only one that has lapsed.
    DefenceTruth(
        "market-digest",
        "research-lead@example.com",
        date(2026, 7, 20),
        90,
        "The partners read it on Mondays",
    ),
    DefenceTruth(
        "review-replies",
        "marketing-lead@example.com",
        date(2026, 10, 9),
        90,
        "Answered reviews read better than unanswered ones",
    ),
    DefenceTruth(
        "case-summaries",
        "people-lead@example.com",
        date(2026, 10, 13),
        90,
        "A case is read in ten minutes instead of forty",
    ),
    DefenceTruth(
        "faq-answers",
        "web-lead@example.com",
        date(2026, 10, 26),
        90,
        "Four in five visitors no longer write to us",
    ),
)
"""Every owner's last defence. One workflow has no owner, and no defence."""

"""Twelve workflows of a small company, each with a story of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from clearbar.gate.verdict import Decision
    from clearbar.own.workflow import Stakes
    from clearbar.tools.tool import Tier

MODELS: Final[tuple[tuple[str, str, Tier], ...]] = (
    ("anthropic", "claude-sonnet-4-5", "frontier"),
    ("openai", "gpt-5", "frontier"),
    ("google", "gemini-2.5-flash", "small"),
    ("openai", "gpt-4o-mini", "small"),
    ("", "keyword-rules", "none"),
    ("ollama", "acme-finetune-7b", "unknown"),
)


@dataclass(frozen=True, slots=True)
class Story:
    """One workflow in a few words."""

    name: str
    owner: str | None
    purpose: str
    usd_a_day: float
    models: tuple[int, ...]
    """Indices into MODELS, the most used first."""
    fact: str
    unit: str | None = None
    bar: float = 0.0
    mean: float = 0.0
    outcomes_a_day: int = 0
    spread: float = 0.3
    """Half the interval of the cost of a good outcome, as a share of it."""
    worth: str | None = None
    stakes: Stakes = "normal"
    budget: str | None = None
    decision: Decision = "fund"
    rule: str = "earns_its_tier"
    step: str = "Keep"


STORIES: Final = (
    Story(
        name="coding-assistant",
        owner="platform-lead@example.com",
        purpose="Write and review code with engineers",
        unit="merged change",
        bar=0.8,
        mean=0.86,
        usd_a_day=138,
        outcomes_a_day=44,
        spread=0.15,
        worth="9.50",
        budget="4500",
        models=(0, 1, 2),
        fact="returned $8,300.00 on $4,140.00 in 30 days",
        step="Trial a small model on test writing",
    ),
    Story(
        name="support-replies",
        owner="support-lead@example.com",
        purpose="Draft replies to support tickets",
        unit="ticket",
        bar=0.92,
        mean=0.94,
        usd_a_day=61,
        outcomes_a_day=310,
        spread=0.8,
        worth="1.20",
        budget="1200",
        models=(0, 3),
        decision="pause",
        rule="over_budget",
        fact="spent $1,851.20 of a budget of $1,200.00 this month",
        step="support-lead@example.com: raise the budget or move the commonest questions",
    ),
    Story(
        name="regulated-letters",
        owner="compliance-lead@example.com",
        purpose="Draft letters to customers that a regulator may read",
        unit="letter",
        bar=0.98,
        mean=0.991,
        usd_a_day=42,
        outcomes_a_day=58,
        spread=0.8,
        worth="14.00",
        stakes="high",
        budget="2000",
        models=(1,),
        fact="returned $23,100.00 on $1,260.00 in 30 days, score 0.991 over the bar of 0.98",
        step="Defend again before 12 Dec 2026",
    ),
    Story(
        name="ticket-routing",
        owner="support-lead@example.com",
        purpose="Send each ticket to the right queue",
        unit="ticket",
        bar=0.95,
        mean=0.998,
        usd_a_day=40,
        outcomes_a_day=900,
        spread=0.15,
        worth="0.15",
        stakes="low",
        budget="1500",
        models=(1, 4),
        fact="returned $2,850.00 on $1,200.00 in 30 days",
        step="Trial a rule: nine queues are named in the subject line",
    ),
    Story(
        name="sales-research",
        owner=None,
        purpose="Research prospects before a call",
        unit="brief",
        bar=0.7,
        mean=0.8,
        usd_a_day=31,
        outcomes_a_day=25,
        spread=0.35,
        models=(0, 5),
        decision="kill",
        rule="no_owner",
        fact="spent $930.44 in 30 days and no owner is declared (grace ended 15 Oct 2026)",
        step="Declare an owner in clearbar.toml, or stop the calls from service sales-bot",
    ),
    Story(
        name="contract-review",
        owner="legal-lead@example.com",
        purpose="Find unusual clauses in contracts",
        unit="contract",
        bar=0.9,
        mean=0.9,
        usd_a_day=27,
        outcomes_a_day=12,
        spread=0.8,
        worth="30",
        stakes="high",
        budget="900",
        models=(0,),
        decision="pause",
        rule="restricted_data",
        fact="restricted data went to anthropic, which is not in-house: $810.20",
        step="legal-lead@example.com: route to an in-house tool",
    ),
    Story(
        name="weekly-digest",
        owner="editor@example.com",
        purpose="Summarise the week for all staff",
        usd_a_day=14,
        stakes="low",
        budget="300",
        models=(3,),
        decision="kill",
        rule="no_metric",
        fact="spent $420.90 in 30 days and no metric is declared",
        step="editor@example.com: declare what a good digest is",
    ),
    Story(
        name="invoice-matching",
        owner="finance-lead@example.com",
        purpose="Match invoices with purchase orders",
        unit="invoice",
        bar=0.97,
        mean=0.93,
        usd_a_day=11,
        outcomes_a_day=120,
        spread=0.6,
        worth="0.40",
        budget="400",
        models=(2,),
        fact="returned $1,010.00 on $330.00 in 30 days",
        step="Raise the score: 0.93 is below the bar of 0.97",
    ),
    Story(
        name="chat-experiment",
        owner="research-lead@example.com",
        purpose="Try a chat on the help pages",
        unit="chat",
        bar=0.6,
        mean=0.31,
        usd_a_day=8.5,
        outcomes_a_day=14,
        spread=0.8,
        worth="0.50",
        stakes="low",
        budget="250",
        models=(1, 2, 3),
        decision="kill",
        rule="kill_rule",
        fact="usd_per_good > 1.50 for 28d has held: $1.96",
        step="research-lead@example.com: stop it, or change what it is for",
    ),
    Story(
        name="meeting-notes",
        owner="office-lead@example.com",
        purpose="Write notes of meetings",
        unit="meeting",
        bar=0.85,
        usd_a_day=6,
        worth="2",
        budget="200",
        models=(3,),
        decision="pause",
        rule="unmeasured",
        fact="spent $180.11 and no outcome has been scored for 30 days",
        step="office-lead@example.com: deliver outcomes/meetings.csv",
    ),
    Story(
        name="translation",
        owner="content-lead@example.com",
        purpose="Translate help pages into six languages",
        unit="page",
        bar=0.9,
        mean=0.95,
        usd_a_day=2.4,
        outcomes_a_day=66,
        spread=0.08,
        worth="0.70",
        budget="150",
        models=(2, 3),
        fact="returned $1,240.00 on $72.00 in 30 days",
    ),
    Story(
        name="spam-filter",
        owner="platform-lead@example.com",
        purpose="Mark spam in the contact form",
        unit="message",
        bar=0.99,
        mean=0.995,
        usd_a_day=0.08,
        outcomes_a_day=420,
        spread=0.8,
        worth="0.01",
        stakes="low",
        budget="20",
        models=(4, 3),
        fact="returned $122.00 on $2.40 in 30 days",
    ),
)

"""The company: twelve workflows over ninety days, each with one story to tell."""

from __future__ import annotations

from datetime import date
from typing import Final

from clearbar.sample.prices import (
    EMBEDDING,
    GEMINI_PRO,
    GPT_4O_MINI,
    GPT_5,
    GPT_5_1,
    GPT_5_MINI,
    HAIKU,
    MISTRAL_LARGE,
    OPUS,
    QWEN,
    RERANKER,
    SONNET,
    Tokens,
)
from clearbar.sample.story import NIGHTLY, SHOP, Results, Step, Story

_LETTER_SIZED: Final = Step(
    "litellm", OPUS, Tokens(14_000, cache_read=22_000, cache_write=1_500, output=1_600)
)
"""Regulated letters and ticket routing ask the same tool for as much: only the stakes differ."""

WORKFLOWS: Final = (
    # Its log tells of each call several times, in several files. Funded, once it is counted once.
    Story(
        "coding-assistant",
        (
            Step(
                "claude_code",
                OPUS,
                Tokens(12, cache_read=90_000, cache_write=7_000, output=2_200),
                lifetime="1h",
                spread=0.5,
                calls_per_task=4.0,
            ),
            # Long sessions cross the price cliff at 200,000 tokens.
            Step(
                "claude_code",
                SONNET,
                Tokens(9, cache_read=110_000, cache_write=6_000, output=1_400),
                lifetime="1h",
                spread=0.45,
                calls_per_task=1.5,
            ),
            Step(
                "claude_code",
                HAIKU,
                Tokens(400, cache_read=18_000, cache_write=4_000, output=500),
                lifetime="5m",
                calls_per_task=1.0,
            ),
        ),
        tasks_per_day=6,
        projects=("storefront", "billing", "mobile-app"),
        results=Results("merge-bot", good_share=0.78),
    ),
    # Its owner moved on in summer, and nobody took over: no_owner.
    Story(
        "meeting-notes",
        (Step("litellm", GPT_5, Tokens(42_000, output=3_000)),),
        tasks_per_day=24,
        first_day=date(2026, 8, 17),
        origin={"team": "operations", "credential": "notes-bot", "tag": "meeting-notes"},
        failure_share=0.02,
        results=Results("attendee-thumbs", good_share=0.71),
        decision="kill",
        rules=("no_owner",),
    ),
    # The app collects thumbs, and nobody has declared what they prove: no_metric.
    Story(
        "knowledge-search",
        (
            Step("otlp", EMBEDDING, Tokens(60)),
            # Runs on a machine of the house; nobody has worked out what it costs: unpriced.
            Step("otlp", RERANKER, Tokens(9_000, output=20), calls_per_task=0.3),
            Step("otlp", SONNET, Tokens(28_000, output=900)),
        ),
        tasks_per_day=20,
        origin={"service": "knowledge-api"},
        results=Results("app-thumbs", good_share=0.82),
        decision="kill",
        rules=("no_metric",),
    ),
    # A new template sends 80% more tokens a listing; the listings did not become more or better.
    Story(
        "listing-descriptions",
        (
            Step(
                "litellm", GPT_5, Tokens(16_000, cache_read=4_000, output=2_600), calls_per_task=1.1
            ),
        ),
        tasks_per_day=34,
        rhythm=NIGHTLY,
        hours=(1, 5),
        growth=0.0,
        longer_from=date(2026, 10, 2),
        longer_by=1.8,
        origin={"team": "catalogue", "credential": "catalogue-nightly", "tag": "listing"},
        failure_share=0.015,
        results=Results("catalogue-editor", good_share=0.93),
        decision="pause",
        rules=("tokens_up_outcomes_flat",),
    ),
    # One good reply costs several times what its own owner declared to be the end: kill_rule.
    Story(
        "sales-outreach",
        (Step("litellm", SONNET, Tokens(24_000, cache_read=9_000, cache_write=800, output=1_500)),),
        tasks_per_day=17,
        origin={"team": "sales", "credential": "outreach-writer", "tag": "outreach"},
        failure_share=0.02,
        results=Results("crm", good_share=0.09),
        decision="kill",
        rules=("kill_rule",),
    ),
    # A wrong letter costs a complaint to the regulator: it earns its frontier price.
    # Every call is seen twice: by the gateway (who pays) and by a trace (which workflow).
    Story(
        "regulated-letters",
        (_LETTER_SIZED,),
        tasks_per_day=28,
        origin={
            "team": "customer-operations",
            "credential": "customer-operations",
            "service": "letters-api",
            "named_workflow": "regulated-letters",
        },
        failure_share=0.01,
        results=Results("second-reader", good_share=0.97),
    ),
    # The same usage as the letters, and the answer stands in the subject line: needs no model.
    Story(
        "ticket-routing",
        (_LETTER_SIZED,),
        tasks_per_day=28,
        origin={
            "team": "customer-operations",
            "credential": "customer-operations",
            "tag": "ticket-routing",
        },
        failure_share=0.01,
        results=Results("helpdesk", good_share=1.0),
    ),
    # Scans of whole folders cross the price cliff, and October passed the budget: over_budget.
    Story(
        "invoice-extraction",
        (Step("otlp", GEMINI_PRO, Tokens(44_000, cache_read=6_000, output=1_800), spread=0.8),),
        tasks_per_day=33,
        growth=0.1,
        origin={"service": "invoice-extraction", "environment": "production"},
        results=Results("ledger-match", good_share=0.95, half_share=0.02),
        decision="pause",
        rules=("over_budget",),
    ),
    # A metric is declared, nothing was ever measured, and its owner has not come back. No gateway
    # sees its models: a report of one project holds no calls of another.
    Story(
        "market-digest",
        (
            Step("openai_usage", GPT_5_1, Tokens(46_000, cache_read=8_000, output=2_400)),
            Step("openai_usage", GPT_5_MINI, Tokens(12_000, output=600)),
        ),
        tasks_per_day=20,
        origin={"project": "proj_market_digest", "credential": "key_digest"},
        decision="pause",
        rules=("undefended", "unmeasured"),
    ),
    # An answer to a review is worth a cent, and costs more than two: loses_money.
    Story(
        "review-replies",
        (Step("table", MISTRAL_LARGE, Tokens(9_000, output=700)),),
        tasks_per_day=24,
        rhythm=SHOP,
        origin={"project": "review-replies"},
        results=Results("shop-platform", good_share=0.72),
        decision="pause",
        rules=("loses_money",),
    ),
    # Personnel files should stay in the house; one integration sends them out: restricted_data.
    Story(
        "case-summaries",
        (
            Step("litellm", QWEN, Tokens(15_000, output=900)),
            Step("otlp", HAIKU, Tokens(15_000, output=900), calls_per_task=0.15),
        ),
        tasks_per_day=18,
        origin={
            "team": "people",
            "credential": "people-desk",
            "service": "people-desk",
            "tag": "case-summary",
        },
        results=Results("case-handler", good_share=0.9),
        decision="pause",
        rules=("restricted_data",),
    ),
    # A small model, a clear measure, a good return. Nothing to see: fund.
    Story(
        "faq-answers",
        (Step("litellm", GPT_4O_MINI, Tokens(2_400, cache_read=1_200, output=320)),),
        tasks_per_day=34,
        rhythm=SHOP,
        origin={"team": "web", "credential": "faq-widget", "tag": "faq,public"},
        failure_share=0.01,
        cache_hit_share=0.12,
        results=Results("visitor-thumbs", good_share=0.9, rescored_share=0.02),
    ),
)

STRAYS: Final = (
    # Experiments in a folder that no rule names.
    Story(
        "scratch",
        (
            Step(
                "claude_code",
                OPUS,
                Tokens(20, cache_read=40_000, cache_write=3_000, output=1_200),
                lifetime="1h",
                calls_per_task=3.0,
            ),
        ),
        tasks_per_day=0.6,
        projects=("scratch",),
        attributed=False,
    ),
    # A key that somebody made for a test, without a team.
    Story(
        "old-test-key",
        (Step("litellm", GPT_5, Tokens(6_000, output=900)),),
        tasks_per_day=1.5,
        origin={"credential": "test-key-2"},
        attributed=False,
    ),
)
"""Spend that belongs to no workflow."""

STORIES: Final = (*WORKFLOWS, *STRAYS)

"""Price a million charges in the engine, and a sample one by one with the price library.

    python benchmarks/pricing.py [CHARGES]

Prints the requests per CPU second of both, their ratio, and on how many of the sample they agree
to the last decimal place; exits with 1 where the ratio is below 300 or an answer differs. Both
sides have one thread and take turns, so that a busy machine slows both; all turns count.

Ours is all that `price` does: finding out which meters and kinds of charges occur and which rates
are in force, the join and writing the result. Charges come with one number for their origin and
context, not with texts to be compared. The library's side builds a `Usage` for each request, as any
caller has to; what goes into it and the request context are ready before. Either side has read its
prices and found each model before.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC
from pathlib import Path
from typing import Any

from genai_prices import Usage, calc_price

from clearbar.spend.charge import METERS
from clearbar.spend.engine import connect
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.prices.pricing import price

MODELS = (
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-5"),
    ("openai", "gpt-5.6-sol"),
    ("openai", "o3"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-4-8"),
    ("anthropic", "claude-haiku-4-5"),
    ("aws", "us.anthropic.claude-sonnet-4-6"),
    ("azure", "gpt-4o"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-2.5-flash"),
    ("mistral", "mistral-large-latest"),
    ("deepseek", "deepseek-v4-flash"),
    ("x-ai", "grok-4.3"),
    ("openrouter", "anthropic/claude-sonnet-4.5"),
)
CONTEXTS: dict[tuple[str, str], dict[str, str]] = {
    ("", ""): {},
    ("batch", ""): {"processing": "batch"},
    ("flex", ""): {"service_tier": "flex"},
    ("priority", ""): {"service_tier": "priority"},
    ("", "fast"): {"speed": "fast"},
}
"""(service tier, speed) of a charge -> the library's request context."""
SERVED = (
    ("openai", "gpt-4o", "priority", ""),
    ("openai", "gpt-5", "batch", ""),
    ("openai", "gpt-5", "flex", ""),
    ("openai", "gpt-5.6-sol", "priority", ""),
    ("anthropic", "claude-sonnet-4-5", "batch", ""),
    ("anthropic", "claude-opus-4-8", "batch", ""),
    ("anthropic", "claude-opus-4-8", "", "fast"),
    ("google", "gemini-2.5-pro", "batch", ""),
)
"""What else the library has prices for, since the middle of October."""
METERS_OF_CLAUDE = {
    "input_tokens": "random() * 60_000",
    "cache_read_tokens": "random() * 150_000",
    "cache_write_5m_tokens": "random() * 20_000",
    "cache_write_1h_tokens": "CASE WHEN random() < 0.1 THEN random() * 20_000 END",
    "output_tokens": "answer",
    "web_searches": "CASE WHEN random() < 0.02 AND provider = 'anthropic' THEN 1 END",
}
METERS_OF_OTHERS = {
    "input_tokens": "random() * 60_000",
    "cache_read_tokens": "random() * 150_000",
    "output_tokens": "answer",
    "reasoning_tokens": "answer * random()",
}
"""What these answers report, and how much of it: the largest requests are in the long context."""
REPORTED = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "web_searches",
)
SAMPLE = 5_000
ROUNDS = 7
LEAST_RATIO = 300


def stage(connection: Any, count: int, book: PriceBook) -> None:
    """Make `count` charges of random models, contexts, moments and quantities, by 40 teams."""
    found = book.resolve(MODELS)
    offers = [(*pair, "", "", found[pair], "2026-01-01", 28_000_000) for pair in MODELS]
    offers += [(*offer, found[offer[:2]], "2026-10-15", 3_000_000) for offer in SERVED]
    rows = ", ".join(f"{(number, *offer)}" for number, offer in enumerate(offers))
    meters = ", ".join(
        f"""(CASE WHEN model LIKE '%claude%' THEN {METERS_OF_CLAUDE.get(meter, "NULL")}
            ELSE {METERS_OF_OTHERS.get(meter, "NULL")} END)::BIGINT AS {meter}"""
        for meter in (*METERS, "reasoning_tokens")
    )
    connection.execute("SELECT setseed(0.5)")
    connection.execute(f"""
        CREATE TEMP TABLE offers AS SELECT * FROM (VALUES {rows}) v(
            number, provider, model, service_tier, speed, price_model, since, seconds);
        CREATE TEMP TABLE picked AS
            SELECT i AS row_id, CASE WHEN random() < 0.9
                THEN floor(random() * {len(MODELS)})
                ELSE {len(MODELS)} + floor(random() * {len(SERVED)}) END::INTEGER AS number,
                (random() * 8_000)::BIGINT AS answer
            FROM range({count}) r(i);
        CREATE TEMP TABLE staged AS
            SELECT row_id, number * 40 + (row_id % 40)::INTEGER AS given_number,
                provider, model, price_model, service_tier, speed, '' AS geo,
                since::TIMESTAMP + to_seconds((random() * seconds)::BIGINT) AS started_at,
                'call' AS grain, 1::BIGINT AS calls,
                CASE WHEN random() < 0.02 THEN 'cancelled' ELSE 'ok' END AS status,
                CASE WHEN random() < 0.02 THEN 'partial' ELSE 'final' END AS "usage",
                CASE WHEN random() < 0.1 THEN 0.01 END::DECIMAL(38,24) AS reported_cost_usd,
                'estimated' AS reported_basis, {meters}
            FROM picked JOIN offers USING (number)""")


def ours(book: PriceBook, connection: Any) -> float:
    """Return the CPU seconds, over all threads, of pricing all charges."""
    start = time.process_time()
    price(connection, book, "staged", keys=["given_number"])
    return time.process_time() - start


def theirs(sample: list[tuple[Any, ...]]) -> tuple[float, int]:
    """Return the CPU seconds of the library, and how many of its answers equal ours."""
    requests = [
        (provider, model, CONTEXTS[tier, speed], moment.replace(tzinfo=UTC), inclusive(meters))
        for provider, model, tier, speed, moment, _, *meters in sample
    ]
    start = time.process_time()
    answers = [
        calc_price(
            Usage(**counts),
            model,
            provider_id=provider,
            genai_request_timestamp=moment,
            price_context=context,
        ).total_price
        for provider, model, context, moment, counts in requests
    ]
    spent = time.process_time() - start
    return spent, sum(row[5] == answer for row, answer in zip(sample, answers, strict=True))


def inclusive(meters: list[int | None]) -> dict[str, int]:
    """Return what the answer said, in the library's words: it counts cached tokens twice."""
    _, read, written_5m, written_1h, output, reasoning, searches = meters
    counts = {
        "input_tokens": sum(count or 0 for count in meters[:4]),
        "cache_read_tokens": read,
        "cache_write_5m_tokens": written_5m,
        "cache_write_1h_tokens": written_1h,
        "output_tokens": output,
        "output_reasoning_tokens": reasoning,
        "web_searches": searches,
    }
    if written_5m is not None:
        counts["cache_write_tokens"] = written_5m + (written_1h or 0)
    return {name: count for name, count in counts.items() if count is not None}


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder, connect() as connection:
        connection.execute("SET threads = 1")
        book = PriceBook.open(Path(folder))
        stage(connection, count, book)
        ours(book, connection)
        sample = connection.execute(
            f"""SELECT provider, model, service_tier, speed, started_at, cost_usd,
                {", ".join(REPORTED)}
            FROM staged JOIN staged_priced USING (row_id) ORDER BY row_id LIMIT {SAMPLE}"""
        ).fetchall()
        rounds = [(ours(book, connection), *theirs(sample)) for _ in range(ROUNDS)]
    spent, library_spent = (sum(times) for times in list(zip(*rounds, strict=True))[:2])
    equal = min(found for _, _, found in rounds)
    rate, library_rate = ROUNDS * count / spent, ROUNDS * len(sample) / library_spent
    print(f"priced in the engine   {rate:>12,.0f} requests per CPU second ({count:,})")
    print(f"library, one by one    {library_rate:>12,.0f} requests per CPU second")
    print(f"ratio                  {rate / library_rate:>12,.0f}")
    print(f"equal to the last place {equal:>11,} of {len(sample):,}")
    return 0 if rate >= LEAST_RATIO * library_rate and equal == len(sample) else 1


if __name__ == "__main__":
    sys.exit(main())

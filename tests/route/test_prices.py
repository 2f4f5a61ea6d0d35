"""Prices in whole nano-dollars: what the ledger and trials say, rounded up, whatever is asked."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from random import Random
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearbar.route.prices import PriceList
from clearbar.route.tool_prices import MOST_TOKENS
from clearbar.spend.charge import METERS, Origin, Record
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.prices.price_override import PriceOverride
from clearbar.spend.storage.append import FileRead
from clearbar.spend.storage.ledger import Ledger
from clearbar.tools.cost import cost_usd
from clearbar.tools.rates import Rates, cost_by
from clearbar.tools.tool import Answer, GpuPrice, NoPrice, TokenPrice, TokenUsage, Tool

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.route.tool_prices import ToolPrices

NOON: Final = datetime(2026, 11, 2, 12, tzinfo=UTC)
OPENAI: Final = Tool("openai", "openai")
ANTHROPIC: Final = Tool("anthropic", "anthropic")
DEEPSEEK: Final = Tool("deepseek", "openai", provider="deepseek")
GOOGLE: Final = Tool("google", "openai", provider="google")
AZURE: Final = Tool("azure", "openai", provider="azure", model="gpt-4o")
TOOLS: Final = (OPENAI, ANTHROPIC, DEEPSEEK, GOOGLE, AZURE)
TIERS: Final = (*[""] * 5, "default", "standard", "batch", "flex", "priority", "fast", "unheard-of")
SPEEDS: Final = (*[""] * 8, "standard", "fast", "Fast", "odd")
PLACES: Final = (*[""] * 5, "global", "not_available", "us", "US", "eu-west")
OVERRIDES: Final = (
    PriceOverride("openai", "gpt-4o-mini", discount=Decimal("0.1234567")),
    PriceOverride(
        "openai",
        "gpt-4.1*",
        service_tier="reserved",
        usd_per_million={"input_tokens": Decimal("0.5")},
        usd_per_call=Decimal("0.001"),
    ),
    PriceOverride("*", "house-*", usd_per_million={"input_tokens": Decimal("0.1")}),
    PriceOverride("anthropic", "*haiku*", date(2026, 11, 1), discount=Decimal("0.5")),
)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return PriceBook.open(tmp_path_factory.mktemp("prices"), OVERRIDES)


@pytest.fixture(scope="module")
def listed(book: PriceBook) -> PriceList:
    made = PriceList.of(
        book, TOOLS, NOON, overrides=OVERRIDES, seen=[("openai", "gpt-4o-2024-11-20")]
    )
    return PriceList.from_json(msgspec.json.decode(msgspec.json.encode(made.to_json())))


@pytest.fixture(scope="module")
def prices(listed: PriceList) -> ToolPrices:
    """Of a model with prices for long prompts, for caches and for places."""
    return listed.for_tool(ANTHROPIC, "claude-sonnet-4-5")


def us(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def nano(cost: Decimal | None) -> int | None:
    return None if cost is None else int((cost * 10**9).to_integral_value(ROUND_CEILING))


def told(usage: TokenUsage) -> dict[str, int]:
    """Return the usage as a journal has it: without what was not reported."""
    values = {name: getattr(usage, name) for name in usage.__slots__}
    return {name: count for name, count in values.items() if count is not None}


def some_usage(rng: Random) -> TokenUsage:
    sizes = (0, 1, 999, 127_999, 128_000, 128_001, 200_000, 200_001, 272_001, 1_000_000)
    output = rng.choice((0, 1, 777, 50_000))

    def maybe() -> int | None:
        return rng.choice((None, 0, 1, 4096, 150_000))

    return TokenUsage(
        input_tokens=rng.choice(sizes),
        cache_read_tokens=maybe(),
        cache_write_tokens=maybe(),
        cache_write_5m_tokens=maybe(),
        cache_write_1h_tokens=maybe(),
        output_tokens=output,
        reasoning_tokens=rng.choice((None, 0, output // 2, output)),
    )


def some_time(rng: Random) -> datetime:
    day = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=rng.randrange(1300))
    edge = datetime(2026, rng.choice((10, 11)), rng.choice((1, 13, 14)), tzinfo=UTC)
    return rng.choice((day, edge)) + timedelta(seconds=rng.choice((0, 1, 7_200, 59_400, 86_399)))


def test_costs_are_those_of_trials_rounded_up_for_all_models_tiers_places_and_times(
    book: PriceBook, listed: PriceList
) -> None:
    rng, rates, priced = Random(7), Rates(book), 0
    names = [name.split("\n") for name in listed.to_json()["models"]]
    tools = {tool.provider or tool.name: tool for tool in TOOLS}
    for provider, model in rng.sample(names, 300):
        prices = listed.for_tool(tools[provider], model)
        for _ in range(6):
            kind = (rng.choice(TIERS), rng.choice(SPEEDS), rng.choice(PLACES))
            usage, at = some_usage(rng), some_time(rng)
            exact = cost_by(rates.in_force(provider, model, *kind), usage, at)
            cost = prices.cost_nusd(told(usage), us(at), *kind)
            priced += bool(cost)
            if any(told(usage).values()):  # of what used nothing, trials know no price
                assert cost == nano(exact), (model, kind, usage)
    assert priced > 500


def test_costs_are_those_of_the_ledger_rounded_up_for_all_meters(
    book: PriceBook, listed: PriceList, tmp_path: Path
) -> None:
    rng, calls, priced = Random(8), [], 0
    names = [name.split("\n") for name in listed.to_json()["models"]]
    tools = {tool.provider or tool.name: tool for tool in TOOLS}
    for number in range(600):
        provider, model = rng.choice(names)
        meters = rng.sample(METERS, rng.randrange(1, 5))
        usage = {meter: rng.choice((0, 1, 17, 130_000)) for meter in meters}
        kind = (rng.choice(TIERS), rng.choice(SPEEDS), rng.choice(PLACES))
        at = us(some_time(rng))
        cost = listed.for_tool(tools[provider], model).cost_nusd(usage, at, *kind)
        calls.append(
            (Origin("gateway", provider, model), usage, at, kind, cost, f"gateway:c:{number}")
        )
    with closing(Ledger(tmp_path)) as ledger:
        with ledger.appender(book, us(NOON)) as appender:
            appender.begin(FileRead("journal", "gateway", 1))
            for origin, usage, at, (tier, speed, geo), _, identity in calls:
                values: dict[str, Any] = {"service_tier": tier, "speed": speed, "geo": geo, **usage}
                appender.add(
                    Record(
                        identity=identity,
                        evidence="gateway",
                        origin=origin,
                        started_at_us=at,
                        **values,
                    )
                )
            appender.seal()
        rows = ledger._connection.execute(
            f"SELECT identity, cost_usd FROM read_parquet('{tmp_path}/records/*.parquet')"  # noqa: S608
        ).fetchall()
    exact = dict(rows)
    for _, usage, _, kind, cost, identity in calls:
        assert cost == nano(exact[identity]), (usage, kind)
        priced += bool(cost)
    assert priced > 100


@pytest.mark.parametrize(
    "price",
    [
        TokenPrice(Decimal("0.1500001"), Decimal("0.6")),
        TokenPrice(Decimal(3), None),
        TokenPrice(None, Decimal(3)),
        TokenPrice(Decimal("1E-27"), Decimal(0)),
        GpuPrice(Decimal("2.49"), Decimal("1733.3"), Decimal("0.61")),
        NoPrice("paid by the hour"),
    ],
)
def test_a_tool_of_its_own_price_costs_what_trials_say(book: PriceBook, price: Any) -> None:
    tool = Tool("house", "openai", model="gpt-4o", url="http://127.0.0.1:9/v1", cost=price)
    prices = PriceList.of(book, [tool], NOON).for_tool(tool, "whatever it says")
    rng, rates = Random(9), Rates(book)
    for _ in range(100):
        usage = some_usage(rng)
        exact = cost_usd(tool, Answer("", usage=usage), rates, NOON)
        assert prices.cost_nusd(told(usage), us(NOON)) == nano(exact)
    assert prices.known


def test_an_own_price_needs_input_and_output(book: PriceBook) -> None:
    tool = Tool("house", "openai", cost=TokenPrice(Decimal(1), Decimal(2)))
    prices = PriceList.of(book, [tool], NOON).for_tool(tool, "")
    assert prices.cost_nusd({"input_tokens": 5}, us(NOON)) is None
    assert prices.cost_nusd({}, us(NOON)) is None


def test_a_gpu_is_paid_by_output_that_is_reported(book: PriceBook) -> None:
    tool = Tool("gpu", "openai", cost=GpuPrice(Decimal(3600), Decimal(1), Decimal("0.5")))
    prices = PriceList.of(book, [tool], NOON).for_tool(tool, "")
    assert prices.cost_nusd({"input_tokens": 5}, us(NOON)) is None
    assert prices.worst_nusd(10**6, 3) == 6 * 10**9
    assert prices.output_tokens_for(10**6, 6 * 10**9 + 1) == 3


@pytest.mark.parametrize("kind", ["rules", "classifier"])
def test_what_is_worked_out_in_process_is_free(listed: PriceList, kind: Any) -> None:
    prices = listed.for_tool(Tool("own", kind), "")
    assert prices.cost_nusd({}, 0) == prices.worst_nusd(10**6, 10**6) == 0
    assert prices.output_tokens_for(10**6, 0) == MOST_TOKENS


@pytest.mark.parametrize("model", ["no-such-model", "", "gpt-4o\n"])
def test_a_model_that_is_not_in_the_list_has_no_price(listed: PriceList, model: str) -> None:
    tool = Tool("elsewhere", "openai", url="http://127.0.0.1:9/v1")
    prices = listed.for_tool(tool, model)
    assert not prices.known
    assert prices.cost_nusd({"input_tokens": 1}, us(NOON)) is None
    assert prices.worst_nusd(1, 1) is None
    assert prices.output_tokens_for(1, 10**12) == 0


def test_models_that_clients_make_up_are_not_kept(listed: PriceList) -> None:
    before = len(listed._by_model)
    for number in range(1000):
        listed.for_tool(OPENAI, f"made-up-{number}")
    assert len(listed._by_model) == before


def test_names_that_were_seen_before_are_in_the_list(listed: PriceList) -> None:
    assert listed.for_tool(OPENAI, "gpt-4o-2024-11-20").known


def test_a_name_is_the_same_in_any_case(listed: PriceList) -> None:
    assert listed.for_tool(OPENAI, " GPT-4o ").worst_nusd(10, 10) == 125_000


def test_a_dated_name_in_an_answer_costs_what_was_asked_for(listed: PriceList) -> None:
    assert listed.for_tool(OPENAI, "gpt-4o-2999-01-01", "gpt-4o").known
    assert not listed.for_tool(OPENAI, "gpt-4o-2999-01-01").known


def test_a_tool_with_a_model_knows_the_other_models_of_its_provider(listed: PriceList) -> None:
    assert listed.for_tool(AZURE, "gpt-4o-mini").known


def test_nothing_used_costs_nothing_and_nothing_known_is_not_known(prices: ToolPrices) -> None:
    assert prices.cost_nusd({"input_tokens": 0, "output_tokens": 0}, us(NOON)) == 0
    assert prices.cost_nusd({}, us(NOON)) is None


def test_a_meter_without_a_price_leaves_the_cost_unknown(prices: ToolPrices) -> None:
    assert prices.cost_nusd({"input_tokens": 1, "images": 1}, us(NOON)) is None


def test_the_tier_of_an_override_has_its_price(listed: PriceList) -> None:
    usage = {"input_tokens": 1_000_000, "output_tokens": 0}
    known = listed.for_tool(OPENAI, "gpt-4.1")
    assert known.cost_nusd(usage, us(NOON)) == 2 * 10**9
    assert known.cost_nusd(usage, us(NOON), "unheard-of") is None
    assert known.cost_nusd(usage, us(NOON), "reserved") == 501_000_000
    assert known.worst_nusd(1_000_000, 0, "reserved") == 501_000_000


def test_the_worst_is_the_dearest_input_of_the_dearest_place(prices: ToolPrices) -> None:
    cached_for_an_hour = 2 * 3000 * 1000
    assert prices.worst_nusd(1000, 0) == cached_for_an_hour
    assert prices.worst_nusd(200_001, 0) == 2 * 6000 * 200_001


def test_the_worst_of_a_tier_that_nobody_knows_is_not_known(prices: ToolPrices) -> None:
    assert prices.worst_nusd(1, 1, "unheard-of") is None


def test_media_may_be_dearer(listed: PriceList) -> None:
    sound = listed.for_tool(OPENAI, "gpt-audio")
    text, heard = sound.worst_nusd(1000, 10), sound.worst_nusd(1000, 10, media=True)
    assert text is not None
    assert heard is not None
    assert heard > 5 * text


def test_without_an_answer_a_model_that_has_no_price_for_one_has_a_worst(listed: PriceList) -> None:
    embedding = listed.for_tool(OPENAI, "text-embedding-3-small")
    assert embedding.worst_nusd(1000, 0) == 20_000
    assert embedding.cost_nusd({"input_tokens": 1000}, us(NOON)) == 20_000


TEXT_METERS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
)


@settings(deadline=None)
@given(
    st.sampled_from(
        [
            (OPENAI, "gpt-5-mini"),
            (OPENAI, "gpt-5.5"),
            (OPENAI, "gpt-4.1"),
            (ANTHROPIC, "claude-sonnet-4-5"),
            (ANTHROPIC, "claude-sonnet-5"),
            (DEEPSEEK, "deepseek-chat"),
            (DEEPSEEK, "deepseek-v4-pro"),
            (GOOGLE, "gemini-2.5-pro"),
        ]
    ),
    st.lists(st.integers(0, 300_000), min_size=5, max_size=5),
    st.integers(0, 100_000),
    st.integers(0, 30 * 86_400 - 1),
    st.sampled_from(["", "us", "global"]),
    st.sampled_from(["", "flex", "priority"]),
)
def test_no_call_costs_more_than_the_worst(
    listed: PriceList,
    model: tuple[Tool, str],
    inputs: list[int],
    output: int,
    second: int,
    place: str,
    tier: str,
) -> None:
    known = listed.for_tool(*model)
    usage = dict(zip(TEXT_METERS, inputs, strict=True)) | {"output_tokens": output}
    usage = {name: count for name, count in usage.items() if count} or {"input_tokens": 0}
    cost = known.cost_nusd(usage, us(NOON + timedelta(seconds=second)), tier, "", place)
    worst = known.worst_nusd(sum(inputs), output, tier)
    assert cost is None or (worst is not None and cost <= worst)


@settings(deadline=None)
@given(
    st.sampled_from(
        [(OPENAI, "gpt-5.5"), (ANTHROPIC, "claude-sonnet-4-5"), (OPENAI, "gpt-4o-mini")]
    ),
    st.integers(0, 400_000),
    st.integers(0, 10**10),
)
def test_so_many_tokens_as_an_amount_pays_for_and_not_one_more(
    listed: PriceList, model: tuple[Tool, str], input_tokens: int, amount: int
) -> None:
    known = listed.for_tool(*model)
    count = known.output_tokens_for(input_tokens, amount)
    affordable, next_one = (known.worst_nusd(input_tokens, n) for n in (count, count + 1))
    assert affordable is not None
    assert next_one is not None
    assert next_one > amount
    assert affordable <= amount or count == 0


def test_a_list_is_the_same_after_a_journey_as_json(book: PriceBook) -> None:
    made = PriceList.of(book, [OPENAI], NOON)
    again = PriceList.from_json(msgspec.json.decode(msgspec.json.encode(made.to_json())))
    assert again.to_json() == made.to_json()
    assert again.version == book.version


def test_what_is_no_list_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        PriceList.from_json({"version": 1})


def test_a_worker_loads_neither_the_engine_nor_the_price_library(listed: PriceList) -> None:
    program = """
import sys, msgspec
from clearbar.route.prices import PriceList
from clearbar.tools.tool import Tool
prices = PriceList.from_json(msgspec.json.decode(sys.stdin.buffer.read()))
cost = prices.for_tool(Tool("openai", "openai"), "gpt-4o").cost_nusd({"input_tokens": 4}, 10**15)
print(cost, {"duckdb", "genai_prices", "numpy"} & sys.modules.keys())
"""
    text = msgspec.json.encode(listed.to_json())
    done = subprocess.run(
        [sys.executable, "-c", program], input=text, capture_output=True, check=True
    )
    assert done.stdout.decode().split(maxsplit=1)[1].strip() == "set()"


@pytest.mark.parametrize(
    ("day", "nusd"), [("2026-10-23", 1_320), ("2026-10-24", 660), ("2026-10-26", 1_320)]
)
def test_a_peak_hour_of_a_saturday_is_off_peak(listed: PriceList, day: str, nusd: int) -> None:
    at = datetime.fromisoformat(f"{day}T02:00:00+00:00")
    known = listed.for_tool(DEEPSEEK, "deepseek-v4-pro")
    assert known.cost_nusd({"input_tokens": 1}, us(at)) == nusd
    assert known.worst_nusd(1, 0) == 1_320

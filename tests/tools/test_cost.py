"""What an answer costs by each cost model; unknown is never zero."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.spend.prices.book import PriceBook
from clearbar.tools.cost import cost_usd, expected_usd_per_case, usd_per_output_token
from clearbar.tools.rates import Rates
from clearbar.tools.tool import (
    Answer,
    Failure,
    GpuPrice,
    NoPrice,
    TokenPrice,
    TokenUsage,
    Tool,
)

if TYPE_CHECKING:
    from clearbar.tools.tool import Kind

NOW = datetime(2026, 11, 1, tzinfo=UTC)
USAGE = TokenUsage(input_tokens=1000, cache_read_tokens=200, output_tokens=100)
H100 = GpuPrice(Decimal("3.13"), Decimal(850), Decimal("0.30"))
OWN = TokenPrice(Decimal("0.25"), Decimal(2))


@pytest.fixture(scope="session")
def rates(tmp_path_factory: pytest.TempPathFactory) -> Rates:
    return Rates(PriceBook.open(tmp_path_factory.mktemp("prices")))


def gpt(**fields: Any) -> Tool:
    return Tool("gpt", "openai", model="gpt-4o", **fields)


def cost(tool: Tool, rates: Rates, usage: TokenUsage | None = USAGE, **said: Any) -> Any:
    return cost_usd(tool, Answer("", usage=usage, **said), rates, NOW)


def test_without_rates_of_its_own_a_tool_costs_what_the_book_says(rates: Rates) -> None:
    assert cost(gpt(), rates) == Decimal("0.00375")  # 2.50, 1.25 cached and 10 a million


def test_the_model_that_answered_decides_the_price(rates: Rates) -> None:
    assert cost(gpt(), rates, model="gpt-4o-mini") < cost(gpt(), rates, model="gpt-4o")


def test_how_it_was_served_decides_the_price(rates: Rates) -> None:
    fresh = TokenUsage(input_tokens=1000, output_tokens=100)
    assert cost(gpt(), rates, fresh, service_tier="batch") == cost(gpt(), rates, fresh) / 2


def test_an_endpoint_of_ones_own_is_not_priced_as_the_vendor_of_its_model(rates: Rates) -> None:
    local = gpt(url="http://127.0.0.1:8080/v1")
    assert cost(local, rates) is None
    assert cost(gpt(url="http://127.0.0.1:8080/v1", provider="openai"), rates) is not None


def test_rates_of_its_own_hold_for_all_input_cached_or_not(rates: Rates) -> None:
    tool = Tool("own", "openai", model="m", url="http://10.0.0.7/v1", cost=OWN)
    assert cost(tool, rates) == (1200 * Decimal("0.25") + 100 * 2) / 1_000_000
    written = TokenUsage(input_tokens=1, cache_write_5m_tokens=2, output_tokens=0)
    assert cost(tool, rates, written) == Decimal("0.00000075")


@pytest.mark.parametrize(
    "usage", [None, TokenUsage(input_tokens=5), TokenUsage(output_tokens=5), TokenUsage()]
)
def test_what_is_not_reported_makes_the_cost_unknown(
    rates: Rates, usage: TokenUsage | None
) -> None:
    assert cost(Tool("own", "openai", model="m", cost=OWN), rates, usage) is None
    assert cost(gpt(), rates, usage) is None


def test_a_used_meter_without_a_rate_makes_the_cost_unknown(rates: Rates) -> None:
    half = Tool("own", "openai", model="m", cost=TokenPrice(input_usd_per_million=Decimal(1)))
    assert cost(half, rates) is None
    assert cost(half, rates, TokenUsage(input_tokens=5, output_tokens=0)) == Decimal("0.000005")


def test_a_gpu_at_a_share_of_its_hours_costs_by_the_output_token(rates: Rates) -> None:
    tool = Tool("own", "openai", model="llama", url="http://10.0.0.7/v1", cost=H100)
    assert round(usd_per_output_token(H100) * 10**6, 2) == Decimal("3.41")
    assert round(cost(tool, rates, TokenUsage(output_tokens=10**6)), 2) == Decimal("3.41")
    assert cost(tool, rates, TokenUsage(input_tokens=5)) is None


@given(
    hour=st.decimals("0.01", "100", places=2),
    speed=st.integers(1, 10**5),
    share=st.decimals("0.01", "1", places=2),
    tokens=st.integers(0, 10**6),
)
def test_an_hour_of_output_costs_an_hour_of_the_gpu(
    hour: Decimal, speed: int, share: Decimal, tokens: int
) -> None:
    price = GpuPrice(hour, Decimal(speed), share)
    in_an_hour = 3600 * speed * share
    each = usd_per_output_token(price)
    assert abs(each * in_an_hour - hour) <= in_an_hour * Decimal("1e-24")
    tool = Tool("own", "openai", model="m", cost=price)
    found = cost_usd(tool, Answer("", usage=TokenUsage(output_tokens=tokens)), NO_RATES, NOW)
    assert found is not None
    assert abs(found - each * tokens) <= (tokens + 1) * Decimal("1e-24")


NO_RATES: Any = None


@pytest.mark.parametrize("kind", ["rules", "classifier"])
def test_what_is_worked_out_here_costs_nothing(rates: Rates, kind: Kind) -> None:
    assert cost(Tool("here", kind, file="x"), rates, None) == 0


def test_a_command_costs_nothing_only_where_that_is_declared(rates: Rates) -> None:
    command = Tool("cmd", "command", command=("cat",))
    free = Tool("cmd", "command", command=("cat",), cost=NoPrice("runs on the desk's machine"))
    assert (cost(command, rates, None), cost(free, rates, None)) == (None, 0)


@pytest.mark.parametrize(
    ("failure", "usd"),
    [
        (Failure("refused", retry=True, status=429), Decimal(0)),
        (Failure("refused", retry=True, status=503), Decimal(0)),
        (Failure("sent elsewhere", retry=False, status=307), Decimal(0)),
        (Failure("nobody is there", retry=True, sent=False), Decimal(0)),
        (Failure("timed out", retry=True), None),
        (Failure("garbage", retry=True, status=200), None),
        (Failure("empty", retry=True, status=200, usage=USAGE), Decimal("0.00375")),
    ],
)
def test_a_failure_costs_nothing_only_where_the_endpoint_refused(
    rates: Rates, failure: Failure, usd: Decimal | None
) -> None:
    assert cost_usd(gpt(), failure, rates, NOW) == usd


def test_what_a_case_will_cost_is_told_by_mean_token_counts(rates: Rates) -> None:
    assert expected_usd_per_case(gpt(), 1000, 100, rates, NOW) == Decimal("0.0035")
    assert expected_usd_per_case(gpt(), 999.5, 99.2, rates, NOW) == Decimal("0.0035")


@pytest.mark.parametrize(
    ("tool", "usd"),
    [
        (Tool("r", "rules", file="x"), 0),
        (Tool("c", "command", command=("cat",)), None),
        (Tool("p", "python", function="a:b"), None),
        (Tool("p", "python", function="a:b", cost=NoPrice("ours")), 0),
        (Tool("two", "cascade", first="a", then="b"), None),
        (Tool("new", "openai", model="no-such-model"), None),
    ],
)
def test_what_no_tokens_tell_is_zero_or_unknown(rates: Rates, tool: Tool, usd: int | None) -> None:
    assert expected_usd_per_case(tool, 1000, 100, rates, NOW) == usd

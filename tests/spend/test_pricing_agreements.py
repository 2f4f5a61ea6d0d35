"""What is paid in advance costs nothing extra, and keeps what it would have cost."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.spend.ledger_cases import append
from tests.spend.record_makers import record
from tests.spend.staged import at, price_one

from clearbar.core.errors import ClearbarError
from clearbar.spend.charge import MAX_QUANTITY, METERS, Origin
from clearbar.spend.prices.agreements import Agreements, Commitment, Plan
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.prices.price_override import PriceOverride

if TYPE_CHECKING:
    from tests.spend.staged import Priced

    from clearbar.spend.storage.ledger import Ledger

MILLION = 1_000_000
SEATS = Plan(name="seats", provider="openai", start=date(2026, 9, 1), end=date(2026, 10, 1))
PTU = Commitment(name="ptu", provider="openai", service_tier="provisioned", start=date(2026, 9, 1))


@pytest.fixture
def priced(book: PriceBook) -> Any:
    """Price one charge under some agreements."""

    def run(
        *agreed: Plan | Commitment, book_model: str | None = "openai/gpt-4o", **fields: Any
    ) -> Priced:
        own = Agreements(
            plans=tuple(each for each in agreed if isinstance(each, Plan)),
            commitments=tuple(each for each in agreed if isinstance(each, Commitment)),
        )
        opened = PriceBook.open(book.path.parent, (), own)
        return price_one(opened, book_model, **fields)

    return run


def test_a_covered_call_costs_nothing_and_keeps_its_list_value(priced: Any) -> None:
    found = priced(SEATS, input_tokens=MILLION)
    assert (found.cost_usd, found.covered_usd, found.basis) == (0, Decimal("2.5"), "priced")
    assert found.price_id == "openai/gpt-4o#0+plan:seats"


def test_a_call_that_nothing_covers_has_no_list_value(priced: Any) -> None:
    found = priced(SEATS, book_model="anthropic/claude-3-7-sonnet-latest", input_tokens=MILLION)
    assert (found.cost_usd, found.covered_usd) == (3, None)


@pytest.mark.parametrize(("day", "cost"), [("2026-08-31", "2.5"), ("2026-10-01", "2.5")])
def test_a_plan_covers_only_its_own_days(priced: Any, day: str, cost: str) -> None:
    found = priced(SEATS, started_at=at(day), input_tokens=MILLION)
    assert (found.cost_usd, found.covered_usd) == (Decimal(cost), None)


def test_a_plan_covers_a_model_that_the_book_does_not_know(priced: Any) -> None:
    found = priced(SEATS, book_model=None, provider="openai", model="secret", input_tokens=1)
    assert (found.cost_usd, found.covered_usd, found.price_id) == (0, None, "plan:seats")


def test_what_a_program_computed_is_the_list_value_where_the_book_knows_none(priced: Any) -> None:
    found = priced(
        SEATS,
        book_model=None,
        provider="openai",
        model="secret",
        input_tokens=1,
        reported_cost_usd=Decimal("0.07"),
    )
    assert (found.cost_usd, found.covered_usd) == (0, Decimal("0.07"))


def test_a_bill_says_what_is_paid_on_top_of_a_plan(priced: Any) -> None:
    found = priced(SEATS, input_tokens=1, reported_cost_usd=Decimal(4), reported_basis="billed")
    assert (found.cost_usd, found.covered_usd, found.basis) == (4, None, "billed")


def test_a_covered_call_of_unknown_usage_costs_nothing_extra_too(priced: Any) -> None:
    found = priced(SEATS, usage="missing")
    assert (found.cost_usd, found.covered_usd, found.basis) == (0, None, "priced")


def test_a_covered_call_that_failed_has_a_list_value_of_zero(priced: Any) -> None:
    found = priced(SEATS, status="error", usage="missing")
    assert (found.cost_usd, found.covered_usd) == (0, 0)


def test_provisioned_throughput_has_the_standard_list_value(priced: Any) -> None:
    found = priced(PTU, service_tier="provisioned", input_tokens=MILLION)
    assert (found.cost_usd, found.covered_usd) == (0, Decimal("2.5"))


def test_spill_over_is_standard_price(priced: Any) -> None:
    found = priced(PTU, service_tier="standard", input_tokens=MILLION)
    assert (found.cost_usd, found.covered_usd) == (Decimal("2.5"), None)


def test_a_provisioned_call_without_a_commitment_is_unpriced(priced: Any) -> None:
    found = priced(PTU, service_tier="provisioned", started_at=at("2026-08-31"), input_tokens=1)
    assert found.basis == "unpriced"


def test_a_covered_price_explains_itself(book: PriceBook) -> None:
    own = PriceBook.open(book.path.parent, (), Agreements(plans=(SEATS,)))
    said = own.explain("openai/gpt-4o#0+plan:seats")
    assert said["covered"] == "paid in advance: costs nothing extra"
    assert said["source"] == f'{own.version}; [[plan]] "seats" in clearbar.toml'
    assert not [key for key in said if key.startswith("usd_per_million")]


def scoped(discount: str, **only: str) -> PriceOverride:
    return PriceOverride("*", "*", discount=Decimal(discount), only=tuple(only.items()))


def costs(ledger: Ledger, book: PriceBook, *origins: Origin) -> list[Decimal]:
    append(
        ledger,
        book,
        [
            record(f"upstream:msg_{number}", origin, input_tokens=MILLION, output_tokens=0)
            for number, origin in enumerate(origins)
        ],
    )
    charges = ledger.charges()
    assert charges is not None
    rows = dict(ledger.engine.rows(charges.select("origin_id", "cost_usd")))
    return [rows[origin.origin_id] for origin in origins]


def origin(**values: str) -> Origin:
    return Origin(source="litellm", provider="openai", model="gpt-4o", **values)


def test_a_discount_of_one_team_is_no_discount_of_another(ledger: Ledger, book: PriceBook) -> None:
    own = PriceBook.open(book.path.parent, [scoped("0.2", team="search")])
    found = costs(ledger, own, origin(team="search"), origin(team="ads"), origin())
    assert found == [2, Decimal("2.5"), Decimal("2.5")]


@pytest.mark.parametrize("dimension", ["account", "credential", "project", "principal"])
def test_a_contract_may_hold_for_one_account_or_key(
    ledger: Ledger, book: PriceBook, dimension: str
) -> None:
    own = PriceBook.open(book.path.parent, [scoped("0.4", **{dimension: "acme-*"})])
    found = costs(ledger, own, origin(**{dimension: "Acme-1"}), origin(**{dimension: "other"}))
    assert found == [Decimal("1.5"), Decimal("2.5")]


def test_a_contract_of_two_dimensions_needs_both(ledger: Ledger, book: PriceBook) -> None:
    own = PriceBook.open(book.path.parent, [scoped("0.4", account="acme", team="search")])
    found = costs(ledger, own, origin(account="acme"), origin(account="acme", team="search"))
    assert found == [Decimal("2.5"), Decimal("1.5")]


def test_a_global_discount_and_a_teams_own_stand_beside_each_other(
    ledger: Ledger, book: PriceBook
) -> None:
    general = PriceOverride("*", "*", discount=Decimal("0.22"))
    own = PriceBook.open(book.path.parent, [general, scoped("0.4", team="search")])
    found = costs(ledger, own, origin(team="search"), origin(team="ads"))
    assert found == [Decimal("1.5"), Decimal("1.95")]


def test_a_plan_of_one_source_leaves_the_others_at_their_price(
    ledger: Ledger, book: PriceBook
) -> None:
    seats = Plan(name="seats", only=(("source", "claude_code"),), start=date(2026, 1, 1))
    own = PriceBook.open(book.path.parent, (), Agreements(plans=(seats,)))
    coding = Origin(source="claude_code", provider="openai", model="gpt-4o")
    assert costs(ledger, own, coding, origin()) == [0, Decimal("2.5")]


@pytest.mark.parametrize("calls", [10**11, 10**13])
def test_a_cost_that_no_ledger_can_hold_is_a_clear_error(book: PriceBook, calls: int) -> None:
    dear = PriceOverride("*", "*", usd_per_call=Decimal(10_000))
    own = PriceBook.open(book.path.parent, [dear])
    with pytest.raises(ClearbarError, match="more than the ledger can hold") as caught:
        price_one(own, grain="bucket", calls=calls)
    assert "[[price]]" in caught.value.hint


def test_the_dearest_declared_price_of_the_largest_record_is_held(book: PriceBook) -> None:
    dear = dict.fromkeys(METERS, Decimal(100_000))
    own = PriceBook.open(book.path.parent, [PriceOverride("*", "*", usd_per_million=dear)])
    tokens = [meter for meter in METERS if meter.endswith("_tokens")]
    found = price_one(own, **dict.fromkeys(tokens, MAX_QUANTITY))
    assert found.cost_usd == len(tokens) * 10**12


@pytest.mark.parametrize("usage", ["final", "missing"])
def test_a_reported_zero_for_what_was_used_and_not_priced_is_unknown(
    book: PriceBook, usage: str
) -> None:
    found = price_one(
        book,
        None,
        provider="vllm",
        model="own-llama",
        usage=usage,
        input_tokens=5,
        reported_cost_usd=Decimal(0),
    )
    assert (found.cost_usd, found.basis) == (None, "unpriced")


def test_a_bill_of_zero_is_a_zero(book: PriceBook) -> None:
    found = price_one(
        book, None, input_tokens=5, reported_cost_usd=Decimal(0), reported_basis="billed"
    )
    assert (found.cost_usd, found.basis) == (Decimal(0), "billed")

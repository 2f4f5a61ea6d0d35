"""What may be declared beside prices, and what is said when it is wrong."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clearbar.core.errors import DeclarationError
from clearbar.declared import parse
from clearbar.spend.prices.agreements import Commitment, Credit, CurrencyRate, Plan, SelfHosted

if TYPE_CHECKING:
    from clearbar.declared import Declared

MACHINE = """
[[self_hosted]]
name = "llama"
model = "llama-3*"
usd_per_gpu_hour = "3.13"
gpus = 4
input_tokens_per_second = 24000
output_tokens_per_second = 3400
utilisation = 0.3
"""


def declared(text: str) -> Declared:
    return parse(text, Path("clearbar.toml"))


def fault(text: str) -> str:
    with pytest.raises(DeclarationError) as caught:
        declared(text)
    return caught.value.message


def test_a_currency_has_dated_rates() -> None:
    found = declared(
        """
        [[currency]]
        code = "EUR"
        usd = "1.0873"
        from = 2026-07-01
        source = "treasury"
        [[currency]]
        code = "EUR"
        usd = 1.1
        from = 2026-10-01
        """
    )
    assert found.agreements.currencies == (
        CurrencyRate("EUR", Decimal("1.0873"), date(2026, 7, 1), "treasury"),
        CurrencyRate("EUR", Decimal("1.1"), date(2026, 10, 1)),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('code = "euro"\nusd = 1\nfrom = 2026-01-01', "three capital letters of ISO 4217"),
        ('code = "USD"\nusd = 1\nfrom = 2026-01-01', "US dollars need no rate"),
        ('code = "EUR"\nusd = 0\nfrom = 2026-01-01', "US dollars above zero"),
        ('code = "EUR"\nusd = -1.1\nfrom = 2026-01-01', "US dollars above zero"),
        ('code = "EUR"\nusd = 1.1', 'expected the key "from"'),
        ('code = "EUR"\nfrom = 2026-01-01', 'expected the key "usd"'),
    ],
)
def test_a_rate_that_cannot_be_is_refused(text: str, said: str) -> None:
    assert said in fault(f"[[currency]]\n{text}\n")


def test_two_rates_of_one_day_are_refused() -> None:
    rate = '[[currency]]\ncode = "EUR"\nusd = 1.1\nfrom = 2026-01-01\n'
    assert "a second rate of EUR from 2026-01-01" in fault(rate + rate)


def test_a_plan_says_what_it_costs_and_covers() -> None:
    found = declared(
        """
        [[plan]]
        name = "seats"
        provider = "anthropic"
        only = { source = "claude_code", team = "platform" }
        from = 2026-07-01
        until = 2027-07-01
        usd_per_month = "200"
        seats = 12
        split = "list_value"
        """
    )
    assert found.agreements.plans == (
        Plan(
            name="seats",
            provider="anthropic",
            only=(("source", "claude_code"), ("team", "platform")),
            start=date(2026, 7, 1),
            end=date(2027, 7, 1),
            usd_per_month=Decimal(200),
            seats=12,
            split="list_value",
        ),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "a"\nfrom = 2026-01-01', "what does it cover?"),
        ('name = "a"\nprovider = "x"', 'expected the key "from"'),
        ('name = "a"\nprovider = "x"\nfrom = 2026-02-01\nuntil = 2026-02-01', "a day after"),
        ('name = "a"\nprovider = "x"\nfrom = 2026-02-01\nseats = 0', "a whole number above zero"),
        ('name = "a"\nprovider = "x"\nfrom = 2026-02-01\nonly = { model = "b" }', "no dimension"),
        ('name = "a"\nprovider = "x"\nfrom = 2026-02-01\nsplit = "even"', '"list_value"'),
    ],
)
def test_a_plan_that_cannot_be_is_refused(text: str, said: str) -> None:
    assert said in fault(f"[[plan]]\n{text}\n")


def test_a_commitment_is_paid_by_the_hour() -> None:
    found = declared(
        """
        [[commitment]]
        name = "ptu"
        provider = "azure"
        service_tier = "provisioned"
        from = 2026-07-01
        usd_per_hour = "1.00"
        units = 50
        tokens_per_hour = 9000000
        """
    )
    assert found.agreements.commitments == (
        Commitment(
            name="ptu",
            provider="azure",
            service_tier="provisioned",
            start=date(2026, 7, 1),
            usd_per_hour=Decimal(1),
            units=50,
            tokens_per_hour=9_000_000,
        ),
    )


def test_a_self_hosted_model_is_declared_by_what_was_measured() -> None:
    assert declared(MACHINE).agreements.self_hosted == (
        SelfHosted(
            name="llama",
            model="llama-3*",
            usd_per_gpu_hour=Decimal("3.13"),
            gpus=4,
            input_tokens_per_second=Decimal(24_000),
            output_tokens_per_second=Decimal(3_400),
            utilisation=Decimal("0.3"),
        ),
    )


@pytest.mark.parametrize(
    "key",
    [
        "usd_per_gpu_hour",
        "gpus",
        "input_tokens_per_second",
        "output_tokens_per_second",
        "utilisation",
    ],
)
def test_a_self_hosted_model_has_no_default_for_what_has_to_be_measured(key: str) -> None:
    without = "\n".join(line for line in MACHINE.splitlines() if not line.startswith(key))
    assert f'expected the key "{key}"' in fault(without)


@pytest.mark.parametrize("key", ["usd_per_gpu_hour", "gpus", "utilisation"])
def test_a_self_hosted_model_is_never_free(key: str) -> None:
    lines = [f"{key} = 0" if line.startswith(key) else line for line in MACHINE.splitlines()]
    assert "above" in fault("\n".join(lines))


def test_hours_of_machines_need_a_first_day() -> None:
    assert "from which day are they paid?" in fault(f"{MACHINE}hours_per_day = 24\n")


def test_a_credit_is_an_amount_from_a_day_on() -> None:
    found = declared(
        """
        [[credit]]
        name = "start"
        usd = "5000"
        provider = "aws"
        from = 2026-07-01
        """
    )
    assert found.agreements.credits == (
        Credit(name="start", usd=Decimal(5_000), provider="aws", start=date(2026, 7, 1)),
    )


def test_two_agreements_of_one_name_are_refused() -> None:
    plan = '[[plan]]\nname = "a"\nprovider = "x"\nfrom = 2026-01-01\n'
    assert "is declared twice" in fault(plan + plan)


def test_a_price_may_hold_for_one_team() -> None:
    [price] = declared(
        '[[price]]\nprovider = "*"\nmodel = "*"\ndiscount = 0.2\nonly = { team = "search" }\n'
    ).prices
    assert price.only == (("team", "search"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("usd_per_million = { input_tokens = 1e12 }", "US dollars from 0 to 1,000,000"),
        ('usd_per_million = { output_tokens = "250000" }', "is it one of a single unit?"),
        ("usd_per_call = 1e12", "US dollars from 0 to 10,000"),
    ],
)
def test_a_price_that_no_ledger_could_hold_is_refused(text: str, said: str) -> None:
    assert said in fault(f'[[price]]\nprovider = "*"\nmodel = "*"\n{text}\n')


def test_the_price_of_an_image_may_be_high_for_a_million() -> None:
    [price] = declared(
        '[[price]]\nprovider = "*"\nmodel = "*"\nusd_per_million = { images = "250000" }\n'
    ).prices
    assert price.usd_per_million == {"images": 250_000}

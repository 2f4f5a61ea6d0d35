"""A trial from recorded scores alone: nothing is asked, nothing is bought, nothing is hidden."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from clearbar.core.errors import ClearbarError, UnknownName
from clearbar.own.workflow import Bar
from clearbar.trial.recorded.recorded_order import recorded_order
from clearbar.trial.recorded.recorded_score import RecordedScore
from clearbar.trial.recorded.recorded_scores import Columns, gather, read_recorded_scores
from clearbar.trial.recorded.replay import recorded_prices, replay
from clearbar.trial.trial import Error

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from clearbar.tools.tool import Tier
    from clearbar.trial.trial import Certificate

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ERROR = Error(certify=0.05, drop=0.1)
AT_LEAST = Bar(at_least=0.9)
WITHIN = Bar(within=0.05, of="opus")
PRICES = {"rules": "0", "haiku": "0.001", "opus": "0.05"}
SHARES = {"rules": 0.4, "haiku": 0.97, "opus": 0.98}


def rows(
    shares: Mapping[str, float] = SHARES, cases: int = 400, prices: Mapping[str, str] = PRICES
) -> list[RecordedScore]:
    return [
        RecordedScore(
            case=f"case-{i}",
            tool=tool,
            score=float(random.Random(f"{tool} {i}").random() < share),
            cost_usd=Decimal(prices[tool]) if tool in prices else None,
        )
        for i in range(cases)
        for tool, share in shares.items()
    ]


def replayed(
    recorded: Iterable[RecordedScore],
    bar: Bar = AT_LEAST,
    *,
    seed: int = 0,
    tiers: Mapping[str, Tier] | None = None,
    incumbent: str | None = None,
) -> Certificate:
    scores = gather(recorded, "scores.csv")
    return replay(scores, bar, ERROR, seed, now=NOW, tiers=tiers, incumbent=incumbent)


def outcomes(certificate: Certificate) -> dict[str, tuple[str, str]]:
    return {each.tool: (each.outcome, each.reason) for each in certificate.findings}


def test_the_cheapest_tool_that_clears_wins() -> None:
    certificate = replayed(rows())
    assert certificate.winner == "haiku"
    assert outcomes(certificate) == {
        "rules": ("fails", "evidence"),
        "haiku": ("clears", "evidence"),
        "opus": ("undecided", "dearer"),
    }


def test_a_relative_bar_compares_on_the_same_cases() -> None:
    certificate = replayed(rows(), WITHIN)
    assert (certificate.winner, certificate.incumbent) == ("haiku", "opus")
    assert outcomes(certificate)["opus"] == ("undecided", "incumbent")


def test_nothing_is_bought() -> None:
    certificate = replayed(rows())
    assert (certificate.calls, certificate.spent_usd) == (0, Decimal(0))
    assert {each.calls for each in certificate.findings} == {0}


def test_what_a_tool_costs_is_what_was_recorded() -> None:
    usd = {each.tool: each.usd_per_case for each in replayed(rows()).findings}
    assert usd == {tool: Decimal(price) for tool, price in PRICES.items()}


def test_the_same_seed_gives_the_same_certificate_whatever_the_order_of_the_rows() -> None:
    shuffled = random.Random(1).sample(rows(), 1200)
    assert replayed(shuffled) == replayed(rows())


def test_another_seed_takes_another_order() -> None:
    one = recorded_order(rows(), 0).order
    assert sorted(one) == sorted(recorded_order(rows(), 1).order)
    assert one != recorded_order(rows(), 1).order


def test_one_case_of_each_cluster_is_used_and_the_reader_is_told() -> None:
    clustered = [replace(row, cluster=str(int(row.case[5:]) // 4)) for row in rows()]
    certificate = replayed(clustered)
    assert certificate.identity.cases == 100
    assert "400 cases share 100 clusters: one case of each is used" in certificate.warnings


def test_the_identity_names_every_tool_and_the_file() -> None:
    identity = replayed(rows()).identity
    assert sorted(identity.tools) == ["haiku", "opus", "rules"]
    assert (identity.cases_from, identity.cases, identity.seed) == ("scores.csv", 400, 0)
    changed = [replace(row, score=1.0) if row.tool == "opus" else row for row in rows()]
    other = replayed(changed).identity
    assert other.cases_digest != identity.cases_digest
    assert other.tools["opus"] != identity.tools["opus"]
    assert other.tools["haiku"] == identity.tools["haiku"]


def test_a_label_by_a_person_decides() -> None:
    wrong = [replace(row, label=0.0) if row.tool == "haiku" else row for row in rows()]
    certificate = replayed(wrong)
    assert certificate.winner == "opus"
    assert certificate.finding_of["haiku"].labels > 0
    assert any("labels differ from the scores" in warning for warning in certificate.warnings)


def test_scores_between_zero_and_one_are_not_taken_as_yes_or_no() -> None:
    half = [replace(row, score=(row.score or 0.0) * 0.99) for row in rows()]
    certificate, whole = replayed(half), replayed(rows())
    needed = certificate.finding_of["haiku"].log_for_needed
    assert needed > whole.finding_of["haiku"].log_for_needed


def test_a_tool_is_judged_by_the_cases_that_it_has_and_the_reader_is_told() -> None:
    some = [row for row in rows() if row.tool != "haiku" or int(row.case[5:]) % 2]
    certificate = replayed(some)
    assert certificate.winner == "haiku"
    assert certificate.warnings[:-1] == (
        "haiku has scores for 200 of 400 cases: it is judged by these alone",
    )
    compared = replayed(some, WITHIN)
    assert compared.warnings[:-1] == (
        "haiku has scores together with opus for 200 of 400 cases: it is judged by these alone",
    )


def test_a_tool_that_was_given_the_easier_cases_is_told() -> None:
    shares = {"haiku": 0.98, "opus": 0.98, "sonnet": 0.98}
    easy = [
        replace(row, score=row.score if int(row.case[5:]) < 200 else float(row.tool == "x"))
        for row in rows(shares)
        if row.tool != "haiku" or int(row.case[5:]) < 200
    ]
    warning = replayed(easy).warnings[0]
    assert warning.startswith("haiku was given the easier cases: other tools score 98")
    assert "0.0% on those that it lacks" in warning


def test_cases_that_are_left_out_by_chance_are_not_called_easier() -> None:
    for seed in range(3):
        chance = random.Random(seed)
        some = [row for row in rows(cases=100) if row.tool != "haiku" or chance.random() < 0.5]
        assert not any("easier" in warning for warning in replayed(some).warnings)


def test_too_few_cases_are_said_before_and_take_no_share_of_the_error_rate() -> None:
    few = [row for row in rows() if row.tool != "rules" or int(row.case[5:]) < 10]
    certificate = replayed(few)
    finding = certificate.finding_of["rules"]
    assert (finding.reason, finding.n, finding.alpha) == ("cases", 0, 0)
    assert finding.note == "10 cases cannot clear the bar"
    assert certificate.finding_of["haiku"].alpha == pytest.approx(0.05 / 2)


def test_a_tool_without_a_single_score_is_undecided_and_told() -> None:
    lost = [replace(row, score=None) if row.tool == "rules" else row for row in rows()]
    certificate = replayed(lost)
    assert outcomes(certificate)["rules"] == ("undecided", "cases")
    assert any(
        warning.startswith("rules was asked 400 cases and has no usable score of them")
        for warning in certificate.warnings
    )
    assert any("400 rows could not be used" in warning for warning in certificate.warnings)


def test_failures_count_against_a_tool_and_do_not_condemn_it() -> None:
    failed = [
        replace(row, status="error", score=None)
        if row.tool == "haiku" and int(row.case[5:]) % 3 == 0
        else row
        for row in rows()
    ]
    certificate = replayed(failed)
    assert certificate.winner == "opus"
    assert outcomes(certificate)["haiku"] == ("undecided", "broken")
    assert "it may clear without them" in certificate.finding_of["haiku"].note
    assert certificate.warnings[0].startswith("haiku failed on 134 of 400 cases: counted as 0")


def test_a_tool_that_fails_without_its_failures_too_fails() -> None:
    failed = [
        replace(row, status="error") if row.tool == "rules" and int(row.case[5:]) % 3 == 0 else row
        for row in rows()
    ]
    certificate = replayed(failed)
    assert outcomes(certificate)["rules"] == ("fails", "evidence")
    assert "have no score or look broken; they count as 0" in certificate.finding_of["rules"].note


@pytest.mark.parametrize("lost", [None, float("nan"), -1.0])
@pytest.mark.parametrize("bar", [AT_LEAST, WITHIN])
def test_scores_that_are_lost_where_a_tool_went_wrong_do_not_certify_it(
    bar: Bar, lost: float | None
) -> None:
    recorded = [
        replace(row, score=lost) if row.tool == "rules" and not row.score else row for row in rows()
    ]
    certificate = replayed(recorded, bar)
    assert outcomes(certificate)["rules"] == ("undecided", "broken")
    assert certificate.winner == "haiku"
    assert any("rules was asked" in warning for warning in certificate.warnings)


def test_a_tool_that_answers_now_right_now_wrong_gains_nothing_by_being_asked_twice() -> None:
    again = rows({"rules": 0.8, "opus": 0.98})
    second = [
        replace(row, score=float(random.Random(row.case).random() < 0.8))
        for row in again
        if row.tool == "rules"
    ]
    finding = replayed([*again, *second]).finding_of["rules"]
    assert finding.outcome == "undecided"
    assert "answers failed, have no score or look broken" in finding.note


def test_a_few_lost_scores_do_not_keep_a_good_tool_from_clearing() -> None:
    recorded = [
        replace(row, score=None) if row.tool == "haiku" and row.case == "case-7" else row
        for row in rows()
    ]
    assert replayed(recorded).winner == "haiku"


def test_failures_of_the_tool_in_use_do_not_condemn_those_compared_with_it() -> None:
    failed = [
        replace(row, status="error", score=None)
        if row.tool == "opus" and int(row.case[5:]) % 3 == 0
        else row
        for row in rows({"rules": 0.4, "haiku": 0.5, "opus": 0.5})
    ]
    certificate = replayed(failed, WITHIN)
    assert outcomes(certificate)["haiku"] == ("undecided", "broken")
    assert "134 of 400 answers of opus" in certificate.finding_of["haiku"].note


def categories(low: str) -> list[RecordedScore]:
    """Return the rows in four categories; the tool `low` scores nothing in one of them."""
    shared = [replace(row, category="abcd"[int(row.case[5:]) % 4]) for row in rows()]
    return [
        replace(row, score=0.0) if (row.tool, row.category) == (low, "c") else row for row in shared
    ]


def test_broken_evidence_of_a_candidate_neither_certifies_nor_condemns_it() -> None:
    certificate = replayed(categories("haiku"))
    assert certificate.winner == "opus"
    assert outcomes(certificate)["haiku"] == ("undecided", "broken")
    assert certificate.warnings[0].startswith("haiku scores 0.0% on 100 cases of c")


def test_broken_evidence_of_the_tool_in_use_certifies_nobody() -> None:
    certificate = replayed(categories("opus"), WITHIN)
    mean = certificate.finding_of["haiku"].mean
    assert certificate.winner == "haiku"
    assert mean is not None
    assert mean < 0.02  # not raised by a quarter of the cases, in which opus scores nothing


def test_what_a_person_has_labelled_is_not_in_doubt() -> None:
    labelled = [replace(row, label=row.score) for row in categories("haiku")]
    certificate = replayed(labelled)
    assert outcomes(certificate)["haiku"][0] != "clears"
    assert outcomes(certificate)["haiku"][1] != "broken"


def test_tools_without_prices_are_tried_by_name_and_the_reader_is_told() -> None:
    certificate = replayed(rows(prices={}))
    assert certificate.winner == "haiku"
    assert certificate.warnings == (
        "no tool has a price: which is the cheapest is not known; tried by tier and name",
    )


def test_a_price_of_zero_in_every_row_is_no_price_of_a_model() -> None:
    tiers: dict[str, Tier] = {"rules": "small", "haiku": "small", "opus": "frontier"}
    certificate = replayed(rows(), tiers=tiers)
    assert "rules costs 0 in every row: taken as not recorded" in certificate.warnings
    assert certificate.finding_of["rules"].usd_per_case in {None, Decimal(0)}
    assert [each.tool for each in certificate.findings] == ["haiku", "rules", "opus"]


def test_what_is_no_model_may_cost_nothing() -> None:
    certificate = replayed(rows(), tiers={"rules": "none"})
    assert certificate.warnings == ()
    assert certificate.findings[0].tool == "rules"


def test_a_tool_that_is_not_known_to_be_a_model_is_taken_as_free_and_the_reader_is_told() -> None:
    assert replayed(rows()).warnings == ("rules costs 0 in every row: taken as free",)


def test_tokens_without_a_cost_are_no_free_tool() -> None:
    with_tokens = [replace(row, input_tokens=9) for row in rows()]
    assert "rules" not in recorded_prices(with_tokens, dict.fromkeys(PRICES, "unknown"))


def test_where_every_cost_is_zero_none_was_recorded() -> None:
    nothing = rows(prices=dict.fromkeys(PRICES, "0"))
    assert recorded_prices(nothing, dict.fromkeys(PRICES, "unknown")) == {}


def test_a_price_is_the_mean_of_the_recorded_costs() -> None:
    some = [
        replace(row, cost_usd=None) if row.tool == "haiku" and int(row.case[5:]) % 2 else row
        for row in rows()
    ]
    assert "haiku has a cost in 200 of 400 rows: its price is their mean" in replayed(some).warnings


def test_given_prices_stand_above_recorded_costs() -> None:
    scores = gather(rows(), "scores.csv")
    dear = {"haiku": Decimal(9)}
    certificate = replay(scores, AT_LEAST, ERROR, 0, now=NOW, prices=dear, workflow="support")
    assert certificate.winner == "opus"
    assert certificate.identity.workflow == "support"


def test_a_tool_without_tokens_is_told() -> None:
    empty = [replace(row, input_tokens=0, output_tokens=0) for row in rows()]
    told = [warning for warning in replayed(empty).warnings if "tokens" in warning]
    assert told[0] == "haiku took no tokens in any row"


def test_the_tool_in_use_of_an_absolute_bar_is_a_candidate_like_any_other() -> None:
    certificate = replayed(rows(), incumbent="haiku")
    assert (certificate.incumbent, certificate.winner) == ("haiku", "haiku")


def test_a_tool_that_has_no_scores_cannot_be_compared_with() -> None:
    with pytest.raises(UnknownName, match='no scores of "opsu"') as error:
        replayed(rows(), Bar(within=0.05, of="opsu"))
    assert 'Did you mean "opus"?' in error.value.message
    with pytest.raises(UnknownName, match='no scores of "x"'):
        replayed(rows(), incumbent="x")


def test_nothing_recorded_cannot_be_replayed() -> None:
    with pytest.raises(ClearbarError, match="holds no scores"):
        replayed([])


def test_what_is_wrong_with_the_rows_is_said_where_none_can_be_used() -> None:
    with pytest.raises(ClearbarError, match="holds no scores") as error:
        replayed([replace(row, score=7.0, line=2) for row in rows(cases=1)])
    assert error.value.hint == "3 not used; line 2: score is not from 0 to 1"


def test_no_number_of_cases_shows_a_mean_of_one() -> None:
    finding = replayed(rows(), Bar(at_least=1)).finding_of["opus"]
    assert finding.note == "no number of cases can clear the bar"


@pytest.mark.slow
def test_where_the_dearer_model_is_the_worse_one_the_cheaper_wins(shared_data: Path) -> None:
    path = shared_data / "scores/router_arena/samples.csv.gz"
    scores = read_recorded_scores(path, Columns(case="sample_id", tool="model"))
    for seed in range(5):
        bar = Bar(within=0.03, of="claude-3-haiku-20240307")
        certificate = replay(scores, bar, ERROR, seed, now=NOW)
        assert certificate.winner == "gemini-2.0-flash-001"
        assert outcomes(certificate)["gpt-4o"] == ("undecided", "cases")

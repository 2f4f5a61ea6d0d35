from __future__ import annotations

import asyncio

from prometheus_client.parser import text_string_to_metric_families
from tests.route.operating.gateway import NOW, SmallGateway
from tests.route.operating.lines import AT_US, ended, held

from clearbar.route.journal.entry import Noted, Refused
from clearbar.route.operating.facts import AccountRow, AlarmRow
from clearbar.route.operating.feed import Feed
from clearbar.route.operating.metrics import Metrics
from clearbar.route.operating.series import Distributions, Known, Sums


def scraped(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    asyncio.run(metrics.refresh())
    families = text_string_to_metric_families(metrics.page().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(metrics: Metrics, metric: str, /, **labels: str) -> float:
    return scraped(metrics)[metric, tuple(sorted(labels.items()))]


def fed(*lines: object) -> Metrics:
    metrics = Metrics(SmallGateway())
    Feed([metrics]).take(lines)  # type: ignore[arg-type] # lines of the journal
    return metrics


def test_a_call_is_counted_by_workflow_tool_operation_and_outcome() -> None:
    metrics = fed(held(), ended())
    assert (
        value(
            metrics,
            "clearbar_calls_total",
            workflow="support-replies",
            tool="openai",
            arm="passed",
            operation="chat",
            outcome="ok",
        )
        == 1
    )


def test_a_retry_is_a_call_of_its_own_but_no_request() -> None:
    again = held(call_id="call-2", attempt=2)
    metrics = fed(held(), ended(outcome="error", status=503), again, ended(call_id="call-2"))
    assert (
        value(metrics, "clearbar_requests_total", workflow="support-replies", operation="chat") == 1
    )


def test_a_copy_for_the_shadow_is_no_request() -> None:
    metrics = fed(held(arm="shadow"), ended())
    assert not any(name == "clearbar_requests_total" for name, _ in scraped(metrics))


def test_cost_is_in_dollars_by_how_far_it_can_be_trusted() -> None:
    metrics = fed(
        held(), ended(), held(call_id="b"), ended(call_id="b", known="estimated"),
        held(call_id="c"), ended(call_id="c", priced=False, cost_nusd=50_000_000),
    )  # fmt: skip
    cost = {
        basis: value(
            metrics,
            "clearbar_cost_dollars_total",
            workflow="support-replies",
            tool="openai",
            basis=basis,
        )
        for basis in ("priced", "estimated", "unpriced")
    }
    assert cost == {"priced": 0.0021, "estimated": 0.0021, "unpriced": 0.05}


def test_tokens_are_counted_by_meter() -> None:
    metrics = fed(held(), ended())
    tokens = value(
        metrics,
        "clearbar_tokens_total",
        workflow="support-replies",
        tool="openai",
        meter="cache_read_tokens",
        known="reported",
    )
    assert tokens == 10


def test_money_is_held_while_a_call_is_in_flight_and_not_after() -> None:
    open_now = value(fed(held()), "clearbar_held_dollars", workflow="support-replies")
    after = value(fed(held(), ended()), "clearbar_held_dollars", workflow="support-replies")
    assert (open_now, after) == (0.004, 0)


def test_calls_in_flight_go_up_and_down() -> None:
    labels = {"workflow": "support-replies", "tool": "openai"}
    assert value(fed(held()), "clearbar_calls_in_flight", **labels) == 1
    assert value(fed(held(), ended()), "clearbar_calls_in_flight", **labels) == 0


def test_latency_falls_into_its_bucket() -> None:
    metrics = fed(held(), ended())
    labels = {"workflow": "support-replies", "tool": "openai"}
    bucket = "clearbar_call_duration_seconds_bucket"
    assert value(metrics, bucket, le="1", **labels) == 0
    assert value(metrics, bucket, le="2.5", **labels) == 1
    assert value(metrics, "clearbar_call_duration_seconds_sum", **labels) == 1.25
    assert value(metrics, "clearbar_first_byte_seconds_count", **labels) == 1


def test_a_call_that_never_left_has_no_latency() -> None:
    metrics = fed(held(), ended(outcome="unsent", status=0, usage={}, cost_nusd=0))
    assert not any("duration" in name for name, _ in scraped(metrics))


def test_a_refusal_is_counted_by_its_code() -> None:
    metrics = fed(Refused(AT_US, "req-2", "over_budget", 429, workflow="support-replies"))
    labels = {"workflow": "support-replies", "code": "over_budget"}
    assert value(metrics, "clearbar_refusals_total", **labels) == 1


def test_a_breaker_that_opens_is_counted_and_shown_while_it_is_open() -> None:
    metrics = fed(
        Noted(AT_US, "breaker_open", "openai", worker="w1"),
        Noted(AT_US, "breaker_open", "small", worker="w1"),
        Noted(AT_US, "breaker_closed", "small", worker="w1"),
    )
    assert value(metrics, "clearbar_breaker_openings_total", tool="openai") == 1
    assert value(metrics, "clearbar_breakers_open", tool="openai") == 1
    assert value(metrics, "clearbar_breakers_open", tool="small") == 0


def test_a_breaker_is_gone_with_its_worker() -> None:
    metrics = Metrics(SmallGateway())
    feed = Feed([metrics])
    feed.take([Noted(AT_US, "breaker_open", "openai", worker="w1")])
    feed.worker_died("w1", AT_US)
    assert value(metrics, "clearbar_breakers_open", tool="openai") == 0


def test_a_budget_shows_its_limit_and_what_is_left() -> None:
    metrics = fed()
    labels = {"scope": "workflow", "name": "support-replies", "per": "month"}
    assert value(metrics, "clearbar_budget_limit_dollars", **labels) == 1
    assert value(metrics, "clearbar_budget_left_dollars", **labels) == 1


def test_balances_that_cannot_be_read_are_said_and_take_nothing_with_them() -> None:
    facts = SmallGateway()
    metrics = Metrics(facts)
    labels = {"scope": "workflow", "name": "support-replies", "per": "month"}
    assert value(metrics, "clearbar_budgets_readable") == 1
    facts.crash = OSError("the disk is gone")
    assert value(metrics, "clearbar_budgets_readable") == 0
    assert value(metrics, "clearbar_budget_left_dollars", **labels) == 1


def test_accounts_of_users_and_runs_are_no_series() -> None:
    facts = SmallGateway()
    facts.accounts = [
        AccountRow(account=f"{scope}:x/run", scope=scope, name="x", per="run", limit_nusd=1,
                   spent_nusd=0, held_nusd=0)
        for scope in ("user", "run", "task")
    ]  # fmt: skip
    names = {
        dict(labels).get("scope")
        for name, labels in scraped(Metrics(facts))
        if name.startswith("clearbar_budget_")
    }
    assert names == {"workflow"}


def test_workers_the_table_and_the_journal_are_seen() -> None:
    metrics = fed()
    assert value(metrics, "clearbar_workers", state="alive") == 1
    assert value(metrics, "clearbar_workers", state="dead") == 1
    assert value(metrics, "clearbar_worker_restarts_total") == 1
    assert value(metrics, "clearbar_table_generation") == 7
    assert value(metrics, "clearbar_journal_lag_seconds") == 0.25
    assert value(metrics, "clearbar_build_info", version="9.9.9") == 1


def test_no_label_holds_a_user_a_task_a_run_or_a_key() -> None:
    metrics = fed(held(user="u-17", task="ticket-9", run="r-3", key="abcdefgh"), ended())
    page = metrics.page().decode()
    assert not any(word in page for word in ("u-17", "ticket-9", "r-3", "abcdefgh"))


def test_values_beyond_the_most_are_other() -> None:
    known = Known(most=2)
    assert [known.of(each) for each in ("a", "b", "c", "a")] == ["a", "b", "other", "a"]


def test_many_workflows_do_not_make_many_series() -> None:
    metrics = fed(
        *(
            line
            for each in range(1000)
            for line in (
                held(call_id=str(each), workflow=f"w{each}", tool=f"t{each}"),
                ended(call_id=str(each)),
            )
        )
    )
    assert len(metrics.page()) < 2_000_000
    found = scraped(metrics)
    calls = {labels: n for (name, labels), n in found.items() if name == "clearbar_calls_total"}
    assert sum(calls.values()) == 1000
    assert len(calls) <= 201


def test_combinations_beyond_the_most_are_summed_as_other() -> None:
    sums = Sums(most=1)
    sums.add(("a", "b"), 2)
    sums.add(("c", "d"), 3)
    sums.add(("e", "f"), 4)
    assert dict(sums) == {("a", "b"): 2, ("other", "other"): 7}


def test_a_histogram_of_too_many_series_keeps_every_value() -> None:
    histogram = Distributions((10, 100), most=1)
    for place in range(3):
        histogram.add((str(place),), [50])
    assert {labels: buckets[-1][1] for labels, buckets, _ in histogram.cumulative()} == {
        ("0",): 1.0,
        ("other",): 2.0,
    }


def test_an_alarm_in_force_and_a_sign_are_told_apart() -> None:
    facts = SmallGateway()
    over = AlarmRow(workflow="old", tool="tiny", at=NOW, what="it fell", in_force=False)
    facts.alarm_rows.append(over)
    found = scraped(Metrics(facts))
    told = {key: amount for key, amount in found.items() if "alarms" in key[0]}
    assert told == {
        ("clearbar_alarms", (("tool", "small"), ("workflow", "support-replies"))): 1,
        ("clearbar_pre_alarms", (("tool", "tiny"), ("workflow", "letters"))): 1,
    }

"""What the programs of the company wrote down, as files in the formats that they have."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.route.journal import journals
from tests.spend.witnesses.company import ACCOUNTS, DAYS, FIRST_DAY_S

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from random import Random

    from tests.spend.witnesses.company import Attempt, Company, Sight

    from clearbar.route.journal.entry import Entry


def write_company(company: Company, folder: Path, journal: Path) -> list[Path]:
    """Write all files of logs in a random order, and the journal of Clearbar's own gateway."""
    folder.mkdir(parents=True)
    rng = company.rng
    rows = [_litellm(each) for each in company.seen if _is(each, "gateway", "litellm")]
    written = _files(folder, "gateway", rows, rng, name_ending=".jsonl")
    spans = [_span(each, each.sights["trace"]) for each in company.seen if each.sees("trace")]
    spans += [_span(each, sight) for each in company.seen for sight in each.again]
    written += _files(folder, "trace", [_request(span) for span in spans], rng, ".jsonl")
    lines = [line for each in company.seen if each.sees("agent") for line in _session(each)]
    written += _files(folder, "session", lines, rng, ".jsonl")
    journals.write(journal, *_journal(company))
    rng.shuffle(written)
    return written


def write_bills(company: Company, folder: Path) -> list[Path]:
    """Write the bill of each provider: OpenAI's costs by day, and a FOCUS export."""
    folder.mkdir(parents=True)
    billed = company.billed_usd
    buckets = [
        {
            "object": "bucket",
            "start_time": FIRST_DAY_S + day * 86_400,
            "end_time": FIRST_DAY_S + (day + 1) * 86_400,
            "results": [
                {
                    "object": "organization.costs.result",
                    "amount": {"value": str(billed["openai", day]), "currency": "usd"},
                    "line_item": None,
                    "project_id": None,
                    "organization_id": ACCOUNTS["openai"],
                }
            ],
        }
        for day in range(DAYS)
        if ("openai", day) in billed
    ]
    company.rng.shuffle(buckets)
    costs = folder / "openai-costs.json"
    costs.write_text(json.dumps({"object": "page", "data": buckets, "has_more": False}))
    names = (
        "BilledCost",
        "BillingAccountId",
        "BillingCurrency",
        "ChargeCategory",
        "ChargeClass",
        "ChargePeriodStart",
        "ChargePeriodEnd",
        "ServiceName",
        "ServiceCategory",
        "ProviderName",
        "PublisherName",
        "InvoiceIssuerName",
        "BillingPeriodStart",
        "BillingPeriodEnd",
        "EffectiveCost",
        "ListCost",
        "ContractedCost",
    )
    days = [day for day in range(DAYS) if ("anthropic", day) in billed]
    rows = [_focus_row(day, str(billed["anthropic", day])) for day in days]
    company.rng.shuffle(rows)
    focus = folder / "focus.csv"
    table = [",".join(names), *(",".join(row[name] for name in names) for row in rows)]
    focus.write_text("\n".join(table) + "\n")
    return [costs, focus]


def _focus_row(day: int, amount: str) -> dict[str, str]:
    return {
        "BilledCost": amount,
        "BillingAccountId": ACCOUNTS["anthropic"],
        "BillingCurrency": "USD",
        "ChargeCategory": "Usage",
        "ChargeClass": "",
        "ChargePeriodStart": _iso(FIRST_DAY_S + day * 86_400),
        "ChargePeriodEnd": _iso(FIRST_DAY_S + (day + 1) * 86_400),
        "ServiceName": "Claude API",
        "ServiceCategory": "AI and Machine Learning",
        "ProviderName": "Anthropic",
        "PublisherName": "Anthropic",
        "InvoiceIssuerName": "Anthropic",
        "BillingPeriodStart": "2026-09-01T00:00:00Z",
        "BillingPeriodEnd": "2026-10-01T00:00:00Z",
        "EffectiveCost": amount,
        "ListCost": amount,
        "ContractedCost": amount,
    }


def _is(attempt: Attempt, witness: str, via: str) -> bool:
    return attempt.sees(witness) and attempt.via == via


def _files(
    folder: Path, name: str, lines: list[dict[str, Any]], rng: Random, name_ending: str
) -> list[Path]:
    """Write lines in any order over some files, a tenth of them twice, and one file twice."""
    again = [*lines, *rng.sample(lines, len(lines) // 10)]
    rng.shuffle(again)
    count = 4
    written = []
    for number in range(count):
        path = folder / f"{name}-{number}{name_ending}"
        path.write_text("".join(f"{json.dumps(line)}\n" for line in again[number::count]))
        written.append(path)
    copy = folder / f"{name}-copy{name_ending}"
    copy.write_bytes(written[0].read_bytes())
    return [*written, copy]


def _litellm(attempt: Attempt) -> dict[str, Any]:
    """Return a row of LiteLLM: a failure and a hit have ids of its own; attempts share one."""
    sight = attempt.sights["gateway"]
    hit, failed = attempt.ending == "hit", attempt.ending == "failed"
    request_id = attempt.answer_id
    if failed:
        request_id = f"{attempt.request}-{attempt.number}"
    if hit:
        request_id = f"{attempt.answer_id}_cache_hit{attempt.began_s}"
    usage = sight.usage
    tokens: dict[str, int | None] = {"prompt_tokens": None, "completion_tokens": None}
    if usage is not None:
        tokens = {
            "prompt_tokens": usage.fresh + usage.cached,
            "completion_tokens": usage.output,
        }
    cached = usage.cached if usage else 0
    return {
        "request_id": request_id,
        "litellm_call_id": attempt.request,
        "call_type": "acompletion",
        "startTime": _iso(sight.at_s),
        "endTime": _iso(sight.at_s + 2),
        "model": attempt.model,
        "custom_llm_provider": attempt.provider,
        "organization_id": "",
        "team_id": f"{attempt.workflow}-team" if sight.workflow else "",
        "spend": 0.0,
        "status": "failure" if failed else "success",
        "cache_hit": str(hit),
        "metadata": {"usage_object": {"prompt_tokens_details": {"cached_tokens": cached}}},
        **tokens,
    }


def _span(attempt: Attempt, sight: Sight) -> dict[str, Any]:
    known: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": attempt.provider,
        "gen_ai.response.model": attempt.model,
    }
    if not attempt.by_span:
        known["gen_ai.response.id"] = attempt.answer_id
    if sight.workflow:
        known["clearbar.workflow"] = attempt.workflow
    if sight.usage:
        known["gen_ai.usage.input_tokens"] = sight.usage.fresh + sight.usage.cached
        known["gen_ai.usage.cache_read.input_tokens"] = sight.usage.cached
        known["gen_ai.usage.output_tokens"] = sight.usage.output
    return {
        "traceId": attempt.trace_id,
        "spanId": attempt.span_id,
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": f"{sight.at_s * 1000:.0f}000000",
        "endTimeUnixNano": f"{sight.at_s * 1000 + 2_000:.0f}000000",
        "attributes": [{"key": key, "value": _value(value)} for key, value in known.items()],
    }


def _value(value: object) -> dict[str, str]:
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}


def _request(span: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]}


def _session(attempt: Attempt) -> Iterable[dict[str, Any]]:
    """Yield the lines of a message: a stage of its stream, then what it came to."""
    sight = attempt.sights["agent"]
    assert sight.usage is not None
    ends = {"stop_reason": "end_turn"} if attempt.ending == "ok" else {}
    stages: list[tuple[int, dict[str, str]]] = [(1, {}), (sight.usage.output, ends)]
    for number, (output, ending) in enumerate(stages):
        yield {
            "type": "assistant",
            "sessionId": f"session-{attempt.number % 7}",
            "uuid": f"{attempt.answer_id}-{number}",
            "requestId": f"req_011{attempt.request}",
            "timestamp": _iso(sight.at_s),
            "cwd": f"/src/{attempt.workflow}-project" if sight.workflow else "",
            "message": {
                "id": attempt.answer_id,
                "model": attempt.model,
                **ending,
                "usage": {
                    "input_tokens": sight.usage.fresh,
                    "cache_read_input_tokens": sight.usage.cached,
                    "output_tokens": output,
                },
            },
        }


def _journal(company: Company) -> list[Entry]:
    """Return the lines of Clearbar's own gateway: which call began, and how it ended."""
    entries: list[Entry] = []
    for each in company.seen:
        if not _is(each, "gateway", "clearbar"):
            continue
        sight = each.sights["gateway"]
        usage = sight.usage
        assert usage is not None
        name, at_us = f"call-{each.number:06d}", round(sight.at_s * 1_000_000)
        failed = each.ending == "failed"
        entries.append(
            journals.held(
                name,
                at_us=at_us,
                request_id=each.request,
                workflow=each.workflow if sight.workflow else "",
                provider=each.provider,
                model=each.model,
                team="",
                key="k1" if sight.workflow else "",
                trace_id=each.trace_id,
                span_id=each.span_id,
            )
        )
        counts = {
            "input_tokens": usage.fresh,
            "cache_read_tokens": usage.cached,
            "output_tokens": usage.output,
        }
        entries.append(
            journals.ended(
                name,
                at_us=at_us + 2_000_000,
                outcome={"ok": "ok", "cut": "cut", "failed": "error"}[each.ending],
                known="estimated" if each.ending == "cut" else "reported",
                usage=counts,
                cost_nusd=0 if failed else 1_000,
                model=each.model,
                upstream_id="" if failed else each.answer_id,
            )
        )
    return entries


def _iso(at_s: float) -> str:
    return (
        datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )

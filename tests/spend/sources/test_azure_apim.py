from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.spend.sources import azure_apim

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.spend.charge import Record

    Read = Callable[..., Any]

ROW = {
    "TimeGenerated": "2026-10-05T09:14:00.1234567Z",
    "CorrelationId": "c-1",
    "RequestId": "",
    "DeploymentName": "chat-prod",
    "ModelName": "gpt-4o-2024-08-06",
    "PromptTokens": "1200",
    "CompletionTokens": "310",
    "TotalTokens": "1510",
    "SequenceNumber": "0",
    "RequestMessages": "",
    "_ResourceId": "/subscriptions/0a0b/resourcegroups/ai/providers/x/service/gw",
}
CHUNK = {
    "PromptTokens": "0",
    "CompletionTokens": "0",
    "TotalTokens": "0",
    "SequenceNumber": "1",
    "ModelName": "",
    "RequestMessages": "secret",
}


def table(*rows: dict[str, str]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(ROW))
    writer.writeheader()
    writer.writerows(ROW | row for row in rows)
    return stream.getvalue()


def one(read: Read, *rows: dict[str, str]) -> Record:
    records, problems = read("log.csv", table(*rows))
    assert (len(records), problems) == (1, [])
    return records[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize("order", [({}, CHUNK, CHUNK), (CHUNK, {}, CHUNK), (CHUNK, CHUNK, {})])
def test_the_rows_of_a_request_are_one_record_in_any_order(
    read: Read, order: tuple[dict[str, str], ...]
) -> None:
    record = one(read, *order)
    assert (record.input_tokens, record.output_tokens, record.lines) == (1200, 310, 3)
    assert record.origin.model == "gpt-4o-2024-08-06"


def test_what_is_cached_is_not_told_so_that_the_price_is_an_estimate(read: Read) -> None:
    record = one(read, {})
    assert (record.usage, record.cache_read_tokens) == ("partial", None)


def test_parts_in_another_file_are_the_same_request_and_the_one_with_counts_wins(
    read: Read,
) -> None:
    part, whole = one(read, CHUNK), one(read, {})
    assert part.identity == whole.identity
    assert part.final < whole.final
    assert (part.usage, part.input_tokens) == ("missing", None)


def test_far_apart_parts_are_left_for_the_ledger_to_unite(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure_apim, "_MAX_REQUESTS", 1)
    records, _ = read("log.csv", table(CHUNK, {}))
    assert {record.identity for record in records} == {"gateway:azure_apim:c-1"}
    assert sum(record.lines for record in records) == 2


def test_an_id_of_the_provider_is_the_identity_and_the_gateways_an_alias(read: Read) -> None:
    record = one(read, {"RequestId": "chatcmpl-7"})
    assert (record.identity, record.aliases) == ("upstream:chatcmpl-7", "gateway:azure_apim:c-1")


def test_any_other_id_is_an_alias(read: Read) -> None:
    assert one(read, {"RequestId": "r-7"}).aliases == "gateway:azure_apim:r-7"


def test_the_messages_are_not_kept(read: Read) -> None:
    assert "secret" not in repr(one(read, CHUNK, {}))


def test_deployment_gateway_and_subscription_are_kept(read: Read) -> None:
    origin = one(read, {}).origin
    assert origin.project == "/subscriptions/0a0b"
    assert origin.labels == "|deployment=chat-prod|gateway=gw|"


def test_a_portals_export_names_its_times_otherwise(read: Read) -> None:
    text = table({"TimeGenerated": "2026-10-05 09:14:00"}).replace(
        "TimeGenerated", "TimeGenerated [UTC]"
    )
    records, problems = read("log.csv", "\ufeff" + text)
    assert (records[0].started_at_us, problems) == (1791191640000000, [])


@pytest.mark.parametrize("wrapped", ["tables", "records", "list"])
def test_json_comes_in_several_wrappings(read: Read, wrapped: str) -> None:
    rows = [ROW, ROW | CHUNK]
    told: Any = {
        "tables": {
            "tables": [
                {"columns": [{"name": n} for n in ROW], "rows": [list(r.values()) for r in rows]}
            ]
        },
        "records": {"records": rows},
        "list": rows,
    }[wrapped]
    records, problems = read("log.json", json.dumps(told))
    assert ([record.lines for record in records], problems) == ([2], [])


def test_counts_that_do_not_sum_are_kept_out_with_all_their_rows(read: Read) -> None:
    records, problems = read("log.csv", table({"TotalTokens": "1511"}, CHUNK))
    assert (records, len(problems)) == ([], 2)


@pytest.mark.parametrize(
    "broken", [{"CorrelationId": ""}, {"PromptTokens": "-1"}, {"TimeGenerated": "soon"}]
)
def test_what_cannot_be_trusted_is_kept_out(read: Read, broken: dict[str, str]) -> None:
    records, problems = read("log.csv", table(broken))
    assert (records, len(problems)) == ([], 1)

from __future__ import annotations

import csv
import gzip
import json
import tomllib
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.sample import write_sample
from clearbar.sample.company import WORKFLOWS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.sample import Truth


def lines(path: Path) -> list[bytes]:
    raw = path.read_bytes()
    content = gzip.decompress(raw) if path.suffix == ".gz" else raw
    return content.splitlines()


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def messages(sample: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted((sample / "usage/claude-code").rglob("*.jsonl*")):
        for line in lines(path):
            if line.endswith(b"}") and b'"usage"' in line:
                yield path, json.loads(line)


def spend_rows(sample: Path) -> list[dict[str, Any]]:
    paths = sorted((sample / "usage/litellm").iterdir())
    return [json.loads(line) for path in paths for line in lines(path)]


def spans(sample: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((sample / "usage/otel").iterdir()):
        for line in lines(path):
            for resource in json.loads(line)["resourceSpans"]:
                service = attributes(resource["resource"])["service.name"]
                for scope in resource["scopeSpans"]:
                    yield from ((service, span) for span in scope["spans"])


def attributes(holder: dict[str, Any]) -> dict[str, str]:
    return {item["key"]: next(iter(item["value"].values())) for item in holder["attributes"]}


def test_the_same_seed_writes_the_same_bytes(sample: Path, truth: Truth, tmp_path: Path) -> None:
    again = write_sample(tmp_path)
    assert digests(tmp_path) == digests(sample)
    assert again == truth


@pytest.mark.slow
def test_another_seed_writes_another_company(truth: Truth, tmp_path: Path) -> None:
    assert write_sample(tmp_path, seed=8).total != truth.total


def test_the_sample_is_small_enough_to_write_in_a_moment(sample: Path) -> None:
    sizes = [path.stat().st_size for path in sample.rglob("*") if path.is_file()]
    assert sum(sizes) < 25_000_000


@pytest.mark.parametrize("kind", ["litellm", "otel", "openai"])
def test_every_line_of_the_json_files_is_json(sample: Path, kind: str) -> None:
    for path in sorted((sample / "usage" / kind).iterdir()):
        assert all(isinstance(json.loads(line), dict) for line in lines(path))


def test_one_line_of_the_claude_code_logs_breaks_off(sample: Path) -> None:
    every = [
        line for path in (sample / "usage/claude-code").rglob("*.jsonl*") for line in lines(path)
    ]
    assert sum(not line.endswith(b"}") for line in every) == 1


def test_a_message_stands_on_several_lines(sample: Path) -> None:
    told = [message["message"]["id"] for _, message in messages(sample)]
    assert len(told) > 1.8 * len(set(told))


def test_the_first_line_of_a_message_may_hold_a_placeholder(sample: Path) -> None:
    early = [m["message"] for _, m in messages(sample) if m["message"]["stop_reason"] is None]
    assert early
    assert all(1 <= message["usage"]["output_tokens"] <= 9 for message in early)


def test_a_side_chain_replays_messages_of_its_parent(sample: Path) -> None:
    told: dict[bool, set[str]] = {True: set(), False: set()}
    for _, message in messages(sample):
        told[message["isSidechain"]].add(message["message"]["id"])
    assert told[True] & told[False]
    assert told[True] - told[False]


def test_a_session_was_copied_and_another_one_cut_short(sample: Path) -> None:
    folder = sample / "usage/claude-code"
    (copied,) = (folder / "-home-dev-old-laptop").iterdir()
    originals = [p for p in folder.rglob(f"{copied.stem}.jsonl*") if p.parent != copied.parent]
    assert [lines(path) for path in originals] == [lines(copied)]
    assert len(list((folder / "backup").iterdir())) == 2


def test_no_file_holds_words_of_prompts_or_answers(sample: Path) -> None:
    assert {row["messages"] + row["response"] for row in spend_rows(sample)} == {"{}{}"}
    assert all(message["message"]["content"] == [] for _, message in messages(sample))


def test_monthly_exports_overlap(sample: Path) -> None:
    ids = [row["request_id"] for row in spend_rows(sample)]
    assert len(ids) > len(set(ids))


def test_the_gateway_answers_some_calls_from_its_cache(sample: Path) -> None:
    hits = [row for row in spend_rows(sample) if row["cache_hit"] == "True"]
    assert hits
    assert all(row["spend"] == 0 and "_cache_hit" in row["request_id"] for row in hits)


def test_failed_calls_stand_in_the_gateway_log(sample: Path) -> None:
    failed = [row for row in spend_rows(sample) if row["status"] == "failure"]
    assert failed
    assert all(row["total_tokens"] == 0 for row in failed)


def test_every_letter_is_seen_by_the_gateway_and_by_a_trace(sample: Path, truth: Truth) -> None:
    traced = [
        attributes(span)["gen_ai.response.id"]
        for service, span in spans(sample)
        if service == "letters-api" and "parentSpanId" in span
    ]
    assert len(traced) == truth.workflows["regulated-letters"].total.calls
    assert set(traced) <= {row["request_id"] for row in spend_rows(sample)}


def test_a_span_above_a_call_names_the_workflow(sample: Path) -> None:
    by_id = {span["spanId"]: span for service, span in spans(sample) if service == "letters-api"}
    children = [span for span in by_id.values() if "parentSpanId" in span]
    assert children
    for span in children:
        parent = attributes(by_id[span["parentSpanId"]])
        assert parent["gen_ai.workflow.name"] == "regulated-letters"


def test_a_later_reading_of_the_usage_api_counts_more_calls(sample: Path) -> None:
    readings: dict[int, list[int]] = {}
    for path in sorted((sample / "usage/openai").iterdir()):
        for bucket in json.loads(path.read_bytes())["data"]:
            calls = sum(result["num_model_requests"] for result in bucket["results"])
            readings.setdefault(bucket["start_time"], []).append(calls)
    twice = [counts for start, counts in readings.items() if len(counts) > 1]
    grown = [first < second for first, second in twice[:3]]
    assert grown == [True, True, True]


def test_the_columns_of_the_export_are_declared(sample: Path) -> None:
    declared = tomllib.loads((sample / "clearbar.toml").read_text())
    (table,) = declared["table"]
    for path in sample.glob(table["files"]):
        with path.open(newline="") as stream:
            assert set(table["columns"].values()) == set(next(csv.reader(stream)))


def test_every_workflow_of_the_company_is_declared(sample: Path) -> None:
    declared = tomllib.loads((sample / "clearbar.toml").read_text())
    names = [workflow["name"] for workflow in declared["workflow"]]
    assert names == [story.name for story in WORKFLOWS]


def test_outcomes_stand_where_the_metric_says(sample: Path) -> None:
    declared = tomllib.loads((sample / "clearbar.toml").read_text())
    sources = [
        workflow["metric"]["from"] for workflow in declared["workflow"] if "metric" in workflow
    ]
    missing = [source for source in sources if not (sample / source).is_file()]
    assert missing == ["a survey of the readers, every quarter"]

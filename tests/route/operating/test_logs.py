from __future__ import annotations

import io
import json
import threading
from typing import TYPE_CHECKING, Any

from tests.route.operating.lines import AT_US, ended, held

from clearbar.route.journal.entry import Noted, Refused
from clearbar.route.operating.feed import Feed
from clearbar.route.operating.logs import Logs

if TYPE_CHECKING:
    from clearbar.route.operating.logs import Level


def logged(*lines: object, level: Level = "info") -> list[dict[str, Any]]:
    out = io.BytesIO()
    logs = Logs(out, level)
    Feed([logs]).take(lines)  # type: ignore[arg-type] # lines of the journal
    logs.close()
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_call_is_one_line_with_its_time_in_utc() -> None:
    (line,) = logged(held(), ended())
    assert (line["event"], line["level"]) == ("call", "info")
    assert line["time"] == "2026-11-18T11:06:41.250000Z"


def test_a_line_says_what_the_call_cost_and_how_far_that_can_be_trusted() -> None:
    (line,) = logged(held(), ended(known="estimated"))
    assert (line["cost_usd"], line["cost_basis"]) == ("0.0021", "estimated")


def test_a_line_joins_what_was_asked_and_what_came_back() -> None:
    (line,) = logged(held(), ended())
    names = ("workflow", "tool", "model", "model_reported", "status", "latency_ms", "trace_id")
    assert {name: line[name] for name in names} == {
        "workflow": "support-replies",
        "tool": "openai",
        "model": "gpt-4o-mini",
        "model_reported": "gpt-4o-mini-2024-07-18",
        "status": 200,
        "latency_ms": 1250,
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
    }


def test_labels_of_clients_are_not_logged() -> None:
    assert "Oslo" not in json.dumps(logged(held(), ended()))


def test_what_is_empty_is_left_out() -> None:
    (line,) = logged(held(), ended())
    assert "run" not in line
    assert "what" not in line


def test_a_line_stays_one_line_whatever_a_client_named_itself() -> None:
    (line,) = logged(held(user='x\n{"level":"error"}'), ended())
    assert line["user"] == 'x\n{"level":"error"}'


def test_failures_refusals_and_notes_are_warnings_and_lost_calls_errors() -> None:
    lines = logged(
        held(), ended(outcome="cut"), held(call_id="b"), ended(call_id="b", outcome="lost"),
        Refused(AT_US, "req-9", "no_key", 401), Noted(AT_US, "breaker_open", "openai", "5 failed"),
    )  # fmt: skip
    assert [line["level"] for line in lines] == ["warning", "error", "warning", "warning"]


def test_a_level_keeps_lesser_lines_out() -> None:
    lines = (held(), ended(), Refused(AT_US, "req-9", "no_key", 401))
    assert [line["event"] for line in logged(*lines, level="warning")] == ["refused"]
    assert logged(*lines, level="off") == []


class Stuck(io.BytesIO):
    """A reader that reads nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()
        self.reached = threading.Event()

    def write(self, data: Any) -> int:
        self.reached.set()
        self.free.wait()
        return super().write(data)


def test_whoever_reads_too_slowly_holds_up_nothing_and_is_told_what_is_missing() -> None:
    out = Stuck()
    logs = Logs(out, most_waiting=1)
    refusal = Refused(AT_US, "req-9", "no_key", 401)
    logs.refused(refusal)
    out.reached.wait()
    for _ in range(4):
        logs.refused(refusal)
    out.free.set()
    logs.flush()
    logs.refused(refusal)
    logs.close()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line.get("dropped_before", 0) for line in lines] == [0, 0, 3]


def test_a_reader_that_is_gone_is_no_error() -> None:
    out = io.BytesIO()
    logs = Logs(out)
    out.close()
    logs.refused(Refused(AT_US, "req-9", "no_key", 401))
    logs.close()

"""Every file of real and third-party formats is read, with its totals, or refused with a reason.

The totals here are pinned: they are what the sources read when the files were looked through, so
that a change of any is seen. They are no second opinion. One stands elsewhere for some: the sums of
the fields of FOCUS's sample, of the documented answers of the APIs and of the agents' logs, call by
call, in the tests of their sources; of recorded answers in `test_real_answers.py`.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.errors import Problem
from clearbar.core.store import Store
from clearbar.spend.charge import METERS, Record
from clearbar.spend.files.candidates import candidates
from clearbar.spend.files.entry import Note
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.ingest import ingest, problems
from clearbar.spend.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.ledger import Ledger

NOW = datetime(2026, 11, 1, tzinfo=UTC)
UNKNOWN = None
"""No source knows the format: notes, reference tables, logs of evaluations."""
CCUSAGE = "apps__ccusage__test__fixtures__"
LOG = "test__test_data__"
TOKSCALE = "packages__core____test____fixtures__"
YAML = {"a cassette in YAML": 1}
"""Why cassettes are refused as they are; as JSON they are read, see `test_real_answers.py`."""


def Read(  # noqa: N802 - it stands for what was read
    source: str,
    calls: int,
    *,
    lines: int | None = None,
    cost: str | None = None,
    refused: dict[str, int] | None = None,
    notes: Sequence[str] = (),
    **meters: int,
) -> dict[str, Any]:
    """Return what is expected of a file; `lines` are records, where they are no calls."""
    return {
        "source": source,
        "calls": calls,
        "records": lines,
        "cost": None if cost is None else Decimal(cost),
        "meters": meters,
        "refused": refused or {},
        "notes": list(notes),
    }


EXPECTED: dict[str, dict[str, dict[str, Any] | None]] = {
    "anthropic_admin_api_docs": {
        "NOTE.txt": UNKNOWN,
        "cost_report.json": Read("anthropic_costs", 0, lines=1, cost="1.2378912"),
    },
    "anthropic_console_csv": {
        "usage_export_fixture.csv": Read(
            "anthropic_console",
            0,
            lines=2,
            input_tokens=150_000,
            output_tokens=7000,
            web_searches=10,
        ),
    },
    "ccusage_fixtures": {
        CCUSAGE + "claude__projects__project-alpha__session-alpha__chat.jsonl": Read(
            "claude_code",
            3,
            cost="1.02",
            input_tokens=600,
            cache_read_tokens=70,
            cache_write_tokens=75,
            output_tokens=250,
        ),
        CCUSAGE + "claude__projects__project-beta__session-beta__chat.jsonl": Read(
            "claude_code",
            2,
            cost="0.07",
            input_tokens=130,
            cache_read_tokens=40,
            cache_write_tokens=15,
            output_tokens=60,
        ),
        CCUSAGE + "codex__sessions__project-alpha__session-alpha.jsonl": Read(
            "codex", 2, input_tokens=2750, cache_read_tokens=750, output_tokens=425
        ),
        "apps__ccusage__test__statusline-test.json": Read(
            "claude_code",
            0,
            refused={"what Claude Code tells its status line: the sum of a session": 1},
        ),
    },
    "claude-code-log_fixtures": {
        LOG + "edge_cases.jsonl": Read(
            "claude_code", 4, input_tokens=488, output_tokens=435, refused={"not a JSON object": 3}
        ),
        LOG + "representative_messages.jsonl": Read(
            "claude_code", 5, input_tokens=218, output_tokens=445
        ),
        LOG + "session_b.jsonl": Read("claude_code", 1, input_tokens=20, output_tokens=35),
        LOG + "todowrite_examples.jsonl": Read(
            "claude_code", 6, input_tokens=883, output_tokens=328
        ),
    },
    "codex_rollout": {
        "codex_0.142_shape.jsonl": Read(
            "codex", 1, input_tokens=12_043, cache_read_tokens=2432, output_tokens=216
        ),
    },
    "cursor_csv": {
        "usage_events_fixture.csv": Read(
            "cursor",
            1,
            input_tokens=40_000,
            cache_read_tokens=10_000,
            cache_write_tokens=50_000,
            output_tokens=3000,
            refused={"the kinds of tokens do not sum to Total Tokens": 1},
        ),
    },
    "focus": {
        "README.txt": UNKNOWN,
        "azure_EA_ActualCost_Small.csv": Read(
            "focus", 0, refused={"an Azure cost export that is not FOCUS": 1}
        ),
        "azure_EA_AmortizedCost_Small.csv": Read(
            "focus", 0, refused={"an Azure cost export that is not FOCUS": 1}
        ),
        "azure_PricingUnits.csv": UNKNOWN,
        "azure_Services.csv": UNKNOWN,
        "focus_sample.csv": Read(
            "focus",
            0,
            lines=9,
            cost="-0.15189756178",
            notes=["991 lines of other services were left out"],
        ),
    },
    "gemini_cli": {
        "12_cbfeaa512b_0_full.json": Read(
            "gemini_cli", 4, input_tokens=13_635, cache_read_tokens=35_330, output_tokens=302
        ),
        "51_3fab7adf0b_0_full.json": Read(
            "gemini_cli", 2, input_tokens=12_341, cache_read_tokens=11_835, output_tokens=153
        ),
        "9c_53780d06b7_0_full.json": Read(
            "gemini_cli", 6, input_tokens=12_424, cache_read_tokens=50_471, output_tokens=773
        ),
        "ab_2b9748b105_0_full.json": Read(
            "gemini_cli", 11, input_tokens=17_521, cache_read_tokens=113_854, output_tokens=1812
        ),
        "c9_45f262e88d_0_full.json": Read(
            "gemini_cli", 2, input_tokens=10_179, cache_read_tokens=14_378, output_tokens=360
        ),
        "ec_38b74f08e3_2_full.json": Read("gemini_cli", 0),
    },
    "inspect_ai_logs": {
        "2025-05-12T20-27-36-04-00_browser.json": UNKNOWN,
        "log_read_sample.json": UNKNOWN,
    },
    "langfuse_traces": {
        "agno-2025-06-11": Read(
            "langfuse", 2, cost="0.000270899999", input_tokens=826, output_tokens=245
        ),
        "autogen-2025-06-06": Read(
            "langfuse", 1, cost="0.000025", input_tokens=41, output_tokens=3
        ),
        "beeai-2025-08-01": Read("langfuse", 5, cost="0.00083130", input_tokens=5542),
        "claude-agent-2025-12-22": Read(
            "langfuse", 4, cost="0.003582", input_tokens=34, output_tokens=232
        ),
        "crewai-2025-07-11": Read(
            "langfuse", 1, cost="0.0001269", input_tokens=190, output_tokens=164
        ),
        "csharp-agent-with-gemini-2026-03-09": Read(
            "langfuse", 3, cost="0.0034491", input_tokens=8047, output_tokens=414
        ),
        "google-adk-2025-08-28": Read(
            "langfuse", 2, cost="0.0000103", input_tokens=67, output_tokens=9
        ),
        "google-gemini-2025-08-01": Read(
            "langfuse", 1, cost="0.005139299999", input_tokens=6, output_tokens=2055
        ),
        "google-vertex-tools-langchain-2025-09-19": Read(
            "langfuse", 1, cost="0.00011", input_tokens=1200, output_tokens=15
        ),
        "koog-2025-08-26": Read(
            "langfuse", 2, cost="0.0017875", input_tokens=215, output_tokens=125
        ),
        "langgraph-2025-08-22": Read(
            "langfuse", 2, cost="0.000234", input_tokens=168, output_tokens=66
        ),
        "langgraph-js-2025-10-30": Read(
            "langfuse", 2, cost="0.00032625", input_tokens=321, output_tokens=123
        ),
        "langgraph-python-2025-08-22": Read(
            "langfuse", 2, cost="0.000234", input_tokens=168, output_tokens=66
        ),
        "llamaindex-2025-06-05": Read(
            "langfuse", 1, cost="0.000842499999", input_tokens=13, output_tokens=81
        ),
        "microsoft-agent-2025-10-14": Read(
            "langfuse", 2, cost="0.002689999999", input_tokens=656, output_tokens=105
        ),
        "microsoft-agent-2025-12-17": Read(
            "langfuse", 2, cost="0.00028525", input_tokens=293, output_tokens=106
        ),
        "openai-agents-2025-09-30": Read(
            "langfuse", 2, cost="0.000632", input_tokens=140, output_tokens=44
        ),
        "openai-assistants-2024-05-29": Read(
            "langfuse", 1, cost="0.00387", input_tokens=49, output_tokens=40
        ),
        "pydantic-ai-2025-06-06": Read(
            "langfuse", 1, cost="0.0010375", input_tokens=31, output_tokens=96
        ),
        "pydantic-ai-tools-2025-06-06": Read(
            "langfuse", 1, cost="0.0010375", input_tokens=31, output_tokens=96
        ),
        "pydantic-ai-tools-2025-12-04": Read(
            "langfuse", 4, cost="0.000322649999", input_tokens=1315, output_tokens=209
        ),
        "pydantic-ai-with-gemini-2025-12-24": Read(
            "langfuse", 1, cost="0.0004095", input_tokens=40, output_tokens=159
        ),
        "vercel-aisdk-2025-11-17": Read(
            "langfuse", 1, cost="0.000927499999", input_tokens=62, output_tokens=85
        ),
        "vertex-ai-2025-08-01": Read(
            "langfuse", 0, refused={"the buckets of usage do not sum to the total": 1}
        ),
    },
    "litellm": {
        "langfuse_ingestion_batch_completion.json": Read(
            "langfuse", 1, cost="0.000054999999999999995", input_tokens=10, output_tokens=20
        ),
        "spend_logs_payload.json": Read(
            "litellm", 1, cost="0.00022500000000000002", input_tokens=10, output_tokens=20
        ),
    },
    "openai_admin_api_docs": {
        "costs.json": Read("openai_costs", 0, lines=1, cost="0.06"),
        "usage.audio_speeches.json": Read(
            "openai_usage", 0, refused={"a result without its bucket has no time": 1}
        ),
        "usage.audio_transcriptions.json": Read(
            "openai_usage", 0, refused={"a result without its bucket has no time": 1}
        ),
        "usage.code_interpreter_sessions.json": Read(
            "openai_usage", 0, refused={"a result without its bucket has no time": 1}
        ),
        "usage.completions.json": Read(
            "openai_usage", 0, refused={"a result without its bucket has no time": 1}
        ),
        "usage.embeddings.json": Read(
            "openai_usage", 0, refused={"a result without its bucket has no time": 1}
        ),
        "usage.file_searches.json": Read(
            "openai_usage", 0, refused={"a result without its bucket has no time": 1}
        ),
        "usage.images.json": Read("openai_usage", 2, images=2),
        "usage.moderations.json": Read(
            "openai_usage", 0, refused={"a result without its bucket has no time": 1}
        ),
        "usage.vector_stores.json": Read(
            "openai_usage", 0, refused={"a result without its bucket has no time": 1}
        ),
        "usage.web_searches.json": Read(
            "openai_usage", 0, refused={"a result without its bucket has no time": 1}
        ),
    },
    "openrouter_csv": {
        "activity_fixture.csv": Read(
            "openrouter", 2, cost="0.46", input_tokens=22, cache_read_tokens=3, output_tokens=45
        ),
    },
    "otlp_genai": {
        "copilot_chat_trace_test_payload.json": Read(
            "otlp",
            1,
            input_tokens=185,
            cache_read_tokens=75,
            cache_write_tokens=40,
            output_tokens=150,
        ),
    },
    "tokscale_fixtures": {
        TOKSCALE + ".claude__projects__test-project__conversation.jsonl": Read(
            "claude_code",
            0,
            refused={"counts beside a message without its id: lines may repeat a call": 1},
        ),
        TOKSCALE
        + ".local__share__opencode__storage__message__test-project__msg_test001.json": Read(
            "opencode",
            1,
            input_tokens=1000,
            cache_read_tokens=200,
            cache_write_tokens=100,
            output_tokens=500,
        ),
    },
}
"""Folder -> file, without `.trace.json` and `.json` for traces, of which some are there twice."""


def expected() -> dict[str, dict[str, Any] | None]:
    return {
        f"{folder}/{name}": told for folder, all_ in EXPECTED.items() for name, told in all_.items()
    }


def stem(path: Path, formats: Path) -> str:
    """Return by which name of `EXPECTED` a file goes."""
    name = path.relative_to(formats).as_posix()
    if not name.startswith("langfuse_traces/"):
        return name
    return name.removesuffix(".json").removesuffix(".trace")


@pytest.fixture(scope="module")
def formats(shared_data: Path) -> Path:
    folder = shared_data / "formats"
    if not folder.is_dir():
        pytest.skip(f"files of other programs are not at {folder}")
    return folder


@pytest.fixture(scope="module")
def files(formats: Path) -> dict[str, list[Path]]:
    """Return name -> the files of that name, cassettes left out."""
    found: dict[str, list[Path]] = {}
    for path in sorted(formats.rglob("*")):
        if path.is_file() and path.suffix != ".yaml":
            found.setdefault(stem(path, formats), []).append(path)
    return found


def told(path: Path) -> dict[str, Any] | None:
    """Return what the source that takes a file makes of it; None where none does."""
    file = open_source_file(path)
    sources = [source for source in SOURCES if source.recognises(file)]
    if not sources:
        return None
    [source] = sources
    items = list(source.read(file))
    records = [item for item in items if isinstance(item, Record)]
    sums = {name: sum(getattr(record, name) or 0 for record in records) for name in METERS}
    costs = [r.reported_cost_usd for r in records if r.reported_cost_usd is not None]
    return {
        "source": source.NAME,
        "calls": sum(record.calls for record in records),
        "records": len(records) if any(record.calls == 0 for record in records) else None,
        "cost": sum(costs) if costs else None,
        "meters": {name: total for name, total in sums.items() if total},
        "refused": dict(Counter(item.what for item in items if isinstance(item, Problem))),
        "notes": [item.what for item in items if isinstance(item, Note)],
    }


@pytest.mark.parametrize("name", expected())
def test_a_file_is_read_with_its_totals_or_refused_with_a_reason(
    name: str, files: dict[str, list[Path]]
) -> None:
    if name not in files:
        pytest.skip("this file is not among the real data")
    for path in files[name]:
        assert told(path) == expected()[name]


def test_of_every_file_it_is_said_what_becomes_of_it(files: dict[str, list[Path]]) -> None:
    assert files.keys() - expected().keys() == set()


def test_cassettes_are_refused_with_a_reason(formats: Path) -> None:
    for path in formats.rglob("*.yaml"):
        assert told(path) == Read("openai_answers", 0, refused=YAML)


def test_all_of_them_together_are_read_or_refused_none_lost(
    formats: Path, tmp_path: Path, book: PriceBook, ledger: Ledger
) -> None:
    paths = [path for path in sorted(formats.rglob("*")) if path.is_file()]
    each = [told(path) for path in paths]
    refused = sum(sum(found["refused"].values()) if found else 1 for found in each)
    store = Store(tmp_path / "facts.db")
    named = candidates([str(path) for path in paths], tmp_path)
    summary = ingest(named, ledger, book, store, (), tmp_path, NOW)
    reasons = {problem["uri"] for problem in problems(store) if problem["what"]}
    store.close()
    assert summary.files == len(paths)
    assert summary.quarantined == refused
    assert summary.new + summary.known + summary.merged + refused == summary.records
    silent = [path for path, found in zip(paths, each, strict=True) if found is None]
    assert {str(path.resolve()) for path in silent} <= reasons

"""Usage files of two programs that tell of the same calls, and real processes that add them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from multiprocessing import get_context
from random import Random
from typing import TYPE_CHECKING, Any, Final

from clearbar.cli.main import cli
from clearbar.spend import ingest
from clearbar.spend.charge import Record, charge_id
from clearbar.spend.columns import QUERIED
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import SOURCES
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

CALLS: Final = 120
INPUT_TOKENS: Final = 1_000
OUTPUT_TOKENS: Final = 10
_PROCESSES: Final = get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.spend.written_usage", "clearbar.cli.spend", "duckdb"])


def make_workspace(folder: Path, prices_of: Path | None = None) -> Path:
    """Make an empty workspace; with the price book of another one it starts sooner."""
    folder.mkdir(parents=True)
    (folder / "clearbar.toml").write_text("")
    if prices_of:
        shutil.copytree(prices_of / ".clearbar" / "prices", folder / ".clearbar" / "prices")
    return folder


def write_usage(folder: Path, calls: int = CALLS, seed: int = 1) -> list[Path]:
    """Write Claude Code and LiteLLM logs that tell of `calls` calls, many of them twice."""
    rng = Random(seed)
    folder.mkdir()
    numbers = range(calls)
    written = []
    for file in range(8):
        told = sorted(rng.sample(numbers, calls // 4))
        lines = [_session_line(n) for n in told for _ in range(1 + n % 2)]
        written.append(_write(folder / f"session-{file:02d}.jsonl", lines))
    for file in range(4):
        lines = [_gateway_line(n) for n in numbers if n % 4 == file]
        written.append(_write(folder / f"gateway-{file}.jsonl", lines))
    return written


def charges_told_by(path: Path) -> set[str]:
    """Return the ids of the charges that a file tells of."""
    file = open_source_file(path)
    source = next(source for source in SOURCES if source.recognises(file))
    found = list(source.read(file))
    return {charge_id(item.identity) for item in found if isinstance(item, Record)}


def charges_of(workspace: Path) -> list[tuple[Any, ...]]:
    """Return every charge of the ledger, in a stable order."""
    with Workspace(workspace) as opened:
        charges = opened.ledger.charges()
        if charges is None:
            return []
        return sorted(opened.ledger.engine.rows(charges.select(*QUERIED)), key=str)


def started(work: Callable[..., None], *values: object) -> ForkServerProcess:
    """Start a process that does some work."""
    process = _PROCESSES.Process(target=work, args=values)
    process.start()
    return process


def add(workspace: Path, paths: Iterable[Path], batch_records: int) -> None:
    """Run `clearbar spend add` in this process, publishing after so many records."""
    vars(ingest)["BATCH_RECORDS"] = batch_records
    with open(os.devnull, "w") as quiet:  # noqa: PTH123 - it is no path of ours
        sys.stdout = quiet
        named = [str(path) for path in paths]
        cli(["--workspace", str(workspace), "spend", "add", *named], prog_name="clearbar")


def _session_line(number: int) -> dict[str, Any]:
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}
    return {
        "type": "assistant",
        "sessionId": f"session-{number % 12}",
        "uuid": f"line-{number}",
        "timestamp": f"2026-09-{1 + number % 28:02d}T08:00:00.000Z",
        "cwd": f"/src/project-{number % 3}",
        "message": {
            "id": f"msg_{number:06d}",
            "model": "claude-sonnet-4-5",
            "stop_reason": "end_turn",
            "usage": usage,
        },
    }


def _gateway_line(number: int) -> dict[str, Any]:
    return {
        "request_id": f"msg_{number:06d}",
        "call_type": "acompletion",
        "startTime": f"2026-09-{1 + number % 28:02d}T08:00:01Z",
        "endTime": f"2026-09-{1 + number % 28:02d}T08:00:02Z",
        "model": "claude-sonnet-4-5",
        "custom_llm_provider": "anthropic",
        "team_id": f"team-{number % 4}",
        "spend": 0.00315,
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "metadata": {},
    }


def _write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path

"""Totals of Clearbar, through its public command line.

python clearbar.py FORMATS DECLARED STATE FILE...
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Clearbar = Callable[[list[str]], str]

_SUMS = {
    "input": "input_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "output": "output_tokens",
}
_PARTS = {
    "input": ("input_tokens", "input_audio_tokens", "input_image_tokens", "input_video_tokens"),
    "cache_read": ("cache_read_tokens", "cache_read_audio_tokens", "cache_read_image_tokens"),
    "cache_write": ("cache_write_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"),
    "output": ("output_tokens", "output_audio_tokens", "output_image_tokens"),
}


def answer(clearbar: Clearbar, declared: Path, state: Path, files: list[str]) -> dict[str, Any]:
    """Read the files into the ledger of `state` and return what it tells; see the README."""
    shutil.copy(declared, state / "clearbar.toml")
    at = ["--workspace", str(state), "spend"]
    clearbar([*at, "add", *files, "--json"])
    told = json.loads(clearbar([*at, "all", "--json"]))
    rows = csv.DictReader(io.StringIO(clearbar([*at, "export", "all"])))
    total = told["total"]
    unknown = told["unpriced_calls"] + told["unpriced_lines"]
    none_known = unknown and told["unpriced_calls"] == total["calls"] and total["cost_usd"] == "0"
    return {
        "calls": total["calls"],
        "tokens": {name: total[key] for name, key in _SUMS.items()},
        "cost_usd": None if none_known else total["cost_usd"],
        "unpriced_calls": told["unpriced_calls"],
        "refused": told["quarantined_records"],
        "charges": [_charge(row) for row in rows],
    }


def _charge(row: dict[str, str]) -> dict[str, Any]:
    tokens = {name: sum(int(row[key] or 0) for key in keys) for name, keys in _PARTS.items()}
    return {
        "model": row["model"] or None,
        "calls": int(row["calls"]),
        "tokens": tokens,
        "cost_usd": row["cost_usd"] or None,
    }


def _run(words: list[str]) -> str:
    program = Path(sys.executable).with_name("clearbar")
    done = subprocess.run([program, *words], check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr or f"clearbar ended with {done.returncode}")
    return done.stdout


def main() -> None:
    """Print the answer."""
    _, _, declared, state, *files = sys.argv
    sys.stdout.write(json.dumps(answer(_run, Path(declared), Path(state), files)))


if __name__ == "__main__":
    main()

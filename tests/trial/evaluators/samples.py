"""Rewrite the expected half of the samples; the diff is the review.

A sample is a pair: `<evaluator>/<case>.in.<ending>` and `<evaluator>/<case>.expected.json`. The
samples are made up, after the shapes that the evaluators document.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from clearbar.core.errors import Problem
from clearbar.spend.files.source_file import open_source_file
from clearbar.trial.recorded.evaluation import Choice
from clearbar.trial.recorded.evaluators import evaluator_of

HERE = Path(__file__).parent


def cases() -> list[Path]:
    """Return the input halves."""
    return sorted(HERE.rglob("*.in.*"))


def expected_half(case: Path) -> Path:
    """Return where the expected half stands."""
    return case.with_name(case.name.partition(".in.")[0] + ".expected.json")


def told(case: Path) -> list[dict[str, Any]]:
    """Return what the case's evaluator makes of it."""
    file = open_source_file(case)
    evaluator = evaluator_of(file)
    assert evaluator is not None
    items = sorted(evaluator.read(file, Choice()), key=lambda item: (item.line or 0, repr(item)))
    return [{"evaluator": evaluator.NAME, **_plain(item)} for item in items]


def _plain(item: object) -> dict[str, Any]:
    kind = "problem" if isinstance(item, Problem) else "score"
    return {kind: msgspec.to_builtins(item)}


def main() -> None:
    """Rewrite them all."""
    for case in cases():
        text = json.dumps(told(case), indent=1, ensure_ascii=False)
        expected_half(case).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Per-sample files of EleutherAI's lm-evaluation-harness: `samples_TASK_TIME.jsonl`.

Where: `lm_eval run --log_samples --output_path DIR`; they stand in DIR/MODEL beside
`results_TIME.json`. Case: task, `doc_id` and the start of `doc_hash`, so that only documents that
are the same are compared. Category: the task.

Traps.
- A line names neither its model nor its task. The task is a part of the file's name; the model
  stands in `results_TIME.json` beside it, else in the folder's name (`org__model`).
- With several filters each document stands there once a filter (`strict-match`,
  `flexible-extract`): as if it had been answered twice. The metric is then `exact_match,FILTER`.
- `metrics` names the metrics of a line, and most tasks have several (`acc`, `acc_norm`): nothing
  says which one counts. A metric of a whole corpus holds a list here, a perplexity is above 1:
  neither is a score.
- Neither cost nor tokens are recorded, and no failure: a call that failed is an empty answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from clearbar.core.errors import Problem
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.files.source_file import MAX_DOCUMENT_BYTES
from clearbar.trial.recorded.evaluation import need_tool, pick_metric, unit_score
from clearbar.trial.recorded.recorded_score import RecordedScore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.spend.files.source_file import Line, SourceFile
    from clearbar.trial.recorded.evaluation import Choice

NAME: Final = "lm_evaluation_harness"
TITLE: Final = "lm-evaluation-harness samples"
WHERE: Final = "lm_eval run --log_samples --output_path DIR: DIR/MODEL/samples_*.jsonl"

_NAME: Final = re.compile(r"samples_(?P<task>.+?)_(?P<time>\d{4}-\d\d-\d\dT[\d.:-]+)\.jsonl")
_NO_SCORES: Final = frozenset({"doc_id", "target", "doc_hash", "prompt_hash", "target_hash"})
_NONE: Final = "none"
_HASH_DIGITS: Final = 8


class _Results(msgspec.Struct):
    model_name: str | None = None


class _Sample(NamedTuple):
    line: int
    case: str
    scores: dict[str, object]


def recognises(file: SourceFile) -> bool:
    """Return whether the first line is a sample."""
    head = file.head
    return head.lstrip()[:1] == b"{" and b'"doc_id"' in head and b'"doc"' in head


def read(file: SourceFile, choice: Choice) -> Iterator[RecordedScore | Problem]:
    """Yield a score for each document.

    Raises:
        UnreadableFile: when the file is damaged.
        ClearbarError: when the model is not known, or several metrics are there and none is chosen.
    """
    task, time = _task_and_time(file)
    tool = need_tool(_model(file.path, time), choice, file.path.name)
    samples: list[_Sample] = []
    for line in file.lines():
        try:
            samples.append(_sample(line, task))
        except QuarantineError as error:
            yield error.problem(line.number)
    metric = pick_metric(_unit_metrics(samples), choice, file.path.name)
    for sample in samples:
        if metric is None or metric not in sample.scores:
            # With several filters a document has a line for each, and this is another's.
            if metric is None or "," not in metric:
                yield Problem("no score from 0 to 1", line=sample.line)
            continue
        try:
            score = unit_score(sample.scores[metric])
        except QuarantineError as error:
            yield error.problem(sample.line)
            continue
        yield RecordedScore(
            sample.case, tool, score, category=task, file=file.path.name, line=sample.line
        )


def _sample(line: Line, task: str) -> _Sample:
    try:
        row: Any = msgspec.json.decode(line.payload)
    except (ValueError, RecursionError):
        raise QuarantineError("not JSON", "the file may have been cut short") from None
    doc_id = row.get("doc_id") if isinstance(row, dict) else None
    if isinstance(doc_id, bool) or not isinstance(doc_id, int | str):
        raise QuarantineError("no doc_id")
    same = row.get("doc_hash")
    mark = f"@{same[:_HASH_DIGITS]}" if isinstance(same, str) and same else ""
    return _Sample(line.number, f"{task}/{doc_id}{mark}", _scores(row))


def _scores(row: dict[str, Any]) -> dict[str, object]:
    """Return the values of the line's metrics; older versions do not name them."""
    names = row.get("metrics")
    if not isinstance(names, list):
        names = [
            name
            for name, value in row.items()
            if name not in _NO_SCORES and isinstance(value, bool | int | float)
        ]
    said = row.get("filter")
    suffix = f",{said}" if isinstance(said, str) and said != _NONE else ""
    return {f"{name}{suffix}": row[name] for name in names if isinstance(name, str) and name in row}


def _unit_metrics(samples: list[_Sample]) -> set[str]:
    """Return the metrics all of whose values are scores in [0, 1]."""
    good: dict[str, bool] = {}
    for sample in samples:
        for name, value in sample.scores.items():
            fits = isinstance(value, bool | int | float) and 0 <= value <= 1
            good[name] = good.get(name, True) and fits
    return {name for name, fits in good.items() if fits}


def _task_and_time(file: SourceFile) -> tuple[str, str]:
    name = file.path.name.removesuffix(".gz")
    match = _NAME.fullmatch(name)
    if match:
        return match["task"], match["time"]
    return name.partition(".")[0].removeprefix("samples_"), ""


def _model(path: Path, time: str) -> str:
    results = path.with_name(f"results_{time}.json")
    try:
        with results.open("rb") as stream:
            found = msgspec.json.decode(stream.read(MAX_DOCUMENT_BYTES), type=_Results)
    except (OSError, ValueError, RecursionError):
        found = _Results()
    org, mark, model = path.absolute().parent.name.partition("__")
    return found.model_name or (f"{org}/{model}" if mark else "")

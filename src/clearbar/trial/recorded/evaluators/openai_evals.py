"""Event files of OpenAI evals: one JSON object a line, first the run's `spec`.

Where: `oaieval MODEL EVAL --record_path FILE`. Tool: the first of
`spec.completion_fns`. Case: `sample_id`. Category: `spec.eval_name`.

Traps.
- A sample has several events. Its score is `correct` of a `match`, or a number of its `metrics`;
  `sampling` events are calls, among them the judge's.
- `final_report` may stand before the events: both are written at the end. A file without one is of
  a run that did not end: told as a Problem.
- A model-graded eval writes `metrics` with a `choice` and its `score`; the `score` counts.
- An `error` event is the evaluation's failure: the sample has no score, and is no zero.
- Tokens are told of a call only (`usage`), and taken where the sample had exactly one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import Problem
from clearbar.spend.files.json_records import decode
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.trial.recorded.evaluation import need_tool, pick_metric, tokens_of, unit_score
from clearbar.trial.recorded.recorded_score import RecordedScore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.files.source_file import SourceFile
    from clearbar.trial.recorded.evaluation import Choice

NAME: Final = "openai_evals"
TITLE: Final = "OpenAI evals events"
WHERE: Final = "oaieval MODEL EVAL --record_path FILE"

_MATCH: Final = "match"


@dataclass
class _Sample:
    """What the events tell of one sample."""

    line: int
    scores: dict[str, list[object]] = field(default_factory=dict)
    usages: list[dict[str, Any]] = field(default_factory=list)
    samplings: int = 0
    failed: bool = False


@dataclass
class _Run:
    tool: str = ""
    task: str = ""
    ended: bool = False
    samples: dict[str, _Sample] = field(default_factory=dict)
    seen: set[tuple[str, int]] = field(default_factory=set)


def recognises(file: SourceFile) -> bool:
    """Return whether the first line is the specification of a run."""
    first = file.head.lstrip()[:200].replace(b" ", b"")
    return first.startswith(b'{"spec":{') and (
        b"completion_fns" in file.head or b"model_name" in file.head
    )


def read(file: SourceFile, choice: Choice) -> Iterator[RecordedScore | Problem]:
    """Yield a score for each match, or each sample's metrics.

    Raises:
        UnreadableFile: when the file is damaged.
        ClearbarError: when it holds several metrics and none is chosen.
    """
    run = _Run()
    for line in file.lines():
        try:
            _take(decode(line.payload), line.number, run)
        except QuarantineError as error:
            yield error.problem(line.number)
    if not run.ended:
        yield Problem(
            "the run did not end: samples may be missing", "the ones that are there may be easy"
        )
    tool = need_tool(run.tool, choice, file.path.name)
    names = {name for sample in run.samples.values() for name in sample.scores}
    metric = pick_metric(names, choice, file.path.name)
    for sample_id, sample in run.samples.items():
        yield from _recorded(sample_id, sample, run, metric, tool, file.path.name)


def _take(value: Any, number: int, run: _Run) -> None:
    if not isinstance(value, dict):
        raise QuarantineError("not a JSON object")
    if "spec" in value:
        spec = _table(value["spec"])
        run.tool, run.task = _tool(spec), str(spec.get("eval_name") or "")
    elif "final_report" in value:
        run.ended = True
    elif isinstance(value.get("sample_id"), str):
        event = (str(value.get("run_id")), value.get("event_id"))
        if isinstance(event[1], int) and event in run.seen:
            return
        run.seen.add((event[0], event[1] if isinstance(event[1], int) else -number))
        sample = run.samples.setdefault(value["sample_id"], _Sample(number))
        _event(str(value.get("type")), _table(value.get("data")), sample)


def _event(kind: str, data: dict[str, Any], sample: _Sample) -> None:
    if kind == _MATCH:
        sample.scores.setdefault(_MATCH, []).append(data.get("correct"))
    elif kind == "metrics":
        numbers = {
            name: value
            for name, value in data.items()
            if isinstance(value, bool | int) or hasattr(value, "is_finite")
        }
        if "choice" in data and "score" in numbers:
            numbers = {"score": numbers["score"]}
        for name, value in numbers.items():
            sample.scores.setdefault(name, []).append(value)
    elif kind == "error":
        sample.failed = True
    elif kind == "sampling":
        sample.samplings += 1
        sample.usages.append(_table(data.get("usage")))


def _recorded(
    sample_id: str, sample: _Sample, run: _Run, metric: str | None, tool: str, file: str
) -> Iterator[RecordedScore | Problem]:
    values = sample.scores.get(metric or "", [])
    if not values:
        what = "the evaluation of this sample failed" if sample.failed else "no score"
        yield Problem(what, line=sample.line)
        return
    usage = sample.usages[0] if sample.samplings == 1 else {}
    for value in values:
        try:
            score = unit_score(value)
        except QuarantineError as error:
            yield error.problem(sample.line)
            continue
        yield RecordedScore(
            sample_id,
            tool,
            score,
            category=run.task or None,
            file=file,
            line=sample.line,
            input_tokens=tokens_of(usage.get("prompt_tokens")),
            output_tokens=tokens_of(usage.get("completion_tokens")),
        )


def _tool(spec: dict[str, Any]) -> str:
    """Return what was evaluated; older versions call it `model_name` or `model_names`."""
    named = spec.get("completion_fns") or _table(spec.get("model_names")).get("completions")
    if isinstance(named, list) and named:
        return str(named[0])
    return str(spec.get("model_name") or "")


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

"""Test runs of DeepEval, as it keeps them on disk.

Where: `.deepeval/.latest_run_full.json`, `.deepeval/.latest_test_run.json`, or a file a run in
DEEPEVAL_RESULTS_FOLDER. Tool: the run's hyperparameter `model`, else its `identifier`, which need
not be there: DeepEval is given answers and does not know who gave them. Case: a digest of input and
expected output. Category: none.

Traps.
- `evaluationModel` and `evaluationCost` are the judge's. What the tool cost is `tokenCost`, which
  whoever wrote the test may have told.
- For some metrics (hallucination, bias, toxicity) a low score is a good one. So the score here is
  the metric's `success`, 1 or 0, whichever way its threshold looks. The score itself is
  `METRIC.score`, for metrics of which more is better.
- `success` of a test case joins all its metrics; a flaky or a skipped one does not count in it.
- A metric with an `error` could not be computed: that is no zero, and not the tool's failure.
- `name` (`test_case_0`) is a place in a list, and no case's name.
- Conversations are judged as a whole; they are read by scenario and expected outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clearbar.spend.files.json_records import decode
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.files.source_file import UnreadableFile
from clearbar.trial.case_rows import digest
from clearbar.trial.recorded.evaluation import need_tool, pick_metric, tokens_of, unit_score, usd_of
from clearbar.trial.recorded.recorded_score import RecordedScore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.core.errors import Problem
    from clearbar.spend.files.source_file import SourceFile
    from clearbar.trial.recorded.evaluation import Choice

NAME: Final = "deepeval"
TITLE: Final = "DeepEval test runs"
WHERE: Final = ".deepeval/.latest_run_full.json, or DEEPEVAL_RESULTS_FOLDER"

_RAW: Final = ".score"
_CASES: Final = (b'"testCases"', b'"conversationalTestCases"', b'"test_cases"', b'"test_results"')
_INSIDE: Final = (b'"metricsData"', b'"metrics_data"', b'"actualOutput"', b'"actual_output"')


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes name test cases and metrics."""
    head = file.head
    return (
        head.lstrip()[:1] == b"{"
        and any(name in head for name in _CASES)
        and any(name in head for name in _INSIDE)
    )


def read(file: SourceFile, choice: Choice) -> Iterator[RecordedScore | Problem]:
    """Yield a score for each test case.

    Raises:
        UnreadableFile: when the file is damaged or too large.
        ClearbarError: when the tool is not known, or several metrics are there and none is chosen.
    """
    run = _run(file)
    cases = [*_rows(run, "testCases", "test_cases", "test_results")]
    cases += _rows(run, "conversationalTestCases", "conversational_test_cases")
    tool = need_tool(_tool(run), choice, file.path.name)
    names = {str(metric.get("name")) for case in cases for metric in _metrics(case)}
    raw = choice.metric is not None and choice.metric not in names and choice.metric.endswith(_RAW)
    known = {f"{name}{_RAW}" for name in names} if raw else names
    metric = (pick_metric(known, choice, file.path.name) or "").removesuffix(_RAW if raw else "")
    for number, case in enumerate(cases, 1):
        try:
            yield _recorded(case, metric, raw, tool, file.path.name, number)
        except QuarantineError as error:
            yield error.problem(number)


def _recorded(
    case: dict[str, Any],
    metric: str,
    raw: bool,  # noqa: FBT001 - the score itself, or whether it passed
    tool: str,
    file: str,
    number: int,
) -> RecordedScore:
    found = [each for each in _metrics(case) if str(each.get("name")) == metric]
    if not found:
        raise QuarantineError("no score")
    if found[0].get("error"):
        raise QuarantineError("the metric could not be computed")
    cost = _either(case, "tokenCost", "token_cost")
    return RecordedScore(
        case=_case(case),
        tool=tool,
        score=unit_score(found[0].get("score" if raw else "success"), metric),
        cost_usd=usd_of(cost),
        file=file,
        line=number,
        input_tokens=tokens_of(_either(case, "inputTokenCount", "input_token_count")),
        output_tokens=tokens_of(_either(case, "outputTokenCount", "output_token_count")),
    )


def _case(case: dict[str, Any]) -> str:
    asked = [
        case.get("input") or case.get("scenario"),
        _either(case, "expectedOutput", "expected_output")
        or _either(case, "expectedOutcome", "expected_outcome"),
    ]
    if asked[0] is None:
        raise QuarantineError("no input")
    return f"content:{digest(asked)[:24]}"


def _tool(run: dict[str, Any]) -> str:
    settings = run.get("hyperparameters")
    model = settings.get("model") if isinstance(settings, dict) else None
    if isinstance(model, dict):  # newer versions may hold the name with its settings
        model = model.get("name") or model.get("model")
    return str(model or run.get("identifier") or "")


def _run(file: SourceFile) -> dict[str, Any]:
    try:
        value = decode(file.document())
    except QuarantineError as error:
        raise UnreadableFile(error.what, error.hint) from error
    inner = value.get("testRunData") or value.get("test_run_data")
    found = inner if isinstance(inner, dict) else value
    return found if isinstance(found, dict) else {}


def _metrics(case: dict[str, Any]) -> list[dict[str, Any]]:
    return _rows(case, "metricsData", "metrics_data")


def _rows(table: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    found: list[Any] = next((table[n] for n in names if isinstance(table.get(n), list)), [])
    return [row for row in found if isinstance(row, dict)]


def _either(table: dict[str, Any], camel: str, snake: str) -> object:
    return table.get(camel, table.get(snake))

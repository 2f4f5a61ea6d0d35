"""Results of promptfoo: `results.json`, `results.jsonl`, and the CSV of its table.

Where: `promptfoo eval --output FILE`, or `promptfoo export eval ID`. Tool: the provider's label,
else its id; with several prompts each provider with a prompt is a tool of its own. Case: a digest
of the test's variables and assertions. Of prompts, variables and outputs nothing is kept.

Traps.
- `error` is set where an assertion failed as well. That the provider failed is `failureReason` 2
  (`ERROR` in the CSV): no zero of the assertions, but an answer that never came.
- `success` is pass or fail after thresholds; `score` the weighted mean of the assertions, and that
  is taken. The metric `pass` takes `success`, a named score is taken by its name.
- With `repeat` a test stands there several times, with several `testIdx`: the mean of its repeats
  is its score.
- `cost` is 0 where no price is known and where the answer came from the cache: neither is a cost.
  A cached answer has no usage of its own.
- The CSV rounds scores to two digits and has neither cost, tokens nor assertions: its cases are not
  those of the JSON. Its columns `Status` and `Score` stand there once a prompt. In older versions
  the verdict stood in the cell of the output: export those as JSON.
- The test's own index changes when tests are added: it is no name of a case, and used only where
  the export was made without variables.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clearbar.core.errors import ClearbarError, Problem
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.files.source_file import MAX_LINE_BYTES, UnreadableFile
from clearbar.trial.case_rows import digest
from clearbar.trial.recorded.evaluation import pick_metric, tokens_of, unit_score, usd_of
from clearbar.trial.recorded.recorded_score import RecordedScore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.files.source_file import SourceFile
    from clearbar.trial.recorded.evaluation import Choice

NAME: Final = "promptfoo"
TITLE: Final = "promptfoo results"
WHERE: Final = "promptfoo eval --output results.json (or .jsonl, .csv)"

SCORE: Final = "score"
PASSED: Final = "pass"
_ERROR: Final = 2
_SUMMARY: Final = re.compile(rb'"evalId"\s*:|"results"\s*:\s*[\[{]')
_AFTER_OUTPUT: Final = ["Status", "Score", "Named Scores"]


class _Tokens(msgspec.Struct):
    prompt: Any = None
    completion: Any = None
    cached: Any = None


class _Response(msgspec.Struct):
    cached: Any = None
    error: Any = None


class _Test(msgspec.Struct):
    vars: Any = None
    assertions: Any = msgspec.field(default=None, name="assert")


class _Result(msgspec.Struct):
    provider: Any = None
    success: Any = None
    score: Any = None
    test_index: Any = msgspec.field(default=None, name="testIdx")
    prompt_index: Any = msgspec.field(default=None, name="promptIdx")
    prompt_id: Any = msgspec.field(default=None, name="promptId")
    test: _Test | None = msgspec.field(default=None, name="testCase")
    vars: Any = None
    named: dict[str, Any] | None = msgspec.field(default=None, name="namedScores")
    failure: Any = msgspec.field(default=None, name="failureReason")
    error: Any = None
    cost: Any = None
    tokens: _Tokens | None = msgspec.field(default=None, name="tokenUsage")
    response: _Response | None = None


class _Summary(msgspec.Struct):
    results: list[_Result]


class _Output(msgspec.Struct):
    results: _Summary | list[_Result]


@dataclass
class _Row:
    """One result: of one provider and prompt on one test."""

    provider: str
    prompt: str
    case: str
    line: int
    scores: dict[str, object]
    place: int
    """Of the provider and prompt among all."""
    failed: bool = False
    result: _Result = field(default_factory=_Result)


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes are promptfoo's: of its JSON, JSON Lines or CSV."""
    head = file.head
    if head.lstrip()[:1] == b"{":
        if b'"promptIdx"' in head and (b'"namedScores"' in head or b'"testIdx"' in head):
            return True
        return b'"evalId"' in head and b'"results"' in head
    return bool(_columns(_header(head)))


def read(file: SourceFile, choice: Choice) -> Iterator[RecordedScore | Problem]:
    """Yield a score for each result.

    Raises:
        UnreadableFile: when the file is damaged or too large.
        ClearbarError: when the chosen metric is not there, or one tool is named for several.
    """
    found = _json_rows(file) if file.head.lstrip()[:1] == b"{" else _csv_rows(file)
    rows: list[_Row] = []
    for each in found:
        if isinstance(each, Problem):
            yield each
        else:
            rows.append(each)
    metric = SCORE
    if choice.metric is not None:
        names = {SCORE, PASSED, *(name for row in rows for name in row.scores)}
        metric = pick_metric(names, choice, file.path.name) or SCORE
    tools = _tools(rows, choice, file.path.name)
    for row in rows:
        try:
            yield _recorded(row, tools[row.provider, row.prompt], metric, file.path.name)
        except QuarantineError as error:
            yield error.problem(row.line)


def _recorded(row: _Row, tool: str, metric: str, file: str) -> RecordedScore:
    if not row.failed and row.scores.get(metric) is None:
        raise QuarantineError(f"no {metric}")
    tokens = row.result.tokens or _Tokens()
    cached = bool(row.result.response and row.result.response.cached) or bool(tokens.cached)
    return RecordedScore(
        case=row.case,
        tool=tool,
        score=None if row.failed else unit_score(row.scores[metric]),
        cost_usd=None if cached else usd_of(row.result.cost),
        file=file,
        line=row.line,
        input_tokens=None if cached else tokens_of(tokens.prompt),
        output_tokens=None if cached else tokens_of(tokens.completion),
        status="error" if row.failed else "ok",
    )


def _tools(rows: list[_Row], choice: Choice, file: str) -> dict[tuple[str, str], str]:
    """Return the names of the tools: providers, with a number where one has several prompts."""
    prompts: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: row.place):
        known = prompts.setdefault(row.provider, [])
        if row.prompt not in known:
            known.append(row.prompt)
    pairs = [(provider, prompt) for provider, known in prompts.items() for prompt in known]
    if choice.tool is not None:
        if len(pairs) > 1:
            raise ClearbarError(
                f"{file} holds {len(pairs)} tools", "name none: it says their names"
            )
        return dict.fromkeys(pairs, choice.tool)
    return {
        (provider, prompt): provider
        if len(prompts[provider]) == 1
        else f"{provider}, prompt {prompts[provider].index(prompt) + 1}"
        for provider, prompt in pairs
    }


def _json_rows(file: SourceFile) -> Iterator[_Row | Problem]:
    # Of a run that was taken up again, the last line of a test and prompt counts.
    found: dict[tuple[object, object], _Row] = {}
    for number, result in _results(file):
        if isinstance(result, Problem):
            yield result
            continue
        row = _row(result, number)
        if isinstance(row, Problem):
            yield row
        elif isinstance(result.test_index, int) and isinstance(result.prompt_index, int):
            found[result.test_index, result.prompt_index] = row
        else:
            found["line", number] = row
    yield from found.values()


def _results(file: SourceFile) -> Iterator[tuple[int, _Result | Problem]]:
    first = file.head.lstrip().partition(b"\n")[0]
    if b'"promptIdx"' in first and not _SUMMARY.search(first):
        for line in file.lines():
            try:
                yield line.number, msgspec.json.decode(line.payload, type=_Result)
            except (ValueError, RecursionError):
                yield line.number, Problem("not a result", "it may be cut short", line.number)
        return
    try:
        output = msgspec.json.decode(file.document(), type=_Output)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile("not promptfoo's results", "export them again as JSON") from error
    results = output.results if isinstance(output.results, list) else output.results.results
    yield from enumerate(results, 1)


def _row(result: _Result, number: int) -> _Row | Problem:
    provider = _provider(result.provider)
    case = _case(result)
    if not provider or not case:
        return Problem("no provider" if case else "no test", line=number)
    prompt = result.prompt_id if isinstance(result.prompt_id, str) else str(result.prompt_index)
    scores = {**(result.named or {}), SCORE: result.score, PASSED: result.success}
    place = result.prompt_index if isinstance(result.prompt_index, int) else 0
    return _Row(provider, prompt, case, number, scores, place, _failed(result), result)


def _failed(result: _Result) -> bool:
    """Return whether no answer came; older versions do not say why a test failed."""
    if result.failure is not None:
        return bool(result.failure == _ERROR)
    return result.error is not None and (result.response is None or bool(result.response.error))


def _provider(value: object) -> str:
    if isinstance(value, dict):
        value = value.get("label") or value.get("id")
    return value if isinstance(value, str) else ""


def _case(result: _Result) -> str:
    variables = (result.test.vars if result.test else None) or result.vars
    if variables:
        told = [variables, result.test.assertions if result.test else None]
        return f"content:{digest(told)[:24]}"
    return f"test {result.test_index}" if isinstance(result.test_index, int) else ""


def _csv_rows(file: SourceFile) -> Iterator[_Row | Problem]:
    csv.field_size_limit(MAX_LINE_BYTES)
    with (
        file.open() as stream,
        io.TextIOWrapper(stream, "utf-8-sig", "replace", newline="") as text,
    ):
        reader = csv.reader(text)
        header = next(reader, [])
        columns = _columns(header)
        while True:
            number = reader.line_num + 1
            try:
                values = next(reader)
            except StopIteration:
                return
            except (csv.Error, OSError, EOFError) as error:
                raise UnreadableFile("not CSV to its end", "export it again") from error
            if len(values) != len(header):
                yield Problem("another number of fields than the header has", line=number)
                continue
            yield from _table_row(values, header, columns, number)


def _table_row(
    values: list[str], header: list[str], columns: list[int], number: int
) -> Iterator[_Row]:
    before = zip(header[: columns[0]], values[: columns[0]], strict=True)
    told = {name: value for name, value in before if name != "Description"}
    case = f"content:{digest([told, None])[:24]}" if told else f"test {number}"
    for place, at in enumerate(columns):
        status, score = values[at + 1], values[at + 2]
        if not status:
            continue  # a test that this prompt was not asked
        scores: dict[str, object] = {**_named(values[at + 3]), SCORE: score or None}
        scores[PASSED] = status == "PASS"
        provider, _, _ = header[at].removeprefix("[").partition("] ")
        name = provider if header[at].startswith("[") else f"output {place + 1}"
        yield _Row(name, str(place), case, number, scores, place, status == "ERROR")


def _named(text: str) -> dict[str, object]:
    try:
        return msgspec.json.decode(text.encode(), type=dict[str, object]) if text else {}
    except (ValueError, RecursionError):
        return {}


def _columns(header: list[str]) -> list[int]:
    """Return the places of the output columns: each is followed by its status and its score."""
    wide = range(len(header) - len(_AFTER_OUTPUT))
    return [at for at in wide if header[at + 1 : at + 1 + len(_AFTER_OUTPUT)] == _AFTER_OUTPUT]


def _header(head: bytes) -> list[str]:
    csv.field_size_limit(MAX_LINE_BYTES)
    try:
        return next(csv.reader(io.StringIO(head.decode("utf-8-sig", "replace"), newline="")), [])
    except csv.Error:
        return []

"""Logs of Inspect AI: `.json`, one document, and `.eval`, a zip of one JSON file a sample.

Where: the folder `logs`, or where INSPECT_LOG_DIR points. Tool: `eval.model`. Case: task and sample
id. Category: the task.

Traps.
- Values are letters as often as numbers: C 1, P 0.5, I and N 0. Inspect counts any other text as 0;
  here it is a Problem. A value that is a table holds several metrics (`scorer.key`).
- A sample stands there once an epoch: the mean of its epochs is its score.
- A sample with `error` was not answered: its score, where there is one, says nothing. One that
  hit a `limit` was answered, and keeps its score. An invalidated one is left out.
- NaN, which is no JSON, stands for "not scored".
- `model_usage` holds the judges' tokens as well; only those of `eval.model` are taken. Older
  versions count cached input inside `input_tokens`, newer beside it: total less output is all that
  went in, in both. `total_cost` is there only if prices were declared.
- A run with a status other than success holds the samples that were done by then: the quick and
  the easy ones, perhaps. It is told as a Problem.
- Newer `.eval` files may be packed in ways that this Python cannot unpack:
  `inspect log convert --to json` helps.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from clearbar.core.errors import Problem
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.files.source_file import MAX_DOCUMENT_BYTES, UnreadableFile
from clearbar.trial.recorded.evaluation import need_tool, pick_metric, tokens_of, unit_score, usd_of
from clearbar.trial.recorded.recorded_score import RecordedScore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.spend.files.source_file import SourceFile
    from clearbar.trial.recorded.evaluation import Choice

NAME: Final = "inspect_ai"
TITLE: Final = "Inspect AI logs"
WHERE: Final = "the folder logs, or INSPECT_LOG_DIR: *.eval and *.json"

T = TypeVar("T")
_ZIP: Final = b"PK\x03\x04"
_MAX_MEMBERS: Final = 1_000_000
_MAX_TOTAL_BYTES: Final = 16 * MAX_DOCUMENT_BYTES
_LETTERS: Final = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}


class _Score(msgspec.Struct):
    value: Any = None


class _Usage(msgspec.Struct):
    output_tokens: Any = None
    total_tokens: Any = None
    total_cost: Any = None


class _Sample(msgspec.Struct):
    id: Any = None
    scores: dict[str, _Score] | None = None
    error: Any = None
    invalidation: Any = None
    model_usage: dict[str, _Usage] | None = None


class _Eval(msgspec.Struct):
    task: str = ""
    model: str = ""


class _Log(msgspec.Struct):
    eval: _Eval
    status: str = ""
    samples: list[_Sample] | None = None


def recognises(file: SourceFile) -> bool:
    """Return whether it is a zip that holds samples, or starts as a log does."""
    if file.head.startswith(_ZIP):
        return _holds_samples(file.path)
    head = file.head
    return head.lstrip()[:1] == b"{" and b'"eval"' in head and b'"task"' in head


def read(file: SourceFile, choice: Choice) -> Iterator[RecordedScore | Problem]:
    """Yield a score for each epoch of each sample.

    Raises:
        UnreadableFile: when the file is damaged or too large.
        ClearbarError: when it holds several metrics and none is chosen.
    """
    log = _packed(file.path) if file.head.startswith(_ZIP) else _decode(file.document(), _Log)
    if log.status != "success":
        said = log.status or "not known"
        yield Problem(
            f"the run did not end well (its status is {said}): samples are missing",
            "the ones that are there may be the easy ones; run it again",
        )
    samples = log.samples or []
    names = {name for sample in samples for name in _metrics(sample)}
    metric = pick_metric(names, choice, file.path.name)
    tool = need_tool(log.eval.model, choice, file.path.name)
    for number, sample in enumerate(samples, 1):
        try:
            yield _recorded(sample, log.eval, metric, tool, file, number)
        except QuarantineError as error:
            yield error.problem(number)


def _recorded(
    sample: _Sample, run: _Eval, metric: str | None, tool: str, file: SourceFile, number: int
) -> RecordedScore:
    if sample.id is None or isinstance(sample.id, dict | list):
        raise QuarantineError("no sample id")
    if sample.invalidation is not None:
        raise QuarantineError("the sample was invalidated")
    usage = (sample.model_usage or {}).get(run.model, _Usage())
    output, total = tokens_of(usage.output_tokens), tokens_of(usage.total_tokens)
    failed = sample.error is not None
    return RecordedScore(
        case=f"{run.task}/{sample.id}",
        tool=tool,
        score=None if failed else _score(_metrics(sample).get(metric or "")),
        cost_usd=usd_of(usage.total_cost),
        category=run.task or None,
        file=file.path.name,
        line=number,
        input_tokens=total - (output or 0) if total else None,
        output_tokens=output,
        status="error" if failed else "ok",
    )


def _metrics(sample: _Sample) -> dict[str, object]:
    """Return the values by scorer, or by scorer and key where a scorer gives a table."""
    found: dict[str, object] = {}
    for scorer, score in (sample.scores or {}).items():
        if isinstance(score.value, dict):
            found |= {f"{scorer}.{key}": value for key, value in score.value.items()}
        else:
            found[scorer] = score.value
    return found


def _score(value: object) -> float | None:
    """Return the score of a value; None where nothing was scored."""
    if value is None or value != value:  # noqa: PLR0124 - NaN alone differs from itself
        return None
    if isinstance(value, str) and value in _LETTERS:
        return _LETTERS[value]
    return unit_score(value)


def _holds_samples(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as packed:
            names = packed.namelist()
    except NotImplementedError:
        return True  # reading it says that it cannot be unpacked
    except (OSError, zipfile.BadZipFile, ValueError):
        return False
    return any(name.startswith("samples/") or name == "_journal/start.json" for name in names)


def _packed(path: Path) -> _Log:
    """Return what a zip holds: the run from its header, or from the start of one cut short."""
    try:
        with zipfile.ZipFile(path) as packed:
            members = packed.infolist()
            if len(members) > _MAX_MEMBERS:
                raise UnreadableFile(f"more than {_MAX_MEMBERS:,} files in one log")
            return _unpacked(packed, {member.filename: member for member in members})
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        # NotImplementedError, for unknown packing, is a RuntimeError.
        raise UnreadableFile(
            "the log cannot be unpacked", "convert it: inspect log convert --to json"
        ) from error


def _unpacked(packed: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> _Log:
    left = _MAX_TOTAL_BYTES

    def content(name: str) -> bytes:
        nonlocal left
        with packed.open(members[name]) as stream:
            found = stream.read(min(left, MAX_DOCUMENT_BYTES) + 1)
        left -= len(found)
        if left < 0 or len(found) > MAX_DOCUMENT_BYTES:
            raise UnreadableFile("the log is too large when unpacked", "split it")
        return found

    if "header.json" in members:
        log = _decode(content("header.json"), _Log)
    elif "_journal/start.json" in members:
        log = _decode(content("_journal/start.json"), _Log)
        log.status = "started"
    else:
        raise UnreadableFile("the log does not say what was run")
    names = sorted(name for name in members if name.startswith("samples/"))
    log.samples = [_decode(content(name), _Sample) for name in names if name.endswith(".json")]
    return log


def _decode(content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (ValueError, RecursionError):
        pass
    try:  # with NaN, which stands for "not scored" and is no JSON
        return msgspec.convert(json.loads(content), kind)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile("not a log that can be read", "it may have been cut short") from error

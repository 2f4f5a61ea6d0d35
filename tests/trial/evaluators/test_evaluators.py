"""What each evaluator's files come to, and what in them is easily misread."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.trial.evaluators.samples import HERE, cases, expected_half, told

from clearbar.core.errors import ClearbarError, Problem
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.files.source_file import UnreadableFile, open_source_file
from clearbar.trial.recorded.evaluation import Choice, merge_repeats, unit_score
from clearbar.trial.recorded.evaluators import (
    EVALUATORS,
    evaluator_of,
    inspect_ai,
    read_evaluations,
)
from clearbar.trial.recorded.recorded_score import RecordedScore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.trial.recorded.recorded_scores import RecordedScores

    Write = Callable[..., Path]

INSPECT = HERE / "inspect_ai" / "popularity.in.json"
PROMPTFOO = HERE / "promptfoo" / "results.in.json"
DEEPEVAL = HERE / "deepeval" / "latest.in.json"
EVALS = HERE / "openai_evals" / "match.in.jsonl"
HARNESS = HERE / "lm_evaluation_harness" / "acme__tiny-1b" / "samples_gsm8k.in.jsonl"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function: a value (as JSON), rows (as lines), text or bytes -> a file of it."""

    def put(content: Any, name: str = "file") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        if isinstance(content, dict):
            content = json.dumps(content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put


def loaded(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def scores(found: RecordedScores) -> dict[tuple[str, str], float | None]:
    return {(row.case, row.tool): row.score for row in found.rows}


def whats(found: RecordedScores) -> list[str]:
    return [problem.what for problem in found.problems]


def by_tool(found: RecordedScores) -> dict[str, list[float | None]]:
    tools: dict[str, list[float | None]] = {}
    for row in found.rows:
        tools.setdefault(row.tool, []).append(row.score)
    return tools


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_sample_becomes_what_stands_beside_it(case: Path) -> None:
    assert told(case) == json.loads(expected_half(case).read_text(encoding="utf-8"))


def test_every_evaluator_has_a_sample_and_says_what_it_reads() -> None:
    assert {case.relative_to(HERE).parts[0] for case in cases()} == {e.NAME for e in EVALUATORS}
    assert all(each.TITLE and each.WHERE for each in EVALUATORS)
    assert all("Traps." in (each.__doc__ or "") for each in EVALUATORS)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_one_evaluator_recognises_a_file_whatever_it_is_called(case: Path, write: Write) -> None:
    for content in (case.read_bytes(), gzip.compress(case.read_bytes())):
        file = open_source_file(write(content, "renamed"))
        assert [e.NAME for e in EVALUATORS if e.recognises(file)] == [
            case.relative_to(HERE).parts[0]
        ]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_nothing_of_a_prompt_or_an_answer_is_kept(case: Path) -> None:
    kept = json.dumps(told(case))
    for text in ("ticket 1", "Is it so", "2+2", "question 1", "billing", "because"):
        assert text not in kept


@pytest.mark.parametrize(
    "content",
    [
        "case,tool,score\n1,a,1\n",
        '{"case": "1", "tool": "a", "score": 1}\n',
        "",
        "\x00",
        "PK\x03\x04",
    ],
)
def test_what_is_no_evaluators_file_is_left_to_others(write: Write, content: str) -> None:
    assert evaluator_of(open_source_file(write(content))) is None


def test_a_plain_table_is_read_as_one(write: Write) -> None:
    found = read_evaluations([write("case,tool,score\n1,a,1\n2,a,0\n", "table.csv")])
    assert scores(found) == {("1", "a"): 1, ("2", "a"): 0}


def test_files_of_several_tools_are_read_together(write: Write) -> None:
    other = loaded(INSPECT)
    other["eval"]["model"] = "openai/gpt-4o"
    table = write("case,tool,score\npopularity/1,rules,0\n", "rules.csv")
    found = read_evaluations([INSPECT, write(other), table])
    assert set(by_tool(found)) == {"openai/gpt-4o-mini", "openai/gpt-4o", "rules"}
    assert found.name == "popularity.in.json, file, rules.csv"


def test_a_case_asked_several_times_counts_once_by_its_mean() -> None:
    assert scores(read_evaluations([INSPECT]))["popularity/1", "openai/gpt-4o-mini"] == 0.5
    assert scores(read_evaluations([EVALS]))["sort.dev.3", "gpt-4o-mini"] == 0.5


def test_repeats_merge_to_means_of_what_is_known() -> None:
    def row(score: float | None, usd: str | None, tokens: int | None) -> RecordedScore:
        cost = None if usd is None else Decimal(usd)
        status = "error" if score is None else "ok"
        return RecordedScore("1", "a", score, cost, output_tokens=tokens, status=status)  # type: ignore[arg-type]

    problem = Problem("odd")
    rows: list[RecordedScore | Problem] = [
        row(1, "0.02", 10),
        problem,
        row(None, None, None),
        row(0, None, 21),
        row(1, "0.04", None),
    ]
    first, merged = merge_repeats(rows)
    assert first == problem
    assert isinstance(merged, RecordedScore)
    assert merged.score == pytest.approx(2 / 3)
    assert (merged.cost_usd, merged.output_tokens, merged.status) == (Decimal("0.03"), 16, "ok")


def test_where_every_try_failed_the_case_failed() -> None:
    failed = RecordedScore("1", "a", None, status="error")
    assert list(merge_repeats([failed, failed])) == [failed]


@pytest.mark.parametrize(
    ("value", "score"), [(True, 1), ("Yes", 1), ("no", 0), ("0.25", 0.25), (Decimal("0.5"), 0.5)]
)
def test_a_score_may_be_a_number_a_word_or_a_truth_value(value: object, score: float) -> None:
    assert unit_score(value) == score


@pytest.mark.parametrize("value", [10**400, Decimal("NaN"), Decimal("sNaN"), "nan", -1, "x", None])
def test_what_is_no_score_is_told(value: object) -> None:
    with pytest.raises(QuarantineError):
        unit_score(value)


def test_a_metric_has_to_be_chosen_where_there_are_several(write: Write) -> None:
    log = loaded(INSPECT)
    for sample in log["samples"]:
        sample["scores"]["f1"] = {"value": {"mean": 0.25, "max": 1}}
    path = write(log)
    with pytest.raises(ClearbarError, match=r"several metrics: f1\.max, f1\.mean, match"):
        read_evaluations([path])
    found = read_evaluations([path], Choice(metric="f1.mean"))
    assert set(by_tool(found)["openai/gpt-4o-mini"]) == {0.25, None}
    with pytest.raises(ClearbarError, match=r'no metric "f1.men". Did you mean "f1.mean"'):
        read_evaluations([path], Choice(metric="f1.men"))


def test_an_inspect_log_with_nan_is_read_and_nan_is_no_score(write: Write) -> None:
    text = INSPECT.read_text(encoding="utf-8").replace('"P"', "NaN")
    found = read_evaluations([write(text)])
    assert "no score" in whats(found)


def test_an_inspect_run_that_did_not_end_is_told(write: Write) -> None:
    found = read_evaluations([write(loaded(INSPECT) | {"status": "cancelled"})])
    assert any("status is cancelled" in what for what in whats(found))
    assert found.rows


def test_an_inspect_log_without_samples_holds_none(write: Write) -> None:
    log = {key: value for key, value in loaded(INSPECT).items() if key != "samples"}
    assert read_evaluations([write(log)]).rows == ()


def test_a_broken_inspect_log_is_told(write: Write) -> None:
    with pytest.raises(UnreadableFile, match="not a log"):
        read_evaluations([write(INSPECT.read_bytes()[:-50])])


def packed(header: str = "header.json", more: dict[str, bytes] | None = None) -> bytes:
    """Return a log as Inspect packs it: the run in one file, each sample in its own."""
    log = loaded(INSPECT)
    samples = log.pop("samples")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("_journal/start.json", json.dumps({"version": 2, "eval": log["eval"]}))
        for sample in samples:
            name = f"samples/{sample['id']}_epoch_{sample['epoch']}.json"
            made.writestr(name, json.dumps(sample))
        if header:
            made.writestr(header, json.dumps(log))
        for name, content in (more or {}).items():
            made.writestr(name, content)
    return buffer.getvalue()


def test_a_packed_inspect_log_says_what_the_plain_one_says(write: Write) -> None:
    found, plain = read_evaluations([write(packed(), "x.eval")]), read_evaluations([INSPECT])
    assert scores(found) == scores(plain)
    assert sorted(whats(found)) == sorted(whats(plain))


def test_a_packed_inspect_log_cut_short_is_read_as_far_as_it_goes(write: Write) -> None:
    found = read_evaluations([write(packed(header=""))])
    assert any("status is started" in what for what in whats(found))
    assert found.rows


def test_a_packed_log_that_does_not_say_what_was_run_is_told(write: Write) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("samples/1_epoch_1.json", "{}")
    with pytest.raises(UnreadableFile, match="what was run"):
        read_evaluations([write(buffer.getvalue())])


def test_a_packed_log_that_unpacks_without_end_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspect_ai, "_MAX_TOTAL_BYTES", 100_000)
    bomb = packed(more={"samples/9_epoch_1.json": b" " * 1_000_000})
    assert len(bomb) < 10_000
    with pytest.raises(UnreadableFile, match="too large when unpacked"):
        read_evaluations([write(bomb)])


def test_a_packed_log_of_too_many_files_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspect_ai, "_MAX_MEMBERS", 3)
    with pytest.raises(UnreadableFile, match="more than 3 files"):
        read_evaluations([write(packed())])


def test_a_zip_of_a_version_that_python_does_not_know_is_told(write: Write) -> None:
    content = bytearray(packed())
    at = content.find(b"PK\x01\x02")
    content[at + 6 : at + 8] = (246).to_bytes(2, "little")
    with pytest.raises(UnreadableFile, match="cannot be unpacked"):
        read_evaluations([write(bytes(content))])


def test_a_packing_that_python_does_not_know_is_told(write: Write) -> None:
    content = bytearray(packed())
    at = content.rfind(b"PK\x01\x02")
    content[at + 10 : at + 12] = (99).to_bytes(2, "little")
    with pytest.raises(UnreadableFile, match="cannot be unpacked"):
        read_evaluations([write(bytes(content))])


def test_promptfoos_error_is_no_zero_and_a_failed_assertion_is_no_error() -> None:
    found = read_evaluations([PROMPTFOO])
    assert by_tool(found) == {"openai:gpt-4o-mini": [1, 0.25, None], "big": [1, 1, 1]}
    assert [row.status for row in found.rows if row.score is None] == ["error"]


def test_promptfoos_costs_of_zero_and_cached_answers_are_not_known() -> None:
    costs = [row.cost_usd for row in read_evaluations([PROMPTFOO]).rows if row.tool == "big"]
    assert costs == [Decimal("0.00012"), None, None]


def test_promptfoos_verdicts_and_named_scores_may_be_chosen() -> None:
    passed = read_evaluations([PROMPTFOO], Choice(metric="pass"))
    assert by_tool(passed)["openai:gpt-4o-mini"] == [1, 0, None]
    tone = read_evaluations([PROMPTFOO], Choice(metric="tone"))
    assert by_tool(tone)["big"] == [0.5, 0.5, 0.5]
    with pytest.raises(ClearbarError, match="pass, score, tone"):
        read_evaluations([PROMPTFOO], Choice(metric="mood"))


def test_promptfoos_table_has_named_scores_too() -> None:
    table = HERE / "promptfoo" / "table.in.csv"
    found = read_evaluations([table], Choice(metric="tone"))
    assert by_tool(found) == {"big": [0.5], "openai:gpt-4o-mini": [None]}


def promptfoo_result(**more: object) -> dict[str, Any]:
    result: dict[str, Any] = loaded(PROMPTFOO)["results"]["results"][0]
    return result | more


def test_promptfoos_older_shapes_are_read(write: Write) -> None:
    old = [
        promptfoo_result(provider="openai:gpt-3.5", promptId=None, failureReason=None),
        promptfoo_result(
            provider={"id": "x"}, failureReason=None, error="down", response=None, testIdx=1
        ),
    ]
    found = read_evaluations([write({"evalId": "e", "results": old})])
    assert by_tool(found) == {"openai:gpt-3.5": [1], "x": [None]}


def test_promptfoos_bare_summary_on_one_line_is_one_document(write: Write) -> None:
    summary = {"version": 3, "results": [promptfoo_result(), promptfoo_result(testIdx=9, score=0)]}
    assert by_tool(read_evaluations([write(summary)])) == {"openai:gpt-4o-mini": [0.5]}


def test_a_promptfoo_test_without_variables_is_named_by_its_index(write: Write) -> None:
    rows = [promptfoo_result(vars={}, testCase=None), promptfoo_result(vars={}, testCase={})]
    found = read_evaluations([write([rows[0] | {"testIdx": 7}])])
    assert [row.case for row in found.rows] == ["test 7"]
    nameless = [rows[1] | {"testIdx": None}, promptfoo_result(provider=None)]
    assert whats(read_evaluations([write(nameless)])) == ["no test", "no provider"]


def test_of_a_promptfoo_run_taken_up_again_the_last_line_counts(write: Write) -> None:
    rows = [promptfoo_result(score=0), promptfoo_result(score=1), promptfoo_result(score=None)]
    assert list(scores(read_evaluations([write(rows[:2])])).values()) == [1]
    assert whats(read_evaluations([write(rows)])) == ["no score"]


def test_promptfoos_only_tool_may_be_renamed(write: Write) -> None:
    path = write([promptfoo_result()])
    assert set(by_tool(read_evaluations([path], Choice(tool="mini")))) == {"mini"}
    with pytest.raises(ClearbarError, match="holds 2 tools"):
        read_evaluations([PROMPTFOO], Choice(tool="mini"))


def test_broken_promptfoo_results_are_told(write: Write) -> None:
    with pytest.raises(UnreadableFile, match="not promptfoo's results"):
        read_evaluations([write(PROMPTFOO.read_bytes()[:-40])])
    table = (HERE / "promptfoo" / "table.in.csv").read_bytes()
    with pytest.raises(UnreadableFile, match="not CSV to its end"):
        read_evaluations([write(gzip.compress(table * 400)[:-30])])


def test_the_harness_names_its_model_beside_the_samples(write: Write) -> None:
    time = "2026-10-01T10-00-00.000001"
    path = write(HARNESS.read_bytes(), f"m/samples_gsm8k_{time}.jsonl")
    with pytest.raises(ClearbarError, match="does not say which tool"):
        read_evaluations([path])
    assert set(by_tool(read_evaluations([path], Choice(tool="x")))) == {"x"}
    write({"model_name": "acme/tiny-2b", "results": {}}, f"m/results_{time}.json")
    found = read_evaluations([path])
    assert set(by_tool(found)) == {"acme/tiny-2b"}
    assert {row.category for row in found.rows} == {"gsm8k"}


def harness(write: Write, *rows: dict[str, Any]) -> Path:
    return write([lines_of_harness() | row for row in rows], "org__m/samples_t.jsonl")


def lines_of_harness() -> dict[str, Any]:
    row: dict[str, Any] = json.loads(HARNESS.read_text(encoding="utf-8").splitlines()[0])
    return row


def test_with_filters_a_document_is_one_case_of_the_chosen_one(write: Write) -> None:
    rows = [
        {"doc_id": doc, "filter": name, "exact_match": score}
        for doc, (strict, flexible) in enumerate([(0, 1), (1, 1)])
        for name, score in (("strict-match", strict), ("flexible-extract", flexible))
    ]
    path = harness(write, *rows)
    with pytest.raises(
        ClearbarError, match="exact_match,flexible-extract, exact_match,strict-match"
    ):
        read_evaluations([path])
    found = read_evaluations([path], Choice(metric="exact_match,strict-match"))
    assert (by_tool(found), whats(found)) == ({"org/m": [0, 1]}, [])


def test_a_metric_above_1_or_of_a_whole_corpus_is_no_score(write: Write) -> None:
    path = harness(
        write,
        {"metrics": ["acc", "ppl", "bleu"], "acc": 1, "ppl": 12.5, "bleu": ["a", "b"]},
        {"doc_id": 1, "metrics": ["acc", "ppl", "bleu"], "acc": 0, "ppl": 0.5, "bleu": []},
    )
    assert by_tool(read_evaluations([path])) == {"org/m": [1, 0]}
    only = harness(write, {"metrics": ["ppl"], "ppl": 12.5})
    assert whats(read_evaluations([only])) == ["no score from 0 to 1"]
    assert whats(read_evaluations([only], Choice(metric="ppl"))) == ["score is not from 0 to 1"]


def test_older_samples_do_not_name_their_metrics(write: Write) -> None:
    row = {"metrics": None, "exact_match": None, "acc,none": 1.0, "doc_hash": None}
    found = read_evaluations([harness(write, row)])
    assert [(row.case, row.score) for row in found.rows] == [("t/0", 1)]


def test_deepevals_tool_is_not_its_judge(write: Write) -> None:
    run = loaded(DEEPEVAL)["testRunData"]
    del run["hyperparameters"]
    assert set(by_tool(read_evaluations([write(run)]))) == {"run 1"}
    run["hyperparameters"] = {"model": {"name": "opus", "temperature": 0}}
    assert set(by_tool(read_evaluations([write(run)]))) == {"opus"}
    with pytest.raises(ClearbarError, match="does not say which tool"):
        read_evaluations([write(run | {"hyperparameters": None, "identifier": None})])


def test_deepevals_score_is_whether_it_passed_and_the_raw_one_by_choice(write: Write) -> None:
    run = loaded(DEEPEVAL)["testRunData"]
    for case in run["testCases"][:2]:
        case["metricsData"].append({"name": "Bias", "success": True, "score": 0.125})
    path = write(run)
    with pytest.raises(ClearbarError, match=r"Bias, Correctness \[GEval\]"):
        read_evaluations([path])
    assert by_tool(read_evaluations([path], Choice(metric="Bias"))) == {"haiku": [1, 1]}
    assert by_tool(read_evaluations([path], Choice(metric="Bias.score"))) == {
        "haiku": [0.125, 0.125]
    }
    with pytest.raises(ClearbarError, match=r'no metric "Tone\.score"'):
        read_evaluations([path], Choice(metric="Tone.score"))


def test_deepevals_snake_case_is_read_too(write: Write) -> None:
    result = {
        "name": "t",
        "input": "x",
        "expected_output": "y",
        "actual_output": "z",
        "metrics_data": [{"name": "Exact", "success": False, "score": 0.0}],
    }
    odd = result | {"input": None}
    found = read_evaluations([write({"test_results": [result, odd]})], Choice(tool="a"))
    assert (by_tool(found), whats(found)) == ({"a": [0]}, ["no input"])


def test_a_broken_deepeval_run_is_told(write: Write) -> None:
    with pytest.raises(UnreadableFile, match="not JSON"):
        read_evaluations([write(DEEPEVAL.read_bytes()[:-20])])


def test_an_openai_evals_run_without_a_report_did_not_end(write: Write) -> None:
    lines = EVALS.read_text(encoding="utf-8").splitlines()[:4]
    kept = [line for line in lines if "final_report" not in line]
    found = read_evaluations([write("\n".join(kept))])
    assert whats(found) == ["the run did not end: samples may be missing"]


def evals(write: Write, *events: dict[str, Any], **spec: Any) -> Path:
    told: dict[str, Any] = {"completion_fns": ["m"], "eval_name": "e"} | spec
    rows = [
        {"run_id": "r", "event_id": at, "sample_id": f"e.{at}"} | event
        for at, event in enumerate(events)
    ]
    return write([{"spec": told}, {"final_report": {}}, *rows])


def test_a_model_graded_eval_is_scored_by_its_score(write: Write) -> None:
    graded = {"type": "metrics", "data": {"choice": "Y", "score": 1.0, "tokens": 3}}
    assert by_tool(read_evaluations([evals(write, graded)])) == {"m": [1]}


def test_metrics_of_openai_evals_are_chosen_by_name(write: Write) -> None:
    path = evals(write, {"type": "metrics", "data": {"accuracy": True, "f1": 0.5, "note": "x"}})
    with pytest.raises(ClearbarError, match="accuracy, f1"):
        read_evaluations([path])
    assert by_tool(read_evaluations([path], Choice(metric="f1"))) == {"m": [0.5]}


@pytest.mark.parametrize(
    "spec",
    [
        {"completion_fns": None, "model_name": "old"},
        {"completion_fns": None, "model_names": {"completions": ["old"]}},
    ],
)
def test_older_openai_evals_name_their_model_otherwise(write: Write, spec: dict[str, Any]) -> None:
    path = evals(write, {"type": "match", "data": {"correct": True}}, **spec)
    assert by_tool(read_evaluations([path])) == {"old": [1]}


def test_other_events_of_openai_evals_say_nothing_of_a_score(write: Write) -> None:
    path = evals(write, {"type": "raw_sample", "data": None}, {"event_id": None, "type": "extra"})
    assert whats(read_evaluations([path])) == ["no score", "no score"]


def test_real_logs_of_inspect_are_read(shared_data: Path) -> None:
    folder = shared_data / "formats" / "inspect_ai_logs"
    logs = sorted(folder.glob("*.json"))
    if not logs:
        pytest.skip(f"no Inspect AI logs in {folder}")
    found = read_evaluations(logs)
    assert found.problems == ()
    assert scores(found) == {
        ("browser/1", "openai/gpt-4o-mini"): 1,
        ("popularity/1", "ollama/gemma3"): 1,
    }
    assert {row.tool: (row.input_tokens, row.output_tokens) for row in found.rows} == {
        "openai/gpt-4o-mini": (15235, 281),
        "ollama/gemma3": (66, 3),
    }

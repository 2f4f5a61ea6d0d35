"""No model at all: what rules and classifiers reach on real tasks, certified, beside models.

    python benchmarks/no_model.py [--seed N]

Four public tasks from the folder that CLEARBAR_DATA names (or ../shared/data beside the project):
headlines (with the accuracies and costs of models that others published for the same test cases),
banking intents, SMS spam, and personal data to be extracted. Each tool is made from the task's own
labelled cases and then tried, case by case in a random order, on cases that it has not seen: not
their ids, clusters or inputs. "certificate" is what the sequential test at an error rate of 5%,
shared by the tools and bars of a task, says against the bar, after how many cases.

Fails when a classifier comes out more than two points below what this recipe is known to reach.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from clearbar.tools.classifier import TrainedOn, load_classifier
from clearbar.tools.rules import load_rules
from clearbar.trial.distilling.distil import distil
from clearbar.trial.distilling.examples import examples_of, trained_arrays
from clearbar.trial.grading.grade_json import field_agreement, json_in, leaves
from clearbar.trial.proof.bet import absolute_test
from clearbar.trial.trial import Case, Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from clearbar.tools.tool import Answer

DATA = Path(os.environ.get("CLEARBAR_DATA", Path(__file__).parents[2] / "shared" / "data"))
TASKS = DATA / "tasks"
ERROR = Error(certify=0.05, drop=0.10)
BELOW_KNOWN = 0.02
MARGIN = 0.02
NEAR = "near duplicates"


@dataclass(frozen=True, slots=True)
class Task:
    """Cases to learn from, cases to certify with, and what is asked of a tool."""

    name: str
    train: list[Case]
    test: list[Case]
    bars: list[tuple[str, float]]
    known: float | None = None
    """What this recipe is known to reach."""
    fields: bool = False
    """Answers are JSON objects, scored by the F1 of their fields."""


class Tool(NamedTuple):
    """A tool of tier none."""

    name: str
    answer: Callable[[str], Answer]


def headlines(labels: int) -> Task:
    """Return the classes of gold headlines, learned from so many labels."""
    folder = TASKS / "headlines_frugalgpt"

    def cases(name: str) -> list[Case]:
        with (folder / name).open(encoding="utf-8-sig", newline="") as file:
            return [
                Case(f"{name}-{number}", text.removeprefix("Q: ").removesuffix("\nA:"), label)
                for text, label, number in csv.reader(file)
            ]

    best = max(published(), key=lambda model: model.accuracy if not model.is_mix else 0)
    bars = [
        (f"{best.name} - {MARGIN}", round(best.accuracy - MARGIN, 4)),
        (best.name, best.accuracy),
    ]
    known = {1_000: 0.856, 5_000: 0.895}[labels]
    return Task("headlines", cases("train.csv")[:labels], cases("test.csv"), bars, known)


def banking() -> Task:
    """Return the 77 intents of bank customers."""

    def cases(name: str) -> list[Case]:
        with (TASKS / "banking77" / name).open(encoding="utf-8", newline="") as file:
            return [
                Case(f"{name}-{number}", row["text"], row["category"])
                for number, row in enumerate(csv.DictReader(file))
            ]

    return Task("banking", cases("train.csv"), cases("test.csv"), [("declared", 0.88)], 0.90)


def spam(order: np.random.Generator) -> Task:
    """Return spam among text messages."""
    text = (TASKS / "sms_spam" / "SMSSpamCollection.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t", 1) for line in text.splitlines()[1:]]
    cases = [Case(str(number), said, label) for number, (label, said) in enumerate(rows)]
    train, test = cut(cases, 2_500, order)
    return Task("spam", train, test, [("declared", 0.97)], 0.985)


def personal_data(order: np.random.Generator, *, new_templates: bool) -> Task:
    """Return texts with personal data; `new_templates`: test texts are made after other patterns.

    The texts are made from 209 templates. Traffic like the past has the templates of the past; a
    tool that meets others has to do without having seen any of their words.
    """
    text = (TASKS / "pii_presidio" / "synth_dataset_v2.json").read_text(encoding="utf-8")
    cases = [_pii_case(number, row) for number, row in enumerate(json.loads(text))]
    if new_templates:
        names = sorted({case.cluster or "" for case in cases})
        learned = set(order.permutation(names)[: len(names) * 6 // 10].tolist())
        train = [case for case in cases if case.cluster in learned]
        test = [case for case in cases if case.cluster not in learned]
        return Task("PII, new forms", train, test, [("declared", 0.80)], fields=True)
    alone = [Case(case.id, case.input, case.reference) for case in cases]
    train, test = cut(alone, 900, order)
    return Task("PII, known forms", train, test, [("declared", 0.80)], 0.88, fields=True)


def _pii_case(number: int, row: dict[str, object]) -> Case:
    spans = row["spans"]
    assert isinstance(spans, list)
    fields: dict[str, list[str]] = {}
    for span in sorted(spans, key=lambda span: int(span["start_position"])):
        fields.setdefault(span["entity_type"], []).append(span["entity_value"])
    answer = json.dumps(fields, ensure_ascii=False)
    return Case(str(number), str(row["full_text"]), answer, cluster=f"form-{row['template_id']}")


def cut(
    cases: Sequence[Case], count: int, order: np.random.Generator
) -> tuple[list[Case], list[Case]]:
    """Return so many cases, drawn at random, and the others."""
    drawn = [cases[at] for at in order.permutation(len(cases))]
    return drawn[:count], drawn[count:]


class Model(NamedTuple):
    """What others measured of a model on the headlines."""

    name: str
    accuracy: float
    usd_per_thousand: float
    is_mix: bool


def published() -> list[Model]:
    """Return the published models, most accurate first; of the mixed ones the best."""
    path = TASKS / "headlines_frugalgpt" / "summary" / "summary_HEADLINES_e8_full_2024.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            Model(
                row["Method"],
                float(row["Test_acc"]),
                float(row["Test_cost"]) * 1000,
                row["Method"] == row["Provider"],
            )
            for row in csv.DictReader(file)
        ]
    mixed = max((row for row in rows if row.is_mix), key=lambda row: row.accuracy)
    return sorted([row for row in rows if not row.is_mix] + [mixed], key=lambda m: -m.accuracy)


def near_tool(task: Task, folder: Path) -> Tool:
    """Return the rule that gives the answer of the most similar past input."""
    lines = [json.dumps({"input": case.input, "answer": case.reference}) for case in task.train]
    (folder / "past.jsonl").write_text("\n".join(lines), encoding="utf-8")
    rules = '[[rule]]\nnear = "past.jsonl"\nlikeness = 0.5\n'
    (folder / "near.toml").write_text(rules, encoding="utf-8")
    return Tool(NEAR, load_rules(folder / "near.toml").answer)


PATTERNS = r"""
[[rule]]
[[rule.extract]]
field = "EMAIL_ADDRESS"
regex = '[\w.+-]+@[\w-]+(?:\.[\w-]+)+'
many = true
[[rule.extract]]
field = "IP_ADDRESS"
regex = '\b(?:\d{1,3}\.){3}\d{1,3}\b|\b(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}\b'
many = true
[[rule.extract]]
field = "IBAN_CODE"
regex = '\b[A-Z]{2}\d{2}[A-Z0-9]{10,30}\b'
many = true
[[rule.extract]]
field = "DOMAIN_NAME"
regex = '\b(?:https?://)?(?:www\.)?[a-zA-Z0-9-]+\.(?:com|org|net|info|biz|co\.uk|[a-z]{2})\b'
many = true
[[rule.extract]]
field = "CREDIT_CARD"
regex = '\b\d{12,19}\b'
many = true
[[rule.extract]]
field = "US_SSN"
regex = '\b\d{3}-\d{2}-\d{4}\b'
many = true
[[rule.extract]]
field = "PHONE_NUMBER"
regex = '(?:\+|\b|\()\d[\d()./ -]{7,16}\d(?:x\d+)?\b'
many = true
[[rule.extract]]
field = "DATE_TIME"
regex = '\b\d{1,2}[/-]\d{1,2}[/-]\d{2,4}\b|\b\d{4}-\d{2}-\d{2}\b'
many = true
[[rule.extract]]
field = "AGE"
regex = '\b(\d{1,3})(?= years old|-year)'
many = true
"""


def pattern_tool(task: Task, folder: Path) -> Tool:
    """Return rules: patterns, and lists of the words that were personal data in past answers."""
    words: dict[str, Counter[str]] = {}
    for case in task.train:
        for name, values in json.loads(case.reference or "{}").items():
            words.setdefault(name, Counter()).update(values)
    rules = PATTERNS
    for name in ("GPE", "NRP", "TITLE", "ORGANIZATION", "PERSON"):
        (folder / f"{name}.txt").write_text("\n".join(words.get(name, ())), encoding="utf-8")
        rules += f'[[rule.extract]]\nfield = "{name}"\nwords_from = "{name}.txt"\nmany = true\n'
    (folder / "patterns.toml").write_text(rules, encoding="utf-8")
    return Tool("patterns and lists", load_rules(folder / "patterns.toml").answer)


def learned_tool(task: Task, folder: Path, seed: int) -> tuple[Tool, float, float]:
    """Return the classifier or extractor, its size in MB and the agreement it was expected of."""
    report = distil(task.train, folder / "learned", seed=seed)
    assert report.file is not None
    assert report.predicted is not None
    name = "extractor" if task.fields else "classifier"
    tool = Tool(name, load_classifier(report.file).answer)
    return tool, report.file_bytes / 1e6, report.predicted.agreement


def score(task: Task, answer: str, reference: str) -> float:
    """Return the score of an answer, in [0, 1]."""
    if not task.fields:
        return float(answer == reference)
    return field_agreement(
        leaves(json_in(answer), nulls=False), leaves(json_in(reference), nulls=False)
    )


def unseen(task: Task, order: np.random.Generator) -> list[Case]:
    """Return the test cases that share nothing with those learned, one a cluster, shuffled."""
    arrays = trained_arrays(examples_of(task.train, ""))
    seen = TrainedOn(*(frozenset(arrays[f"trained.{what}"].tolist()) for what in _SEEN))
    cases = [task.test[at] for at in order.permutation(len(task.test))]
    fresh = [case for case in cases if not seen.holds(case.id, case.cluster, case.input)]
    return list({case.cluster or case.id: case for case in fresh}.values())


_SEEN = ("cases", "clusters", "inputs")


def certificate(task: Task, scores: Sequence[float], bar: float, tests: int) -> str:
    """Return what one of so many sequential tests says of the scores, in their order."""
    alpha = ERROR.certify / tests
    test = absolute_test(bar, alpha, ERROR, len(scores), binary=not task.fields)
    for each in scores:
        test.add(each)
        if test.decision() is not None:
            break
    decision = test.decision()
    low, high = test.interval()
    outcome = decision[0] if decision else "undecided"
    return f"{outcome:<9} after {test.n:>4} ({low:.3f} to {high:.3f})"


def lines(task: Task, seed: int) -> Iterator[str]:
    """Yield the lines of a task's tools; exit where a classifier is not as good as known."""
    order = np.random.default_rng(seed)
    cases = unseen(task, order)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = pattern_tool(task, folder) if task.fields else near_tool(task, folder)
        learned, size_mb, expected = learned_tool(task, folder, seed)
        for tool in (first, learned):
            start = time.perf_counter()
            answers = {case.id: tool.answer(case.input) for case in task.test}
            took_ms = (time.perf_counter() - start) * 1000 / len(answers)
            scored = {
                case.id: score(task, answers[case.id].text, case.reference or "")
                for case in task.test
            }
            mean = sum(scored.values()) / len(scored)
            fresh = [scored[case.id] for case in cases]
            about = f"{task.name:<17}{len(task.train):>6}  {tool.name:<19}{mean:>6.3f}"
            for what, bar in task.bars:
                said = certificate(task, fresh, bar, 2 * len(task.bars))
                yield f"{about}{took_ms:>7.2f}  {bar:.3f} {what:<18} {said}"
                about = " " * len(about)
            if tool.name == NEAR:
                right = [scored[name] for name in scored if answers[name].confidence]
                note = f"answers {len(right) / len(scored):.1%} of cases"
                yield f"{'':<25}{note}, {sum(right) / len(right):.3f} of these right"
            if tool is learned:
                note = f"expected {expected:.3f} from cross-validation, file {size_mb:.1f} MB"
                yield f"{'':<25}{note}; {len(cases)} of {len(task.test)} test cases can certify"
                if task.known is not None and mean < task.known - BELOW_KNOWN:
                    sys.exit(f"{task.name}: {mean:.3f} where {task.known} is known")


def main() -> None:
    """Print all tasks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    if not TASKS.is_dir():
        sys.exit(f"real tasks are not at {TASKS}; set CLEARBAR_DATA to where they are")
    started = time.process_time()
    print("Headlines, published for the same 5,000 test cases (few-shot prompts, prices of 2024):")
    for model in published():
        print(f"  {model.name:<34}{model.accuracy:.3f}  ${model.usd_per_thousand:.3f} per 1,000")
    print("\nTools of tier none: $0 per 1,000 calls beyond the machine that runs them.")
    print(f"{'task':<17}{'labels':>6}  {'tool':<19}{'mean':>6}{'ms':>7}  bar", end="")
    print(f"{'':<22}certificate (anytime interval)")
    order = np.random.default_rng(seed)
    tasks = (
        lambda: headlines(1_000),
        lambda: headlines(5_000),
        banking,
        lambda: spam(order),
        lambda: personal_data(order, new_templates=False),
        lambda: personal_data(order, new_templates=True),
    )
    for make in tasks:
        for line in lines(make(), seed):
            print(line, flush=True)
    print(f"\n{time.process_time() - started:.0f} CPU seconds")


if __name__ == "__main__":
    main()

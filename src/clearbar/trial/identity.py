"""Digests: what was asked of whom, what was graded by whom, what a trial and a certificate are.

Every digest is SHA-256 over canonical JSON (sorted keys, ASCII, no spaces) of what it stands for,
with a word in front that says what kind of thing it is. Pure.

Digests hide texts only as far as texts cannot be guessed: whoever can read the store and tries
`yes` and `no` learns which of the two a tool answered.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from clearbar.tools.digest import tool_digest
from clearbar.tools.tool import TokenPrice
from clearbar.trial.trial import Identity

if TYPE_CHECKING:
    from clearbar.own.workflow import Workflow
    from clearbar.tools.tool import Tool
    from clearbar.trial.plan import TrialPlan
    from clearbar.trial.trial import Case


def canonical_json(value: object) -> str:
    """Return the one text of a value: of dataclasses their fields, of money plain digits.

    Infinities, which JSON does not know, become the texts `inf` and `-inf`.
    """
    return json.dumps(plain_values(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def plain_values(value: object) -> Any:
    """Return a value as JSON has them: texts, numbers, lists, tables.

    Raises:
        TypeError: for what has no place in a noun.
    """
    if isinstance(value, Mapping):
        return {str(key): plain_values(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(each) for each in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain_values(getattr(value, each.name)) for each in fields(value)}
    return _plain_value(value)


def _plain_value(value: object) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            return format(value, "f")
        case date():
            return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no canonical text")


def digest_of(kind: str, *parts: object) -> str:
    """Return the digest of a kind of thing and what makes it up."""
    return hashlib.sha256(canonical_json([kind, *parts]).encode()).hexdigest()


def answering_digest(tool: Tool, contents: str = "") -> str:
    """Return the digest of all of a tool that its answers depend on.

    Not its name, price, tier, class of data or patience: a change of those makes a certificate
    stale, and yet no answer has to be bought again. `contents` is the digest of its files.
    """
    bare = replace(
        tool, name="", tier="unknown", cost=TokenPrice(), data_class="internal", timeout_s=60.0
    )
    return tool_digest(bare, contents)


def prompt_digest(prompt: str) -> str:
    """Return the digest of the instructions."""
    return digest_of("prompt", prompt)


def question_digest(case: Case) -> str:
    """Return the digest of what is asked: the case's id and input, not its reference.

    With the id, because two cases that ask the same are two draws from the traffic: one answer
    for both would make their scores one score.
    """
    return digest_of("case", case.id, case.input)


def answer_digest(text: str) -> str:
    """Return the digest of an answer's exact text."""
    return digest_of("answer", text)


def asked_digest(tool_digest: str, prompt: str, case: str) -> str:
    """Return the key of an answer, of three digests: what was asked of whom."""
    return digest_of("asked", tool_digest, prompt, case)


def graded_digest(case: Case, answer: str, grader: str) -> str:
    """Return the key of a grade: this answer (its digest) to this case, under this grader."""
    return digest_of("graded", question_digest(case), case.reference, answer, grader)


def trial_key(identity: Identity) -> str:
    """Return what all runs of one trial share: the digest of what it is about."""
    return digest_of("trial", identity)


def identity_of(
    workflow: Workflow,
    plan: TrialPlan,
    *,
    prompt: str,
    grader: str,
    tool_digests: Mapping[str, str],
    cases_digest: str,
    cases: int,
    cases_from: str,
    seed: int | None = None,
) -> Identity:
    """Return what a trial of a workflow with a metric and a bar is about.

    `grader` is the canonical text of the grader; `tool_digests` are of the tools tried.

    Raises:
        ValueError: when the workflow has no bar.
    """
    if workflow.bar is None:
        raise ValueError("a trial needs a bar")
    return Identity(
        workflow=workflow.name,
        bar=workflow.bar,
        metric=workflow.metric.name if workflow.metric else "score",
        grader=grader,
        prompt_digest=prompt_digest(prompt),
        cases_digest=cases_digest,
        cases=cases,
        cases_from=cases_from,
        tools=dict(sorted(tool_digests.items())),
        error=plan.error(workflow.stakes),
        seed=plan.seed if seed is None else seed,
    )

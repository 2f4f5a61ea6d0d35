"""What `grade = { kind = ..., ... }` of a trial declares. The kinds are told in `grade_declare.py`.

Never here: rules, network, disk, clock, randomness.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from clearbar.trial.grading.grade import Measure, Which

GradeKind = Literal[
    "exact",
    "normalised",
    "numeric",
    "regex",
    "label",
    "one_of",
    "set",
    "json_fields",
    "json_schema",
    "command",
    "python",
    "judge",
    "person",
]
GRADE_KINDS: Final[tuple[GradeKind, ...]] = get_args(GradeKind)
TextForm = Literal["exact", "normalised"]


@dataclass(frozen=True, slots=True)
class GradeSettings:
    """How answers are scored. Which settings count depends on the kind."""

    kind: GradeKind
    absolute: Decimal = Decimal(0)
    relative: Decimal = Decimal(0)
    take: Which | None = None
    pattern: str | None = None
    group: str | int | None = None
    ignore_case: bool = False
    labels: tuple[str, ...] = ()
    separator: str | None = None
    measure: Measure = "f1"
    fields: tuple[str, ...] = ()
    text: TextForm = "exact"
    null_is_absent: bool = False
    schema: str | None = None
    """Path of a JSON Schema."""
    command: tuple[str, ...] = ()
    function: str | None = None
    binary: bool = False
    """Of command and python: whether they only ever give 0 and 1."""
    timeout_s: float = 30.0
    tool: str | None = None
    """Of judge: the tool that judges."""
    criteria: str = ""
    """Of judge: what a good answer is."""
    label_share: Decimal | None = None
    """Of judge: the share of passed answers that people label too; None trusts the judge."""

"""Which workflow each charge belongs to: the first rule of the file that matches takes it. Pure.

A workflow without rules takes the origins whose caller named it. Its own trials are its own,
whatever the rules; so is what went through the gateway under its key, which knows whose it is and
paid from its budget. A dimension that was not reported matches no glob, not even `*`. What no rule
takes belongs to none: it is never spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clearbar.core.glob import glob_pattern, literal_prefix
from clearbar.spend.charge import GATEWAY_SOURCE, TRIAL_SOURCE, labels_of

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence

    from clearbar.own.workflow import MatchRule, Workflow
    from clearbar.spend.charge import Origin

_LABEL = "label."


@dataclass(frozen=True, slots=True)
class Attribution:
    """Whose an origin is, and why."""

    workflow: str | None
    """None: no rule took it."""
    rule: MatchRule | None
    """The rule that took it; None where the caller named the workflow, or nothing took it."""
    why: str
    """A sentence that names the rule and its line."""


UNTAKEN = Attribution(None, None, "no rule of any workflow takes it")


def attribute(origin: Origin, workflows: Sequence[Workflow]) -> Attribution:
    """Return whose the origin is."""
    return _Attributor(workflows).attribute(origin)


def attribute_all(
    origins: Mapping[int, Origin], workflows: Sequence[Workflow]
) -> dict[int, Attribution]:
    """Return whose each origin is, by its id."""
    attributor = _Attributor(workflows)
    return {origin_id: attributor.attribute(origin) for origin_id, origin in origins.items()}


class _Attributor:
    """All rules of the file at once: bit n of a number stands for the nth rule.

    A dimension's value decides, once, which rules can still match; the lowest bit that is left
    over all dimensions is the first rule.
    """

    def __init__(self, workflows: Sequence[Workflow]) -> None:
        self._attributions: list[Attribution] = []
        self._dimensions: dict[str, _Dimension] = {}
        self._labels: dict[str, _Dimension] = {}
        self._label_memo: dict[str, int] = {}
        self._named: dict[str, int] = {}
        self._known: dict[tuple[str, str], Attribution] = {}
        """By source and name: what Clearbar itself knows the workflow of."""
        for workflow in workflows:
            self._add(workflow)
        self._all = (1 << len(self._attributions)) - 1
        self._by_rule = self._all & ~sum(self._named.values())

    def attribute(self, origin: Origin) -> Attribution:
        if (known := self._known.get((origin.source, origin.workflow))) is not None:
            return known
        left = self._by_rule | self._named.get(origin.workflow, 0)
        for name, dimension in self._dimensions.items():
            left &= dimension.allowed(getattr(origin, name))
        if self._labels:
            left &= self._allowed_by_labels(origin.labels)
        first = (left & -left).bit_length() - 1
        return UNTAKEN if first < 0 else self._attributions[first]

    def _add(self, workflow: Workflow) -> None:
        name = workflow.name
        for source, why in (
            (TRIAL_SOURCE, f'a trial of "{name}" asked'),
            (GATEWAY_SOURCE, f'it went through the gateway for "{name}"'),
        ):
            self._known.setdefault((source, name), Attribution(name, None, why))
        if not workflow.match_rules:
            self._named.setdefault(workflow.name, 1 << len(self._attributions))
            why = f'its caller named "{workflow.name}"{_line(workflow.line)}'
            self._attributions.append(Attribution(workflow.name, None, why))
        for number, rule in enumerate(workflow.match_rules, 1):
            bit = 1 << len(self._attributions)
            for field, globs in rule.conditions:
                self._condition(field).add(globs, bit)
            why = f'rule {number} of "{workflow.name}"{_line(rule.line)}: {rule}'
            self._attributions.append(Attribution(workflow.name, rule, why))

    def _condition(self, field: str) -> _Dimension:
        if field.startswith(_LABEL):
            return self._labels.setdefault(field.removeprefix(_LABEL), _Dimension())
        return self._dimensions.setdefault(field, _Dimension())

    def _allowed_by_labels(self, text: str) -> int:
        if text not in self._label_memo:
            labels, allowed = labels_of(text), self._all
            for name, label in self._labels.items():
                allowed &= label.allowed(labels.get(name, ""))
            self._label_memo[text] = allowed
        return self._label_memo[text]


class _Dimension:
    """What the rules ask of one dimension or label. Globs are looked up by how they begin."""

    def __init__(self) -> None:
        self._asking = 0
        self._globs: dict[str, list[tuple[re.Pattern[str], int]]] = {}
        self._lengths: set[int] = set()
        self._memo: dict[str, int] = {}

    def add(self, globs: Sequence[str], bit: int) -> None:
        self._asking |= bit
        for glob in globs:
            prefix = literal_prefix(glob)
            self._globs.setdefault(prefix, []).append((glob_pattern(glob), bit))
            self._lengths.add(len(prefix))

    def allowed(self, value: str) -> int:
        """Return the rules that ask nothing of this dimension, or which the value satisfies."""
        if value not in self._memo:
            self._memo[value] = ~self._asking | self._satisfied(value.lower())
        return self._memo[value]

    def _satisfied(self, value: str) -> int:
        found = 0
        if not value:
            return found
        for length in self._lengths:
            for pattern, bit in self._globs.get(value[:length], ()):
                if not found & bit and pattern.match(value):
                    found |= bit
        return found


def _line(line: int | None) -> str:
    return "" if line is None else f" (clearbar.toml:{line})"

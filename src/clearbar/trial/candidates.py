"""Tools as candidates of a race: what they are expected to cost, and who may not be asked."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Final

from clearbar.tools.cost import expected_usd_per_case
from clearbar.trial.declaration import part_names, prompt_of
from clearbar.trial.plan import may_be_given
from clearbar.trial.race.confidences import confidences_of
from clearbar.trial.race.race import Candidate, Parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from clearbar.tools.rates import Rates
    from clearbar.tools.tool import Tool
    from clearbar.trial.cases import Split
    from clearbar.trial.declaration import Declaration
    from clearbar.trial.trial import Case

_CHARACTERS_A_TOKEN: Final = 4
"""Rough, for English; it only orders tools that nothing is measured of."""
_ANSWER_TOKENS: Final = 200
"""Expected length of an answer where no case has one."""


def candidates_of(
    declaration: Declaration,
    tools: Mapping[str, Tool],
    folds: Split,
    rates: Rates,
    now: datetime,
) -> tuple[Candidate, ...]:
    """Return the tools as candidates, priced by what their calls are expected to take."""
    data, used = declaration.workflow.data_class, declaration.in_use
    lengths = _lengths(declaration, (*folds.train, *folds.certify))

    def price(name: str) -> Decimal | None:
        if used is not None and used.tool == name and used.usd_per_call is not None:
            return used.usd_per_call
        return expected_usd_per_case(declaration.tools[name], *lengths, rates, now)

    def candidate(tool: Tool) -> Candidate:
        asked = [declaration.tools[name] for name in part_names(tool) or (tool.name,)]
        outside = next((each for each in asked if not may_be_given(each, data)), None)
        return Candidate(
            tool.name,
            tool.tier,
            price(tool.name),
            parts=_parts(tool, declaration, folds, price),
            refused=None if outside is None else "data_class",
            note="" if outside is None else refusal(outside, data),
        )

    return tuple(candidate(tool) for tool in tools.values())


def refusal(tool: Tool, data: str) -> str:
    """Return why a tool may not be given data of a class."""
    return f"{tool.name} may be given {tool.data_class} data at most, and this is {data}"


def _parts(
    tool: Tool, declaration: Declaration, folds: Split, price: Callable[[str], Decimal | None]
) -> Parts | None:
    if tool.first is None or tool.then is None:
        return None
    each = [price(name) for name in (tool.first, *tool.agree_with)]
    known = [usd for usd in each if usd is not None]
    first = declaration.tools[tool.first]
    return Parts(
        tool.first,
        tool.then,
        tool.agree_with,
        confidences_of(first, len(tool.agree_with), folds.train, declaration.folder),
        first_usd=sum(known[1:], known[0]) if len(known) == len(each) else None,
        then_usd=price(tool.then),
    )


def _lengths(declaration: Declaration, cases: Sequence[Case]) -> tuple[float, float]:
    """Return the mean tokens of a question and of an answer: those in use, else of the cases."""
    if (used := declaration.in_use) is not None:
        return used.input_tokens, used.output_tokens
    prompt = prompt_of(declaration)
    asked = fmean(len(case.input) for case in cases) + len(prompt) if cases else len(prompt)
    answers = [len(answer) for case in cases for answer in case.answers.values()]
    answers = answers or [len(case.reference) for case in cases if case.reference is not None]
    said = fmean(answers) / _CHARACTERS_A_TOKEN if answers else _ANSWER_TOKENS
    return asked / _CHARACTERS_A_TOKEN, max(said, 1.0)

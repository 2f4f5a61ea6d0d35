"""Write the sample: first the true calls, then every file that tells of them."""

from __future__ import annotations

from collections import defaultdict
from importlib.resources import files
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from clearbar.sample.calls import Call, Outcome, calls_of, outcomes_of, task_starts
from clearbar.sample.company import STORIES
from clearbar.sample.defences import DEFENCES
from clearbar.sample.truth import Truth, WorkflowTruth, daily_totals
from clearbar.sample.write_claude_code import write_claude_code
from clearbar.sample.write_litellm import write_litellm
from clearbar.sample.write_openai_usage import write_openai_usage
from clearbar.sample.write_otlp import write_otlp
from clearbar.sample.write_outcomes import write_outcomes
from clearbar.sample.write_table import write_table
from clearbar.sample.write_trial import write_trial

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.sample.story import Log, Story

SEED: Final = 7


def write_sample(folder: Path, seed: int = SEED) -> Truth:
    """Write the sample company into `folder` and return what its files add up to.

    The same seed gives the same bytes. The folder should be empty: what else stands in it stays,
    and the usage files of another seed would be read along with these.
    """
    lives = [_live(story, seed) for story in STORIES]
    folder.mkdir(parents=True, exist_ok=True)
    declaration = files("clearbar.sample").joinpath("clearbar.toml").read_bytes()
    (folder / "clearbar.toml").write_bytes(declaration)
    write_trial(folder, Random(f"{seed}:tickets"))  # noqa: S311 - a sample is no secret
    everything = [call for life in lives for call in life.calls]
    return Truth(
        workflows={life.story.name: _truth_of(life) for life in lives if life.story.attributed},
        unattributed=_truth_of_strays(lives),
        quarantined=_write_usage(folder / "usage", everything, seed),
        quarantined_outcomes=sum(
            write_outcomes(folder / "outcomes", life.story.name, life.outcomes) for life in lives
        ),
        defences=DEFENCES,
    )


class _Life(NamedTuple):
    """What truly happened in one story."""

    story: Story
    calls: list[Call]
    outcomes: list[Outcome]


def _live(story: Story, seed: int) -> _Life:
    """Return what happens in a story. No story depends on another one's draws."""
    rng = Random(f"{seed}:{story.name}")  # noqa: S311 - a sample is no secret
    starts = task_starts(story, rng)
    return _Life(story, list(calls_of(story, starts, rng)), list(outcomes_of(story, starts, rng)))


def _truth_of(life: _Life) -> WorkflowTruth:
    days = daily_totals(life.calls, life.outcomes)
    return WorkflowTruth(days, life.story.decision, life.story.rules)


def _truth_of_strays(lives: list[_Life]) -> WorkflowTruth:
    calls = [call for life in lives if not life.story.attributed for call in life.calls]
    return WorkflowTruth(daily_totals(calls, ()))


def _write_usage(folder: Path, calls: list[Call], seed: int) -> dict[str, int]:
    """Write every log; return, for each kind of log, how many of its records are broken."""
    told: defaultdict[Log, list[Call]] = defaultdict(list)
    for call in calls:
        told[call.step.log].append(call)
        if call.step.log == "litellm" and "named_workflow" in call.story.origin:
            told["otlp"].append(call)
    rng = Random(f"{seed}:files")  # noqa: S311 - a sample is no secret
    return {
        "claude_code": write_claude_code(folder / "claude-code", told["claude_code"], rng),
        "litellm": write_litellm(folder / "litellm", told["litellm"]),
        "openai_usage": write_openai_usage(folder / "openai", told["openai_usage"]),
        "otlp": write_otlp(folder / "otel", told["otlp"]),
        "table": write_table(folder / "exports", told["table"]),
    }

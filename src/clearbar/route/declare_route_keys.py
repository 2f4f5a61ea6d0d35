"""The keys of `[[route]]`, `[[budget]]` and `[[team]]`, with what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.core.toml_kinds import DAYS, TEXT, USD, choice, list_of, number, table_of
from clearbar.core.toml_table import Key, Kind
from clearbar.route.declare_keys import whole
from clearbar.route.declared_route import Watch
from clearbar.route.route import MODES, PERS, SCOPES, Capture
from clearbar.tools.rule_file import REGEX

if TYPE_CHECKING:
    from decimal import Decimal
    from re import Pattern
    from typing import Literal

    from clearbar.core.toml_table import Place, Table
    from clearbar.route.route import Mode, Per, Scope

    Protection = Literal["plain", "hashed", "encrypted"]

_CAPTURE: Final = Capture()
_WATCH: Final = Watch()
_MAX_SAMPLES: Final = 10**9
_PROTECTIONS: Final[tuple[Protection, ...]] = ("plain", "hashed", "encrypted")


def _names(value: object, place: Place) -> tuple[str, ...]:
    names = list_of(TEXT).read(value, place)
    for at, name in enumerate(names):
        if name in names[:at]:
            place.at(at).fault(f'"{name}" is named twice')
    return names


NAMES: Final = Kind("list of text", _names)
_PART: Final = number("share", "a share from 0 to 1", lambda share: 0 <= share <= 1)
_SOME: Final = number("share", "a share above 0, up to 1", lambda share: 0 < share <= 1)
_HALF: Final = number("share", "a share from 0 to 0.5", lambda share: 0 <= share <= 0.5)  # noqa: PLR2004

CAPTURE_SHARE: Final = Key(
    "share", _SOME, _CAPTURE.share, "Share of the requests that is kept.", "0.1"
)
CAPTURE_DAYS: Final = Key("days", DAYS, _CAPTURE.days, "After which they are deleted.", '"14d"')
REDACT: Final[Key[tuple[Pattern[str], ...]]] = Key(
    "redact",
    list_of(REGEX),
    (),
    "What these regular expressions match is replaced by [redacted].",
    r"""['[\w.+-]+@[\w-]+\.[\w.]+']""",
)
PROTECT: Final[Key[Protection]] = Key(
    "protect",
    choice(_PROTECTIONS),
    "plain",
    "Whether texts are kept as they are, as hashes only, or encrypted.",
    '"encrypted"',
)
CAPTURE_KEYS: Final = (CAPTURE_SHARE, CAPTURE_DAYS, REDACT, PROTECT)


def _capture(table: Table) -> Capture:
    return Capture(
        share=table.take(CAPTURE_SHARE),
        days=table.take(CAPTURE_DAYS),
        redact=tuple(each.pattern for each in table.take(REDACT)),
        protect=table.take(PROTECT),
    )


FALSE_ALARM: Final = Key(
    "false_alarm",
    DAYS,
    _WATCH.false_alarm_days,
    "On average at most one alarm in this time is false, while the tool stays at its bar.",
    '"365d"',
)
FALSE_ALARM_SAMPLES: Final[Key[int | None]] = Key(
    "false_alarm_samples",
    whole(1, _MAX_SAMPLES),
    None,
    "The same in graded samples, instead of a time.",
    "10000",
)
WATCH_KEYS: Final = (FALSE_ALARM, FALSE_ALARM_SAMPLES)


def _watch(table: Table) -> Watch:
    if {FALSE_ALARM.name, FALSE_ALARM_SAMPLES.name} <= table.values.keys():
        table.place.at(FALSE_ALARM_SAMPLES.name).fault(
            f"stands beside {FALSE_ALARM.name}: declare one of the two"
        )
    return Watch(table.take(FALSE_ALARM), table.take(FALSE_ALARM_SAMPLES))


WORKFLOW: Final = Key(
    "workflow", TEXT, "", "The workflow whose requests it is about.", '"support-replies"',
    required=True,
)  # fmt: skip
MODE: Final[Key[Mode | None]] = Key(
    "mode",
    choice(MODES),
    None,
    "`advise`: nothing changes, advice stands in a header; `shadow`: the winner is asked beside the"
    " tool in use; `enforce`: verdicts, tools and budgets hold. Left out: `enforce` where the"
    " policy's mode is that, else `advise`.",
    '"enforce"',
)
TOOL: Final[Key[str | None]] = Key(
    "tool", TEXT, None, "The tool in force, instead of the cheapest certified one.", '"haiku"'
)
FALLBACKS: Final[Key[tuple[str, ...] | None]] = Key(
    "fallbacks",
    NAMES,
    None,
    "Asked in this order where the tool in force fails. Left out: the other certified tools,"
    " cheapest first, then the old tool; an empty list: none.",
    '["sonnet"]',
)
TOOLS: Final[Key[tuple[str, ...]]] = Key(
    "tools",
    NAMES,
    (),
    "Among which a client may choose by naming their model, where no tool is in force. Left out:"
    " any that the data class permits.",
    '["haiku", "sonnet"]',
)
HOLDOUT: Final = Key(
    "holdout",
    _HALF,
    0.05,
    "Share of the requests that stays on the old tool, so that savings are measured.",
    "0.1",
)
SHADOW: Final = Key(
    "shadow", _PART, 0.02, "Share of the requests of which another tool is asked a copy.", "0.05"
)
OLD_TOOL: Final[Key[str | None]] = Key(
    "old_tool",
    TEXT,
    None,
    "The tool that an alarm goes back to; left out, the tool in use of the certificate.",
    '"opus"',
)
CAPTURE: Final[Key[Capture | None]] = Key(
    "capture",
    table_of(CAPTURE_KEYS, _capture),
    None,
    "Keeps requests and answers, as cases for trials; left out, none is kept.",
    '{ share = 0.1, days = "14d", protect = "encrypted" }',
)
WATCH: Final = Key(
    "watch",
    table_of(WATCH_KEYS, _watch),
    _WATCH,
    "How the tool in force is watched.",
    '{ false_alarm = "365d" }',
)
ROUTE_KEYS: Final = (
    WORKFLOW,
    MODE,
    TOOL,
    FALLBACKS,
    TOOLS,
    HOLDOUT,
    SHADOW,
    OLD_TOOL,
    CAPTURE,
    WATCH,
)

BUDGET_SCOPE: Final[Key[Scope]] = Key(
    "scope", choice(SCOPES), "organisation", "What has the budget.", '"team"', required=True
)
BUDGET_NAME: Final = Key(
    "name",
    TEXT,
    "",
    "Whose it is: the name of the workflow, team, user, task or run, or the id of the key; `*`"
    " gives each that has none of its own one like this. The organisation has none.",
    '"support"',
)
BUDGET_USD: Final[Key[Decimal | None]] = Key(
    "usd", USD, None, "What may be spent.", '"500"', required=True
)
BUDGET_PER: Final[Key[Per | None]] = Key(
    "per",
    choice(PERS),
    None,
    "In which time, in UTC; `run`: over all of its life. Left out: `run` for tasks and runs, else"
    " `month`.",
    '"day"',
)
WARN_AT: Final = Key(
    "warn_at", list_of(_PART), (0.8,), "Shares of it at which to warn, once each.", "[0.5, 0.9]"
)
DRAIN_AT: Final[Key[float | None]] = Key(
    "drain_at",
    _SOME,
    None,
    "The share from which new tasks and runs are refused, while those begun go on.",
    "0.9",
)
BUDGET_KEYS: Final = (BUDGET_SCOPE, BUDGET_NAME, BUDGET_USD, BUDGET_PER, WARN_AT, DRAIN_AT)

TEAM_NAME: Final = Key("name", TEXT, "", "The one name of the team.", '"support"', required=True)
TEAM_WORKFLOWS: Final[Key[tuple[str, ...]]] = Key(
    "workflows",
    NAMES,
    (),
    "Its workflows: a key of the team may name any of these, and its budgets pay for them.",
    '["support-replies", "digest"]',
)
TEAM_KEYS: Final = (TEAM_NAME, TEAM_WORKFLOWS)

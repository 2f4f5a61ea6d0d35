"""Reads `[[tool]]` of clearbar.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import nearest
from clearbar.core.toml_table import shown
from clearbar.tools import declare_keys as keys
from clearbar.tools.tool import GpuPrice, NoPrice, TokenPrice, Tool

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from clearbar.core.toml_table import Key, Place, Table
    from clearbar.tools.tool import CostModel, DataClass, Kind, Tier

TOOL_KEYS: Final = (
    keys.NAME,
    keys.KIND,
    keys.MODEL,
    keys.PROVIDER,
    keys.URL,
    keys.KEY_ENV,
    keys.TIER,
    keys.INPUT_PRICE,
    keys.OUTPUT_PRICE,
    keys.GPU_HOUR,
    keys.SPEED,
    keys.UTILISATION,
    keys.FREE,
    keys.DATA_CLASS,
    keys.SETTINGS,
    keys.COMMAND,
    keys.FUNCTION,
    keys.FILE,
    keys.FIRST,
    keys.THEN,
    keys.AGREE_WITH,
    keys.TIMEOUT,
    keys.CONCURRENCY,
    keys.PACE,
    keys.VERSION,
)

_TOKENS: Final = (keys.INPUT_PRICE, keys.OUTPUT_PRICE)
_GPU: Final = (keys.GPU_HOUR, keys.SPEED, keys.UTILISATION)
_FREE: Final = (keys.FREE,)
_PRICES: Final[tuple[tuple[Key[Any], ...], ...]] = (_TOKENS, _GPU, _FREE)
"""Groups of keys, each of which says all of a cost; one of them may be declared."""

_ANY: Final = (keys.NAME, keys.KIND, keys.TIER, keys.VERSION)
_ASKED: Final = (keys.DATA_CLASS, keys.TIMEOUT, keys.CONCURRENCY, keys.PACE)
_ENDPOINT: Final = (
    keys.MODEL,
    keys.PROVIDER,
    keys.URL,
    keys.KEY_ENV,
    keys.SETTINGS,
    *_TOKENS,
    *_GPU,
    keys.FREE,
    *_ASKED,
)
_FROM_A_FILE: Final = (keys.FILE, keys.FREE, *_ASKED)
_OF_A_KIND: Final[Mapping[Kind, tuple[Key[Any], ...]]] = {
    "openai": _ENDPOINT,
    "anthropic": _ENDPOINT,
    "command": (keys.COMMAND, keys.KEY_ENV, keys.FREE, *_ASKED),
    "python": (keys.FUNCTION, keys.FREE, *_ASKED),
    "rules": _FROM_A_FILE,
    "classifier": _FROM_A_FILE,
    "cascade": (keys.FIRST, keys.THEN, keys.AGREE_WITH),
}
"""The keys that only some kinds take; a cascade has cost, pace and data class of its parts."""
_NEEDED: Final[Mapping[Kind, tuple[Key[Any], ...]]] = {
    "openai": (keys.MODEL,),
    "anthropic": (keys.MODEL,),
    "command": (keys.COMMAND,),
    "python": (keys.FUNCTION,),
    "rules": (keys.FILE,),
    "classifier": (keys.FILE,),
    "cascade": (keys.FIRST, keys.THEN),
}
_NO_MODEL: Final[Collection[Kind]] = ("command", "python", "rules", "classifier")
_IN_PROCESS: Final[Collection[Kind]] = ("rules", "classifier")
HERE: Final = NoPrice("it is worked out by Clearbar itself: no call is billed")
"""The cost of rules and classifiers, where nothing else is declared."""


def read_tool(table: Table) -> Tool:
    """Return the tool. That the tools which a cascade names exist is `check_cascades`' to say."""
    kind = table.take(keys.KIND)
    if kind is not None:
        _check_keys(table, kind)
    _check_prices(table)
    return Tool(
        name=table.take(keys.NAME),
        kind=kind or "openai",
        tier=_tier(table, kind),
        cost=_cost(table, kind),
        data_class=_data_class(table, kind),
        model=table.take(keys.MODEL),
        provider=table.take(keys.PROVIDER),
        url=table.take(keys.URL),
        key_env=table.take(keys.KEY_ENV),
        settings=table.take(keys.SETTINGS),
        command=table.take(keys.COMMAND),
        function=table.take(keys.FUNCTION),
        file=table.take(keys.FILE),
        first=table.take(keys.FIRST),
        then=table.take(keys.THEN),
        agree_with=table.take(keys.AGREE_WITH),
        timeout_s=table.take(keys.TIMEOUT),
        concurrency=table.take(keys.CONCURRENCY),
        requests_per_minute=table.take(keys.PACE),
        version=table.take(keys.VERSION),
        line=table.place.line,
    )


def check_cascades(tools: Sequence[Tool], place: Place) -> None:
    """Note where a cascade names what is no tool; `place` is that of the list of tools."""
    known = {tool.name: tool for tool in tools}
    for at, tool in enumerate(tools):
        if tool.kind != "cascade":
            continue
        named = [(keys.FIRST.name, tool.first), (keys.THEN.name, tool.then)]
        named += [(keys.AGREE_WITH.name, each) for each in tool.agree_with]
        for key, name in named:
            _check_part(known, name, place.at(at, key))
        others = {keys.THEN.name: (tool.then,), keys.AGREE_WITH.name: tool.agree_with}
        for key, names in others.items():
            if tool.first in names:
                place.at(at, key).fault(f"{shown(tool.first)} is the first tool already")


def _check_part(known: Mapping[str, Tool], name: str | None, place: Place) -> None:
    part = known.get(name or "")
    if part is None:
        place.fault(f"no tool {shown(name)}.{nearest(name or '', known)}")
    elif part.kind == "cascade":
        place.fault(f"{shown(name)} is a cascade itself: name the tools that it asks")


def _check_keys(table: Table, kind: Kind) -> None:
    takes = (*_ANY, *_OF_A_KIND[kind])
    for key in TOOL_KEYS:
        if key.name in table.values and key not in takes:
            also = ", ".join(each.name for each in _OF_A_KIND[kind])
            table.place.at(key.name).fault(
                f'a tool of kind "{kind}" has no such key (it has {also})'
            )
    for key in _NEEDED[kind]:
        if key.name not in table.values:
            table.place.fault(
                f'expected the key "{key.name}" ({key.kind.name}) of a tool of kind "{kind}",'
                " found none"
            )
    if keys.COMMAND in _NEEDED[kind] and table.values.get(keys.COMMAND.name) == []:
        table.place.at(keys.COMMAND.name).fault("expected a program, found an empty list")


def _check_prices(table: Table) -> None:
    found = [group for group in _PRICES if any(key.name in table.values for key in group)]
    for group in found[1:]:
        second = next(key.name for key in group if key.name in table.values)
        first = next(key.name for key in found[0] if key.name in table.values)
        table.place.at(second).fault(f"stands beside {first}: declare one cost, not two")
    for group in found:
        missing = [key.name for key in group if key.name not in table.values]
        if missing:
            there = next(key.name for key in group if key.name in table.values)
            table.place.at(there).fault(f"needs {' and '.join(missing)} beside it")


def _tier(table: Table, kind: Kind | None) -> Tier:
    declared = table.take(keys.TIER)
    return "none" if declared == "unknown" and kind in _NO_MODEL else declared


def _data_class(table: Table, kind: Kind | None) -> DataClass:
    declared = table.take(keys.DATA_CLASS)
    undeclared = keys.DATA_CLASS.name not in table.values
    return "restricted" if undeclared and kind in _IN_PROCESS else declared


def _cost(table: Table, kind: Kind | None) -> CostModel:
    per_input, per_output = table.take(keys.INPUT_PRICE), table.take(keys.OUTPUT_PRICE)
    hour, speed = table.take(keys.GPU_HOUR), table.take(keys.SPEED)
    share, free = table.take(keys.UTILISATION), table.take(keys.FREE)
    if free is not None:
        return NoPrice(free)
    if hour is not None and speed is not None and share is not None:
        return GpuPrice(hour, speed, share)
    if kind in _IN_PROCESS:
        return HERE
    return TokenPrice(per_input, per_output)

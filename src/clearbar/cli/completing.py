"""What the tab key completes: names that the workspace, a repository or the program knows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from clearbar.core.period import ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import click
    from click.shell_completion import CompletionItem

    from clearbar.workspace import Workspace

    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def known(context: click.Context, names: Callable[[Workspace], Iterable[str]]) -> list[str]:
    """Return names of the workspace that is meant; none where it cannot be read.

    Names that a terminal or a shell's list would not show as they stand are left out.
    """
    from clearbar.workspace import Workspace

    folder = context.params.get("folder") or context.find_root().params.get("workspace")
    try:
        with Workspace.find(folder) as workspace:
            return [name for name in names(workspace) if name.isprintable()]
    except Exception:  # noqa: BLE001 - the tab key says nothing of what is wrong: the command does
        return []


def items(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Return the names that begin so."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def of_workspace(names: Callable[[Workspace], Iterable[str]]) -> Completer:
    """Return what completes a name of the workspace."""

    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        del parameter
        return items(known(context, names), incomplete)

    return complete


def of_meanings(meanings: Callable[[], Mapping[str, str]]) -> Completer:
    """Return what completes a name of the program's own, with its meaning; loaded when asked."""

    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        del context, parameter
        found = meanings().items()
        return [
            CompletionItem(each, help=text) for each, text in found if each.startswith(incomplete)
        ]

    return complete


def declared_workflows(context: click.Context) -> list[str]:
    """Return the names of the declared workflows; none where there is no sound workspace."""
    return known(context, lambda workspace: [each.name for each in workspace.declared.workflows])


complete_workflow = of_workspace(lambda found: [each.name for each in found.declared.workflows])
complete_team = of_workspace(lambda found: [each.name for each in found.declared.teams])
complete_tool = of_workspace(lambda found: [each.name for each in found.declared.tools])
complete_period = of_workspace(lambda found: ["all", "30d", *found.months()])
complete_month = of_workspace(lambda found: found.months_to_close())
complete_model = of_workspace(lambda found: found.models())
complete_book = of_workspace(lambda found: found.price_versions())
complete_charge = of_workspace(lambda found: [each["charge_id"] for each in found.dearest(ALL)])
complete_key = of_workspace(
    lambda found: [each.key.key_id for each in found.keys() if not each.revoked_at]  # noqa: SIM118
)


def complete_tools(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the last of several names of declared tools."""
    before, comma, last = incomplete.rpartition(",")
    taken = before.split(",")
    found = [item.value for item in complete_tool(context, parameter, last)]
    return items((f"{before}{comma}{name}" for name in found if name not in taken), incomplete)


def complete_branch(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a branch of the repository that the command names."""
    from clearbar.core.errors import ClearbarError
    from clearbar.own.merged.history import branches

    del parameter
    try:
        return items(branches(Path(_argument(context, "repository") or ".")), incomplete)
    except ClearbarError:
        return []


def complete_account(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete an account that the API was pulled for before."""
    del parameter
    api = _argument(context, "api")
    return items(known(context, lambda found: found.pulled_accounts(api)), incomplete)


def _argument(context: click.Context, name: str) -> str:
    """Return the first argument; where an option waits for its value, click has not named it."""
    return str(context.params.get(name) or next(iter(context.args), ""))


def complete_variable(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a variable of the environment."""
    del context, parameter
    return items(sorted(os.environ), incomplete)


def complete_path(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Let the shell complete a file or a folder."""
    from click.shell_completion import CompletionItem

    del context, parameter
    return [CompletionItem(incomplete, type="file")]

"""`clearbar init`: a new workspace, or a sample company to look at."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from clearbar.cli.options import print_json
from clearbar.core.errors import ClearbarError


@click.command("init")
@click.argument("folder", required=False, default=".", type=click.Path(path_type=Path))
@click.option("--demo", is_flag=True, help="Write a sample company: usage files, outcomes, owners.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with documented fields.")
def command(folder: Path, *, demo: bool, as_json: bool) -> None:
    """Make FOLDER (default: this one) a workspace.

    \b
    Examples:
      clearbar init
      clearbar init --demo demo
    """
    path = make_demo(folder) if demo else make_workspace(folder)
    if as_json:
        print_json({"declared": str(path)})
    elif demo:
        click.echo(f"a sample company is in {folder}; see it:")
        click.echo(f"  clearbar --workspace {folder} report {folder / 'usage'}")
    else:
        click.echo(f"wrote {path}; add usage: clearbar spend add PATH...")


def make_workspace(folder: Path) -> Path:
    """Write a first clearbar.toml and return its path.

    Raises:
        ClearbarError: when there is one already.
    """
    path = folder / "clearbar.toml"
    _refuse_to_overwrite(path)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(files("clearbar").joinpath("starter.toml").read_bytes())
    return path


def make_demo(folder: Path) -> Path:
    """Write the sample company, its owners' defences in the docket; return its clearbar.toml.

    Raises:
        ClearbarError: when there is a workspace already.
    """
    from clearbar.sample.world import write_sample
    from clearbar.workspace import Workspace

    path = folder / "clearbar.toml"
    _refuse_to_overwrite(path)
    truth = write_sample(folder)
    with Workspace.find(folder) as workspace:
        for each in truth.defences:
            days = each.expires_days
            workspace.defend(each.workflow, by=each.by, why=each.why, days=days, on=each.on)
    return path


def _refuse_to_overwrite(path: Path) -> None:
    if path.exists():
        raise ClearbarError(f"{path} is there already", "name another folder, or edit that file")

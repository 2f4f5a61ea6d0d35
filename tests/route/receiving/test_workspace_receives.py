"""What a workspace refuses to listen with."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from clearbar.cli.main import cli
from clearbar.core.errors import ClearbarError
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


VARIABLE = "RECEIVE"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    (tmp_path / "clearbar.toml").touch()
    with Workspace.find(str(tmp_path)) as opened:
        yield opened


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "host.example"])  # noqa: S104
def test_others_may_send_with_a_token_only(workspace: Workspace, host: str) -> None:
    with pytest.raises(ClearbarError, match="others could send"):
        workspace.receive(print, host=host, port=0)


def test_a_variable_without_a_token_is_an_error(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RECEIVE", raising=False)
    with pytest.raises(ClearbarError, match="RECEIVE holds no token"):
        workspace.receive(print, host="127.0.0.1", port=0, token_env=VARIABLE)
    monkeypatch.setenv("RECEIVE", "ü")
    with pytest.raises(ClearbarError, match="no header can"):
        workspace.receive(print, host="127.0.0.1", port=0, token_env=VARIABLE)


def test_a_port_that_is_taken_is_an_error(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ClearbarError, match=f"127.0.0.1:{port} cannot be listened on"):
            workspace.receive(print, host="127.0.0.1", port=port)


def test_a_name_that_no_machine_has_is_an_error(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECEIVE", "token")
    with pytest.raises(ClearbarError, match="no name of a machine"):
        workspace.receive(print, host="ü..b", port=0, token_env=VARIABLE)


def test_the_help_shows_how_exporters_are_pointed_there() -> None:
    said = CliRunner().invoke(cli, ["spend", "receive", "--help"]).output
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318" in said
    assert "receive" in CliRunner().invoke(cli, ["spend", "--help"]).output

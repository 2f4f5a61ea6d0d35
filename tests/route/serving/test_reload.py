"""What is declared, issued or decided is in force within five seconds, and no request is lost."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from tests.route.serving.gateway import Gateway, decide, gateway, issue, toml
from tests.tools.upstream import Upstream

from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Self

PROMISED_S = 5.0
DIGEST = '\n[[workflow]]\nname = "digest"\nowner = "digest-lead@example.com"\n'


class Load:
    """Asks every 20 ms, each time in a thread of its own, and counts what comes back."""

    def __init__(self, running: Gateway, key: str) -> None:
        self.statuses: Counter[int | str] = Counter()
        self._running = running
        self._key = key
        self._stopped = threading.Event()
        self._asking: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        for each in self._asking:
            each.join()

    def _run(self) -> None:
        while not self._stopped.wait(0.02):
            thread = threading.Thread(target=self._ask)
            thread.start()
            self._asking.append(thread)

    def _ask(self) -> None:
        try:
            answered = self._running.chat(self._key)
        except OSError as error:
            self.statuses[type(error).__name__] += 1
        else:
            self.statuses[answered.status] += 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reload")


@pytest.fixture(scope="module")
def text() -> Iterator[str]:
    with Upstream(seconds=0.05) as upstream:
        yield toml(upstream.url, DIGEST).replace("[gateway]", "[gateway]\nworkers = 2")


@pytest.fixture(scope="module")
def running(folder: Path, text: str) -> Iterator[tuple[Gateway, str]]:
    with gateway(folder, text) as opened:
        yield opened


@pytest.fixture
def load(running: tuple[Gateway, str]) -> Iterator[None]:
    """Nothing else that goes on may cost a request of `letters`."""
    with Load(*running) as loaded:
        time.sleep(0.2)
        yield
        time.sleep(0.2)
    assert set(loaded.statuses) == {200}


def seen(everywhere: Callable[[], bool], times: int = 8) -> float:
    """Return after how long something holds so often in a row that each worker was asked."""
    started, held = time.monotonic(), 0
    first = started
    while held < times and time.monotonic() - started < 4 * PROMISED_S:
        if everywhere():
            first = time.monotonic() if not held else first
            held += 1
        else:
            held = 0
            time.sleep(0.05)
    assert held == times
    return first - started


@pytest.mark.usefixtures("load")
def test_a_key_works_soon_after_it_was_issued(running: tuple[Gateway, str], folder: Path) -> None:
    key = issue(folder, "digest")
    assert seen(lambda: running[0].chat(key).status == 200) < PROMISED_S


@pytest.mark.slow
@pytest.mark.usefixtures("load")
def test_a_key_is_refused_soon_after_it_was_revoked(
    running: tuple[Gateway, str], folder: Path
) -> None:
    key = issue(folder, "digest")
    seen(lambda: running[0].chat(key).status == 200)
    with Workspace(folder) as workspace:
        workspace.revoke_key(key.split("_")[1], by="platform@example.com")
    assert seen(lambda: running[0].chat(key).status == 401) < PROMISED_S


@pytest.mark.slow
@pytest.mark.usefixtures("load")
def test_a_verdict_is_in_force_soon_and_so_is_its_end(
    running: tuple[Gateway, str], folder: Path
) -> None:
    key = issue(folder, "digest")
    seen(lambda: running[0].chat(key).status == 200)
    decide(folder, "digest", "kill")
    assert seen(lambda: running[0].chat(key).status == 403) < PROMISED_S
    decide(folder, "digest", "fund")
    assert seen(lambda: running[0].chat(key).status == 200) < PROMISED_S


@pytest.mark.slow
@pytest.mark.usefixtures("load")
def test_declarations_are_in_force_soon(
    running: tuple[Gateway, str], folder: Path, text: str
) -> None:
    key = issue(folder, "digest")
    seen(lambda: running[0].chat(key).status == 200)
    route = '\n[[route]]\nworkflow = "digest"\ntool = "small"\nholdout = 0\n'
    (folder / "clearbar.toml").write_text(text + route)

    def is_routed() -> bool:
        return running[0].chat(key, model="other").headers["x-clearbar-tool"] == "small"

    assert seen(is_routed) < PROMISED_S
    (folder / "clearbar.toml").write_text(text)
    assert seen(lambda: not is_routed()) < PROMISED_S


@pytest.mark.usefixtures("load")
def test_broken_declarations_leave_the_table_in_force_and_are_said(
    running: tuple[Gateway, str], folder: Path, text: str
) -> None:
    (folder / "clearbar.toml").write_text(text + "\n[[workflow\n")
    give_up = time.monotonic() + PROMISED_S
    while time.monotonic() < give_up:
        if any("the table in force stays" in line for line in running[0].said):
            break
        time.sleep(0.05)
    assert any("the table in force stays" in line for line in running[0].said)
    assert running[0].operate("GET", "/readyz").status == 200
    assert running[0].chat(running[1]).status == 200
    (folder / "clearbar.toml").write_text(text)


@pytest.mark.slow
@pytest.mark.usefixtures("load")
def test_many_edits_in_a_row_cost_no_request(folder: Path, text: str) -> None:
    for number in range(15):
        (folder / "clearbar.toml").write_text(f"{text}\n# {number}\n" + "[" * (number % 2))
        time.sleep(0.1)
    (folder / "clearbar.toml").write_text(text)


def test_a_table_that_cannot_be_read_at_all_says_so(
    running: tuple[Gateway, str], folder: Path, text: str
) -> None:
    (folder / "clearbar.toml").unlink()
    said: list[Any] = []
    give_up = time.monotonic() + PROMISED_S
    while not said and time.monotonic() < give_up:
        said = [line for line in running[0].said if "clearbar.toml" in line and "stays" in line]
        time.sleep(0.05)
    assert running[0].chat(running[1]).status == 200
    (folder / "clearbar.toml").write_text(text)
    assert said

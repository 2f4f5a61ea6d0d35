"""What lies at the provider belongs to the workflow that made it, whichever worker is asked."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from tests.route.serving.gateway import Answered, Gateway, gateway_for, toml
from tests.tools.upstream import Upstream

from clearbar.route.budgets.store import BudgetStore
from clearbar.route.budgets.store_sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TWO_WORKERS = """
[[workflow]]
name = "others"
owner = "others-lead@example.com"

[[route]]
workflow = "others"
mode = "advise"
"""
DOCUMENT = [{"role": "user", "content": [{"type": "input_file", "file_id": "file-9000"}]}]


class Objects(dict[tuple[str, str], "Callable[[Any], object]"]):
    """Routes of a provider that keeps files, answers and batches, and gives all that it has."""

    def __init__(self) -> None:
        super().__init__()
        self._count = itertools.count(1)

    def __bool__(self) -> bool:
        return True

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        method, path = key
        kind = path.removeprefix("/v1/").partition("/")[0]
        if kind not in {"files", "responses", "batches"}:
            return default
        return lambda body: self._said(method, path, kind, body)

    def _said(self, method: str, path: str, kind: str, body: Any) -> object:
        if method == "POST":
            made = f"{kind}-{next(self._count):06d}{'0' * 20}"
            if kind == "responses" and body.get("stream"):
                return _events(made)
            return _made(made, kind)
        return {"id": path.rpartition("/")[2], "secret": "of one workflow"}


def _made(object_id: str, kind: str) -> dict[str, Any]:
    usage = {"input_tokens": 5, "output_tokens": 5, "total_tokens": 10}
    more = {"output_file_id": f"file-of-{object_id}"} if kind == "batches" else {}
    return {
        "id": object_id,
        "object": kind.rstrip("s"),
        "model": "gpt-5-mini",
        "status": "completed",
        "output": [],
        "usage": usage,
        **more,
    }


def _events(object_id: str) -> list[bytes]:
    whole = _made(object_id, "responses")
    begun = {"type": "response.created", "response": {**whole, "usage": None}}
    ended = {"type": "response.completed", "response": whole}
    return [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in (begun, ended)]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(others=Objects()) as opened:
        yield opened


@pytest.fixture(scope="module")
def running(
    upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, dict[str, str]]]:
    text = toml(upstream.url, TWO_WORKERS).replace("[gateway]", "[gateway]\nworkers = 2")
    with gateway_for(tmp_path_factory.mktemp("objects"), text, "letters", "others") as opened:
        yield opened


class Asking:
    """Asks under the key of a workflow, each time over a connection of its own: of any worker."""

    def __init__(self, running: tuple[Gateway, dict[str, str]]) -> None:
        self.gateway, self._keys = running

    def __call__(
        self, method: str, path: str, body: object = None, workflow: str = "letters"
    ) -> Answered:
        headers = {"authorization": f"Bearer {self._keys[workflow]}"}
        return self.gateway.ask(method, path, body, headers)

    def made(self, path: str, body: object) -> str:
        answered = self("POST", path, body)
        assert answered.status == 200, answered.body
        found: str = answered.json["id"]
        return found


@pytest.fixture
def ask(running: tuple[Gateway, dict[str, str]]) -> Asking:
    return Asking(running)


def code(answered: Answered) -> str:
    assert answered.status == 403, answered.body
    found: str = answered.json["error"]["code"]
    return found


@pytest.mark.parametrize("kind", ["files", "responses"])
def test_who_made_an_object_reads_and_deletes_it_through_any_worker(ask: Asking, kind: str) -> None:
    made = ask.made(f"/v1/{kind}", {"model": "gpt-5-mini", "input": "hi"})
    for _ in range(8):
        assert ask("GET", f"/v1/{kind}/{made}").json["id"] == made
    assert ask("DELETE", f"/v1/{kind}/{made}").status == 200


@pytest.mark.parametrize("kind", ["files", "responses"])
def test_another_workflow_may_not_whatever_its_mode(ask: Asking, kind: str) -> None:
    made = ask.made(f"/v1/{kind}", {"model": "gpt-5-mini", "input": "hi"})
    for method in ("GET", "DELETE"):
        assert code(ask(method, f"/v1/{kind}/{made}", workflow="others")) == "other_object"


def test_what_nobody_is_known_to_have_made_is_nobodys(ask: Asking, upstream: Upstream) -> None:
    assert code(ask("GET", "/v1/files/file-9000")) == "other_object"
    assert not [each for each in upstream.asked_otherwise if "file-9000" in each[1]]


@pytest.mark.parametrize("workflow", ["letters", "others"])
def test_a_list_is_refused_with_what_to_do(ask: Asking, workflow: str) -> None:
    answered = ask("GET", "/v1/files", workflow=workflow)
    assert code(answered) == "lists_objects"
    assert "shared_objects = true" in answered.json["error"]["message"]


def test_a_streamed_answer_belongs_to_who_asked(ask: Asking) -> None:
    asked = {"model": "gpt-5-mini", "input": "hi", "stream": True}
    events = ask("POST", "/v1/responses", asked).body.decode()
    made = json.loads(events.partition("data: ")[2].partition("\n")[0])["response"]["id"]
    assert ask("GET", f"/v1/responses/{made}").status == 200
    assert code(ask("GET", f"/v1/responses/{made}", workflow="others")) == "other_object"


def test_a_conversation_goes_on_for_who_began_it_alone(ask: Asking) -> None:
    first = ask.made("/v1/responses", {"model": "gpt-5-mini", "input": "hi"})
    more = {"model": "gpt-5-mini", "input": "and?", "previous_response_id": first}
    assert ask("POST", "/v1/responses", more).status == 200
    assert code(ask("POST", "/v1/responses", more, "others")) == "other_object"


def test_a_file_of_others_cannot_be_asked_about(ask: Asking) -> None:
    asked = {"model": "gpt-5-mini", "input": DOCUMENT}
    assert code(ask("POST", "/v1/responses", asked)) == "other_object"


def test_what_belongs_to_an_object_belongs_to_who_made_it(ask: Asking) -> None:
    given = ask.made("/v1/files", {"purpose": "batch"})
    batch = ask.made("/v1/batches", {"input_file_id": given})
    result = f"/v1/files/file-of-{batch}/content"
    assert ask("GET", result).status == 200
    assert code(ask("GET", result, workflow="others")) == "other_object"


def test_ids_are_kept_as_hashes(ask: Asking) -> None:
    made = ask.made("/v1/files", {"purpose": "batch"})
    path = ask.gateway.folder / ".clearbar/route/budgets.db"
    with closing(BudgetStore(SqliteDatabase(path))) as store, store.reading() as session:
        rows = session.rows("SELECT object, workflow FROM owned_objects")
    assert "letters" in {workflow for _, workflow in rows}
    assert made not in str(rows)


def test_a_death_of_workers_loses_no_owner(ask: Asking) -> None:
    kept = ask.made("/v1/files", {"purpose": "batch"})
    answer = ask.made("/v1/responses", {"model": "gpt-5-mini", "input": "hi"})
    dead = ask.gateway.worker_pids()
    for pid in dead:
        os.kill(pid, signal.SIGKILL)
    give_up = time.monotonic() + 20
    while set(ask.gateway.worker_pids()) & set(dead) and time.monotonic() < give_up:
        time.sleep(0.1)
    ask.gateway.wait_until_ready()
    assert ask("GET", f"/v1/files/{kept}").status == 200
    assert ask("GET", f"/v1/responses/{answer}").status == 200


def test_where_objects_are_declared_to_be_shared_nothing_is_refused(
    upstream: Upstream, tmp_path: Path
) -> None:
    text = toml(upstream.url).replace("[gateway]", "[gateway]\nshared_objects = true")
    with gateway_for(tmp_path, text, "letters") as opened:
        ask = Asking(opened)
        assert ask("GET", "/v1/files").status == 200
        assert ask("DELETE", "/v1/files/file-9000").status == 200

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.route.operating.admin_server import AdminServer
from tests.route.operating.gateway import GATEWAY_KEY
from tests.route.operating.lines import ended, held

from clearbar.core.errors import ClearbarError
from clearbar.route.operating.admin_routes import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLD = {"hold_id": "call-1", "model": "gpt-4o-mini", "workflow": "support-replies"}
SECURED = [each for each in ENDPOINTS if each.access in {"admin", "holder"}]


@pytest.fixture
def server() -> Iterator[AdminServer]:
    with AdminServer() as server:
        yield server


@pytest.fixture(scope="module")
def shared() -> Iterator[AdminServer]:
    with AdminServer() as server:
        yield server


def test_health_needs_no_token(server: AdminServer) -> None:
    said = server.ask("GET", "/healthz", token=None)
    assert (said.status, said.json) == (200, {"alive": True, "version": "9.9.9"})


def test_a_gateway_that_can_serve_is_ready(server: AdminServer) -> None:
    assert server.ask("GET", "/readyz", token=None).status == 200


def test_a_gateway_that_cannot_serve_says_why(server: AdminServer) -> None:
    server.facts.why_not = ("no worker lives",)
    said = server.ask("GET", "/readyz", token=None)
    assert (said.status, said.json["detail"]) == (503, "no worker lives")
    assert said.headers["retry-after"] == "1"


def test_metrics_can_be_scraped_without_a_token_where_they_are_open(server: AdminServer) -> None:
    said = server.ask("GET", "/metrics", token=None)
    assert said.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"clearbar_ready 1.0" in said.body


def test_metrics_need_the_token_where_they_are_not_open() -> None:
    with AdminServer(open_metrics=False) as server:
        assert server.ask("GET", "/metrics", token=None).status == 401
        assert server.ask("GET", "/metrics").status == 200


def test_metrics_tell_of_lines_of_the_journal(server: AdminServer) -> None:
    server.metrics.calls([held()], [(held(), ended())])
    assert b'clearbar_calls_total{arm="passed"' in server.ask("GET", "/metrics").body


@pytest.mark.parametrize("endpoint", SECURED, ids=lambda each: each.name)
@pytest.mark.parametrize("token", [None, "", "cba_a-token-of-a-test-and-no-othe", "cb_x_y"])
def test_everything_else_needs_a_token(
    shared: AdminServer, endpoint: object, token: str | None
) -> None:
    (found,) = [each for each in ENDPOINTS if each is endpoint]
    path = found.path.replace("{", "").replace("}", "")
    said = shared.ask(found.method, path, body={}, token=token)
    assert said.status == 401
    assert said.headers["www-authenticate"].startswith("Bearer")
    assert said.headers["content-type"] == "application/problem+json"


def test_a_gateway_key_is_no_admin_token(server: AdminServer) -> None:
    assert server.ask("GET", "/v1/keys", token=GATEWAY_KEY).status == 401


def test_the_table_of_routes_is_shown_with_why(server: AdminServer) -> None:
    said = server.ask("GET", "/v1/routes").json
    assert said["generation"] == 7
    assert [row["workflow"] for row in said["routes"]] == ["old-reports", "support-replies"]
    assert said["routes"][1]["why"] == ["funded since 3 November"]


def test_a_route_is_found_by_its_percent_encoded_name(server: AdminServer) -> None:
    assert server.ask("GET", "/v1/routes/support%2Dreplies").json["captured"] is True


def test_a_workflow_that_is_not_there_is_not_found(server: AdminServer) -> None:
    said = server.ask("GET", "/v1/routes/nobody")
    assert (said.status, said.json["code"]) == (404, "no_workflow")


def test_a_budget_is_shown_in_exact_dollars(server: AdminServer) -> None:
    server.facts.spent_nusd = 1
    (row,) = server.ask("GET", "/v1/budgets").json["budgets"]
    assert (row["limit_usd"], row["spent_usd"]) == ("1", "0.000000001")


def test_workers_and_alarms_are_shown(server: AdminServer) -> None:
    assert len(server.ask("GET", "/v1/workers").json["workers"]) == 2
    assert server.ask("GET", "/v1/alarms").json["alarms"][0]["what"] == "it fell"


def test_a_key_is_issued_shown_once_and_revoked(server: AdminServer) -> None:
    body = {"scope": "workflow", "of": "support-replies", "name": "ci"}
    issued = server.ask("POST", "/v1/keys", body=body)
    assert issued.status == 201
    listed = server.ask("GET", "/v1/keys")
    assert issued.json["key"].encode() not in listed.body
    assert b"hash" not in listed.body
    revoked = server.ask("DELETE", f"/v1/keys/{issued.json['key_id']}")
    assert revoked.json["revoked_at"] is not None


def test_a_key_for_a_workflow_that_is_not_there_is_not_issued(server: AdminServer) -> None:
    said = server.ask("POST", "/v1/keys", body={"scope": "workflow", "of": "nobody"})
    assert (said.status, said.json["detail"]) == (404, "there is no such workflow")


def test_declarations_that_are_wrong_are_a_problem_with_a_way_out(server: AdminServer) -> None:
    server.facts.problem = ClearbarError("clearbar.toml: line 3: no such key", "did you mean x?")
    said = server.ask("POST", "/v1/reload")
    assert (said.status, said.json["hint"]) == (422, "did you mean x?")


def test_a_drain_is_accepted(server: AdminServer) -> None:
    assert server.ask("POST", "/v1/drain").status == 202
    assert server.facts.draining


def test_money_is_held_and_settled_with_a_gateway_key(server: AdminServer) -> None:
    held_ = server.ask("POST", "/v1/holds", body=HOLD, token=GATEWAY_KEY)
    assert (held_.status, held_.json["held_usd"]) == (201, "0.01")
    usage = {"usage": {"input_tokens": 10, "output_tokens": 5}}
    path = "/v1/holds/call-1/settle"
    assert server.ask("POST", path, body=usage, token=GATEWAY_KEY).json["cost_usd"] == "0.000015"


def test_settling_twice_gives_the_same_answer_and_takes_nothing_more(server: AdminServer) -> None:
    server.ask("POST", "/v1/holds", body=HOLD)
    first = server.ask("POST", "/v1/holds/call-1/settle", body={"usage": {"input_tokens": 10}})
    again = server.ask("POST", "/v1/holds/call-1/settle", body={"usage": {"input_tokens": 99}})
    assert first.json == again.json
    assert server.facts.spent_nusd == 10_000


def test_a_hold_of_another_key_is_not_found(server: AdminServer) -> None:
    server.ask("POST", "/v1/holds", body=HOLD)
    said = server.ask("POST", "/v1/holds/call-1/release", token=GATEWAY_KEY)
    assert (said.status, said.json["code"]) == (404, "not_found")


def test_a_refused_hold_says_who_can_change_that(server: AdminServer) -> None:
    said = server.ask("POST", "/v1/holds", body={**HOLD, "workflow": "old-reports"})
    assert (said.status, said.json["code"]) == (403, "killed")
    assert "reports@example.com" in said.json["detail"]


def test_a_budget_that_is_used_up_says_when_to_come_back(server: AdminServer) -> None:
    server.facts.limit_nusd = 0
    said = server.ask("POST", "/v1/holds", body=HOLD)
    assert (said.status, said.headers["retry-after"]) == (429, "60")


def test_a_method_that_a_path_does_not_take_is_told_which_it_takes(server: AdminServer) -> None:
    said = server.ask("PUT", "/v1/keys")
    assert (said.status, said.headers["allow"]) == (405, "GET, POST, HEAD")


def test_head_is_answered_with_a_head_alone(server: AdminServer) -> None:
    said = server.ask("HEAD", "/healthz", token=None)
    assert (said.status, said.body) == (200, b"")


def test_a_body_that_is_no_json_is_refused_before_it_is_read(server: AdminServer) -> None:
    headers = {"content-type": "text/plain"}
    assert server.ask("POST", "/v1/keys", raw=b"{}", headers=headers).status == 415


def test_a_problem_names_the_place_in_the_body_and_never_quotes_it(server: AdminServer) -> None:
    said = server.ask("POST", "/v1/keys", body={"scope": "s3cret", "of": "x"})
    assert (said.status, said.json["code"]) == (400, "bad_body")
    assert "$.scope" in said.json["detail"]
    assert b"s3cret" not in said.body


def test_a_body_that_is_too_long_is_refused(server: AdminServer) -> None:
    said = server.ask("POST", "/v1/keys", raw=b'{"name":"' + b"x" * 70_000 + b'"}')
    assert (said.status, said.json["code"]) == (400, "too_long")


def test_an_error_of_our_own_says_nothing_of_what_went_wrong(server: AdminServer) -> None:
    server.facts.crash = ValueError("the secret of a hold")
    said = server.ask("GET", "/v1/budgets")
    assert said.status == 500
    assert b"secret" not in said.body


def test_an_error_that_a_person_can_mend_is_told(server: AdminServer) -> None:
    server.facts.crash = ClearbarError("budgets.db cannot be opened", "is the disk full?")
    said = server.ask("GET", "/v1/budgets")
    assert (said.status, said.json["hint"]) == (500, "is the disk full?")


def test_answers_are_not_kept_by_anybody_on_the_way(server: AdminServer) -> None:
    assert server.ask("GET", "/v1/keys").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/v1/routes/%ff", "/v1/routes/", "//", "/v1/keys/a/b", "/V1/keys"]
)
def test_a_path_that_is_none_is_not_found(server: AdminServer, path: str) -> None:
    assert server.ask("GET", path).status == 404


@given(body=st.binary(max_size=300))
def test_no_body_whatever_makes_it_fail(shared: AdminServer, body: bytes) -> None:
    for path in ("/v1/keys", "/v1/holds", "/v1/holds/call-1/settle"):
        assert shared.ask("POST", path, raw=body).status in {201, 400, 403, 404, 429}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(fields=st.dictionaries(st.sampled_from([*HOLD, "usage", "of", "scope", "x"]), _json))
def test_no_json_whatever_makes_it_fail(shared: AdminServer, fields: object) -> None:
    for path in ("/v1/keys", "/v1/holds", "/v1/holds/call-1/settle"):
        assert shared.ask("POST", path, body=fields).status in {200, 201, 400, 403, 404, 429}

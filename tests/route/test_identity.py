"""Whom a request belongs to: what a key fixes, and what headers and metadata may add."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.route.made import SECRET, key, ring, route, table, token

from clearbar.route.identity import Identified, identify
from clearbar.route.route import Caller, Refusal, RouteTable

if TYPE_CHECKING:
    from collections.abc import Mapping

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
NEW = "1" * 32
BEARER = (b"authorization", b"Bearer " + token())
TEAM = table(route(), route(workflow="digest"), keys={"aaaabbbb": key(team="support")})


class Ids:
    """Trace ids that a test knows."""

    def trace_id(self) -> str:
        return NEW


def said(
    *headers: tuple[bytes, bytes],
    metadata: Mapping[str, str] | None = None,
    user: str = "",
    made: RouteTable | None = None,
) -> Identified | Refusal:
    used = made or table()
    return identify(headers, metadata or {}, user, used, ring(used), Ids())


def caller(*headers: tuple[bytes, bytes], **of: Any) -> Caller:
    found = said(BEARER, *headers, **of)
    assert isinstance(found, Identified), found
    return found.caller


def refused(*headers: tuple[bytes, bytes], **of: Any) -> Refusal:
    found = said(*headers, **of)
    assert isinstance(found, Refusal), found
    return found


def header(word: str, value: str) -> tuple[bytes, bytes]:
    return f"x-clearbar-{word}".encode(), value.encode()


@pytest.mark.parametrize(
    "sent",
    [
        BEARER,
        (b"authorization", b"bearer " + token()),
        (b"authorization", b"Bearer  " + token()),
        (b"x-api-key", token()),
        (b"api-key", token()),
        (b"x-clearbar-key", token()),
    ],
)
def test_the_key_may_stand_where_client_libraries_put_it(sent: tuple[bytes, bytes]) -> None:
    assert said(sent) == Identified(Caller("replies", "aaaabbbb", "support", trace_id=NEW), False)


def test_a_request_without_a_key_is_refused() -> None:
    assert (refused().code, refused().status) == ("no_key", 401)


@pytest.mark.parametrize("sent", [b"Bearer sk-mine", b"Basic abc", b"Bearer " + token("zzzzzzzz")])
def test_a_request_with_another_key_is_refused(sent: bytes) -> None:
    found = refused((b"authorization", sent))
    assert (found.code, found.status) == ("bad_key", 401)


def test_a_refusal_quotes_no_key() -> None:
    found = refused((b"authorization", b"Bearer sk-mine-and-secret"))
    assert "sk-mine" not in found.message


def test_two_keys_that_differ_are_as_good_as_none() -> None:
    other = token("ccccdddd", "s" * 52)
    assert refused(BEARER, (b"x-api-key", other)).code == "no_key"


def test_the_same_key_twice_under_two_names_is_one_key() -> None:
    assert caller((b"x-api-key", token())).key == "aaaabbbb"


def test_credentials_beside_clearbars_own_header_are_for_the_upstream() -> None:
    found = said((b"x-clearbar-key", token()), (b"authorization", b"Bearer sk-mine"))
    assert isinstance(found, Identified)
    assert found.passes_credentials


def test_a_key_of_clearbar_is_never_for_the_upstream() -> None:
    found = said((b"x-clearbar-key", token()), BEARER)
    assert isinstance(found, Identified)
    assert not found.passes_credentials


def test_a_wrong_key_in_clearbars_own_header_is_not_made_good_by_another() -> None:
    assert refused((b"x-clearbar-key", b"cb_wrong"), BEARER).code == "bad_key"


@pytest.mark.parametrize("word", ["task", "run", "user", "environment"])
def test_a_header_says_a_word_of_the_request(word: str) -> None:
    assert getattr(caller(header(word, "Größe 7/a")), word) == "Größe 7/a"


@pytest.mark.parametrize("word", ["task", "run", "user", "environment"])
def test_metadata_says_it_where_no_header_does(word: str) -> None:
    metadata = {f"clearbar_{word}": "from the body", "other": "x"}
    assert getattr(caller(metadata=metadata), word) == "from the body"
    assert getattr(caller(header(word, "header"), metadata=metadata), word) == "header"


def test_labels_of_headers_and_metadata_are_one_text() -> None:
    found = caller(
        header("label-channel", "email"),
        header("label-empty", ""),
        metadata={"clearbar_label_lang": "de", "clearbar_label_channel": "chat"},
    )
    assert found.labels == "|channel=email|lang=de|"


def test_the_user_of_the_body_counts_where_nothing_else_names_one() -> None:
    assert caller(user="u-1").user == "u-1"
    assert caller(header("user", "u-2"), user="u-1").user == "u-2"


@pytest.mark.parametrize("user", ["x" * 300, "a\nb"])
def test_a_user_that_is_no_plain_text_counts_by_its_hash(user: str) -> None:
    found = caller(user=user).user
    assert found.startswith("sha256:")
    assert found == caller(user=user).user != caller(user=f"{user}x").user


def test_a_key_of_a_workflow_fixes_the_workflow() -> None:
    assert caller(header("workflow", "replies")).workflow == "replies"
    found = refused(BEARER, header("workflow", "digest"))
    assert (found.code, found.status) == ("contradiction", 403)


def test_header_and_metadata_may_not_name_two_workflows() -> None:
    metadata = {"clearbar_workflow": "digest"}
    assert refused(BEARER, metadata=metadata).code == "contradiction"
    found = refused(BEARER, header("workflow", "replies"), metadata=metadata, made=TEAM)
    assert found.code == "contradiction"


def test_a_key_of_an_undeclared_workflow_is_refused() -> None:
    assert refused(BEARER, made=table(route(workflow="digest"))).code == "unknown_workflow"


def test_a_key_may_fix_the_environment() -> None:
    fixed = table(keys={"aaaabbbb": key(environment="staging")})
    assert caller(made=fixed).environment == "staging"
    assert caller(header("environment", "staging"), made=fixed).environment == "staging"
    found = refused(BEARER, header("environment", "production"), made=fixed)
    assert found.code == "contradiction"


def test_a_key_of_a_team_serves_any_workflow_of_the_team() -> None:
    for workflow in ("replies", "digest"):
        found = caller(header("workflow", workflow), made=TEAM)
        assert (found.workflow, found.team) == (workflow, "support")


def test_a_key_of_a_team_has_to_name_a_workflow() -> None:
    found = refused(BEARER, made=TEAM)
    assert (found.code, found.status) == ("no_workflow", 400)


def test_a_key_of_a_team_names_no_workflow_of_another_team() -> None:
    strange = table(route(team="sales"), keys=TEAM.keys)
    assert refused(BEARER, header("workflow", "replies"), made=strange).code == "unknown_workflow"
    assert refused(BEARER, header("workflow", "nothing"), made=TEAM).code == "unknown_workflow"


def test_the_default_workflow_is_open_to_every_team() -> None:
    made = table(
        route(workflow="experiments", team=""),
        keys=TEAM.keys,
        settings={"default_workflow": "experiments"},
    )
    assert caller(made=made).workflow == "experiments"
    assert caller(header("workflow", "experiments"), made=made).team == "support"


@pytest.mark.parametrize("value", [b"x" * 201, b"a\x01b", b"\xff\xfe"])
@pytest.mark.parametrize("name", [b"x-clearbar-task", b"x-clearbar-label-channel"])
def test_a_value_that_is_no_plain_text_is_refused(name: bytes, value: bytes) -> None:
    assert refused(BEARER, (name, value)).code == "bad_identity"


def test_metadata_that_is_no_plain_text_is_refused() -> None:
    assert refused(BEARER, metadata={"clearbar_task": "x" * 201}).code == "bad_identity"


@pytest.mark.parametrize("name", ["arm", "tool", "a b", "x" * 41, ""])
def test_a_label_may_not_be_called_anything(name: str) -> None:
    assert refused(BEARER, header(f"label-{name}", "x")).code == "bad_identity"


def test_there_may_not_be_any_number_of_labels() -> None:
    many = [header(f"label-n{number}", "x") for number in range(17)]
    assert refused(BEARER, *many).code == "bad_identity"
    assert caller(*many[:16]).labels.count("=") == 16


@pytest.mark.parametrize("name", [b"x-clearbar-task", b"authorization", b"x-clearbar-label-a"])
def test_a_header_that_stands_twice_is_refused(name: bytes) -> None:
    assert refused(BEARER, (name, b"1"), (name, b"2")).code == "bad_identity"


def test_a_trace_that_came_in_goes_on() -> None:
    found = caller((b"traceparent", f"00-{TRACE}-{SPAN}-01".encode()))
    assert (found.trace_id, found.parent_span_id, found.sampled) == (TRACE, SPAN, True)


def test_a_malformed_trace_is_left_for_a_new_one() -> None:
    found = caller((b"traceparent", b"00-nothing"))
    assert (found.trace_id, found.parent_span_id, found.sampled) == (NEW, "", False)


def test_a_trace_that_stands_twice_is_left_for_a_new_one() -> None:
    one = (b"traceparent", f"00-{TRACE}-{SPAN}-01".encode())
    assert caller(one, one).trace_id == NEW


def test_what_says_nothing_here_changes_nothing() -> None:
    noise = [(b"host", b"x"), (b"x-stainless-lang", b"python"), (b"x-other", b"\xff")]
    assert caller(*noise) == caller()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    b"authorization",
                    b"x-api-key",
                    b"x-clearbar-key",
                    b"x-clearbar-workflow",
                    b"x-clearbar-run",
                    b"x-clearbar-label-a",
                    b"x-clearbar-",
                    b"traceparent",
                    b"host",
                ]
            ),
            st.one_of(st.binary(max_size=40), st.just(token()), st.just(b"Bearer " + token())),
        ),
        max_size=6,
    ),
    st.dictionaries(st.sampled_from(["clearbar_workflow", "clearbar_run", "x"]), st.text()),
    st.text(),
)
def test_whatever_is_sent_is_a_caller_of_the_key_or_a_refusal(
    headers: list[tuple[bytes, bytes]], metadata: dict[str, str], user: str
) -> None:
    found = said(*headers, metadata=metadata, user=user)
    if isinstance(found, Identified):
        assert found.caller.workflow == "replies"
        assert token() in b"".join(value for _, value in headers)
    else:
        assert found.status in (400, 401, 403)
        assert SECRET not in found.message


def test_the_team_of_a_workflow_pays_under_a_key_of_the_workflow_too() -> None:
    assert caller().team == "support"
    assert caller(made=replace(table(), routes={"replies": route(team="")})).team == ""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from jsonschema_rs import Draft202012Validator, meta
from tests.route.operating.admin_server import AdminServer
from tests.route.operating.gateway import TOKEN

from clearbar.route.operating.admin_routes import ENDPOINTS
from clearbar.route.operating.openapi import document

DOCUMENT = json.loads(document(ENDPOINTS, "9.9.9", open_metrics=True))


def test_every_endpoint_is_in_the_document_and_nothing_else() -> None:
    said = {(m.upper(), path) for path, methods in DOCUMENT["paths"].items() for m in methods}
    assert said == {(each.method, each.path) for each in ENDPOINTS}


def test_every_schema_is_a_json_schema() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        meta.validate(schema)


def test_every_reference_leads_somewhere() -> None:
    names = set(DOCUMENT["components"]["schemas"])
    text = json.dumps(DOCUMENT)
    used = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used <= names


def test_the_document_that_is_served_is_the_one_of_the_running_version() -> None:
    with AdminServer() as server:
        assert server.ask("GET", "/openapi.json", token=None).json == DOCUMENT


def test_an_answer_fits_its_schema() -> None:
    with AdminServer() as server:
        said = server.ask("GET", "/v1/budgets").json
    schema = {"$ref": "#/components/schemas/Budgets", "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(said)


def test_metrics_that_need_a_token_say_so() -> None:
    closed = json.loads(document(ENDPOINTS, "9.9.9", open_metrics=False))
    assert closed["paths"]["/metrics"]["get"]["security"] == [{"adminToken": []}]
    assert DOCUMENT["paths"]["/metrics"]["get"]["security"] == []


SETTINGS: Final = f"""
[auth.openapi.adminToken]
bearer = "{TOKEN}"

[phases.coverage]
unexpected-methods = ["delete", "get", "options", "patch", "post", "put"]  # the front refuses TRACE
"""


@pytest.mark.slow
def test_the_server_does_what_the_document_says(tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    program = Path(sys.executable).with_name("schemathesis")
    with AdminServer() as server:
        command = [
            str(program), "run", f"{server.url}/openapi.json", "--checks", "all", "--no-color",
            "--max-examples", "60", "--seed", "20261122", "--continue-on-failure",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-8000:]

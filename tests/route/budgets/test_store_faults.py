from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from clearbar.core.errors import ClearbarError
from clearbar.route.budgets.holding import BudgetStoreError
from clearbar.route.budgets.opening import open_store
from clearbar.route.budgets.store import BudgetStore
from clearbar.route.budgets.store_postgres import PostgresDatabase
from clearbar.route.route import GatewaySettings

if TYPE_CHECKING:
    from pathlib import Path


def test_without_an_address_the_budgets_are_a_file(tmp_path: Path) -> None:
    store = open_store(GatewaySettings(), tmp_path, {})
    assert store.taken([]) == {}
    store.close()
    assert (tmp_path / "budgets.db").is_file()


def test_a_variable_that_is_not_set_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(ClearbarError, match="BUDGETS_URL is not set") as raised:
        open_store(GatewaySettings(store_env="BUDGETS_URL"), tmp_path, {})
    assert "postgresql://" in raised.value.hint


def test_a_server_that_is_not_there_is_an_error_without_the_password(tmp_path: Path) -> None:
    address = f"postgresql://me:secret@/none?host={tmp_path}"
    store = open_store(GatewaySettings(store_env="U"), tmp_path, {"U": address})
    with pytest.raises(BudgetStoreError) as raised:
        store.taken(["a"])
    assert "secret" not in f"{raised.value} {raised.value.hint}"
    assert raised.value.__cause__ is None


def test_a_file_that_is_no_database_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "budgets.db").write_text("no database at all, but long enough to be looked at")
    with pytest.raises(BudgetStoreError, match=r"budgets\.db"):
        open_store(GatewaySettings(), tmp_path, {}).taken(["a"])


def test_a_connection_that_broke_is_made_again(postgres: str) -> None:
    store, other = (BudgetStore(PostgresDatabase(postgres)) for _ in range(2))
    store.taken(["a"])
    with other.transaction() as session:
        session.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'clearbar budgets' AND pid <> pg_backend_pid()"
        )
    with pytest.raises(BudgetStoreError):
        store.taken(["a"])
    assert store.taken(["a"]) == {}
    store.close()
    other.close()


def test_without_the_library_the_error_names_the_extra() -> None:
    script = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from clearbar.route.budgets.store_postgres import PostgresDatabase\n"
        "try: PostgresDatabase('')\n"
        "except Exception as error: print(type(error).__name__, error.hint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "clearbar[postgres]" in done.stdout


def test_the_file_store_loads_no_postgres() -> None:
    script = (
        "import sys, clearbar.route.budgets.allowance, clearbar.route.budgets.opening\n"
        "print([it for it in ('psycopg', 'numpy', 'duckdb', 'rich') if it in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from clearbar.core.errors import ClearbarError
from clearbar.route.operating.admin_token import AdminToken, admin_token

if TYPE_CHECKING:
    from pathlib import Path

LONG = "a-token-that-is-long-enough"


def test_the_first_start_makes_a_file_that_only_its_owner_may_read(tmp_path: Path) -> None:
    token = admin_token("T", {}, tmp_path / "route")
    path = tmp_path / "route" / "admin-token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token.is_it(path.read_text().strip())
    assert list(path.parent.iterdir()) == [path]


def test_the_next_start_takes_the_same_token(tmp_path: Path) -> None:
    admin_token("T", {}, tmp_path)
    text = (tmp_path / "admin-token").read_text().strip()
    assert admin_token("T", {}, tmp_path).is_it(text)


def test_starts_at_the_same_time_agree_on_one_token(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda _: admin_token("T", {}, tmp_path), range(8)))
    text = (tmp_path / "admin-token").read_text().strip()
    assert all(token.is_it(text) for token in tokens)


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    assert admin_token("T", {"T": LONG}, tmp_path).is_it(LONG)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    admin_token("T", {}, tmp_path)
    (tmp_path / "admin-token").chmod(0o640)
    with pytest.raises(ClearbarError, match="others than its owner"):
        admin_token("T", {}, tmp_path)


def test_a_link_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(LONG)
    (tmp_path / "admin-token").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ClearbarError, match="cannot be kept"):
        admin_token("T", {}, tmp_path)


def test_a_short_token_is_refused_with_a_way_to_make_a_long_one(tmp_path: Path) -> None:
    with pytest.raises(ClearbarError, match="shorter") as raised:
        admin_token("T", {"T": "secret"}, tmp_path)
    assert "secrets" in raised.value.hint
    assert "secret" not in raised.value.message


def test_only_the_whole_token_is_it() -> None:
    token = AdminToken(LONG, "a test")
    assert token.is_it(LONG)
    assert not any(token.is_it(each) for each in ("", LONG[:-1], LONG + "x", LONG.upper()))

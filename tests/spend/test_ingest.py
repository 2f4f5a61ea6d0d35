"""Files in, charges out: whatever a file holds, the rest goes on; nothing is dropped silently."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.period import ALL
from clearbar.spend.ingest import summary_json
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.usage import Usage

PROMPT = "what a customer asked, word for word"
LINE: dict[str, Any] = {
    "request_id": "chatcmpl-1",
    "startTime": "2026-09-01T08:00:00Z",
    "endTime": "2026-09-01T08:00:01Z",
    "model": "gpt-4o",
    "custom_llm_provider": "openai",
    "call_type": "acompletion",
    "api_key": "hash",
    "spend": 0.01,
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "metadata": {},
}


@pytest.fixture
def workspace(tmp_path: Path, book: PriceBook) -> Iterator[Workspace]:
    shutil.copytree(book.path.parent, tmp_path / ".clearbar" / "prices")
    (tmp_path / "clearbar.toml").touch()
    (tmp_path / "usage").mkdir()
    with Workspace(tmp_path) as opened:
        yield opened


def line(number: int, **values: object) -> bytes:
    return json.dumps({**LINE, "request_id": f"chatcmpl-{number}"} | values).encode() + b"\n"


def lines(*numbers: int) -> bytes:
    return b"".join(line(number) for number in numbers)


def put(workspace: Workspace, name: str, content: bytes) -> Path:
    path = workspace.folder / "usage" / name
    path.write_bytes(content)
    return path


def total(workspace: Workspace) -> Usage:
    return workspace.spend(ALL, "model").total


def what(workspace: Workspace) -> list[tuple[int | None, str]]:
    return [(problem["line"], problem["what"]) for problem in workspace.problems()]


def test_a_file_becomes_charges(workspace: Workspace) -> None:
    put(workspace, "a.jsonl", lines(1, 2))
    summary = workspace.add([str(workspace.folder / "usage")])
    assert (summary.files, summary.records, summary.new) == (1, 2, 2)
    assert total(workspace).calls == 2


def test_an_unchanged_file_is_not_read_again(workspace: Workspace) -> None:
    path = str(put(workspace, "a.jsonl", lines(1, 2)))
    workspace.add([path])
    again = workspace.add([path])
    assert (again.files, again.unchanged_files, again.known, again.new) == (0, 1, 2, 0)


def test_a_file_that_has_grown_adds_only_what_is_new(workspace: Workspace) -> None:
    path = put(workspace, "a.jsonl", lines(1, 2))
    workspace.add([str(path)])
    path.write_bytes(lines(1, 2, 3))
    again = workspace.add([str(path)])
    assert (again.files, again.known, again.new) == (1, 2, 1)
    assert total(workspace).calls == 3


def test_a_copy_of_a_file_adds_nothing(workspace: Workspace) -> None:
    put(workspace, "a.jsonl", lines(1, 2))
    workspace.add([str(workspace.folder / "usage")])
    put(workspace, "b.jsonl", lines(2, 1))
    again = workspace.add([str(workspace.folder / "usage")])
    assert (again.known, again.new, total(workspace).calls) == (4, 0, 2)


def test_two_files_of_one_run_that_overlap_count_once(workspace: Workspace) -> None:
    put(workspace, "a.jsonl", lines(1, 2))
    put(workspace, "b.jsonl", lines(2, 3))
    summary = workspace.add([str(workspace.folder / "usage")])
    assert (summary.records, summary.new, summary.merged) == (4, 3, 1)


def test_records_left_by_a_killed_run_are_known_and_not_merged(workspace: Workspace) -> None:
    path = put(workspace, "a.jsonl", lines(1, 1, 2))
    workspace.add([str(path)])
    (workspace.folder / ".clearbar" / "facts.db").unlink()  # it died before it wrote this
    (workspace.folder / ".clearbar" / "ledger" / "manifest.json").unlink()
    workspace.close()
    again = workspace.add([str(path)])
    assert (again.records, again.known, again.merged, again.new) == (3, 3, 0, 0)


def test_the_order_of_files_changes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    one = put(workspace, "a.jsonl", line(1, completion_tokens=5))
    other = put(workspace, "b.jsonl", line(1, completion_tokens=9))
    workspace.add([str(one), str(other)])
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "clearbar.toml").touch()
    with Workspace(tmp_path / "second") as second:
        second.add([str(other)])
        second.add([str(one)])
        assert total(second) == total(workspace)


def test_what_no_source_knows_in_a_folder_is_counted_and_left_alone(workspace: Workspace) -> None:
    path = put(workspace, "notes.txt", b"hello")
    summary = workspace.add([str(workspace.folder / "usage")])
    assert summary.unrecognised_files == [str(path)]
    assert workspace.problems() == []


def test_what_no_source_knows_is_a_problem_where_it_was_named(workspace: Workspace) -> None:
    path = put(workspace, "notes.txt", b"hello")
    summary = workspace.add([str(path)])
    assert (summary.quarantined, summary.new) == (1, 0)
    assert what(workspace) == [(None, "no source knows this format")]


def test_a_folder_without_usage_adds_nothing(workspace: Workspace) -> None:
    assert workspace.add([str(workspace.folder / "usage")]).records == 0


BROKEN = {
    "empty": b"",
    "blank": b"\n\n \n",
    "binary": bytes(range(256)) * 40,
    "nulls": b"\x00" * 5_000,
    "no-json": b"{" * 3_000,
    "half": lines(1)[:-40],
    "latin-1": json.dumps({**LINE, "user": "caf\u00e9"}, ensure_ascii=False).encode("latin-1"),
    "deep": b'{"a":' * 100_000,
    "number": line(1, prompt_tokens=-5),
    "text": line(1, prompt_tokens="many"),
    "list": b"[1, 2, 3]\n" + lines(1),
    "no time": line(1, startTime=None),
    "gzip cut short": gzip.compress(lines(*range(2_000)))[:-200],
    "no gzip": b"\x1f\x8b" + b"nonsense" * 20,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_content_never_stops_the_rest(workspace: Workspace, kind: str) -> None:
    endings = ("jsonl", "json", "csv", "parquet", "jsonl.gz")
    paths = [put(workspace, f"broken.{ending}", BROKEN[kind]) for ending in endings]
    paths.append(put(workspace, "good.jsonl", lines(5_000, 5_001)))
    workspace.add([str(path) for path in paths])
    assert total(workspace).calls >= 2
    assert all(problem["what"] for problem in workspace.problems())


@pytest.mark.parametrize("kind", BROKEN)
def test_every_record_of_broken_content_is_accounted_for(workspace: Workspace, kind: str) -> None:
    summary = workspace.add([str(put(workspace, "broken.jsonl", BROKEN[kind]))])
    told = summary.new + summary.known + summary.merged + summary.quarantined
    assert summary.records == told
    assert min(summary.new, summary.known, summary.merged, summary.quarantined) >= 0


def test_a_bad_line_is_named_and_the_good_ones_count(workspace: Workspace) -> None:
    content = lines(1) + b"{broken\n" + lines(2)
    summary = workspace.add([str(put(workspace, "a.jsonl", content))])
    assert (summary.new, summary.quarantined) == (2, 1)
    assert [number for number, _ in what(workspace)] == [2]


def test_what_came_before_the_damage_in_an_archive_is_kept(workspace: Workspace) -> None:
    content = b"".join(line(number, user=os.urandom(200).hex()) for number in range(3_000))
    cut = gzip.compress(content)[:-5_000]
    summary = workspace.add([str(put(workspace, "a.jsonl.gz", cut))])
    assert summary.new > 1_000
    assert summary.quarantined == 1


def test_a_line_that_is_too_long_is_refused_with_the_way_out(workspace: Workspace) -> None:
    content = lines(1) + b'{"request_id": "' + b"x" * (33 * 1024 * 1024) + b'"}\n'
    workspace.add([str(put(workspace, "a.jsonl", content))])
    [problem] = workspace.problems()
    assert "line 2 is longer than" in problem["what"]
    assert "split" in problem["hint"]


def test_names_of_a_million_bytes_are_refused(workspace: Workspace) -> None:
    content = line(1, user="x" * 1_000_001) + lines(2)
    summary = workspace.add([str(put(workspace, "a.jsonl", content))])
    assert (summary.new, summary.quarantined) == (1, 1)


@pytest.mark.parametrize(
    "bad",
    [
        PROMPT.encode() + b"\n",
        line(1, prompt_tokens=PROMPT),
        line(1, startTime=PROMPT),
        line(1, spend=PROMPT),
        line(1, metadata=f"{{{PROMPT}"),
        line(1, completion_tokens=[PROMPT]),
    ],
)
def test_no_problem_quotes_the_record(workspace: Workspace, bad: bytes) -> None:
    workspace.add([str(put(workspace, "a.jsonl", lines(2) + bad))])
    said = json.dumps(workspace.problems())
    assert PROMPT not in said


def test_problems_go_when_the_file_is_mended(workspace: Workspace) -> None:
    path = put(workspace, "a.jsonl", lines(1) + b"{broken\n")
    workspace.add([str(path)])
    path.write_bytes(lines(1, 2))
    workspace.add([str(path)])
    assert workspace.problems() == []


def test_problems_of_other_files_stay(workspace: Workspace) -> None:
    workspace.add([str(put(workspace, "a.jsonl", lines(1) + b"{broken\n"))])
    workspace.add([str(put(workspace, "b.jsonl", lines(2)))])
    assert workspace.quarantined_records == 1


def test_a_file_whose_name_is_not_utf_8_is_read_like_any_other(workspace: Workspace) -> None:
    path = os.fsencode(workspace.folder / "usage") + b"/caf\xe9.jsonl"
    with open(path, "wb") as file:  # noqa: PTH123 - a name of bytes
        file.write(lines(1) + b"{broken\n")
    summary = workspace.add([str(workspace.folder / "usage")])
    assert (summary.new, summary.quarantined) == (1, 1)
    assert workspace.problems()[0]["uri"].endswith("caf\\xe9.jsonl")


def test_when_record_files_are_lost_adding_the_usage_again_brings_them_back(
    workspace: Workspace,
) -> None:
    path = str(put(workspace, "a.jsonl", lines(1, 2)))
    workspace.add([path])
    before = total(workspace)
    for file in (workspace.folder / ".clearbar" / "ledger" / "records").iterdir():
        file.unlink()
    assert len(workspace.check()) == 1
    assert workspace.add([path]).new == 2
    assert total(workspace) == before
    assert workspace.check() == []


def test_when_the_whole_ledger_is_lost_adding_the_usage_again_brings_it_back(
    workspace: Workspace,
) -> None:
    path = str(put(workspace, "a.jsonl", lines(1, 2)))
    workspace.add([path])
    before = total(workspace)
    workspace.close()
    shutil.rmtree(workspace.folder / ".clearbar" / "ledger")
    workspace.add([path])
    assert total(workspace) == before


def test_progress_is_told_of_each_file_and_of_the_end(workspace: Workspace) -> None:
    sizes = [put(workspace, f"{name}.jsonl", lines(1)).stat().st_size for name in "ab"]
    told: list[tuple[int, int, str]] = []
    workspace.add([str(workspace.folder / "usage")], lambda *values: told.append(values))
    whole = sum(sizes)
    assert told == [(0, whole, "a.jsonl"), (sizes[0], whole, "b.jsonl"), (whole, whole, "")]


def test_a_declared_table_is_read(workspace: Workspace) -> None:
    (workspace.folder / "clearbar.toml").write_text(
        '[[table]]\nname = "exports"\nfiles = "usage/*.csv"\n'
        'columns = { started_at = "at", model = "model", input_tokens = "given" }\n'
        'constants = { provider = "openai" }\n'
    )
    put(workspace, "calls.csv", b"at,model,given\n2026-09-01T08:00:00Z,gpt-4o,1000\n")
    summary = workspace.add([str(workspace.folder / "usage")])
    assert summary.records_by_source == {"table": 1}
    assert total(workspace).input_tokens == 1_000


def test_lost_records_come_back_though_other_files_are_added_first(workspace: Workspace) -> None:
    path = str(put(workspace, "a.jsonl", lines(1, 2)))
    workspace.add([path])
    for file in (workspace.folder / ".clearbar" / "ledger" / "records").iterdir():
        file.unlink()
    workspace.add([str(put(workspace, "b.jsonl", lines(3)))])
    assert workspace.add([path]).new == 2


def test_merged_charges_do_not_outlive_their_records(workspace: Workspace) -> None:
    paths = [str(put(workspace, f"{n}.jsonl", line(1, completion_tokens=n))) for n in (1, 2)]
    workspace.add(paths)
    for file in (workspace.folder / ".clearbar" / "ledger" / "records").iterdir():
        file.unlink()
    workspace.add(paths[:1])
    assert total(workspace).output_tokens == 1


BILL = """\
BilledCost,BillingAccountId,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,\
ChargePeriodEnd,ServiceCategory,ServiceName
1.5,acct,USD,2026-09-01,Usage,2026-09-01,2026-09-02,AI and Machine Learning,Amazon Bedrock
7.5,acct,USD,2026-09-01,Usage,2026-09-01,2026-09-02,Compute,Amazon EC2
8.5,acct,USD,2026-09-01,Usage,2026-09-01,2026-09-02,Storage,Amazon S3
"""


def test_lines_of_other_services_are_a_note_and_in_no_count(workspace: Workspace) -> None:
    path = put(workspace, "bill.csv", BILL.encode())
    summary = workspace.add([str(path)])
    assert (summary.records, summary.new, summary.quarantined) == (1, 1, 0)
    [note] = summary_json(summary)["notes"]
    assert note["uri"] == str(path)
    assert note["what"] == "2 lines of other services were left out"
    assert workspace.problems() == []

"""Requests in a storm: workers die of kill -9 at random while clients ask without a pause.

Every reply that a client saw whole has exactly one charge; a reply that it did not see whole has at
most one. Half of the clients send a trace with each request, by which their charges are known. The
others send the same head again and again, as most do; their charges are known by the ids of the
answers. `python -m tests.route.serving.storm 100000`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.route.serving.gateway import ROOT, Gateway, charges, gateway, toml

if TYPE_CHECKING:
    from collections.abc import Iterator

_STREAMED = 0.3
_LEAVES = 0.02
"""Of the streams, how many the client leaves in the middle."""
_ANSWER_ID = re.compile(rb"chatcmpl-quick\d{12}")


@dataclass
class Seen:
    """What the clients saw."""

    whole: set[str] = field(default_factory=set)
    """Traces."""
    broken: set[str] = field(default_factory=set)
    answers: set[str] = field(default_factory=set)
    """Ids of the answers that clients without traces saw whole."""
    unseen: int = 0
    """Requests of theirs whose answers they did not see whole."""
    refused: Counter[int] = field(default_factory=Counter)
    kills: int = 0
    longest_s: float = 0.0
    """That a client waited for an answer."""


@contextlib.contextmanager
def upstream_process(module: str, *options: str) -> Iterator[str]:
    """Run an upstream that prints its port; yield the address of its API."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def quick_upstream(failing: float = 0.0) -> contextlib.AbstractContextManager[str]:
    """Run an upstream that answers fast, and refuses a share of what it is asked."""
    return upstream_process("tests.route.serving.quick_upstream", "--failing", str(failing))


def request(key: str, trace: str | None, *, streamed: bool) -> bytes:
    body = json.dumps(
        {
            "model": "gpt-5-mini",
            "max_tokens": 100,
            "stream": streamed,
            "messages": [{"role": "user", "content": "hello"}],
        }
    ).encode()
    traced = "" if trace is None else f"traceparent: 00-{trace}-00f067aa0ba902b7-01\r\n"
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\n{traced}content-length: {len(body)}\r\n\r\n"
    ).encode() + body


async def read_reply(reader: asyncio.StreamReader, *, leaves: bool) -> tuple[int, bytes]:
    """Return the status and the body of a whole reply; raise where it was not whole."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    if leaves:
        raise ConnectionResetError
    if b"transfer-encoding: chunked" not in head:
        length = int(head.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        return status, await reader.readexactly(length)
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return status, body


async def steady_client(
    port: int, key: str, left: list[int], seen: Seen, chance: random.Random
) -> None:
    """Send one head again and again over one connection; connect anew when it breaks."""
    while left[0] > 0:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        try:
            while left[0] > 0:
                left[0] -= 1
                streamed = chance.random() < _STREAMED
                writer.write(request(key, None, streamed=streamed))
                seen.unseen += 1
                leaves = streamed and chance.random() < _LEAVES
                status, body = await read_reply(reader, leaves=leaves)
                seen.unseen -= 1
                if status == 200 and (found := _ANSWER_ID.search(body)):
                    seen.answers.add(found[0].decode())
                else:
                    seen.refused[status] += 1
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()


async def client(port: int, key: str, left: list[int], seen: Seen, chance: random.Random) -> None:
    """Ask again and again over one connection; connect anew when it breaks."""
    while left[0] > 0:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        try:
            while left[0] > 0:
                left[0] -= 1
                trace = f"{chance.getrandbits(128) or 1:032x}"
                streamed = chance.random() < _STREAMED
                writer.write(request(key, trace, streamed=streamed))
                seen.broken.add(trace)
                asked_s = time.monotonic()
                status, _ = await read_reply(reader, leaves=streamed and chance.random() < _LEAVES)
                seen.longest_s = max(seen.longest_s, time.monotonic() - asked_s)
                seen.broken.discard(trace)
                if status == 200:
                    seen.whole.add(trace)
                else:
                    seen.refused[status] += 1
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()


async def killer(running: Gateway, seen: Seen, every_s: float, chance: random.Random) -> None:
    while True:
        await asyncio.sleep(every_s * (0.5 + chance.random()))
        if pids := running.worker_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(pids), signal.SIGKILL)
                seen.kills += 1


async def storm(running: Gateway, key: str, requests: int, every_s: float, seed: int) -> Seen:
    seen, left, chance = Seen(), [requests], random.Random(seed)
    killing = asyncio.create_task(killer(running, seen, every_s, chance))
    kinds = (client, steady_client) * 16
    clients = (kind(running.port, key, left, seen, chance) for kind in kinds)
    await asyncio.gather(*clients)
    killing.cancel()
    return seen


def run(
    folder: Path, requests: int, *, every_s: float = 1.5, seed: int = 1, failing: float = 0.0
) -> dict[str, object]:
    """Return what was seen, and how many replies have another number of charges than they may.

    `failing` is the share of calls that the upstream refuses: charges of their own, of nothing.
    """
    budget = '\n[[budget]]\nscope = "workflow"\nname = "letters"\nusd = "1000"\n'
    with quick_upstream(failing) as url:
        text = toml(url, budget).replace("[gateway]", "[gateway]\nworkers = 2")
        with gateway(folder, text) as (running, key):
            seen = asyncio.run(storm(running, key, requests, every_s, seed))
            time.sleep(3)  # the last that died are settled, and workers report once a second
            counted = running.account("workflow:letters")["spent_usd"]
    kept = charges(folder)
    found = Counter(each["trace_id"] for each in kept if each["status"] != "error")
    sound = Counter(each["trace_id"] for each in kept if each["status"] == "ok")
    asked = seen.whole | seen.broken
    untraced = [each for each in kept if each["trace_id"] not in asked]
    answered = Counter(each["identity"].rpartition(":")[2].rpartition("/")[2] for each in untraced)
    spare = sum(each["status"] != "error" for each in untraced) - len(seen.answers) - seen.unseen
    return {
        "whole": len(seen.whole) + len(seen.answers),
        "broken": len(seen.broken) + seen.unseen,
        "refused": dict(seen.refused),
        "kills": seen.kills,
        "longest_s": round(seen.longest_s, 2),
        "charges": len(kept),
        "charges_of_failures": len(kept) - found.total(),
        "usd_of_failures": str(sum(each["cost_usd"] for each in kept if each["status"] == "error")),
        "whole_without_one_charge": sum(sound[each] != 1 for each in seen.whole)
        + sum(answered[each] != 1 for each in seen.answers),
        "whole_with_more": sum(found[each] != 1 for each in seen.whole),
        "broken_with_more_than_one": sum(found[each] > 1 for each in seen.broken),
        "charges_of_nobody": max(0, spare),
        "spent_usd": str(sum(each["cost_usd"] or 0 for each in kept)),
        "counted_usd": counted,
    }


_FAULTS: Final = (
    "whole_without_one_charge",
    "whole_with_more",
    "broken_with_more_than_one",
    "charges_of_nobody",
)
"""What has to be none at the end."""


def main() -> bool:
    """Print what one storm found; return whether anything was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("requests", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--failing", type=float, default=0.0)
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), given.requests, seed=given.seed, failing=given.failing)
    print(json.dumps(found, indent=2), f"{time.monotonic() - started:.0f} s")  # noqa: T201
    return any(found[each] for each in _FAULTS)


if __name__ == "__main__":
    sys.exit(main())

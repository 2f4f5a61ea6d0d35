"""Session logs of Claude Code, with all the ways in which they repeat themselves.

A session is one project on one day. Each message stands on several lines: placeholders first, the
whole last. What a subagent did stands in a file of its own, and that file replays lines of the
parent under the same message id. One session was copied as it is, another one is found again as
a backup that breaks off in the middle of a line.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from clearbar.sample.prices import HAIKU
from clearbar.sample.text_files import json_line, write_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from random import Random

    from clearbar.sample.calls import Call

_COMPRESSED_MONTH: Final = 8
_LONG_SESSION_LINES: Final = 30


def write_claude_code(folder: Path, calls: Iterable[Call], rng: Random) -> int:
    """Write the sessions below `folder`; return how many lines in them are broken."""
    sessions: defaultdict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in calls:
        sessions[_project(call), call.day.isoformat()].append(call)
    long_sessions: list[tuple[str, list[bytes]]] = []
    for (project, _), of_session in sorted(sessions.items()):
        session_id = _uuid(rng)
        lines = _write_session(folder / f"-home-dev-{project}", session_id, of_session, rng)
        if len(lines) >= _LONG_SESSION_LINES:
            long_sessions.append((session_id, lines))
    return _write_copies(folder, long_sessions[:2], rng)


def _write_session(
    folder: Path, session_id: str, calls: Sequence[Call], rng: Random
) -> list[bytes]:
    """Write a session and its subagent's file; return the session's lines."""
    # The small model works for a subagent, in every session.
    own = [call for call in calls if call.step.model != HAIKU]
    delegated = [call for call in calls if call.step.model == HAIKU]
    suffix = ".jsonl.gz" if calls[0].day.month == _COMPRESSED_MONTH else ".jsonl"
    lines = [json_line(_prompt_line(calls[0], session_id, rng))]
    lines += [line for call in own for line in _message_lines(call, session_id, rng)]
    write_lines(folder / f"{session_id}{suffix}", lines)
    if delegated:
        agent_id = f"{rng.getrandbits(32):08x}"
        replayed = [_replay(call, session_id, agent_id, rng) for call in own[-2:]]
        told = [
            line for call in delegated for line in _message_lines(call, session_id, rng, agent_id)
        ]
        path = folder / session_id / "subagents" / f"agent-{agent_id}{suffix}"
        write_lines(path, replayed + told)
    return lines


def _write_copies(folder: Path, sessions: Sequence[tuple[str, list[bytes]]], rng: Random) -> int:
    """Write a copy, a backup cut short and a damaged file; return how many lines are broken."""
    (copied_id, copied), (cut_id, cut) = sessions
    write_lines(folder / "-home-dev-old-laptop" / f"{copied_id}.jsonl", copied)
    whole, broken = cut[: len(cut) // 2], cut[len(cut) // 2]
    cut_inside_usage = broken[: broken.index(b'"usage"') + 40]
    write_lines(folder / "backup" / f"{cut_id}.jsonl", [*whole, cut_inside_usage])
    write_lines(folder / "backup" / f"{_uuid(rng)}.jsonl", [_negative(copied[1])])
    return 2


def _negative(line: bytes) -> bytes:
    """Return a line of another message whose input is less than nothing."""
    other = line.replace(b'"id":"msg_01', b'"id":"msg_00')
    return other.replace(b'"input_tokens":', b'"input_tokens":-', 1)


def _prompt_line(call: Call, session_id: str, rng: Random) -> dict[str, Any]:
    return _frame(call, session_id, rng, "user") | {
        "message": {"role": "user", "content": "(removed)"}
    }


def _message_lines(
    call: Call, session_id: str, rng: Random, agent_id: str | None = None
) -> list[bytes]:
    """Return the lines of one message: early ones with a placeholder for the output, then all."""
    request_id = f"req_011{rng.getrandbits(80):020x}"
    frame = _frame(call, session_id, rng, "assistant", agent_id) | {"requestId": request_id}
    early = [
        json_line(
            frame
            | {"uuid": _uuid(rng), "timestamp": _timestamp(call, 400 * index)}
            | _message(call, min(rng.randint(1, 9), call.tokens.output), stop_reason=None)
        )
        for index in range(rng.choice((0, 1, 1, 2)))
    ]
    stop_reason = rng.choice(("tool_use", "tool_use", "end_turn"))
    last = _timestamp(call, 400 * len(early))
    whole = frame | {"timestamp": last} | _message(call, call.tokens.output, stop_reason)
    return [*early, json_line(whole)]


def _replay(call: Call, session_id: str, agent_id: str, rng: Random) -> bytes:
    """Return the parent's message as a side chain repeats it: later, and not word for word."""
    frame = _frame(call, session_id, rng, "assistant", agent_id)
    frame |= {"requestId": f"req_011{rng.getrandbits(80):020x}"}
    later = {"timestamp": _timestamp(call, 90_000)}
    return json_line(frame | later | _message(call, call.tokens.output + 7, "end_turn"))


def _frame(
    call: Call, session_id: str, rng: Random, kind: str, agent_id: str | None = None
) -> dict[str, Any]:
    frame: dict[str, Any] = {
        "parentUuid": None,
        "isSidechain": agent_id is not None,
        "userType": "external",
        "cwd": f"/home/dev/{_project(call)}",
        "sessionId": session_id,
        "version": "2.1.37",
        "gitBranch": f"change-{call.task_number}",
        "type": kind,
        "uuid": _uuid(rng),
        "timestamp": _timestamp(call, 0),
    }
    return frame if agent_id is None else frame | {"agentId": agent_id}


def _message(call: Call, output_tokens: int, stop_reason: str | None) -> dict[str, Any]:
    tokens = call.tokens
    writes = {"5m": 0, "1h": 0} | {call.step.lifetime: tokens.cache_write}
    usage = {
        "input_tokens": tokens.fresh,
        "cache_creation_input_tokens": tokens.cache_write,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": writes["5m"],
            "ephemeral_1h_input_tokens": writes["1h"],
        },
        "output_tokens": output_tokens,
        "service_tier": "standard",
        "inference_geo": "not_available",
    }
    return {
        "message": {
            "model": call.step.model.name,
            "id": f"msg_01{call.call_id[:22]}",
            "type": "message",
            "role": "assistant",
            "content": [],
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": usage,
        }
    }


def _project(call: Call) -> str:
    projects = call.story.projects
    return projects[call.task_number % len(projects)]


def _timestamp(call: Call, later_ms: int) -> str:
    moment = call.started_at + timedelta(milliseconds=later_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _uuid(rng: Random) -> str:
    return str(UUID(int=rng.getrandbits(128)))

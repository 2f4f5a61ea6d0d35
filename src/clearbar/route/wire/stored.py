"""What a request does with objects that lie at the provider: names, lists or makes them. Pure.

Files, batches, stored answers, conversations, fine-tuning jobs and so on belong to the account at
the provider, which all workflows share. So an id says nothing of who may use it: the gateway has to
know whose it is. An id stands in the path behind the name of a collection, or in the body under one
of the names by which the two protocols refer to an object.

Not looked at: stored prompts, which people make at the provider for all; and single items of stored
answers, whose ids nobody learns who may not read the answer.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.route.wire.asked import Asked
    from clearbar.route.wire.operation import Operation
    from clearbar.tools.address import Protocol

_COLLECTIONS: Final = frozenset(
    {
        "assistants",
        "batches",
        "completions",
        "containers",
        "conversations",
        "evals",
        "files",
        "fine-tunes",
        "jobs",
        "models",
        "responses",
        "skills",
        "threads",
        "uploads",
        "vector_stores",
        "videos",
    }
)
"""Parts of paths behind which an id may stand."""
_ACTIONS: Final = frozenset({"compact", "input_tokens", "runs", "search"})
"""What may stand there instead: it is done with a body alone."""
_NAMES: Final = frozenset(
    {
        "assistant_id",
        "batch_id",
        "container",
        "container_id",
        "conversation",
        "conversation_id",
        "error_file_id",
        "file_id",
        "file_ids",
        "fine_tuned_model",
        "input_file_id",
        "output_file_id",
        "previous_response_id",
        "response_id",
        "result_files",
        "skill_id",
        "thread_id",
        "training_file",
        "upload_id",
        "validation_file",
        "vector_store_id",
        "vector_store_ids",
    }
)
"""Members whose value is an id, or a list of ids, or an object with an `id`."""
_OF_CLIENTS: Final = frozenset({"metadata", "arguments"})
"""Members that hold what a client likes."""
_NO_IDS: Final = frozenset({"auto", "none"})
_PROVIDERS_OWN: Final = "anthropic"
"""The type of skills that a provider makes for all."""
_LONGEST_ID: Final = 512
_MOST_IDS: Final = 1_000
"""That one body may name."""
_MARKS: Final = (b"file_id", b"vector_store_ids", b"container", b"skill_id", b"\\u")
"""One of these stands in a body that refers to an object, but for what `Asked.has_stored` tells;
the last one because any letter may be written so."""


class Use(NamedTuple):
    """What a request does with stored objects."""

    lists: bool = False
    """Whether it asks for all that there are of a kind, whosever they are."""
    makes: bool = False
    """Whether its reply may tell of objects that are new."""
    named: frozenset[str] = frozenset()
    """Ids of objects that it reads, changes, deletes or refers to."""
    too_many: bool = False
    """Whether it names more than can be looked at."""


NONE: Final = Use()


def use_of(method: str, operation: Operation, asked: Asked | None, body: bytes) -> Use:
    """Return what a request does with stored objects."""
    if operation.name == "other":
        collection, named = _by_path(method, operation.upstream_path)
        lists = collection and not named and method in {"GET", "HEAD", "DELETE"}
        found = {*named, *(_named_in(body) if asked is not None else ())}
        return Use(lists, collection, frozenset(found), len(found) > _MOST_IDS)
    if asked is None or is_plain(operation.name, asked, body):
        return NONE
    found = set(_named_in(body)) if may_refer(asked, body) else set()
    return Use(False, _makes(operation.name, asked), frozenset(found), len(found) > _MOST_IDS)


def is_plain(operation: str, asked: Asked, body: bytes) -> bool:
    """Return whether a request for an answer does nothing with objects but keep its answer."""
    return not may_refer(asked, body) and not _makes(operation, asked)


def may_refer(asked: Asked, body: bytes) -> bool:
    """Return whether the body of a request for an answer may refer to objects; quick for most."""
    if asked.has_stored:
        return True
    if not (asked.has_media or asked.has_fees):
        return False
    return any(mark in body for mark in _MARKS)


def keeps_answer(operation: str, asked: Asked | None) -> bool:
    """Return whether the provider keeps an answer that few will ask for again."""
    return operation == "responses" and asked is not None and asked.store is not False


def _makes(operation: str, asked: Asked) -> bool:
    """Return whether an answer makes objects besides: a chat that is kept, a tool's files."""
    if operation == "chat":
        return asked.store is True
    return operation == "responses" and asked.has_fees and asked.store is not False


def told_by(payload: bytes) -> frozenset[str]:
    """Return the ids of the objects that a reply tells of: its own, and those that belong to it."""
    try:
        reply = _any.decode(payload)
    except (ValueError, RecursionError):
        return frozenset()
    own = _ids(reply.get("id")) if isinstance(reply, dict) else ()
    return frozenset((*own, *_walk(reply)))


def hashed(protocol: Protocol, object_id: str) -> str:
    """Return by what an object is known in the store, which cannot be turned back into its id."""
    return hashlib.blake2b(f"{protocol}\n{object_id}".encode(), digest_size=20).hexdigest()


def _by_path(method: str, below: str) -> tuple[bool, tuple[str, ...]]:
    """Return whether a path leads to a collection, and which object of it it names."""
    parts = below.strip("/").split("/")
    for place, part in enumerate(parts):
        word = part.lower()
        if word in _COLLECTIONS and (word != "models" or method == "DELETE"):
            behind = parts[place + 1 : place + 2]
            return True, tuple(each for each in behind if each.lower() not in _ACTIONS)
    return False, ()


def _named_in(body: bytes) -> Iterator[str]:
    try:
        asked = _any.decode(body)
    except (ValueError, RecursionError):
        return iter(())
    return _walk(asked)


def _walk(told: Any) -> Iterator[str]:
    """Yield all ids that stand under one of the names, however deep."""
    left = [told]
    while left:
        each = left.pop()
        if isinstance(each, list):
            left += each
        elif isinstance(each, dict):
            if each.get("object") in _OBJECTS:
                yield from _ids(each.get("id"))
            for name, value in each.items():
                if name in _NAMES and not (name == "skill_id" and _is_providers(each)):
                    yield from _ids(value)
                if name not in _OF_CLIENTS and isinstance(value, list | dict):
                    left.append(value)


def _is_providers(skill: dict[str, Any]) -> bool:
    return skill.get("type") == _PROVIDERS_OWN


def _ids(value: Any) -> Iterator[str]:
    """Yield the ids that a value is: a text, an object with one, or a list of these."""
    for each in value if isinstance(value, list) else (value,):
        said = each.get("id") if isinstance(each, dict) else each
        if isinstance(said, str) and 0 < len(said) <= _LONGEST_ID and said not in _NO_IDS:
            yield said


_any: Final = msgspec.json.Decoder()
_OBJECTS: Final = frozenset({"response", "file", "batch", "thread.run", "vector_store.file"})
"""Kinds of objects inside a reply that have ids of their own."""

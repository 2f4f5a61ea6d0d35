"""Whom a request belongs to: its key, then what its headers and its metadata say. Pure.

The key stands in `authorization: Bearer`, `x-api-key` or `api-key`, as the client libraries send
it, or in `x-clearbar-key`; then the other credentials are the client's own, for the upstream. The
rest stands in `x-clearbar-workflow`, `-task`, `-run`, `-user`, `-environment`, `-label-KEY`, or, as
`clearbar_workflow` and so on, in the metadata of an OpenAI request. A header comes before metadata.
What a key fixes, nothing else may contradict.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from clearbar.route.keys import PREFIX
from clearbar.route.route import Caller, Refusal
from clearbar.route.trace_context import read_traceparent
from clearbar.spend.charge import label_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clearbar.route.keys import KeyRing
    from clearbar.route.route import GatewayKey, RouteTable

    Headers = Sequence[tuple[bytes, bytes]]

MAX_CHARACTERS: Final = 200
MAX_LABELS: Final = 16
MAX_LABEL_KEY: Final = 40
RESERVED_LABELS: Final = frozenset({"kind", "tool", "arm", "task", "run"})
"""What Clearbar itself says of a charge; a client's label may not stand in for it."""
_OURS: Final = b"x-clearbar-"
_LABEL: Final = b"x-clearbar-label-"
_KEY: Final = b"x-clearbar-key"
_AUTHORIZATION: Final = b"authorization"
_CREDENTIALS: Final = (_AUTHORIZATION, b"x-api-key", b"api-key")
_TRACEPARENT: Final = b"traceparent"
_BEARER: Final = b"bearer "
_PREFIX: Final = PREFIX.encode("ascii")
_WORDS: Final = ("workflow", "task", "run", "user", "environment")
_WORD_OF: Final = {_OURS + word.encode("ascii"): word for word in _WORDS}
_READ: Final = frozenset({_KEY, _TRACEPARENT, *_CREDENTIALS, *_WORD_OF})
_USUAL: Final = frozenset(
    b"accept accept-encoding accept-language anthropic-beta anthropic-version connection"
    b" content-length content-type host idempotency-key sec-fetch-mode user-agent"
    b" x-stainless-arch x-stainless-async x-stainless-helper-method x-stainless-lang"
    b" x-stainless-os x-stainless-package-version x-stainless-raw-response"
    b" x-stainless-read-timeout x-stainless-retry-count x-stainless-runtime"
    b" x-stainless-runtime-version x-stainless-timeout".split()
)
"""What client libraries send that says nothing here: most of a request's headers are told by one
look-up each."""
_SECRET: Final = re.compile(r"cb_[a-z2-7]{8}_[a-z2-7]{20}|(?<![a-zA-Z0-9])sk-[\w-]{16}", re.ASCII)
_METADATA: Final = "clearbar_"
_METADATA_LABEL: Final = "clearbar_label_"


class TraceIds(Protocol):
    """Where the ids of traces that begin here come from."""

    def trace_id(self) -> str:
        """Return 32 hexadecimal digits."""


class Identified(NamedTuple):
    """Whom a request belongs to, and whose credentials it carries."""

    caller: Caller
    passes_credentials: bool
    """The key came in `x-clearbar-key` beside credentials of the client's own: these are for the
    default upstream, and for no other tool."""


def identify(
    headers: Headers,
    metadata: Mapping[str, str],
    user: str,
    table: RouteTable,
    keys: KeyRing,
    ids: TraceIds,
) -> Identified | Refusal:
    """Return whom a request belongs to, or why that is not known.

    `metadata` and `user` are what its body says. A `user` of the body was meant for the provider
    and is taken as it is; one that is no plain text counts by its hash.
    """
    unusual = [pair for pair in headers if pair[0] not in _USUAL]
    pairs = [pair for pair in unusual if pair[0] in _READ or pair[0].startswith(_LABEL)]
    found = dict(pairs)
    if len(found) != len(pairs) and (twice := _twice(pairs, found)) is not None:
        return twice
    token, own = _token(found)
    key = keys.find(token) if token else None
    if key is None:
        return _no_key(token)
    said = _said(found, metadata) if len(found) > 1 or metadata else {}
    if isinstance(said, Refusal):
        return said
    if user and not said.get("user"):
        said["user"] = user if _is_plain(user) and not _is_secret(user) else _hashed(user)
    named = _workflow(key, said.get("workflow", ""), table)
    if isinstance(named, Refusal):
        return named
    environment = said.get("environment", "")
    if key.environment and environment not in ("", key.environment):
        return _contradicted("environment", key.environment)
    trace = read_traceparent(found[_TRACEPARENT]) if _TRACEPARENT in found else None
    caller = Caller(
        named,
        key.key_id,
        key.team or table.routes[named].team,
        said.get("user", ""),
        said.get("task", ""),
        said.get("run", ""),
        key.environment or environment,
        said.get("labels", ""),
        ids.trace_id() if trace is None else trace.trace_id,
        "" if trace is None else trace.span_id,
        trace is not None and trace.sampled,
    )
    return Identified(caller, own)


def has_key(headers: Headers, keys: KeyRing) -> bool:
    """Return whether a key in force came with the request, before anything else of it is read."""
    pairs = [pair for pair in headers if pair[0] == _KEY or pair[0] in _CREDENTIALS]
    token, _ = _token(dict(pairs))
    return bool(token) and keys.find(token) is not None


def _token(found: Mapping[bytes, bytes]) -> tuple[bytes, bool]:
    """Return what the client gives as Clearbar's key, and whether credentials of its own remain."""
    sent, ours = b"", b""
    for name in _CREDENTIALS:
        if value := found.get(name, b""):
            sent = _bare(value) if name == _AUTHORIZATION else value
            if sent.startswith(_PREFIX):
                if ours not in (b"", sent):
                    return b"", False
                ours = sent
    given = found.get(_KEY)
    if given is not None:
        others = b" ".join(found.get(name, b"") for name in _CREDENTIALS)
        return given, bool(sent) and _PREFIX not in others
    return ours or sent, False


def _bare(value: bytes) -> bytes:
    """Return a bearer token without the word before it."""
    if value.startswith(b"Bearer c"):
        return value[len(_BEARER) :]
    return value[len(_BEARER) :].strip() if value[: len(_BEARER)].lower() == _BEARER else value


def _said(found: Mapping[bytes, bytes], metadata: Mapping[str, str]) -> dict[str, str] | Refusal:
    """Return what is said of a request by word, its labels as one text."""
    said: dict[str, str] = {}
    labels: dict[str, str] = {}
    for name, value in found.items():
        if not name.startswith(_OURS) or name == _KEY:
            continue
        text = _text(value)
        if text is None:
            return _unreadable(name.decode("latin-1"))
        if (word := _WORD_OF.get(name)) is not None:
            said[word] = text
        elif text:
            labels[name[len(_LABEL) :].decode("latin-1")] = text
    if metadata and (refused := _add_metadata(said, labels, metadata)) is not None:
        return refused
    if labels:
        if len(labels) > MAX_LABELS or not all(map(_is_label_key, labels)):
            return _bad_labels()
        said["labels"] = _label_text(tuple(labels.items()))
    return said


def _add_metadata(
    said: dict[str, str], labels: dict[str, str], metadata: Mapping[str, str]
) -> Refusal | None:
    for name, value in metadata.items():
        if not name.startswith(_METADATA):
            continue
        if not _is_plain(value) or _is_secret(value):
            return _unreadable(f"metadata.{name}")
        if name.startswith(_METADATA_LABEL):
            labels.setdefault(name.removeprefix(_METADATA_LABEL), value)
            continue
        word = name.removeprefix(_METADATA)
        if word == "workflow" and said.get(word, value) != value:
            return _contradicted(word, "the header")
        if word in _WORDS:
            said.setdefault(word, value)
    return None


def _workflow(key: GatewayKey, named: str, table: RouteTable) -> str | Refusal:
    """Return the workflow that a request belongs to: the key's, or one of the key's team."""
    if key.workflow:
        if named not in ("", key.workflow):
            return _contradicted("workflow", key.workflow)
        return key.workflow if key.workflow in table.routes else _unknown(key.workflow, key)
    default = table.settings.default_workflow
    workflow = named or default
    if not workflow:
        return Refusal(
            "no_workflow",
            400,
            f"This is the key of the team {key.team}, and the request names no workflow: send the"
            " header x-clearbar-workflow, or the metadata clearbar_workflow.",
        )
    route = table.routes.get(workflow)
    if route is None or (route.team != key.team and workflow != default):
        return _unknown(workflow, key)
    return workflow


def _text(value: bytes) -> str | None:
    """Return the text of a header; None where it is not one that can be shown and stored."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if not text or (_is_plain(text) and not _is_secret(text)) else None


def _is_plain(text: str) -> bool:
    return len(text) <= MAX_CHARACTERS and text.isprintable()


def _is_secret(text: str) -> bool:
    """Return whether a text holds a key, of this gateway or of a provider: it would be logged."""
    return ("cb_" in text or "sk-" in text) and _SECRET.search(text) is not None


def _is_label_key(key: str) -> bool:
    plain = key.isascii() and key.replace("-", "").replace("_", "").replace(".", "").isalnum()
    return plain and len(key) <= MAX_LABEL_KEY and key not in RESERVED_LABELS


@lru_cache(maxsize=1024)
def _label_text(labels: tuple[tuple[str, str], ...]) -> str:
    """Return labels as one text; a client mostly sends the same ones again."""
    return label_text(dict(labels))


def _hashed(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"sha256:{digest[:32]}"


def _twice(pairs: Headers, found: dict[bytes, bytes]) -> Refusal | None:
    """Refuse headers that stand twice; a `traceparent` that does is as good as none."""
    names = [name for name, _ in pairs]
    twice = {name for name in names if names.count(name) > 1}
    if _TRACEPARENT in twice:
        del found[_TRACEPARENT]
        twice.remove(_TRACEPARENT)
    if not twice:
        return None
    name = min(twice).decode("latin-1")
    return Refusal("bad_identity", 400, f"The header {name} stands twice: send it once.")


def _no_key(token: bytes) -> Refusal:
    if not token:
        return Refusal(
            "no_key",
            401,
            "No key of this gateway came with the request: set the client's API key to one that"
            " begins with cb_. Whoever runs the gateway makes it: clearbar route key create.",
        )
    return Refusal(
        "bad_key",
        401,
        "The key is none of this gateway, or was revoked. A key begins with cb_; whoever runs the"
        " gateway makes a new one: clearbar route key create.",
    )


def _unknown(workflow: str, key: GatewayKey) -> Refusal:
    if key.workflow:
        what = f"The workflow {workflow} of this key is not declared: declare it in clearbar.toml."
    else:
        what = (
            f"The team {key.team} has no workflow of the name that the request gives: name one of"
            " its own, or list it under [[team]] in clearbar.toml."
        )
    return Refusal("unknown_workflow", 403, what)


def _contradicted(word: str, fixed: str) -> Refusal:
    return Refusal(
        "contradiction",
        403,
        f"The request names another {word} than {fixed}: leave one out, or use another key.",
    )


def _unreadable(name: str) -> Refusal:
    return Refusal(
        "bad_identity",
        400,
        f"{name} is no plain text of up to {MAX_CHARACTERS} characters: shorten it, and leave out"
        " control characters and keys.",
    )


def _bad_labels() -> Refusal:
    return Refusal(
        "bad_identity",
        400,
        f"The labels cannot be taken: up to {MAX_LABELS}, each under a name of up to"
        f" {MAX_LABEL_KEY} letters, digits and - _ . that is none of"
        f" {', '.join(sorted(RESERVED_LABELS))}.",
    )

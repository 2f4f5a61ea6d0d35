"""The keys of `[gateway]`, with what they mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.toml_kinds import TEXT, USD, choice, number, table_of
from clearbar.core.toml_table import Key, Kind, Place, expected
from clearbar.route.route import DURABILITIES, GatewaySettings
from clearbar.tools.declare_keys import DATA_CLASSES
from clearbar.tools.declare_kinds import ADDRESS, VARIABLE
from clearbar.tools.rule_file import FLAG

if TYPE_CHECKING:
    from decimal import Decimal

    from clearbar.core.toml_table import Table
    from clearbar.route.route import Durability
    from clearbar.tools.tool import DataClass

_DEFAULT: Final = GatewaySettings()
_HOST: Final = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[?[0-9A-Fa-f:.]{2,45}\]?"
)
_MAX_PORT: Final = 65_535
_MAX_SECONDS: Final = 3600
_MAX_BODY: Final = 2**30


def whole(least: int, most: int) -> Kind[int]:
    """Return the kind of whole numbers from `least` to `most`."""

    def read(value: object, _: Place) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise expected(f"a whole number from {least} to {most}", value)
        return value

    return Kind("whole number", read)


def _host(value: object, place: Place) -> str:
    text = TEXT.read(value, place)
    if not _HOST.fullmatch(text):
        raise expected('a host such as "127.0.0.1" or "0.0.0.0"', value)
    return text.strip("[]")


_PORT: Final = whole(1, _MAX_PORT)
_SECONDS: Final = number(
    "seconds", f"seconds, above 0 and up to {_MAX_SECONDS}", lambda s: 0 < s <= _MAX_SECONDS
)

UPSTREAM_URL: Final[Key[str | None]] = Key(
    "url",
    ADDRESS,
    None,
    "The address up to its version, instead of the provider's own.",
    '"https://llm.example.com/v1"',
)
UPSTREAM_KEY: Final[Key[str | None]] = Key(
    "key_env",
    VARIABLE,
    None,
    "The environment variable that holds the provider's key; without it, the client's own"
    " credentials are passed on, and Clearbar's key stands in `x-clearbar-key`.",
    '"OPENAI_API_KEY"',
)
UPSTREAM_KEYS: Final = (UPSTREAM_URL, UPSTREAM_KEY)
Upstream = tuple[str | None, str | None]
"""Address and environment variable."""


def _upstream(table: Table) -> Upstream:
    return table.take(UPSTREAM_URL), table.take(UPSTREAM_KEY)


def _upstream_key(name: str, who: str, variable: str) -> Key[Upstream | None]:
    return Key(
        name,
        table_of(UPSTREAM_KEYS, _upstream),
        None,
        f"Where requests in {who}'s protocol go that no route sends elsewhere.",
        f'{{ key_env = "{variable}" }}',
    )


OPENAI: Final = _upstream_key("openai", "OpenAI", "OPENAI_API_KEY")
ANTHROPIC: Final = _upstream_key("anthropic", "Anthropic", "ANTHROPIC_API_KEY")
UPSTREAM_DATA: Final[Key[DataClass]] = Key(
    "data_class",
    choice(DATA_CLASSES),
    "internal",
    "The most confidential data that these two may be given.",
    '"public"',
)
HOST: Final = Key(
    "host", Kind("host", _host), _DEFAULT.host, "Where it listens for clients.", '"0.0.0.0"'
)
ADMIN_HOST: Final = Key(
    "admin_host",
    Kind("host", _host),
    _DEFAULT.admin_host,
    "Where it listens for operators and metrics.",
    '"10.0.0.5"',
)
PORT: Final = Key("port", _PORT, _DEFAULT.port, "The port for clients.", "8787")
ADMIN_PORT: Final = Key(
    "admin_port", _PORT, _DEFAULT.admin_port, "The port for operators and metrics.", "8788"
)
WORKERS: Final = Key(
    "workers", whole(1, 256), _DEFAULT.workers, "Worker processes; one for each core.", "4"
)
DEFAULT_WORKFLOW: Final = Key(
    "default_workflow",
    TEXT,
    _DEFAULT.default_workflow,
    "Whose a request under a team's key is that names no workflow; without it, it is refused.",
    '"experiments"',
)
MAX_BODY: Final = Key(
    "max_body_bytes",
    whole(1024, _MAX_BODY),
    _DEFAULT.max_body_bytes,
    "The longest request.",
    "8388608",
)
HEADER_TIMEOUT: Final = Key(
    "header_timeout_s",
    _SECONDS,
    _DEFAULT.header_timeout_s,
    "How long a client may take for the headers of a request.",
    "5",
)
BODY_TIMEOUT: Final = Key(
    "body_timeout_s",
    _SECONDS,
    _DEFAULT.body_timeout_s,
    "How long a client may take for its body.",
    "30",
)
FIRST_BYTE: Final = Key(
    "first_byte_timeout_s",
    _SECONDS,
    _DEFAULT.first_byte_timeout_s,
    "How long a tool may take to begin its answer.",
    "60",
)
STALL: Final = Key(
    "stall_timeout_s",
    _SECONDS,
    _DEFAULT.stall_timeout_s,
    "The longest silence inside an answer.",
    "30",
)
DRAIN: Final = Key(
    "drain_s",
    _SECONDS,
    _DEFAULT.drain_s,
    "How long requests in flight may take to end when the gateway stops.",
    "120",
)
RETRIES: Final = Key(
    "retries",
    whole(0, 10),
    _DEFAULT.retries,
    "More tries of a tool after a failure that another try may mend.",
    "1",
)
MAX_OUTPUT: Final = Key(
    "max_output_tokens",
    whole(1, 10_000_000),
    _DEFAULT.max_output_tokens,
    "The limit set on an answer, under a budget, where the client names none.",
    "8000",
)
UNPRICED: Final[Key[Decimal]] = Key(
    "unpriced_usd",
    USD,
    _DEFAULT.unpriced_usd,
    "Held, and taken, for a call whose price is not known.",
    '"0.10"',
)
STORE: Final = Key(
    "store_env",
    VARIABLE,
    _DEFAULT.store_env,
    "The environment variable with the address of the PostgreSQL database in which several"
    " machines share their budgets; without it, SQLite.",
    '"CLEARBAR_STORE"',
)
ADMIN_TOKEN: Final = Key(
    "admin_token_env",
    VARIABLE,
    _DEFAULT.admin_token_env,
    "The environment variable with the token of the admin API; where it is not set, the first start"
    " makes a file with one.",
    '"GATEWAY_ADMIN_TOKEN"',
)
OPEN_METRICS: Final = Key(
    "open_metrics",
    FLAG,
    _DEFAULT.open_metrics,
    "Whether metrics are shown without that token.",
    "false",
)
DURABILITY: Final[Key[Durability]] = Key(
    "durability",
    choice(DURABILITIES),
    _DEFAULT.durability,
    "What a charge outlives before the end of a reply is sent: a crash of the machine (disk), or"
    " only of the process, which spares the reply the wait for the disk.",
    '"process"',
)
SHARED_OBJECTS: Final = Key(
    "shared_objects",
    FLAG,
    _DEFAULT.shared_objects,
    "Whether any workflow may list, read and delete what lies at the provider, such as files and"
    " stored answers. Otherwise only the workflow that made an object through the gateway may use"
    " it, and none may list them.",
    "true",
)
GATEWAY_KEYS: Final[tuple[Key[Any], ...]] = (
    OPENAI,
    ANTHROPIC,
    UPSTREAM_DATA,
    HOST,
    PORT,
    ADMIN_HOST,
    ADMIN_PORT,
    WORKERS,
    DEFAULT_WORKFLOW,
    MAX_BODY,
    HEADER_TIMEOUT,
    BODY_TIMEOUT,
    FIRST_BYTE,
    STALL,
    DRAIN,
    RETRIES,
    MAX_OUTPUT,
    UNPRICED,
    STORE,
    ADMIN_TOKEN,
    OPEN_METRICS,
    DURABILITY,
    SHARED_OBJECTS,
)

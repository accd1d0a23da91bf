"""The PostgreSQL server that the hub is given: its address without secrets, why it refuses, what it must allow.

Roles belong to a whole cluster, databases do not: all Suanwang databases of a cluster share the role `suanwang_app`,
and each user who owns one needs the right to grant it.
"""

from urllib.parse import parse_qsl, urlencode

import asyncpg

from suanwang.errors import InvalidInput, Refused, SuanwangError, Unreachable
from suanwang.store.queries import queries

APP_ROLE = "suanwang_app"
OLDEST_VERSION = 160_000
CONNECT_TIMEOUT_S = 10.0
URL_FORM = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with special characters of the password as %XX"
_SQL = queries("server")
_AT_LOGIN = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError)
TROUBLES = (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What asyncpg raises when it cannot connect."""


def shown(url: str) -> str:
    """The address as it may be shown and logged: without its password, wherever in the URL it stands."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "…"  # no URL at all: nobody knows what is a secret in it
    login, at, place = rest.rpartition("@")
    place, _, asked = place.partition("?")
    kept = urlencode([(name, value) for name, value in parse_qsl(asked) if "password" not in name], safe="/")
    return f"{scheme}://{login.partition(':')[0]}{at}{place}{'?' if kept else ''}{kept}"


def trouble(url: str, error: Exception) -> SuanwangError:
    """What went wrong on the way to the server, in words that say what to do."""
    address = shown(url)
    if isinstance(error, asyncpg.InterfaceError):  # its words name what is wrong in the URL
        return InvalidInput("database_url", address, f"{error}; {URL_FORM}", code="DATABASE_URL")
    if isinstance(error, ValueError):  # its words may hold a piece of the password
        return InvalidInput("database_url", address, URL_FORM, code="DATABASE_URL")
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return Unreachable(
            f"there is no such database at {address} ({error}): create it, owned by the user that you name",
            code="NO_DATABASE",
            address=address,
            said=str(error),
        )
    if isinstance(error, _AT_LOGIN):
        return Unreachable(
            f"PostgreSQL does not let the hub in at {address} ({error}): check user, password and pg_hba.conf",
            code="DATABASE_LOGIN",
            address=address,
            said=str(error),
        )
    said = str(error) or f"no answer in {CONNECT_TIMEOUT_S:g} s"
    return Unreachable(
        f"no PostgreSQL can be reached at {address} ({said}): is it running, and does it listen there?",
        code="NO_DATABASE_SERVER",
        address=address,
        said=said,
    )


async def open_connection(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """One connection as the user of the URL. Raises InvalidInput for the URL, Unreachable for the server."""
    try:
        return await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S, server_settings={"client_min_messages": "warning"})
    except TROUBLES as error:
        raise trouble(url, error) from error


async def require_fit(connection: "asyncpg.Connection[asyncpg.Record]", *, complete: bool) -> None:
    """Before anything is changed: a server of the right kind, and a user who may do what is still to do.

    `complete`: the schema is there already. Raises Refused with the statements that a superuser has to run.
    """
    server = await connection.fetchrow(_SQL["version"])
    if server is None or server["version"] < OLDEST_VERSION:
        found = "unknown" if server is None else server["version_name"]
        raise _unfit(f"PostgreSQL {found}", "PostgreSQL 16 or newer")
    has = await connection.fetchrow(_SQL["rights"], APP_ROLE)
    if has is None:  # the user was dropped this very moment
        raise _unfit("a user that is gone", "a user that exists")
    if has["standby"]:
        raise _unfit("a standby, which is read-only", "the primary server")
    if has["encoding"] != "UTF8":
        raise _unfit(f"a database in {has['encoding']}", "a database in UTF8 (create database ... encoding 'UTF8')")
    missing = _missing(has, complete=complete)
    if missing:
        statements = " ".join(missing)
        raise Refused(
            f"the database user {has['user_name']} lacks rights; let a superuser run: {statements}",
            code="DATABASE_RIGHTS",
            user=has["user_name"],
            statements=statements,
        )


def _missing(has: asyncpg.Record, *, complete: bool) -> list[str]:
    """The statements that give the user what it lacks."""
    found = []
    if not complete and not has["may_create_tables"]:
        found.append(f"alter database {has['database_name']} owner to {has['user_name']};")
    if has["app_set"] is None and not has["may_create_roles"]:
        found.append(f"create role {APP_ROLE} nologin;")
    known = has["app_set"] is not None or not has["may_create_roles"]
    if known and not (has["app_admin"] or (complete and has["app_set"])):
        found.append(f"grant {APP_ROLE} to {has['user_name']} with admin option;")
    return found


def _unfit(found: str, needed: str) -> Refused:
    return Refused(f"{found} cannot be used; it takes {needed}", code="DATABASE_UNFIT", found=found, needed=needed)

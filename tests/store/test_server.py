"""Any PostgreSQL: a plain server with passwords, users with few rights, several databases in one cluster."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from suanwang.errors import InvalidInput, Refused, Unreachable
from suanwang.store import db, embedded_place, event
from suanwang.store.event import NewEvent
from suanwang.store.migrate import migrate
from suanwang.store.server import APP_ROLE, shown
from suanwang.testing.network import SmallNetwork
from suanwang.testing.processes import free_port

SUPER_PASSWORD = "s p@e:c/i?a#l"


@dataclass(frozen=True, slots=True)
class Plain:
    """A server that we did not configure for ourselves: TCP on loopback, passwords asked for."""

    port: int

    def url(self, user: str, password: str, database: str) -> str:
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    async def run(self, *statements: str, database: str = "postgres") -> None:
        connection = await asyncpg.connect(self.url("postgres", SUPER_PASSWORD, database))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def owner(self, name: str, *, rights: str = "") -> str:
        """A user with a database of its own; the URL of the two."""
        await self.run(f"create role {name} login password 'x' {rights}", f"create database {name} owner {name}")
        return self.url(name, "x", name)


@pytest.fixture(scope="module")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    place = Path(f"/tmp/sw-plain-{os.getpid()}")
    account = embedded_place.account_for(place)
    install = embedded_place.install_for(account)
    place.mkdir()
    (place / "password").write_text(SUPER_PASSWORD)
    embedded_place.give(place, account)
    words = ["--username=postgres", f"--pwfile={place}/password", "--auth=scram-sha-256", "--no-sync", "--locale=C"]
    words += ["--encoding=UTF8", "-D", f"{place}/data"]
    as_account = embedded_place.as_account(account)
    subprocess.run([install / "bin/initdb", *words], cwd=place, check=True, capture_output=True, **as_account)
    port = free_port()
    settings = ["listen_addresses=127.0.0.1", f"unix_socket_directories={place}", "fsync=off", "shared_buffers=16MB"]
    settings += ["max_prepared_transactions=2", "autovacuum=off"]  # upkeep would hold events back for a moment
    options = [word for setting in settings for word in ("-c", setting)]
    with (place / "log").open("wb") as log:
        command = [str(install / "bin/postgres"), "-D", str(place / "data"), "-p", str(port), *options]
        server = subprocess.Popen(command, cwd=place, stdout=log, stderr=log, **as_account)
    try:
        until = time.monotonic() + 30
        while b"ready to accept connections" not in (place / "log").read_bytes():
            assert server.poll() is None, (place / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield Plain(port)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        subprocess.run(["rm", "-rf", place], check=True)


@pytest.fixture
async def plain(plain_server: Plain) -> AsyncIterator[Plain]:
    """Without any role or database of an earlier test."""
    yield plain_server
    connection = await asyncpg.connect(plain_server.url("postgres", SUPER_PASSWORD, "postgres"))
    for row in await connection.fetch("select datname from pg_database where datname !~ '^(postgres|template.)$'"):
        await connection.execute(f"drop database {row['datname']} with (force)")
    for row in await connection.fetch("select rolname from pg_roles where rolname !~ '^(pg_|postgres)'"):
        await connection.execute(f"drop owned by {row['rolname']} cascade")
        await connection.execute(f"drop role {row['rolname']}")
    await connection.close()


async def works(url: str) -> None:
    """A network is founded in it and believes its own books."""
    database = await db.connect(url)
    try:
        net = SmallNetwork(database)
        await net.found()
        await net.add_tenant("acme", 1_000)
        async with database.transaction() as tx:
            assert await tx.fetchval("select current_user::text") == APP_ROLE
            assert await event.held_back(tx) is None
    finally:
        await database.close()


SECRETS = [
    ("postgresql://u:secret@h:1/d", "postgresql://u@h:1/d"),
    ("postgresql://u:sec/ret@h/d", "postgresql://u@h/d"),
    ("postgresql://u:se?cret@h/d", "postgresql://u@h/d"),
    ("postgresql://u@h/d?password=secret&sslmode=require", "postgresql://u@h/d?sslmode=require"),
    ("postgresql://u@h/d?sslpassword=secret", "postgresql://u@h/d"),
    ("postgresql:///d?host=/run/pg&port=5432", "postgresql:///d?host=/run/pg&port=5432"),
    ("host=h password=secret", "…"),
    ("mysql://u:secret@h/d", "mysql://u@h/d"),
]


@pytest.mark.parametrize(("url", "kept"), SECRETS)
def test_a_shown_address_has_no_password(url: str, kept: str) -> None:
    assert shown(url) == kept


WRONG_URLS = [
    "mysql://u:secret@h/d",
    "secret",
    "postgresql://u:sec/ret@h/d",
    "postgresql://u:secret@h:99999999/d",
    "://",
]


@pytest.mark.parametrize("url", WRONG_URLS)
@pytest.mark.parametrize("function", [migrate, db.connect])
async def test_a_wrong_url(url: str, function: object) -> None:
    with pytest.raises((InvalidInput, Unreachable)) as raised:
        await function(url)  # type: ignore[operator]
    assert raised.value.code in ("DATABASE_URL", "NO_DATABASE_SERVER")
    assert "secret" not in str(raised.value)
    assert "postgresql://USER" in str(raised.value) or raised.value.code == "NO_DATABASE_SERVER"


def hub_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "suanwang", *arguments]


def surroundings(home: Path, **more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SUANWANG_")}
    return {**clean, "SUANWANG_HOME": str(home), **more}


@pytest.mark.slow
def test_the_command_says_what_is_wrong_without_a_traceback(plain: Plain, tmp_path: Path) -> None:
    silent = f"postgresql://u:secret@127.0.0.1:{free_port()}/d"
    wrong = plain.url("postgres", "secret", "postgres")
    absent = plain.url("postgres", SUPER_PASSWORD, "nowhere")
    for url, code, exit_code, says in (
        ("mysql://u:secret@h/d", "DATABASE_URL", 1, "mysql://u@h/d"),
        (silent, "NO_DATABASE_SERVER", 3, "is it running"),
        (wrong, "DATABASE_LOGIN", 3, "check user, password"),
        (absent, "NO_DATABASE", 3, "create it"),
    ):
        done = subprocess.run(
            hub_command("up", "--json", "--port", str(free_port())),
            check=False,
            env=surroundings(tmp_path, SUANWANG_DATABASE_URL=url),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == exit_code, done.stderr
        assert json.loads(done.stdout)["error"]["code"] == code
        assert says in done.stderr
        assert "Traceback" not in done.stderr
        assert "secret" not in done.stderr + done.stdout
        assert "Try again in a moment" not in done.stderr


@pytest.mark.slow
async def test_a_lost_administrator_comes_back_and_it_is_recorded(plain: Plain, tmp_path: Path) -> None:
    url = await plain.owner("lost", rights="createrole")

    def whoami(*start: str) -> "dict[str, str]":
        """Start the hub, ask it who the stored profile is, end it."""
        port = str(free_port())
        environment = surroundings(tmp_path, SUANWANG_DATABASE_URL=url)
        command = hub_command("up", "--json", "--port", port, *start)
        with (tmp_path / "hub.log").open("ab") as log:
            hub = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log)
        try:
            assert hub.stdout is not None
            said = b""
            while b"}" not in said:
                said += hub.stdout.readline()
                assert hub.poll() is None, (tmp_path / "hub.log").read_text()
            done = subprocess.run(
                hub_command("whoami", "--json"),
                check=False,
                env={**environment, "SUANWANG_PORT": port},
                capture_output=True,
                timeout=120,
            )
            found: dict[str, str] = json.loads(done.stdout)
            return found
        finally:
            hub.send_signal(signal.SIGTERM)
            hub.communicate(timeout=120)

    first = whoami()
    assert first["role"] == "network_admin"
    (tmp_path / "profiles" / "default.json").unlink()
    second = whoami("--new-administrator")
    assert second["role"] == "network_admin"
    assert second["token_id"] != first["token_id"]
    assert f"in force before it: {first['token_id']}" in (tmp_path / "hub.log").read_text()
    database = await db.connect(url)
    async with database.transaction() as tx:
        recorded = await tx.fetchrow("select actor, body->>'token' as token from event where kind = 'token_issued'")
    await database.close()
    assert recorded is not None
    assert dict(recorded) == {"actor": "hub-start", "token": second["token_id"]}


async def test_an_owner_who_may_create_roles_needs_nothing(plain: Plain) -> None:
    url = await plain.owner("one", rights="createrole")
    assert await migrate(url)
    assert await migrate(url) == []
    await works(url)


async def refused(url: str) -> str:
    with pytest.raises(Refused) as raised:
        await migrate(url)
    assert raised.value.code == "DATABASE_RIGHTS", raised.value
    return str(raised.value.facts["statements"])


async def test_what_a_superuser_is_asked_to_run_is_enough(plain: Plain) -> None:
    url = await plain.owner("weak")
    statements = await refused(url)
    assert statements == "create role suanwang_app nologin; grant suanwang_app to weak with admin option;"
    await plain.run(statements)
    await migrate(url)
    await works(url)


async def test_a_user_of_a_database_of_somebody_else(plain: Plain) -> None:
    url = await plain.owner("guest")
    await plain.run("create database theirs")
    url = plain.url("guest", "x", "theirs")
    statements = await refused(url)
    assert statements.startswith("alter database theirs owner to guest;")
    await plain.run(statements, database="theirs")
    await migrate(url)
    await works(url)


@pytest.mark.parametrize("rights", ["", "createrole", "superuser"])
async def test_two_databases_of_one_owner(plain: Plain, rights: str) -> None:
    first = await plain.owner("pair", rights=rights)
    await plain.run("create database second owner pair")
    second = plain.url("pair", "x", "second")
    if not rights:
        await plain.run(await refused(first))
    await asyncio.gather(migrate(first), migrate(second))
    await works(first)  # one after the other: an open transaction of one holds back the cursors of both
    await works(second)


async def test_two_databases_of_two_owners_share_the_role_but_not_the_records(plain: Plain) -> None:
    first = await plain.owner("east", rights="createrole")
    second = await plain.owner("west", rights="createrole")
    await migrate(first)
    statements = await refused(second)  # the role is there, and its maker alone may grant it
    assert statements == "grant suanwang_app to west with admin option;"
    await plain.run(statements)
    await migrate(second)
    await works(first)  # one after the other: an open transaction of one holds back the cursors of both
    await works(second)
    # What the how-to advises: the shared role opens no door to the other database.
    await plain.run("revoke connect on database east from public")
    with pytest.raises(Unreachable, match="permission denied for database"):
        await migrate(plain.url("west", "x", "east"))
    await works_again(first)


async def works_again(url: str) -> None:
    database = await db.connect(url)
    async with database.transaction() as tx:
        assert await tx.fetchval("select count(*) from organisation") == 2
    await database.close()


async def test_a_role_that_was_taken_away_is_told_before_the_hub_starts(plain: Plain) -> None:
    url = await plain.owner("robbed", rights="createrole")
    await migrate(url)
    await plain.run("revoke suanwang_app from robbed granted by robbed", "revoke suanwang_app from robbed")
    assert await refused(url) == "grant suanwang_app to robbed with admin option;"


async def test_a_database_that_is_not_in_utf8(plain: Plain) -> None:
    await plain.run("create database old encoding 'SQL_ASCII' template template0")
    with pytest.raises(Refused, match="SQL_ASCII") as raised:
        await migrate(plain.url("postgres", SUPER_PASSWORD, "old"))
    assert raised.value.code == "DATABASE_UNFIT"


async def test_a_transaction_of_another_database_holds_events_back_and_is_named(plain: Plain) -> None:
    url = await plain.owner("held", rights="createrole")
    await migrate(url)
    database = await db.connect(url)
    stranger = await asyncpg.connect(plain.url("postgres", SUPER_PASSWORD, "postgres"))
    try:
        holding = stranger.transaction()
        await holding.start()
        number = await stranger.fetchval("select pg_current_xact_id()::text")
        async with database.transaction() as tx:
            assert await event.held_back(tx) is None  # nobody waits for anything
            await event.append(tx, 1_000, "test", [NewEvent("topped_up")])
        async with database.transaction() as tx:
            held = await event.held_back(tx)
            assert held is not None
            assert held.since_s == 1_000
            assert await event.after(tx, (0, 0), 10, []) == []
        pid = stranger.get_server_pid()
        assert held.holder == f"transaction {number} of process {pid} in database postgres"
        await holding.rollback()
        async with database.transaction() as tx:
            assert await event.held_back(tx) is None
            assert len(await event.after(tx, (0, 0), 10, [])) == 1
        await stranger.execute("begin; create table t (x int); prepare transaction 'left over'")
        async with database.transaction() as tx:
            await event.append(tx, 1_001, "test", [NewEvent("topped_up")])
        async with database.transaction() as tx:
            held = await event.held_back(tx)
        assert held is not None
        assert "prepared transaction 'left over' in database postgres" in held.holder
        await stranger.execute("rollback prepared 'left over'")
    finally:
        await stranger.close()
        await database.close()

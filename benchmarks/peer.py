"""The limit that the rest is measured against: how fast this PostgreSQL, on this disk, commits a single row."""

import asyncio
import re
import subprocess
from pathlib import Path
from statistics import median

from suanwang.store import embedded
from suanwang.store.embedded_place import account_for, as_account, install_for

CLIENTS = 16
SCRIPT = "insert into bench (payload) values ('0123456789abcdef0123456789abcdef');\n"
TABLE = "create table bench (id bigserial primary key, payload text)"


class Peer:
    """One server, found by the folder that the hub keeps it in. fsync and synchronous_commit are checked to be on."""

    def __init__(self, folder: Path, work: Path) -> None:
        self._account = account_for(folder)
        self._bin = install_for(self._account) / "bin"
        self._url = embedded.start(folder)  # it runs: this tells where
        self._script = work / "insert.sql"
        self._script.write_text(SCRIPT)
        self._script.chmod(0o644)
        self.rates: list[float] = []

    @property
    def rate(self) -> float:
        return median(self.rates)

    async def prepare(self) -> None:
        for setting in ("fsync", "synchronous_commit"):
            if (await self._ask("postgres", f"show {setting}")).strip() != "on":
                raise RuntimeError(f"{setting} is not on: this would measure another promise than the hub's")
        await self._ask("postgres", "create database bench")
        await self._ask("bench", TABLE)

    async def measure(self, seconds: int) -> float:
        """Transactions per second, one inserted row each, 16 clients, prepared statements."""
        said = await self._run(
            "pgbench", "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds),
            "-f", str(self._script), self._url_of("bench"),
        )  # fmt: skip
        found = re.search(r"tps = ([0-9.]+)", said)
        if found is None:
            raise RuntimeError(f"pgbench said no rate:\n{said}")
        self.rates.append(float(found[1]))
        return self.rates[-1]

    async def _ask(self, database: str, question: str) -> str:
        return await self._run("psql", "-XAtq", "-c", question, self._url_of(database))

    def _url_of(self, database: str) -> str:
        return self._url.replace("/postgres?", f"/{database}?")

    async def _run(self, program: str, *arguments: str) -> str:
        done = await asyncio.to_thread(
            subprocess.run,
            [str(self._bin / program), *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            **as_account(self._account),
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stderr}")
        return str(done.stdout)

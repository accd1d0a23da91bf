"""One frozen Settings, read from the environment by entry points and passed down."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from suanwang.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Settings:
    """`SUANWANG_*` variables; every one has a default that works on one machine."""

    home: Path
    """Where the embedded database, profiles and agents' journals live."""
    database_url: str | None
    """Any PostgreSQL from 16 on; empty: the embedded server in `home`."""
    host: str
    port: int
    unseen_after_s: int
    """A centre that did not sync for so long is shown as unseen; nothing else changes."""
    keep_days: int = 30
    """Answers to calls (for whoever sends them again) and files that no live job needs are kept so long."""
    live_jobs_quota: int = 50_000
    """A tenant has at most so many jobs that are not over."""
    blob_quota_mib: int = 20_480
    """A tenant's uploaded files are at most so large together."""
    billing_zone: str = "Asia/Shanghai"
    """Billing periods are calendar months there; of a network that has closed one, it is not to be changed."""
    policy_file: Path | None = None
    """How the queue is served, as a YAML file; empty: first come, first served, and nobody makes room for others."""


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises InvalidInput naming the variable."""
    return Settings(
        home=Path(environment.get("SUANWANG_HOME") or Path.home() / ".suanwang").expanduser(),
        database_url=environment.get("SUANWANG_DATABASE_URL") or None,
        host=environment.get("SUANWANG_HOST") or "127.0.0.1",
        port=_whole_number(environment, "SUANWANG_PORT", 7700, most=65_535),
        unseen_after_s=_whole_number(environment, "SUANWANG_UNSEEN_AFTER_S", 30, most=10**9),
        keep_days=_whole_number(environment, "SUANWANG_KEEP_DAYS", 30, most=36_500),
        live_jobs_quota=_whole_number(environment, "SUANWANG_LIVE_JOBS_QUOTA", 50_000, most=10**9),
        blob_quota_mib=_whole_number(environment, "SUANWANG_BLOB_QUOTA_MIB", 20_480, most=10**9),
        billing_zone=environment.get("SUANWANG_BILLING_ZONE") or "Asia/Shanghai",
        policy_file=Path(environment["SUANWANG_POLICY"]).expanduser() if environment.get("SUANWANG_POLICY") else None,
    )


def _whole_number(environment: Mapping[str, str], name: str, default: int, *, most: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit()) or int(text) > most:
        raise InvalidInput(name, text, f"a whole number from 0 to {most}")
    return int(text)

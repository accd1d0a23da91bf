"""Where figures were measured."""

import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any


def machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} cores, {model}, {platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 2),
    }


def seconds(run: Callable[[], Any]) -> tuple[float, Any]:
    """How long it took, and its answer."""
    start = perf_counter()
    answer = run()
    return perf_counter() - start, answer

"""What starts fast and installs alone imports nothing heavy. (The layers themselves: import-linter, in script/test.)"""

import json
import subprocess
import sys

import pytest

from tests.house.source import SOURCE

HEAVY = {"asyncpg", "granian", "litestar", "numba", "numpy", "polars", "scipy", "sklearn"}
SAY_LOADED = "import {module}, json, sys; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
LIGHT_MODULES = ("suanwang.agent", "suanwang.agent.loop", "suanwang.cli", "suanwang.cli.main", "suanwang.client")


def exists(module: str) -> bool:
    path = SOURCE.joinpath(*module.split(".")[1:])
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def loaded_by(module: str) -> set[str]:
    """Top-level packages in memory after importing the module in a fresh interpreter."""
    said = subprocess.check_output([sys.executable, "-c", SAY_LOADED.format(module=module)], text=True)
    return set(json.loads(said))


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_light_modules_load_nothing_heavy(module: str) -> None:
    if not exists(module):
        pytest.skip(f"{module} is not written yet")
    assert not loaded_by(module) & HEAVY


def test_heavy_modules_are_seen() -> None:
    assert {"numpy", "suanwang"} <= loaded_by("suanwang, numpy")

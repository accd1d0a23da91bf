"""What tests of the command line share: a runner with a home of its own and no profile from outside."""

import json
import os
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType
from typer.testing import CliRunner, Result

from suanwang.cli.main import make_app
from suanwang.cli.screen import print_whole

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("SUANWANG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SUANWANG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Run:
    """Run a command in this process: `run("job", "list", "--json")`."""

    def invoke(*arguments: str | Path, **options: Any) -> Result:
        return CliRunner().invoke(make_app(), [str(argument) for argument in arguments], **options)

    return invoke


def answer(result: Result) -> Any:
    """The one JSON document that a command printed."""
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def shown(renderable: RenderableType, width: int = 250) -> str:
    """What a terminal would show."""
    console = Console(width=width, record=True, file=StringIO(), color_system=None)
    print_whole(console, renderable)
    return console.export_text()

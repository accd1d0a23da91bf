"""Every command explains itself in both languages, starts fast, and ends with the right code."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run, answer

SHOW_EVERY_HELP = """
import json
from typer.main import get_command
from typer.testing import CliRunner
from suanwang.cli.main import make_app, speak_to_users

def walk(command, path):
    yield path
    for name, sub in getattr(command, "commands", {}).items():
        yield from walk(sub, [*path, name])

speak_to_users()
app = make_app()
found = {}
for path in walk(get_command(app), []):
    done = CliRunner().invoke(app, [*path, "--help"])
    assert done.exit_code == 0, (path, done.output)
    found[" ".join(path)] = done.stdout
print(json.dumps(found))
"""
SAY_LOADED = """
import json, sys
from typer.main import get_command
from suanwang.cli.main import make_app
get_command(make_app())
print(json.dumps(sorted(sys.modules)))
"""
COMMANDS = {
    *("up", "agent", "login", "whoami", "quote", "submit", "settle", "prove", "trace"),
    *("job list", "job show", "job logs", "job cancel", "job abandon", "job refund", "job explain"),
    *("project add", "project list", "project show", "project budget", "project alerts"),
    *("dispute open", "dispute list", "dispute resolve"),
    *("centre list", "centre show", "centre add", "centre drain", "centre resume"),
    *("centre declare-lost", "centre rejoin"),
    *("product list", "order create", "order list", "order show", "order report", "order close"),
    *("booking add", "booking list", "booking remove"),
    *("maintenance add", "maintenance list", "maintenance remove"),
    *("organisation add", "token issue", "token list", "token revoke", "account", "account show", "account top-up"),
    *("settlement propose", "settlement list", "settlement dues", "settlement show"),
    *("settlement approve", "settlement reject", "settlement pay", "export audit"),
    *("export beancount", "export focus", "period list", "period show", "period close", "statement"),
    *("programme add", "programme list", "programme fund"),
    *("provider-list add", "provider-list remove", "provider-list show"),
    *("voucher list", "voucher claim", "voucher claims", "voucher decide", "voucher claw-back", "voucher repaid"),
}
LONG_RUNNING = {"up", "agent"}


def python(code: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SUANWANG_", "LC_", "LANG"))}
    return subprocess.check_output([sys.executable, "-c", code], env={**clean, **environment}, text=True)


def suanwang(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SUANWANG_")}
    command = [sys.executable, "-m", "suanwang", *arguments]
    return subprocess.run(
        command, check=False, env={**clean, **environment}, capture_output=True, text=True, timeout=60
    )


def has_chinese(text: str) -> bool:
    return any("一" <= character <= "鿿" for character in text)


def options_of(help_text: str) -> list[str]:
    """The description of every option, joined over its lines."""
    found: list[str] = []
    for line in help_text.splitlines():
        if line.startswith(("  --", "  -f")):
            found.append(line)
        elif found and line.startswith("   "):
            found[-1] += line
    return found


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_every_command_explains_itself(language: str) -> None:
    helps = json.loads(python(SHOW_EVERY_HELP, SUANWANG_LANG=language))
    assert helps.keys() >= COMMANDS
    of_typer = ("--help", "--install-completion", "--show-completion")
    for path, text in helps.items():
        first = next(line for line in text.splitlines()[1:] if line.strip())
        ours = [option for option in options_of(text) if not any(name in option for name in of_typer)]
        assert has_chinese(first) == (language == "zh_CN"), path
        assert all(has_chinese(option) == (language == "zh_CN") for option in ours), (path, ours)
        if path in COMMANDS:
            assert "--json" in text, path
            assert "--profile" in text or path == "up", path


def test_help_needs_nothing_heavy() -> None:
    loaded = {name.partition(".")[0] for name in json.loads(python(SAY_LOADED))}
    assert not loaded & {"httpx", "msgspec", "rich", "yaml", "numpy", "numba", "asyncpg", "litestar", "granian"}
    inside = {name for name in json.loads(python(SAY_LOADED)) if name.startswith("suanwang.")}
    assert not any(name.startswith(("suanwang.store", "suanwang.control", "suanwang.api")) for name in inside)


def test_version(run: Run) -> None:
    assert run("--version").stdout.startswith("suanwang 0.")


def test_an_unknown_profile_is_refused(run: Run) -> None:
    done = run("whoami", "--profile", "nobody")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "error: there is no profile nobody; known here: -" in done.stderr
    assert "suanwang login" in done.stderr


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_silent_hub_is_exit_code_3(closed_port: int) -> None:
    url = f"http://127.0.0.1:{closed_port}"
    done = suanwang("centre", "list", SUANWANG_URL=url)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.splitlines() == [
        f"error: the hub at {url} does not answer",
        "Start it with `suanwang up`, or name another one with --profile or SUANWANG_URL.",
    ]
    done = suanwang("centre", "list", "--json", SUANWANG_URL=url, SUANWANG_LANG="zh")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == "HUB_UNREACHABLE"
    assert done.stderr.startswith(f"错误：枢纽 {url} 无应答")


def test_an_address_and_a_token_that_can_be_none_are_told_as_such() -> None:
    done = suanwang("centre", "list", SUANWANG_URL="nonsense")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: SUANWANG_URL: 'nonsense' is no address of a hub; it looks like http://")
    done = suanwang("whoami", SUANWANG_TOKEN="秘密")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: SUANWANG_TOKEN holds no token")
    assert "Traceback" not in done.stderr


WRONG_USE: list[tuple[str, ...]] = [
    ("job", "lst"),
    ("submit",),
    ("submit", "nowhere.yaml"),
    ("account", "top-up", "acme", "-5"),
    ("account", "top-up", "acme", "1.234"),
    ("job", "list", "--state", "asleep"),
    ("job", "list", "--watch", "--json"),
    ("settle", "--key", "k"),
    ("voucher", "claim", "p", "--contract", "c", "--signed-on", "2025-01-01", "--term-days", "3"),
    ("voucher", "claim", "p", "--contract", "c", "--signed-on", "2025-01-01", "--term-days", "3", "--part", "x"),
    ("token", "issue", "--organisation", "acme", "--role", "king"),
    ("up", "--port", "70000"),
]


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUANWANG_URL", "http://127.0.0.1:1")


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("arguments", WRONG_USE)
def test_wrong_use_is_exit_code_2(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("arguments", [*WRONG_USE, (), ("job",), ("job", "show"), ("whoami", "--nonsense")])
def test_wrong_use_is_a_document_for_programs(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, *(() if "--json" in arguments else ("--json",)))
    assert done.exit_code == 2, done.output
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "WRONG_USE"
    assert error["facts"]["command"].split()[1:] == list(arguments[: len(error["facts"]["command"].split()) - 1])
    assert error["message"] in done.stderr


def test_wrong_use_as_a_process_names_the_command() -> None:
    done = suanwang("job", "list", "--limit", "many", "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["facts"] == {"command": "python -m suanwang job list", "parameter": "limit"}
    assert "Usage" not in done.stdout


def test_behind_two_dashes_nothing_is_an_option(run: Run) -> None:
    done = run("job", "show", "--", "--json", "more")
    assert (done.exit_code, done.stdout) == (2, "")


def test_task_files_are_checked_without_a_hub(run: Run, tmp_path: Path) -> None:
    task = tmp_path / "task.yaml"
    task.write_text("name: train\nnum_nodes: 2\nresources: {accelerators: A100:8}\nrun: make\n")
    found = answer(run("submit", "--check", "--walltime", "90m", "--json", task))
    assert (found[0]["spec"]["walltime_s"], found[0]["spec"]["num_nodes"]) == (5_400, 2)
    told = run("submit", "--check", task)
    assert told.exit_code == 0
    assert "2 x 8 A100" in told.stdout
    task.write_text("name: train\nrnu: make\n")
    done = run("submit", "--check", task)
    assert done.exit_code == 1
    assert done.stderr.startswith("error: the task file is refused:\n  rnu: 'rnu' is not allowed; known here: name")


def test_interrupted_is_exit_code_130(tmp_path: Path) -> None:
    """A hub that accepts and never answers; Ctrl-C ends the wait without a traceback."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        environment = {**os.environ, "SUANWANG_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        command = [sys.executable, "-m", "suanwang", "whoami"]
        waiting = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        silent.settimeout(30)
        connection, _ = silent.accept()
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=30)
        connection.close()
    assert (waiting.returncode, out, err) == (130, "", "interrupted\n")


def test_a_token_never_comes_from_the_command_line(run: Run) -> None:
    done = run("login", "--url", "http://127.0.0.1:1", "--token-stdin", input="\n")
    assert done.exit_code == 1
    assert "token" in done.stderr
    assert "--token " not in run("login", "--help").stdout

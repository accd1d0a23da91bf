"""The command line against a real hub, its database and an agent, all started by `suanwang` itself."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from suanwang.cli.main import make_app
from suanwang.testing.processes import Processes, free_port
from tests.cli.conftest import answer
from tests.cli.terminal import CTRL_C, HIDE_CURSOR, SHOW_CURSOR, Terminal, opened, plain

pytestmark = [pytest.mark.xdist_group("cli-hub"), pytest.mark.timeout(180)]

CENTRE = {
    "centre": {
        "id": "east",
        "name": "East AI Centre",
        "name_zh": "东部智算中心",
        "city": "北京",
        "latitude": 39.9,
        "longitude": 116.4,
        "provider": {"type": "intelligent", "pflops": 400},
    },
    "driver": "local",
    "agent": {"poll_s": 0.2, "wait_s": 5, "progress_s": 0.2},
    "pools": [
        {
            "id": "east-pool",
            "chip": "a100-sxm-80g",
            "nodes": {"count": 2, "prefix": "n", "chips": 4, "cpus": 8},
            "offer": {"fen_per_chip_hour": 360_000, "max_walltime": "1h"},
        }
    ],
}
RULES = """
id: trial
name_zh: 试行算力券
issuer_zh: 试行单位
service: {kinds: [intelligent], uses: [training], max_term_days: 365}
providers: {mode: whitelist, list: partners}
rates: [{when: {}, rate_max_bp: 5000}]
caps: {per_claim_fen: 100000}
voucher: {share_of_bill_max_bp: 5000}
redemption: {flow: offset, after_payment: false}
"""


@dataclass
class Network:
    """One hub with a tenant, an agency and a centre; `sw` speaks through a profile."""

    home: Path
    processes: Processes

    def sw(self, profile: str, *arguments: str | Path) -> Result:
        environment = {"SUANWANG_HOME": str(self.home), "SUANWANG_PROFILE": profile, "COLUMNS": "250"}
        return CliRunner().invoke(make_app(), [str(argument) for argument in arguments], env=environment)

    def ask(self, profile: str, *arguments: str | Path) -> Any:
        return answer(self.sw(profile, *arguments, "--json"))

    def start(self, profile: str, *arguments: str | Path) -> "subprocess.Popen[str]":
        environment = {**os.environ, "SUANWANG_HOME": str(self.home), "SUANWANG_PROFILE": profile}
        command = [sys.executable, "-m", "suanwang", *map(str, arguments)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def task(self, name: str, run: str, *, walltime: str = "2m", chips: int = 1, **more: Any) -> Path:
        resources = {"accelerators": f"A100:{chips}", "labels": {"suanwang/walltime": walltime}}
        path = self.home / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"name": name, "resources": resources, "run": run, **more}))
        return path

    def state(self, job: str) -> str:
        state: str = self.ask("acme", "job", "show", job)["state"]
        return state

    def wait_for(self, job: str, *states: str) -> None:
        until = time.monotonic() + 30
        while self.state(job) not in states:
            assert time.monotonic() < until, f"{job} is {self.state(job)}, not {states}"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    home = Path(tempfile.mkdtemp(prefix="sw-", dir="/tmp"))
    home.chmod(0o755)
    processes = Processes(home)
    network = Network(home, processes)
    try:
        asyncio.run(processes.start_hub())
        found(network)
        yield network
    finally:
        processes.stop()
        shutil.rmtree(home)


def found(net: Network) -> None:
    facts = net.home / "acme-facts.yaml"
    facts.write_text("{legal_person: true, size: small}")
    net.ask("default", "organisation", "add", "acme", "--name", "Acme", "--kind", "tenant", "--facts", facts)
    for name, kind in (("agency", "agency"), ("east-org", "centre")):
        net.ask("default", "organisation", "add", name, "--name", name.title(), "--kind", kind)
    net.ask("default", "account", "top-up", "acme", "100000")
    for name, role in (("acme", "tenant_admin"), ("agency", "programme_officer"), ("east-org", "centre_operator")):
        net.ask("default", "token", "issue", "--organisation", name, "--role", role, "--save-profile", name)
    file, token = net.home / "east.yaml", net.home / "east.token"
    file.write_text(yaml.safe_dump(CENTRE, allow_unicode=True))
    net.ask("east-org", "centre", "add", file)
    of_agent = ("--organisation", "east-org", "--role", "centre_agent", "--centre", "east")
    net.ask("east-org", "token", "issue", *of_agent, "--out", token)
    net.processes.start_agent("east", file, token)
    until = time.monotonic() + 30
    while net.ask("acme", "centre", "show", "east")["state"] != "seen":
        assert time.monotonic() < until
        time.sleep(0.1)


def test_who_is_who(net: Network) -> None:
    assert net.ask("default", "whoami")["role"] == "network_admin"
    assert net.ask("acme", "whoami") | {"token_id": ""} == {
        "token_id": "",
        "organisation_id": "acme",
        "role": "tenant_admin",
        "centre_id": None,
        "hub_release": "0.1.0",
    }
    for profile in (net.home / "profiles").iterdir():
        assert profile.stat().st_mode & 0o777 == 0o600


def test_login_stores_what_works_and_nothing_else(net: Network) -> None:
    token = net.ask("acme", "token", "issue", "--organisation", "acme", "--role", "tenant_member")
    arguments = ["login", "--url", net.processes.url, "--token-stdin", "--profile", "member"]
    environment = {"SUANWANG_HOME": str(net.home)}
    done = CliRunner().invoke(make_app(), arguments, input=f"{token['secret']}\n", env=environment)
    assert done.exit_code == 0, done.stderr
    assert net.ask("member", "whoami")["role"] == "tenant_member"
    net.ask("default", "token", "revoke", token["token_id"])
    done = net.sw("member", "whoami")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: this token is not known, has ended or was revoked\nLog in with")
    done = CliRunner().invoke(make_app(), [*arguments[:-1], "wrong"], input="sw_wrong\n", env=environment)
    assert done.exit_code == 1
    assert not (net.home / "profiles/wrong.json").exists()


def test_quote(net: Network) -> None:
    task = net.task("quoted", "true", chips=2)
    quote = net.ask("acme", "quote", task, "--walltime", "30m")
    assert (quote["walltime_s"], len(quote["lines"])) == (1_800, 1)
    assert quote["lines"][0]["price_fen"] == 360_000
    table = net.sw("acme", "quote", task, "--walltime", "30m").stdout
    assert "East AI Centre" in table
    assert "3,600.00" in table
    refused = net.ask("acme", "quote", task, "--walltime", "2h")["lines"][0]
    assert (refused["accepted"], refused["reason"]["code"]) == (False, "WALLTIME_OVER_LIMIT")
    assert (
        "it takes jobs of at most 1h, the job asks for 2h" in net.sw("acme", "quote", task, "--walltime", "2h").stdout
    )


def test_a_job_with_its_folder_from_submit_to_receipt(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = net.home / "work"
    folder.mkdir()
    (folder / "said.txt").write_text("from the workdir 你好\n")
    monkeypatch.chdir(net.home)
    task = net.task("with-folder", 'cat said.txt; echo "$GREETING"; sleep 1', workdir="work")
    done = net.sw("acme", "submit", task, "--env", "GREETING=a=b", "--wait")
    assert done.exit_code == 0, done.stderr
    assert "workdir" in done.stderr
    assert "attempt 1 at east succeeded" in done.stdout
    log = net.ask("acme", "job", "logs", "with-folder")
    assert "from the workdir 你好\n" in log["text"]
    assert "a=b\n" in log["text"]
    assert log["ended"]
    assert net.sw("acme", "job", "logs", "with-folder", "-f").stdout == log["text"]
    receipt = net.ask("acme", "job", "show", "with-folder")
    used_s = sum(line["until_s"] - line["from_s"] for line in receipt["attempts"][0]["usage"])
    assert receipt["charged_fen"] == used_s * 100 > 0
    assert receipt["cash_fen"] + receipt["voucher_fen"] == receipt["charged_fen"]
    assert "settled" in net.sw("acme", "job", "show", "with-folder").stdout
    explained = net.ask("acme", "job", "explain", "with-folder")
    assert explained["last_look"]["reason"]["code"] == "ONLY_POOL"
    assert [pool["chosen"] for pool in explained["last_look"]["pools"]] == [True]
    assert "唯一能运行它的资源池" in explained_in_chinese(net, "with-folder")


def explained_in_chinese(net: Network, job: str) -> str:
    environment = {**os.environ, "SUANWANG_HOME": str(net.home), "SUANWANG_PROFILE": "acme", "LANG": "zh_CN.UTF-8"}
    command = [sys.executable, "-m", "suanwang", "job", "explain", job]
    return subprocess.check_output(command, env=environment, text=True)


def test_a_failure_is_exit_code_1(net: Network) -> None:
    done = net.sw("acme", "submit", net.task("fails", "exit 7"), "--wait", "--json")
    assert done.exit_code == 1
    (line,) = json.loads(done.stdout)["jobs"]
    assert (line["state"], line["reason"]["facts"]["exit_code"]) == ("failed", 7)
    assert "attempt 1 at east failed with exit code 7" in net.sw("acme", "job", "list").stdout


def test_many_jobs_once(net: Network) -> None:
    task = net.task("many", "true")
    first = net.ask("acme", "submit", task, "--count", "3", "--key", "k-1")
    again = net.ask("acme", "submit", task, "--count", "3", "--key", "k-1")
    assert again["jobs"] == first["jobs"]
    assert len({job["job_id"] for job in first["jobs"]}) == 3
    lines = net.home / "jobs.jsonl"
    lines.write_text("".join(json.dumps({"task": task.read_text(), "name": f"line-{i}"}) + "\n" for i in range(3)))
    found = net.ask("acme", "submit", "--many", lines, "--wait")
    assert [job["name"] for job in found["submitted"]["jobs"]] == ["line-0", "line-1", "line-2"]
    assert {job["state"] for job in found["jobs"]} == {"succeeded"}
    bad = net.home / "bad.jsonl"
    bad.write_text(lines.read_text() + json.dumps({"task": "run: true\nnum_nodes: 0"}) + "\n")
    before = net.ask("acme", "job", "list", "--limit", "1000")["jobs"]
    done = net.sw("acme", "submit", "--many", bad)
    assert done.exit_code == 1
    assert "num_nodes" in done.stderr
    assert len(net.ask("acme", "job", "list", "--limit", "1000")["jobs"]) == len(before), "all or none"


def test_cancel(net: Network) -> None:
    net.ask("acme", "submit", net.task("sleeper", "sleep 60"))
    net.wait_for("sleeper", "running")
    assert net.ask("acme", "job", "cancel", "sleeper")["state"] == "cancelling"
    net.wait_for("sleeper", "cancelled")
    listed = net.ask("acme", "job", "list", "--state", "cancelled", "--limit", "5")["jobs"]
    assert [job["name"] for job in listed] == ["sleeper"]
    done = net.sw("acme", "job", "cancel", "sleeper")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: this job is over: cancelled\n")
    assert net.sw("acme", "job", "show", "nobody").exit_code == 1


def test_ctrl_c_detaches_from_a_job_that_goes_on(net: Network) -> None:
    waiting = net.start("acme", "submit", net.task("detached", "echo begun; sleep 4; echo done"), "--wait")
    net_wait_listed(net, "detached")
    net.wait_for("detached", "running")
    waiting.send_signal(signal.SIGINT)
    _out, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    assert "detached; the jobs go on" in err
    assert "Traceback" not in err
    following = net.start("acme", "job", "logs", "detached", "-f")
    out, err = following.communicate(timeout=60)
    assert (following.returncode, out.splitlines()) == (0, ["begun", "done"]), err
    assert net.state("detached") == "succeeded"


def net_wait_listed(net: Network, name: str) -> None:
    until = time.monotonic() + 30
    while name not in {job["name"] for job in net.ask("acme", "job", "list")["jobs"]}:
        assert time.monotonic() < until
        time.sleep(0.2)


def test_what_cannot_be_is_refused_in_words(net: Network) -> None:
    done = net.sw("acme", "submit", net.task("too-big", "true", chips=8))
    assert done.exit_code == 1
    assert "error: no centre can run it: east-pool: its largest nodes have 4 chips" in done.stderr
    assert "suanwang centre list" in done.stderr
    done = net.sw("acme", "submit", net.task("too-dear", "true", chips=4, walltime="1h"), "--count", "10")
    assert done.exit_code == 1
    assert "yuan must be held" in done.stderr
    done = net.sw("acme", "prove")
    assert done.exit_code == 1
    assert "suanwang whoami" in done.stderr


def test_a_drained_centre_takes_nothing_new(net: Network) -> None:
    net.ask("east-org", "centre", "drain", "east")
    try:
        time.sleep(1.5)  # the brain looks once a second
        line = net.ask("acme", "quote", net.task("drained", "true"))["lines"][0]
        assert line["reason"]["code"] == "POOL_DRAINED"
        net.ask("acme", "submit", net.task("waits", "true"))
        until = time.monotonic() + 10
        while (explained := net.ask("acme", "job", "explain", "waits"))["last_look"] is None:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert explained["state"] == "queued"
        assert [pool["reason"]["code"] for pool in explained["last_look"]["pools"]] == ["POOL_DRAINED"]
        assert "why not yet" in net.sw("acme", "job", "explain", "waits").stdout
    finally:
        net.ask("east-org", "centre", "resume", "east")
    net.wait_for("waits", "succeeded")


def test_a_token_in_a_file_is_read_by_its_owner_alone(net: Network) -> None:
    written = net.home / "east.token"
    assert written.stat().st_mode & 0o777 == 0o600
    assert written.read_text().startswith("sw_")
    of_agent = ("token", "issue", "--organisation", "east-org", "--role", "centre_agent")
    there = net.sw("east-org", *of_agent, "--centre", "east", "--out", written)
    assert there.exit_code == 1
    assert "a new file here (File exists)" in there.stderr
    assert net.sw("east-org", *of_agent, "--centre", "nowhere", "--out", net.home / "no.token").exit_code == 1
    assert not (net.home / "no.token").exists()  # what was refused leaves nothing
    assert net.sw("east-org", *of_agent, "--out", net.home / "x", "--save-profile", "x").exit_code == 2


def test_a_centre_that_is_there_is_changed(net: Network) -> None:
    said = net.sw("east-org", "centre", "add", net.home / "east.yaml").stdout
    assert "is changed: it offers 1 pools and" in said
    assert net.ask("acme", "centre", "show", "east")["state"] == "seen"


def test_what_no_centre_offers_and_no_agent_clones_is_told_where_it_was_written(net: Network) -> None:
    task = net.task("odd", "true")
    task.write_text(task.read_text().replace("A100:1", "H9000:1"))
    done = net.sw("acme", "submit", task)
    assert done.stderr.startswith(
        "error: resources.accelerators: there is no chip 'H9000'; `suanwang centre list` shows what centres offer"
    )
    jobs = net.home / "jobs.jsonl"
    spec = {"name": "x", "variants": [{"chip": "A100", "chips_per_node": 1}], "run": "true"}
    for workdir, field in (
        ({"kind": "git", "url": "ext::sh -c id"}, "workdir.url"),
        ({"kind": "git", "url": "https://example.org/x", "ref": "--upload-pack=x"}, "workdir.ref"),
    ):
        jobs.write_text(json.dumps({"spec": {**spec, "workdir": workdir}}) + "\n")
        refused = json.loads(net.sw("acme", "submit", "--many", jobs, "--json").stdout)["error"]
        assert (refused["code"], refused["facts"]["field"]) == ("INVALID_INPUT", field)


def test_a_lost_centre_by_hand(net: Network) -> None:
    net.ask("acme", "submit", net.task("stranded", "sleep 60"))
    net.wait_for("stranded", "running")
    refused = net.sw("default", "centre", "declare-lost", "east", "--reason", "too soon")
    assert (refused.exit_code, "east is seen: cancel its jobs" in refused.stderr) == (1, True)
    net.processes.kill("agent-east")
    until = time.monotonic() + 30
    while net.ask("acme", "centre", "show", "east")["state"] == "seen":
        assert time.monotonic() < until
        time.sleep(0.2)
    net.ask("acme", "job", "cancel", "stranded")
    assert net.state("stranded") == "cancelling"
    assert net.sw("east-org", "centre", "declare-lost", "east", "--reason", "gone").exit_code == 1  # not the operator's
    said = net.sw("default", "centre", "declare-lost", "east", "--reason", "gone").stdout
    assert "east is declared lost; attempts given up: 1" in said
    assert "their jobs: cancelled 1" in said
    assert net.state("stranded") == "cancelled"
    assert "declared lost" in net.sw("default", "centre", "list").stdout
    assert "declared lost at" in net.sw("default", "centre", "show", "east").stdout
    net.ask("acme", "submit", net.task("patient", "true"))
    net.processes.start_agent("east", net.home / "east.yaml", net.home / "east.token")
    until = time.monotonic() + 30
    while (done := net.sw("east-org", "centre", "rejoin", "east")).exit_code:
        assert "may still run at east" in done.stderr
        assert time.monotonic() < until
        time.sleep(0.2)
    net.wait_for("patient", "succeeded")
    assert net.sw("default", "job", "abandon", "patient", "--reason", "x").stderr.startswith("error: this job is over")


def test_the_calendar_of_a_centre(net: Network) -> None:
    hours = ("--pool", "east-pool", "--from", "+30m", "--until", "+40m")
    booked = net.ask("east-org", "booking", "add", "course", *hours, "--tenant", "acme", "--nodes", "1")
    assert (booked["state"], len(booked["node_names"])) == ("confirmed", 1)
    (seen,) = net.ask("acme", "booking", "list")
    assert (seen["id"], seen["reason"]["code"]) == ("course", "BOOKING_CONFIRMED")
    refused = net.sw("east-org", "booking", "add", "demo", *hours, "--tenant", "acme")
    assert refused.exit_code == 1
    assert "course" in refused.stdout
    planned = net.ask("east-org", "maintenance", "add", "cleaning", *hours, "--node", "n2")
    assert planned["reason"]["code"] == "WINDOW_STANDS"
    assert "cleaning" in net.sw("default", "maintenance", "list").stdout
    task = net.task("student", "true", walltime="5m")
    task.write_text(task.read_text().replace("suanwang/walltime", "suanwang/booking: course\n    suanwang/walltime"))
    net.ask("acme", "submit", task)
    why = net.ask("acme", "job", "show", "student")["reason"]
    assert why["code"] == "WAITS_FOR_BOOKING"
    net.ask("acme", "job", "cancel", "student")
    net.ask("east-org", "maintenance", "remove", "cleaning")
    net.ask("east-org", "booking", "remove", "course")
    assert net.ask("acme", "booking", "list")[0]["state"] == "removed"
    assert "NOT_ALLOWED" in net.sw("acme", "booking", "add", "x", *hours, "--tenant", "acme", "--json").stdout


def whitelist(net: Network) -> None:
    """The agency puts the centre on its list, off it, and on it again; nobody else can."""
    entry = ("partners", "east")
    assert "NOT_ALLOWED" in net.sw("east-org", "provider-list", "add", *entry, "--json").stdout
    misspelt = net.sw("agency", "provider-list", "add", "partner", "east")
    assert misspelt.exit_code == 1
    assert "partners" in misspelt.stderr
    assert "from now on" in net.sw("agency", "provider-list", "add", *entry).stdout
    assert "so it was already" in net.sw("agency", "provider-list", "add", *entry).stdout
    assert net.ask("default", "provider-list", "remove", *entry, "--agency", "agency")["changed"]
    assert net.ask("acme", "provider-list", "show") == []
    assert net.ask("agency", "provider-list", "add", *entry)["changed"]
    (now,) = net.ask("acme", "provider-list", "show", "partners")
    assert (now["agency_id"], now["centre_id"], now["to_s"]) == ("agency", "east", None)
    assert len(net.ask("acme", "provider-list", "show", "--past")) == 2
    assert "east" in net.sw("acme", "provider-list", "show", "--past").stdout
    assert net.ask("acme", "provider-list", "show", "others") == []


def test_vouchers_from_rules_to_settlement(net: Network) -> None:
    rules = net.home / "rules.yaml"
    rules.write_text(RULES)
    programme = net.ask("agency", "programme", "add", rules, "--automatic-limit", "500")
    assert (programme["id"], programme["automatic_limit_fen"]) == ("trial", 50_000)
    rules.write_text(RULES.replace("trial", "passed-on").replace("voucher: {", "voucher: {transferable: true, "))
    refused = net.sw("agency", "programme", "add", rules)
    assert refused.exit_code == 1
    assert "voucher.transferable: yes is not enforced yet" in refused.stderr
    net.ask("agency", "programme", "fund", "trial", "10000")
    whitelist(net)
    claim = ("voucher", "claim", "trial", "--signed-on", "2025-03-31", "--contract")
    done = net.sw("acme", *claim, "C-0", "--term-days", "900", "--amount", "100")
    assert done.exit_code == 1
    assert "the contract runs 900 days, the rules allow 365" in done.stdout
    assert "days of the contract: 365 is needed (now 900)" in done.stdout
    waits = net.ask("acme", *claim, "C-1", "--term-days", "90", "--part", "intelligent=3000", "--part", "storage=7")
    assert (waits["state"], waits["assessed_fen"], waits["limits_hit"]) == ("verified", 100_000, ["per_claim"])
    decided = net.ask("agency", "voucher", "decide", waits["claim_id"], "800")
    assert (decided["state"], decided["granted_fen"]) == ("granted", 80_000)
    assert waits["claim_id"] in net.sw("acme", "voucher", "claims").stdout
    done = net.sw("acme", "submit", net.task("subsidised", "sleep 2"), "--voucher", decided["voucher_id"], "--wait")
    assert done.exit_code == 0, done.stderr
    receipt = net.ask("acme", "job", "show", "subsidised")
    assert 0 < receipt["voucher_fen"] == receipt["charged_fen"] // 2
    (voucher,) = net.ask("acme", "voucher", "list")
    assert voucher["used_fen"] == receipt["voucher_fen"]
    owed = net.ask("default", "settle")
    assert [payment["payee"] for payment in owed["payments"]] == ["east"]
    paid = net.ask("default", "settle", "--pay", "--key", "batch-1")
    assert paid == {"payments": owed["payments"], "paid": True}
    assert net.ask("default", "settle", "--pay", "--key", "batch-1") == paid
    assert net.ask("default", "settle")["payments"] == []
    assert net.ask("acme", "account") == net.ask("acme", "account", "show")


def test_the_books_are_proved(net: Network) -> None:
    done = net.sw("default", "prove")
    assert done.exit_code == 0, done.stdout
    assert "✗" not in done.stdout
    proofs = net.ask("default", "prove")
    assert proofs["hold"]
    assert proofs["counts"]


def test_the_book_is_checked_without_the_hub(net: Network) -> None:
    kept = net.home / "book.jsonl"
    done = net.sw("default", "prove", "--from", "2026-01-01", "--save", str(kept))
    assert done.exit_code == 0, done.stdout
    assert "the book is whole" in done.stdout
    checked = net.ask("default", "prove", "--file", str(kept))
    assert (checked["holds"], checked["from_the_beginning"]) == (True, True)
    assert checked["transactions"] > 1
    sha256 = checked["last_seal"]["sha256"]
    seals = httpx.get(f"http://127.0.0.1:{net.processes.port}/v1/seals", params={"limit": 1000}).json()
    assert sha256 in [one["sha256"] for one in seals]
    lines = kept.read_text("utf-8").splitlines()
    number = next(number for number, line in enumerate(lines) if "acme" in line)
    lines[number] = lines[number].replace("acme", "Acme")
    spoilt = net.home / "spoilt.jsonl"
    spoilt.write_text("\n".join(lines) + "\n", "utf-8")
    done = net.sw("default", "prove", "--file", str(spoilt))
    assert done.exit_code == 1
    assert "not the book that was sealed" in done.stdout
    assert net.sw("default", "prove", "--file", "nowhere").exit_code == 1
    ledger = net.home / "book.beancount"
    assert net.ask("default", "export", "beancount", "--file", str(kept), "--out", str(ledger))["accounts"] > 3
    assert 'option "title" "Suanwang"' in ledger.read_text("utf-8")
    assert net.sw("default", "export", "beancount").stdout.startswith('option "title"')
    assert net.sw("default", "export", "beancount", "--file", str(spoilt)).exit_code == 1
    assert net.sw("default", "prove", "--file", str(kept), "--receipt", str(kept)).exit_code == 2
    assert net.sw("acme", "prove", "--from", "2026-01-01").exit_code == 1


def test_a_receipt_is_checked_without_the_hub(net: Network) -> None:
    net.ask("acme", "submit", net.task("receipted", "true"), "--wait")
    until = time.monotonic() + 20
    while True:
        net.ask("default", "prove", "--from", "2026-01-01")  # what is exported is sealed, unless it is under way
        receipt = net.ask("acme", "job", "show", "receipted")
        if len(receipt["evidence"]) == len({line["transaction_id"] for line in receipt["transfers"]}):
            break
        assert time.monotonic() < until
    kept = net.home / "receipt.json"
    kept.write_text(json.dumps(receipt), "utf-8")
    checked = net.ask("acme", "prove", "--receipt", str(kept))
    assert checked["wrong"] == []
    assert checked["sealed"] == checked["all"] > 1
    receipt["charged_fen"] += 1
    kept.write_text(json.dumps(receipt), "utf-8")
    done = net.sw("acme", "prove", "--receipt", str(kept))
    assert done.exit_code == 1
    assert "charged: 1 here, 0 by what is sealed" in " ".join(done.stdout.split())


def test_a_second_hub_on_the_same_address_says_so(net: Network) -> None:
    home = net.home / "second"
    command = [sys.executable, "-m", "suanwang", "up", "--home", str(home), "--port", str(net.processes.port)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert "error:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (home / "profiles").exists()


def test_a_second_hub_on_the_same_home_says_so_and_leaves_the_first_alone(net: Network) -> None:
    command = [sys.executable, "-m", "suanwang", "up", "--home", str(net.home), "--port", str(free_port())]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "a hub runs already" in done.stderr
    assert "Traceback" not in done.stderr
    assert net.ask("acme", "whoami")["organisation_id"] == "acme"


# On a terminal --------------------------------------------------------------------------------------------------------

WIDTHS = (60, 140)


def on_terminal(net: Network, width: int, *arguments: str | Path) -> Terminal:
    environment = {"SUANWANG_HOME": str(net.home), "SUANWANG_PROFILE": "acme", "SUANWANG_LANG": "en"}
    return opened(width, [str(argument) for argument in arguments], environment)


def assert_tidy(terminal: Terminal, width: int) -> None:
    assert "Traceback" not in terminal.said
    tables = [line for line in terminal.lines() if line.startswith(" ")]
    assert max(cell_len(line) for line in tables) <= width, "sentences go on in the next line, tables are never cut"
    assert terminal.said.rfind(HIDE_CURSOR) < terminal.said.rfind(SHOW_CURSOR), "the cursor is back"


@pytest.mark.parametrize("width", WIDTHS)
def test_a_watched_list_fits_its_terminal_and_ends_with_ctrl_c(net: Network, width: int) -> None:
    name = f"a-job-with-quite-a-long-name-for-{width}-columns"
    net.ask("acme", "submit", net.task(name, "sleep 60"))
    net.wait_for(name, "running")
    terminal = on_terminal(net, width, "job", "list", "--watch", "--limit", "3")
    terminal.read_until("running", times=3)
    assert HIDE_CURSOR in terminal.said
    terminal.press(CTRL_C)
    assert terminal.end() == 130
    assert_tidy(terminal, width)

    assert "runs at" in plain(terminal.said)
    assert ("submitted" in plain(terminal.said)) == (width > 100)
    net.ask("acme", "job", "cancel", name)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_watched_submission_shows_its_upload_and_detaches_with_ctrl_c(net: Network, width: int) -> None:
    """Two folders, so that there is a bar; Ctrl-C leaves the jobs alone."""
    files = []
    for i in range(2):
        folder = net.home / f"folder-{width}-{i}"
        folder.mkdir()
        (folder / "weights").write_bytes(os.urandom(300_000))
        files.append(net.task(f"upload-{width}-{i}", "sleep 60", workdir=str(folder)))
    terminal = on_terminal(net, width, "submit", *files, "--wait")
    terminal.read_until("uploaded", times=2)
    terminal.read_until("running", times=2)
    terminal.press(CTRL_C)
    assert terminal.end() == 130
    assert_tidy(terminal, width)
    assert any(line.startswith("uploading ━") for line in terminal.lines())
    for i in range(2):  # on lines of their own, not behind the bar
        assert any(line.startswith("workdir ") and f"folder-{width}-{i} uploaded" in line for line in terminal.lines())
    assert "detached; the jobs go on" in " ".join(plain(terminal.said).split())
    for i in range(2):
        assert net.state(f"upload-{width}-{i}") == "running"
        net.ask("acme", "job", "cancel", f"upload-{width}-{i}")

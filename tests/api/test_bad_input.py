"""Bad input gets a clear error and changes nothing."""

from typing import Any

import httpx
import msgspec
import pytest

from suanwang.domain.tenant import Role
from suanwang.testing.network import START_S, job_spec
from tests.api.conftest import Served

TASK = "resources: {accelerators: {A100: 1}}\nrun: 'true'\n"


async def counts(served: Served) -> Any:
    async with served.hub.db.transaction() as tx:
        return [
            await tx.fetchval(f"select count(*) from {table}")
            for table in ("job", "transfer", "attempt", "charge", "answer", "blob", "claim")
        ]


def spec(**changes: Any) -> dict[str, Any]:
    return {**msgspec.to_builtins(job_spec()), **changes}


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join('*' + chr(97 + i) for _ in range(9))}]\n" for i in range(8)
)

BAD_JOBS: list[tuple[str, Any, str]] = [
    ("unknown chip", {"task": "resources: {accelerators: A1000}\nrun: 'true'"}, "A1000"),
    ("negative nodes", {"task": TASK + "num_nodes: -1"}, "num_nodes"),
    ("zero nodes", {"spec": spec(num_nodes=0)}, "num_nodes"),
    ("half a node", {"spec": spec(num_nodes=1.5)}, "num_nodes"),
    ("10 MB of YAML", {"task": "run: |\n" + "  x\n" * 2_600_000}, "bytes"),
    ("YAML bomb", {"task": BOMB}, ""),
    ("not YAML", {"task": "run: [}"}, ""),
    ("no run", {"task": "resources: {accelerators: A100}"}, "run"),
    ("unknown key", {"task": TASK + "runn: 'true'"}, "runn"),
    ("unknown field", {"task": TASK, "walltme_s": 5}, "walltme_s"),
    ("unknown field of a spec", {"spec": spec(walltme_s=5)}, "walltme_s"),
    ("neither", {}, "exactly one"),
    ("both", {"task": TASK, "spec": spec()}, "exactly one"),
    ("count 0", {"task": TASK, "count": 0}, "count"),
    ("count too large", {"task": TASK, "count": 10_001}, "count"),
    ("someone else's workdir", {"task": TASK + "workdir: .", "workdir_sha256": "ab" * 32}, "ab"),
    ("a workdir that was not uploaded", {"task": TASK + "workdir: ."}, "workdir"),
    ("empty name", {"spec": spec(name="")}, "name"),
    ("NUL", {"spec": spec(run="a\0b")}, "run"),
    ("serving", {"task": TASK + "service: {replicas: 2}"}, "service"),
    ("a label of two lines", {"spec": spec(labels={"team": "a\nb"})}, "line breaks"),
    ("a label with a bell", {"spec": spec(labels={"te\x07am": "a"})}, "control characters"),
    ("a label that turns the line", {"task": TASK.replace("{acc", '{labels: {team: "\\u202e"}, acc')}, "control"),
    ("a label without a name", {"spec": spec(labels={"": "a"})}, "labels"),
    ("unknown voucher", {"task": TASK, "voucher": "nope"}, "nope"),
]


@pytest.mark.parametrize(("body", "names"), [case[1:] for case in BAD_JOBS], ids=[case[0] for case in BAD_JOBS])
async def test_bad_jobs(served: Served, body: dict[str, Any], names: str) -> None:
    before = await counts(served)
    async with served.client(served.secrets[Role.TENANT_MEMBER]) as client:
        answer = await client.post("/v1/jobs", json={"jobs": [body]}, headers={"idempotency-key": "k"})
    assert answer.status_code in (404, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert names in answer.text
    assert await counts(served) == before


async def test_oversize_and_broken_bodies(served: Served) -> None:
    before = await counts(served)
    async with served.client(served.secrets[Role.TENANT_MEMBER]) as client:
        headers = {"idempotency-key": "k", "content-type": "application/json"}
        large = await client.post("/v1/jobs", content=b" " * (17 * 2**20), headers=headers)
        broken = await client.post("/v1/jobs", content=b"{", headers=headers)
        deep = await client.post("/v1/jobs", content=b"[" * 100_000, headers=headers)
        wrong = await client.post("/v1/jobs", json={"jobs": [{"task": 5}]}, headers=headers)
        missing = await client.post("/v1/jobs", json={"jobs": [{"task": TASK}]})
    assert large.status_code == 413
    for answer in (broken, deep):
        assert answer.status_code in (400, 422), answer.text
    assert (wrong.status_code, missing.status_code) == (422, 422)
    assert "task" in wrong.text
    assert "Idempotency-Key" in missing.text
    assert await counts(served) == before


async def submit(client: httpx.AsyncClient, key: str, task: str = TASK, **more: Any) -> httpx.Response:
    body = {"jobs": [{"task": task, **more}]}
    return await client.post("/v1/jobs", json=body, headers={"idempotency-key": key})


async def test_a_reused_key_answers_the_same_body_and_refuses_another(
    served: Served,
) -> None:
    async with served.client(served.secrets[Role.TENANT_MEMBER]) as client:
        first = await submit(client, "k", count=3)
        assert first.status_code == 201, first.text
        before = await counts(served)
        again = await submit(client, "k", count=3)
        other = await submit(client, "k", count=4)
    assert again.json()["jobs"] == first.json()["jobs"]
    assert (other.status_code, other.json()["code"]) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert await counts(served) == before


async def test_an_agent_cannot_speak_for_another_centre(served: Served) -> None:
    async with served.client(served.secrets[Role.TENANT_MEMBER]) as client:
        job_id = (await submit(client, "k")).json()["jobs"][0]["job_id"]
    message: dict[str, Any] = {"agent_id": "a", "version": 0, "now_s": START_S, "reports": []}
    async with served.client(served.other_agent) as agent:
        answer = await agent.post("/v1/agent/east/sync", json=message)
        assert (answer.status_code, answer.json()["code"]) == (403, "NOT_ALLOWED")
    async with served.client(served.secrets[Role.CENTRE_AGENT]) as own:
        await own.post("/v1/agent/east/sync", json=message)
        reply: dict[str, Any] = {}
        for _ in range(50):
            reply = (await own.post("/v1/agent/east/sync", json={**message, "wait_s": 1})).json()
            if reply["orders"]:
                break
        assert [order["job_id"] for order in reply["orders"]] == [job_id]
    before = await counts(served)
    report = {
        "job_id": job_id,
        "attempt": 1,
        "sequence": 1,
        "phase": "ended",
        "observed_s": START_S,
        "started_s": START_S,
        "ended_s": START_S,
        "cause": "succeeded",
    }
    async with served.client(served.other_agent) as agent:
        strange = [report, {**report, "attempt": 7}, {**report, "job_id": "x"}, {**report, "ended_s": None}]
        for i, one in enumerate(strange):
            answer = await agent.post("/v1/agent/west/sync", json={**message, "reports": [one]})
            assert answer.status_code == 200, answer.text
            code = answer.json()["refused"][0]["code"]
            assert code == ("OTHER_CENTRE", "UNKNOWN_ATTEMPT", "BAD_REPORT", "BAD_REPORT")[i]
        old = await agent.post("/v1/agent/west/sync", json={**message, "protocol": 99})
        assert old.status_code == 422
        assert "version" in old.text
    assert await counts(served) == before


async def test_values_that_cannot_be_stored(served: Served) -> None:
    before = await counts(served)
    async with served.client(served.secrets[Role.NETWORK_ADMIN]) as admin:
        for body in (
            {"id": "x", "name": "a\0b", "kind": "tenant"},
            {"id": "x", "name": "b", "kind": "tenant", "facts": {"\0": 1}},
        ):
            answer = await admin.post("/v1/organisations", json=body, headers={"idempotency-key": "nul"})
            assert answer.status_code == 422, answer.text
        for fen in (2**63, 2**200, -1, 0, 1.5):
            large = {"tenant_id": "acme", "amount_fen": fen}
            answer = await admin.post("/v1/top-ups", json=large, headers={"idempotency-key": "large"})
            assert answer.status_code == 422, answer.text
    async with served.client(served.secrets[Role.TENANT_ADMIN]) as tenant:
        for path in ("?limit=0", "?limit=100000", "?before=99999999999999999999999", "?state=dead", "?limit=x"):
            assert (await tenant.get(f"/v1/jobs{path}")).status_code == 422, path
        assert (await tenant.get("/v1/jobs/1/log?offset=99999999999999999999")).status_code == 422
        assert (await tenant.request("OPTIONS", "/v1/jobs")).status_code == 405
        text = {"idempotency-key": "k", "content-type": "application/json"}
        assert (await tenant.post("/v1/jobs", content=b'{"a": "\xff"}', headers=text)).status_code in (400, 422)
        for odd in ({"cpus_per_node": 2**63}, {"memory_gib_per_node": 1e308}, {"memory_gib_per_node": -1.0}):
            variants = [{**spec()["variants"][0], **odd}]
            answer = await tenant.post("/v1/jobs", json={"jobs": [{"spec": spec(variants=variants)}]}, headers=text)
            assert answer.status_code == 422, answer.text
        for reference in ("%00", "a%2Fb", "%F0%9F%92%A9", "' or 1=1 --", "x" * 5_000):
            answer = await tenant.get(f"/v1/jobs/{reference}")
            assert answer.status_code in (404, 422), (reference, answer.text)
    async with served.client(served.secrets[Role.NETWORK_ADMIN]) as admin:
        for label in ("a\nb", "x" * 201, "\x1b[31mred", "\u202e"):
            new = {"organisation_id": "acme", "role": "tenant_member", "label": label}
            answer = await admin.post("/v1/tokens", json=new, headers={"idempotency-key": "label"})
            assert (answer.status_code, answer.json()["facts"]["field"]) == (422, "label"), answer.text
    message: dict[str, Any] = {"agent_id": "a", "version": 0, "now_s": START_S}
    async with served.client(served.secrets[Role.CENTRE_AGENT]) as agent:
        for change in (
            {"version": -1},
            {"version": 2**70},
            {"now_s": 2**62},
            {"now_s": -5},
            {"agent_id": "\0"},
            {"unchanged_s": -1},
        ):
            answer = await agent.post("/v1/agent/east/sync", json={**message, **change})
            assert answer.status_code == 422, (change, answer.text)
    assert await counts(served) == before


async def test_a_long_label_in_chinese_is_a_label(served: Served) -> None:
    async with served.client(served.secrets[Role.NETWORK_ADMIN]) as admin:
        new = {"organisation_id": "acme", "role": "tenant_member", "label": "持续集成 " * 40}
        assert (await admin.post("/v1/tokens", json=new, headers={"idempotency-key": "long"})).status_code == 201


BAD_PROGRESS = [
    ('{"step": -1, "at_s": 1}', "step"),
    ('{"step": 9007199254740993, "at_s": 1}', "step"),
    ('{"step": 1e400, "at_s": 1}', ""),
    ('{"step": 1.5, "at_s": 1}', "step"),
    ('{"step": NaN, "at_s": 1}', ""),
    ('{"step": 1, "total_steps": -5, "at_s": 1}', "total_steps"),
    ('{"step": 1, "at_s": 1, "metrics": {"loss": NaN}}', ""),
    ('{"step": 1, "at_s": 1, "metrics": {"loss": Infinity}}', ""),
    ('{"step": 1, "at_s": 1, "metrics": {"loss": 1e999}}', ""),
    ('{"step": 1, "at_s": 1, "metrics": {"%s": 1}}' % ("x" * 65), "metrics"),
    ('{"step": 1, "at_s": 1, "metrics": {' + ", ".join(f'"m{i}": 1' for i in range(33)) + "}}", "metrics"),
]


@pytest.mark.parametrize(("progress", "names"), BAD_PROGRESS)
async def test_progress_out_of_bounds_is_refused(served: Served, progress: str, names: str) -> None:
    """Our own agent never says so: it leaves such lines of a job out (tests/agent/test_progress.py)."""
    before = await counts(served)
    report = (
        f'{{"job_id": "x", "attempt": 1, "sequence": 1, "phase": "running", "observed_s": 1, "progress": {progress}}}'
    )
    text = f'{{"agent_id": "a", "version": 0, "now_s": {START_S}, "reports": [{report}]}}'
    async with served.client(served.secrets[Role.CENTRE_AGENT]) as agent:
        headers = {"content-type": "application/json"}
        answer = await agent.post("/v1/agent/east/sync", content=text, headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert names in answer.text
    assert await counts(served) == before


async def test_another_tenants_job_does_not_exist(served: Served) -> None:
    async with served.client(served.secrets[Role.TENANT_ADMIN]) as own:
        job_id = (await submit(own, "k")).json()["jobs"][0]["job_id"]
        assert (await own.get(f"/v1/jobs/{job_id}")).status_code == 200
    async with served.client(served.other_tenant) as other:
        for method, path in (("GET", ""), ("GET", "/events"), ("GET", "/log"), ("POST", "/cancel")):
            answer = await other.request(method, f"/v1/jobs/{job_id}{path}", headers={"idempotency-key": "x"})
            assert answer.status_code == 404, answer.text
        assert (await other.get("/v1/jobs")).json()["jobs"] == []


async def test_files_belong_to_whom_uploaded_them(served: Served) -> None:
    async with served.client(served.secrets[Role.TENANT_ADMIN]) as own, served.client(served.other_tenant) as other:
        digest = (await own.put("/v1/blobs", content=b"mine")).json()["sha256"]
        assert (await own.get(f"/v1/blobs/{digest}")).content == b"mine"
        assert (await other.get(f"/v1/blobs/{digest}")).status_code == 404
        task = {"jobs": [{"task": TASK + "workdir: .", "workdir_sha256": digest}]}
        stolen = await other.post("/v1/jobs", json=task, headers={"idempotency-key": "k"})
        assert stolen.status_code == 404
        # Who has the content already may use it.
        await other.put("/v1/blobs", content=b"mine")
        assert (await other.post("/v1/jobs", json=task, headers={"idempotency-key": "k"})).status_code == 201
        assert (await own.put("/v1/blobs", content=b"")).status_code == 422
        assert (await own.put("/v1/blobs", content=b"x" * (33 * 2**20))).status_code == 413

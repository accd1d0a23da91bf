"""The references of the centre file and of settings say what the readers know."""

import asyncio
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import get_args

import pytest

from suanwang.agent.config import AgentConfig, read_agent_config
from suanwang.api.serve import run_hub
from suanwang.boundedyaml import load_yaml
from suanwang.centrefile import load_centre_file, read_centre_file
from suanwang.control.daemon import LIVE_POLICY
from suanwang.domain.scheduling.policy import CONSERVATIVE, MultiFactor, Order, Placement, Policy, Preemption
from suanwang.domain.scheduling.quotas import Quota
from suanwang.errors import InvalidInput
from suanwang.policyfile import HUB_FIELDS, HUB_ORDERS, read_hub_policy
from suanwang.replay.policyfile import choose_policy
from suanwang.settings import read_settings
from suanwang.units import duration_s
from tests.docs.test_commands import ROOT

CENTRE_FILE = (ROOT / "docs/reference/centre-file.md").read_text("utf-8")
SETTINGS = (ROOT / "docs/reference/settings.md").read_text("utf-8")
EXAMPLE = re.findall(r"^```yaml\n(.*?)^```$", CENTRE_FILE, re.MULTILINE | re.DOTALL)[0]


def test_the_centre_file_is_read_as_shown() -> None:
    centre = read_centre_file(EXAMPLE)
    assert [pool.id for pool in centre.pools] == ["zgc-a100", "zgc-910b"]
    assert [node.memory_gib for node in centre.pools[1].nodes] == [2048, None]
    assert read_agent_config(load_centre_file(EXAMPLE)).keep_runs_s == duration_s("7d", "keep_runs")


def test_every_field_of_the_example_is_explained() -> None:
    def names(value: object) -> set[str]:
        if isinstance(value, list):
            return {name for each in value for name in names(each)}
        if not isinstance(value, dict):
            return set()
        return set(value) | {name for each in value.values() for name in names(each)}

    explained = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", CENTRE_FILE.split("```")[-1]))))
    known = {"organisation", "name_zh", "pools", "agent", "offer"}  # said in the example itself
    assert names(load_yaml(EXAMPLE, max_bytes=10_000)) - explained <= known


def test_defaults_of_the_agent_are_those_of_the_page() -> None:
    shown = dict(re.findall(r"^\| `(\w+_s)` \|.*\| (\d+) \|$", CENTRE_FILE, re.MULTILINE))
    real = {field.name: field.default for field in fields(AgentConfig) if field.name in shown}
    assert {name: float(text) for name, text in shown.items()} == real
    assert len(shown) == 7


def test_settings_are_those_of_the_page() -> None:
    shown = dict(re.findall(r"^\| `SUANWANG_(\w+)` \|.*\| `?([\w.]+)`? \|$", SETTINGS, re.MULTILINE))
    settings = read_settings({})
    for name in ("host", "port", "unseen_after_s", "keep_days", "live_jobs_quota", "blob_quota_mib"):
        assert str(getattr(settings, name)) == shown[name.upper()], name


def test_the_policy_file_is_read_as_shown(tmp_path: Path) -> None:
    page = (ROOT / "docs/reference/policy.md").read_text("utf-8")
    file = tmp_path / "ours.yaml"
    file.write_text(re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0])
    name, policy = choose_policy(str(file))
    assert (name, policy.order, policy.factors.fair_share) == ("ours", "multi_factor", 2)
    assert policy.factors == MultiFactor(fair_share=2, priority=0.5)
    assert policy.preemption == Preemption()
    assert set(re.findall(r"^\| `(\w+)` \|", page.split("## ")[1], re.MULTILINE)) == set(get_args(Order))
    row = re.findall(r"^\| `placement` \|(.*)\|.*\|$", page, re.MULTILINE)[0]
    assert set(re.findall(r"`(\w+)`", row)) == set(get_args(Placement))
    assert str(CONSERVATIVE) in page


def test_the_tree_of_tenants_is_read_as_shown(tmp_path: Path) -> None:
    part = (ROOT / "docs/reference/policy.md").read_text("utf-8").split("## Shares and quotas")[1]
    (tmp_path / "tree.yaml").write_text(part.split("```yaml\n")[1].split("```")[0])
    _, policy = choose_policy(str(tmp_path / "tree.yaml"))
    assert policy.tenants is not None
    science, physics, biology = policy.tenants.branches
    assert (science.shares, physics.parent, physics.shares, biology.shares) == (3, "science", 2, 1)
    assert biology.quotas == (Quota("zgc", "a100-sxm-80g", 16, lend_chips=8),)
    assert policy.tenants.quotas == (Quota("zgc", "a100-sxm-80g", 32),)
    explained = {field.name for field in fields(Quota)}
    assert explained <= set(re.findall(r"`(\w+)`", part))


def test_the_policy_of_a_hub_is_read_as_shown(tmp_path: Path) -> None:
    part = (ROOT / "docs/reference/policy.md").read_text("utf-8").split("## The policy of a hub")[1]
    file = tmp_path / "hub.yaml"
    file.write_text(re.findall(r"^```yaml\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)[0])
    policy = read_hub_policy(file, LIVE_POLICY)
    assert policy == replace(LIVE_POLICY, preemption=Preemption())
    shown = {name: int(most) for name, most in re.findall(r"^\| `(\w+)` \|.*\| (\d+) \|$", part, re.MULTILINE)}
    assert shown == {field.name: field.default for field in fields(Preemption)}
    assert all(f"`{name}`" in part for name in (*HUB_FIELDS[:-1], *HUB_ORDERS))
    file.write_text("order: wfp3\npreemption: {max_victims: 2}")
    assert read_hub_policy(file, LIVE_POLICY) == Policy(order="wfp3", preemption=Preemption(max_victims=2))
    assert read_hub_policy(None, LIVE_POLICY) == LIVE_POLICY


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("order: fair_share", "order"),
        ("usage_half_life_s: 60", "usage_half_life_s"),
        ("placement: fgd", "placement"),
        ("preemption: {min_gap: 0}", "preemption.min_gap"),
        ("preemption: {victims: 1}", "preemption.victims"),
        ("preemption: true", "preemption"),
        ("reserve_ahead: many", "reserve_ahead"),
    ],
)
def test_a_bad_policy_of_a_hub_names_the_field(tmp_path: Path, text: str, field: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(InvalidInput) as refused:
        read_hub_policy(tmp_path / "bad.yaml", LIVE_POLICY)
    assert refused.value.facts["field"] == f"bad.yaml: {field}"


async def test_a_hub_does_not_start_by_a_bad_policy(tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text("order: fair_share")
    settings = read_settings({"SUANWANG_HOME": str(tmp_path), "SUANWANG_POLICY": str(tmp_path / "hub.yaml")})
    with pytest.raises(InvalidInput, match="fair_share"):
        async with asyncio.timeout(30):
            await run_hub(settings, keep=lambda _url, _secret: None, ready=lambda _url: None)
    assert [path.name for path in tmp_path.iterdir()] == ["hub.yaml"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("order: soon", "order"),
        ("factors: {weight: 1}", "factors.weight"),
        ("factors: {age: old}", "factors.age"),
        ("factors: {age_full_s: 1.5}", "factors.age_full_s"),
        ("factors: 7", "factors"),
        ("preemption: {min_gap: 0}", "preemption.min_gap"),
        ("preemption: {gap: 1}", "preemption.gap"),
        ("typical: []", "typical"),
        ("order: fair_share", "usage_half_life_s"),
        ("tenants: [1]", "tenants"),
        ("tenants: {branch: []}", "tenants.branch"),
        ("tenants: {branches: 1}", "tenants.branches"),
        ("tenants: {branches: [{shares: 1}]}", "tenants.branches[0].id"),
        ("tenants: {branches: [{id: a, shares: two}]}", "tenants.branches[0].shares"),
        ("tenants: {branches: [{id: a, parent: b}]}", "branches.a.parent"),
        ("tenants: {quotas: [{centre_id: e, chip_id: c, nominal_chips: -1}]}", "nominal_chips"),
    ],
)
def test_a_bad_policy_file_names_the_field(tmp_path: Path, text: str, field: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(InvalidInput) as refused:
        choose_policy(str(tmp_path / "bad.yaml"))
    assert refused.value.facts["field"] == f"bad.yaml: {field}"

"""The SKYPILOT_* variables of a node."""

import json
from typing import Any, Literal

import pytest

from suanwang.skyenv import NETWORK_VARIABLES, RUN_VARIABLES, SETUP_VARIABLES, SHARED_VARIABLES, sky_environment

NODE: dict[str, Any] = {
    "rank": 1,
    "ips": ["10.0.0.4", "10.0.0.7", "10.0.0.5"],
    "num_nodes": 3,
    "gpus_per_node": 8,
    "task_id": "suanwang-42",
}


def test_run() -> None:
    assert sky_environment("run", **NODE) == {
        "SKYPILOT_NODE_RANK": "1",
        "SKYPILOT_NODE_IPS": "10.0.0.4\n10.0.0.7\n10.0.0.5",
        "SKYPILOT_NUM_NODES": "3",
        "SKYPILOT_NUM_GPUS_PER_NODE": "8",
        "SKYPILOT_TASK_ID": "suanwang-42",
    }


def test_setup() -> None:
    assert sky_environment("setup", **NODE) == {
        "SKYPILOT_SETUP_NODE_RANK": "1",
        "SKYPILOT_SETUP_NODE_IPS": "10.0.0.4\n10.0.0.7\n10.0.0.5",
        "SKYPILOT_SETUP_NUM_GPUS_PER_NODE": "8",
        "SKYPILOT_TASK_ID": "suanwang-42",
    }


@pytest.mark.parametrize(("stage", "own"), [("run", RUN_VARIABLES), ("setup", SETUP_VARIABLES)])
def test_names_are_those_that_a_task_may_not_give(stage: Literal["run", "setup"], own: frozenset[str]) -> None:
    variables = sky_environment(stage, **NODE, user="lab", cluster_name="job-42", centre_id="hangzhou-1")
    assert set(variables) == own | SHARED_VARIABLES
    assert set(variables) <= NETWORK_VARIABLES
    assert variables["SKYPILOT_USER"] == "lab"
    assert json.loads(variables["SKYPILOT_CLUSTER_INFO"]) == {
        "cluster_name": "job-42",
        "cloud": "suanwang",
        "region": "hangzhou-1",
        "zone": None,
    }


@pytest.mark.parametrize(("gpus", "text"), [(0, "0"), (0.5, "1"), (1, "1"), (1.2, "2")])
def test_a_share_of_a_chip_counts_as_one(gpus: float, text: str) -> None:
    variables = sky_environment("run", **{**NODE, "gpus_per_node": gpus})
    assert variables["SKYPILOT_NUM_GPUS_PER_NODE"] == text


@pytest.mark.parametrize("wrong", [{"rank": 3}, {"rank": -1}, {"num_nodes": 2}, {"ips": []}])
def test_what_does_not_fit_is_a_bug_of_the_caller(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="nodes"):
        sky_environment("run", **{**NODE, **wrong})

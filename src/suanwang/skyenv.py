"""The SKYPILOT_* variables that a task written for SkyPilot expects to find on every node."""

import json
import math
from collections.abc import Sequence
from typing import Literal

RUN_VARIABLES = frozenset(
    {
        "SKYPILOT_NODE_RANK",
        "SKYPILOT_NODE_IPS",
        "SKYPILOT_NUM_NODES",
        "SKYPILOT_NUM_GPUS_PER_NODE",
    }
)
SETUP_VARIABLES = frozenset(
    {
        "SKYPILOT_SETUP_NODE_RANK",
        "SKYPILOT_SETUP_NODE_IPS",
        "SKYPILOT_SETUP_NUM_GPUS_PER_NODE",
    }
)
SHARED_VARIABLES = frozenset({"SKYPILOT_TASK_ID", "SKYPILOT_USER", "SKYPILOT_CLUSTER_INFO"})
NETWORK_VARIABLES = RUN_VARIABLES | SETUP_VARIABLES | SHARED_VARIABLES
"""What the network sets: a task may read these, not give them."""


def sky_environment(
    stage: Literal["setup", "run"],
    *,
    rank: int,
    ips: Sequence[str],
    num_nodes: int,
    gpus_per_node: float,
    task_id: str,
    user: str | None = None,
    cluster_name: str | None = None,
    centre_id: str | None = None,
) -> dict[str, str]:
    """The variables of one node in one stage of a job.

    `ips`: one address per node, in the order of rank. `gpus_per_node`: accelerators on each node, 0 in a CPU job; a
    share of one counts as one. `task_id`: the same for all attempts of a job. `user` and `cluster_name` are set only
    where given. Raises ValueError if the rank or the number of addresses does not fit `num_nodes`: a bug of the caller.
    """
    if len(ips) != num_nodes:
        raise ValueError(f"{len(ips)} addresses for {num_nodes} nodes")
    if not 0 <= rank < num_nodes:
        raise ValueError(f"rank {rank} of {num_nodes} nodes")
    addresses = "\n".join(ips)
    gpus = str(math.ceil(gpus_per_node))
    if stage == "setup":
        variables = {
            "SKYPILOT_SETUP_NODE_RANK": str(rank),
            "SKYPILOT_SETUP_NODE_IPS": addresses,
            "SKYPILOT_SETUP_NUM_GPUS_PER_NODE": gpus,
        }
    else:
        variables = {
            "SKYPILOT_NODE_RANK": str(rank),
            "SKYPILOT_NODE_IPS": addresses,
            "SKYPILOT_NUM_NODES": str(num_nodes),
            "SKYPILOT_NUM_GPUS_PER_NODE": gpus,
        }
    variables["SKYPILOT_TASK_ID"] = task_id
    if user is not None:
        variables["SKYPILOT_USER"] = user
    if cluster_name is not None:
        variables["SKYPILOT_CLUSTER_INFO"] = json.dumps(
            {"cluster_name": cluster_name, "cloud": "suanwang", "region": centre_id, "zone": None}
        )
    return variables

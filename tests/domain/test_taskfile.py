"""SkyPilot task files as jobs: whole files as people write them, and the rules of docs/reference/task-file.md."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from suanwang.domain.job import BlobWorkdir, GitWorkdir, JobSpec, Objective, Variant
from suanwang.taskfile import TaskDefaults, TaskOverrides, TaskRefused, read_task
from tests.domain.taskreading import PRINTABLE, SHA256, TIMED, problems, task

# Whole files, as people write them


def test_multi_node_training() -> None:
    spec, notices = task(
        """
        # Two nodes, data parallel
        name: mini-gpt
        num_nodes: 2
        resources:
          accelerators: A100-80GB:8
          cpus: 32+
          memory: 256+
          network_tier: best
          disk_size: 500
          labels:
            suanwang/walltime: "8h"
            suanwang/max-cost: "1200.50"
            suanwang/use: training
            suanwang/objective: cheapest
            project: mini-gpt
        envs:
          MODEL_SIZE: 7
          LEARNING_RATE: 3e-4
          DROPOUT: 0.1
        setup: |
          python -m venv ~/env
          ~/env/bin/pip install -r requirements.txt
        run: |
          head=$(echo "$SKYPILOT_NODE_IPS" | head -n1)
          torchrun --nnodes=$SKYPILOT_NUM_NODES --nproc_per_node=$SKYPILOT_NUM_GPUS_PER_NODE \\
            --node_rank=$SKYPILOT_NODE_RANK --master_addr=$head train.py
        """,
        TaskOverrides(),
    )
    assert spec == JobSpec(
        name="mini-gpt",
        num_nodes=2,
        variants=(Variant("A100-80GB", 8, cpus_per_node=32, memory_gib_per_node=256.0),),
        setup=spec.setup,
        run=spec.run,
        walltime_s=8 * 3600,
        max_cost_fen=120_050,
        objective=Objective.CHEAPEST,
        envs={"MODEL_SIZE": "7", "LEARNING_RATE": "3e-4", "DROPOUT": "0.1"},
        labels={"project": "mini-gpt"},
    )
    assert spec.setup.startswith("python -m venv")
    assert "torchrun" in spec.run
    assert set(notices) == {"NETWORK_TIER_IGNORED", "DISK_SIZE_IGNORED"}


def test_any_of_clouds_and_centres() -> None:
    spec, notices = task(
        """
        name: finetune
        resources:
          accelerators: H100:4
          memory: 128
          any_of:
            - infra: aws/us-west-2
            - infra: suanwang/hangzhou-1
              accelerators: Ascend910B3:8
              image_id: docker:registry.example.com/ascend/pytorch:2.1
            - labels: {suanwang/centre: gd-05}
        run: python finetune.py
        """
    )
    assert not spec.ordered
    assert spec.variants == (
        Variant("H100", 4, memory_gib_per_node=128.0),
        Variant(
            "Ascend910B3",
            8,
            memory_gib_per_node=128.0,
            centre="hangzhou-1",
            image="registry.example.com/ascend/pytorch:2.1",
        ),
        Variant("H100", 4, memory_gib_per_node=128.0, centre="gd-05"),
    )
    assert notices["PUBLIC_CLOUD_IGNORED"].field == "resources.any_of[0].infra"
    assert notices["PUBLIC_CLOUD_IGNORED"].facts == {"place": "aws/us-west-2"}


def test_ordered_preference() -> None:
    spec, _ = task(
        """
        resources:
          cpus: 8
          ordered:
            - {accelerators: "H800:8", use_spot: true, max_hourly_cost: 300}
            - {gpus: "A800:8"}
            - {accelerators: {MLU370-X8: 8}, cpus: 16}
        run: python train.py
        """
    )
    assert spec.ordered
    assert spec.name == "job"
    assert spec.variants == (
        Variant("H800", 8, cpus_per_node=8, preemptible=True, max_fen_per_hour=30_000),
        Variant("A800", 8, cpus_per_node=8),
        Variant("MLU370-X8", 8, cpus_per_node=16),
    )


def test_spot_with_recovery() -> None:
    spec, notices = task(
        """
        name: resilient
        resources:
          infra: k8s/my-context
          accelerators: L40S:2
          use_spot: true
          priority: 20
          job_recovery:
            strategy: EAGER_NEXT_REGION
            max_restarts_on_errors: 3
            recover_on_exit_codes: [33, 34]
        run: python train.py --resume
        """
    )
    assert spec.variants == (Variant("L40S", 2, preemptible=True),)
    assert (spec.max_restarts_on_errors, spec.recover_on_exit_codes) == (3, (33, 34))
    assert spec.priority == 20
    assert spec.max_recoveries == 3
    assert set(notices) == {"OWN_CLUSTER_IGNORED", "RECOVERY_STRATEGY_IGNORED"}


def test_git_workdir() -> None:
    spec, notices = task(
        """
        name: from-git
        workdir:
          url: https://git.example.com/lab/${REPO}.git
          ref: ${TAG}
        envs: {REPO: speech, TAG: v1.2}
        resources: {accelerators: V100}
        run: make train
        """
    )
    assert spec.workdir == GitWorkdir("https://git.example.com/lab/speech.git", "v1.2")
    assert not notices


def test_envs_given_at_submit() -> None:
    text = """
        name: lora
        envs:
          HF_TOKEN:
          MODEL_SIZE: 8B
          DATASET: null
        resources: {accelerators: {A100:8, H100:8}, use_spot: true}
        workdir: .
        run: tune run --config $MODEL_SIZE.yaml
        """
    assert problems(text) == [("envs.HF_TOKEN", "ENV_MISSING"), ("envs.DATASET", "ENV_MISSING")]
    given = TaskOverrides(
        walltime_s=60, envs={"HF_TOKEN": "t", "DATASET": "d", "MODEL_SIZE": "70B", "NEW": "n"}, workdir_sha256=SHA256
    )
    spec, notices = task(text, given)
    assert spec.envs == {"HF_TOKEN": "t", "DATASET": "d", "MODEL_SIZE": "70B", "NEW": "n"}
    assert spec.workdir == BlobWorkdir(SHA256)
    assert spec.variants == (Variant("A100", 8, preemptible=True), Variant("H100", 8, preemptible=True))
    assert not spec.ordered
    assert not notices


def test_container_image() -> None:
    spec, notices = task(
        """
        name: in-a-container
        resources:
          accelerators: [H100:8, A100-80GB:8, A100:8]
          image_id: docker:pytorch/pytorch:2.4.0-cuda12.4-cudnn9-runtime
        envs: {SKYPILOT_DOCKER_USERNAME: lab}
        run: |
          nvidia-smi
          python bench.py
        """
    )
    assert spec.ordered
    assert [variant.chip for variant in spec.variants] == ["H100", "A100-80GB", "A100"]
    assert {variant.image for variant in spec.variants} == {"pytorch/pytorch:2.4.0-cuda12.4-cudnn9-runtime"}
    assert set(notices) == {"CUDA_ONLY_COMMAND", "DOCKER_LOGIN_IGNORED"}


def test_cpu_job() -> None:
    spec, notices = task(
        """
        name: tokenize
        resources: {cpus: 2+, memory: 512MB}
        inputs: {"s3://corpus/raw": 120}
        outputs: {"s3://corpus/tokens": 40.5}
        run: python tokenize.py
        """
    )
    assert spec.variants == (Variant("cpu", 2, cpus_per_node=2, memory_gib_per_node=0.5),)
    assert spec.labels == {
        "suanwang/inputs": "s3://corpus/raw 120 GB",
        "suanwang/outputs": "s3://corpus/tokens 40.5 GB",
    }
    assert [notice.code for notice in notices.values()] == ["DATA_NOT_MOVED"]


def test_batch_inference_on_spot_or_not() -> None:
    """A free choice of chips times a free choice of terms."""
    spec, _ = task(
        """
        name: embed
        resources:
          accelerators: {L4:1, A10:1}
          memory: 32+
          any_of:
            - use_spot: true
            - use_spot: false
          labels: {suanwang/use: inference, suanwang/walltime: 1d12h, suanwang/voucher: none}
        run: python embed.py
        """,
        TaskOverrides(),
    )
    assert [(variant.chip, variant.preemptible) for variant in spec.variants] == [
        ("L4", True),
        ("A10", True),
        ("L4", False),
        ("A10", False),
    ]
    assert not spec.ordered
    assert (spec.use, spec.walltime_s, spec.voucher) == ("inference", 129_600, "none")


def test_script_that_assumes_much() -> None:
    spec, notices = task(
        """
        resources: {cloud: gcp, region: us-central1, accelerators: T4}
        setup: |
          # sudo in a comment is harmless
          sudo apt-get install -y ninja-build
          conda create -n chat python=3.10 -y
          pip install torch==2.1+cu118 --extra-index-url https://download.pytorch.org/whl/cu118
          pip install flash-attn
          echo done # sudo
        run: |
          conda activate chat
          sudo nvidia-smi -pm 1
          pip install nvidia-nccl-cu12 flash_attn
        """
    )
    assert spec.variants == (Variant("T4", 1),)
    reading = read_task(f"run: x\nsetup: |\n  {spec.setup.replace(chr(10), chr(10) + '  ')}", overrides=TIMED)
    setup = {notice.code: notice.facts for notice in reading.notices if notice.field == "setup"}
    assert setup == {
        "SUDO_USED": {"lines": [2], "found": ["sudo"]},
        "CONDA_ASSUMED": {"lines": [3], "found": ["conda create"]},
        "CUDA_ONLY_WHEEL": {"lines": [4, 5], "found": ["+cu118", "flash-attn"]},
    }
    assert notices["CUDA_ONLY_WHEEL"].facts == {"lines": [3], "found": ["nvidia-nccl-cu12"]}
    assert notices["CUDA_ONLY_COMMAND"].facts["lines"] == [2]
    assert notices["PUBLIC_CLOUD_IGNORED"].facts == {"place": "gcp/us-central1"}


# The job


def test_names_come_through() -> None:
    assert task("name: 训练 7B\nrun: x")[0].name == "训练 7B"
    assert task("run: x", name="train")[0].name == "train"
    assert task("name: a\nrun: x", TaskOverrides(name="b", walltime_s=1), name="c")[0].name == "b"


@settings(max_examples=80, deadline=None)
@given(st.text(PRINTABLE, min_size=1, max_size=128))
def test_any_printable_name_comes_through(name: str) -> None:
    for allow_unicode in (True, False):
        text = yaml.safe_dump({"name": name, "run": "x"}, allow_unicode=allow_unicode)
        assert read_task(text, overrides=TIMED).spec.name == name


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name: x", [("run", "INVALID_INPUT")]),
        ("run: ''", [("run", "INVALID_INPUT")]),
        ("run: [a, b]", [("run", "INVALID_INPUT")]),
        ("run: x\nsetup: 3", [("setup", "INVALID_INPUT")]),
        ("run: x\nname: 3", [("name", "INVALID_INPUT")]),
        ("run: x\nname: " + "n" * 129, [("name", "INVALID_INPUT")]),
        ("run: " + "x" * 300_000, [("run", "INVALID_INPUT")]),
        ("run: x\nnum_nodes: 0", [("num_nodes", "INVALID_INPUT")]),
        ("run: x\nnum_nodes: -2", [("num_nodes", "INVALID_INPUT")]),
        ("run: x\nnum_nodes: 1.5", [("num_nodes", "INVALID_INPUT")]),
        ("run: x\nnum_nodes: true", [("num_nodes", "INVALID_INPUT")]),
        ("run: x\nnum_nodes: '2'", [("num_nodes", "INVALID_INPUT")]),
        ("run: x\nnum_nodes: 10001", [("num_nodes", "INVALID_INPUT")]),
        ("run: x\nresources: H100", [("resources", "INVALID_INPUT")]),
        ("run: x\nresources: [H100]", [("resources", "INVALID_INPUT")]),
        ("run: x\nenvs: A=1", [("envs", "INVALID_INPUT")]),
        ("run: x\nenvs: {1A: x, a-b: y}", [("envs.1A", "INVALID_INPUT"), ("envs.a-b", "INVALID_INPUT")]),
        ("run: x\nenvs: {A: [1]}", [("envs.A", "INVALID_INPUT")]),
        ("run: x\nenvs: {3: x}", [("envs.3", "INVALID_INPUT")]),
        ("run: x\nenvs: {SKYPILOT_NODE_RANK: 0}", [("envs.SKYPILOT_NODE_RANK", "ENV_RESERVED")]),
        ("run: x\nenvs: {SUANWANG_JOB_ID: 0}", [("envs.SUANWANG_JOB_ID", "ENV_RESERVED")]),
        ("run: x\nenvs: {" + ", ".join(f"E{i}: 1" for i in range(257)) + "}", [("envs", "INVALID_INPUT")]),
        ("run: x\nworkdir: {ref: main}", [("workdir.url", "INVALID_INPUT")]),
        ("run: x\nworkdir: {url: 'https://a/b', branch: x}", [("workdir.branch", "UNKNOWN_FIELD")]),
        ("run: x\nworkdir: {url: 'file:///etc'}", [("workdir.url", "INVALID_INPUT")]),
        ("run: x\nworkdir: {url: '--upload-pack=x'}", [("workdir.url", "INVALID_INPUT")]),
        ("run: x\nworkdir: {url: 'ext::sh -c x'}", [("workdir.url", "INVALID_INPUT")]),
        ("run: x\nworkdir: {url: 'https://[a/b'}", [("workdir.url", "INVALID_INPUT")]),
        ("run: x\nworkdir: {url: 'https://a/b', ref: '--x'}", [("workdir.ref", "INVALID_INPUT")]),
        ("run: x\nworkdir: {url: 'https://a/b', ref: 123}", [("workdir.ref", "INVALID_INPUT")]),
        ("run: x\nworkdir: [a]", [("workdir", "INVALID_INPUT")]),
        ("run: x\ninputs: {a: 1, b: 2}", [("inputs", "INVALID_INPUT")]),
        ("run: x\noutputs: {a: lots}", [("outputs", "INVALID_INPUT")]),
        ("run: x\noutputs: s3://a", [("outputs", "INVALID_INPUT")]),
    ],
)
def test_job_fields_refused(text: str, found: list[tuple[str, str]]) -> None:
    assert problems(text) == found


@pytest.mark.parametrize(
    "url", ["https://a.b/c", "git@host:lab/x.git", "ssh://git@host/x", "git://host/x", "http://h/x"]
)
def test_git_places(url: str) -> None:
    assert task(f"run: x\nworkdir: {{url: '{url}'}}")[0].workdir == GitWorkdir(url)


@pytest.mark.parametrize("url", ["https://user:s3cret@host/x", "https://s3cret@host/x", "ssh://git:s3cret@host/x"])
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(TaskRefused) as caught:
        read_task(f"run: x\nworkdir: {{url: '{url}'}}")
    assert caught.value.facts["problems"][0]["code"] == "SECRETS_REFUSED"
    assert "s3cret" not in f"{caught.value.message}{caught.value.facts}"


def test_local_workdir_has_to_be_uploaded() -> None:
    text = "run: x\nenvs: {DIR: code}\nworkdir: ~/${DIR}\nresources: {cpus: 1}"
    spec, notices = task(text)
    assert spec.workdir is None
    assert notices["LOCAL_WORKDIR"].facts == {"path": "~/code"}
    uploaded = TaskOverrides(walltime_s=60, workdir_sha256=SHA256)
    spec, notices = task(text, uploaded)
    assert (spec.workdir, notices) == (BlobWorkdir(SHA256), {})
    assert task("run: x", uploaded)[0].workdir == BlobWorkdir(SHA256)
    assert problems("run: x\nworkdir: {url: 'https://a/b'}", uploaded) == [("workdir", "INVALID_INPUT")]
    assert problems("run: x", TaskOverrides(workdir_sha256="../../etc")) == [("workdir", "INVALID_INPUT")]


def test_env_values_as_skypilot_makes_them() -> None:
    spec, notices = task(
        """
        run: x
        envs: {INT: 7, FLOAT: 1.50, SCI: 1e-4, AGREED: yes, TEXT: "yes", EMPTY: "", ZH: 算力, REF: "${HOME}/x"}
        """
    )
    assert spec.envs == {
        "INT": "7",
        "FLOAT": "1.5",
        "SCI": "1e-4",
        "AGREED": "True",
        "TEXT": "yes",
        "EMPTY": "",
        "ZH": "算力",
        "REF": "${HOME}/x",
    }
    assert notices["ENV_READ_AS_BOOLEAN"].field == "envs.AGREED"
    assert notices["ENV_NOT_EXPANDED"].field == "envs.REF"


@pytest.mark.parametrize(
    ("written", "restarts", "codes", "recoveries"),
    [
        ("FAILOVER", 0, (), 3),
        ("eager_next_region", 0, (), 3),
        ("none", 0, (), 0),
        ("{strategy: null, max_restarts_on_errors: 5}", 5, (), 3),
        ("{recover_on_exit_codes: 33}", 0, (33,), 3),
        ("{recover_on_exit_codes: [33, 34, 33]}", 0, (33, 34), 3),
        ("{strategy: none, recover_on_exit_codes: []}", 0, (), 0),
        ("{}", 0, (), 3),
    ],
)
def test_job_recovery(written: str, restarts: int, codes: tuple[int, ...], recoveries: int) -> None:
    spec, notices = task(f"run: x\nresources: {{cpus: 1, job_recovery: {written}}}")
    assert (spec.max_restarts_on_errors, spec.recover_on_exit_codes, spec.max_recoveries) == (
        restarts,
        codes,
        recoveries,
    )
    assert ("NO_RECOVERY" in notices) == (recoveries == 0)


@pytest.mark.parametrize(
    ("written", "field", "code"),
    [
        ("{strategy: PRAY}", "strategy", "INVALID_INPUT"),
        ("{strategy: 3}", "strategy", "INVALID_INPUT"),
        ("{min_nodes: 3}", "min_nodes", "UNKNOWN_FIELD"),
        ("{max_restarts_on_errors: -1}", "max_restarts_on_errors", "INVALID_INPUT"),
        ("{max_restarts_on_errors: 101}", "max_restarts_on_errors", "INVALID_INPUT"),
        ("{max_restarts_on_errors: 1.5}", "max_restarts_on_errors", "INVALID_INPUT"),
        ("{recover_on_exit_codes: 256}", "recover_on_exit_codes", "INVALID_INPUT"),
        ("{recover_on_exit_codes: [1, x]}", "recover_on_exit_codes", "INVALID_INPUT"),
        ("{recover_on_exit_codes: true}", "recover_on_exit_codes", "INVALID_INPUT"),
    ],
)
def test_job_recovery_refused(written: str, field: str, code: str) -> None:
    assert problems(f"run: x\nresources: {{job_recovery: {written}}}") == [(f"resources.job_recovery.{field}", code)]


def test_priority() -> None:
    assert task("run: x\nresources: {priority: -1000}")[0].priority == -1000
    classes = {"urgent": 900}
    assert task("run: x\nresources: {priority_class: urgent}", priority_classes=classes)[0].priority == 900
    both = "run: x\nresources: {priority_class: urgent, priority: 3}"
    with pytest.raises(TaskRefused, match="not both"):
        read_task(both, defaults=TaskDefaults(priority_classes=classes))

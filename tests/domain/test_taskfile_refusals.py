"""Our labels in a task file, what is refused and how, and what its reference page names."""

import re
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from suanwang.domain.job import Objective, Variant
from suanwang.skyenv import NETWORK_VARIABLES
from suanwang.taskfile import TaskOverrides, TaskRefused, read_task
from suanwang.taskfile.findings import MAX_PROBLEMS
from suanwang.taskfile.resources import LABELS, RESOURCE_FIELDS, STRATEGIES
from suanwang.taskfile.resources import REFUSED as REFUSED_RESOURCES
from suanwang.taskfile.task import REFUSED, TASK_FIELDS
from tests.domain.taskreading import allowed, problems, resources, task

# Our labels, what was said at submit, defaults


def test_submit_goes_before_labels_and_labels_before_defaults() -> None:
    labelled = """
        run: x
        resources:
          cpus: 1
          priority: 1
          labels:
            suanwang/walltime: 90m
            suanwang/voucher: v-1
            suanwang/max-cost: 20
            suanwang/use: application
            suanwang/objective: soonest
        """
    spec, notices = task(labelled, TaskOverrides())
    assert (spec.walltime_s, spec.voucher, spec.max_cost_fen, spec.use) == (5400, "v-1", 2000, "application")
    assert (spec.objective, spec.priority, notices) == (Objective.SOONEST, 1, {})
    said = TaskOverrides(
        walltime_s=7,
        voucher="none",
        max_cost_fen=0,
        use="inference",
        objective=Objective.CHEAPEST,
        priority=0,
    )
    spec, _ = task(labelled, said)
    assert (spec.walltime_s, spec.voucher, spec.max_cost_fen, spec.use) == (7, "none", 0, "inference")
    assert (spec.objective, spec.priority) == (Objective.CHEAPEST, 0)
    spec, notices = task("run: x", TaskOverrides(), walltime_s=99, use="inference", objective=Objective.SOONEST)
    assert (spec.walltime_s, spec.voucher, spec.max_cost_fen, spec.use) == (99, None, None, "inference")
    assert (spec.objective, notices["NO_WALLTIME"].facts) == (Objective.SOONEST, {"walltime_s": 99})


def test_a_job_says_that_it_may_make_room() -> None:
    labels = 'labels: {suanwang/preemptible: "true", suanwang/checkpoint-every: "10m"}'
    spec, _ = task(f"run: x\nresources: {{{labels}}}")
    assert (spec.preemptible, spec.checkpoint_every_s, spec.labels) == (True, 600, {})
    for said in ("run: x", 'run: x\nresources: {labels: {suanwang/preemptible: "false"}}'):
        spec, _ = task(said)
        assert (spec.preemptible, spec.checkpoint_every_s) == (False, 0)


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("suanwang/walltime: 8 hours", "INVALID_INPUT"),
        ("suanwang/walltime: 0", "INVALID_INPUT"),
        ("suanwang/walltime: 367d", "INVALID_INPUT"),
        ("suanwang/walltime: [8h]", "INVALID_INPUT"),
        ("suanwang/max-cost: '1.234'", "INVALID_INPUT"),
        ("suanwang/max-cost: '-1'", "INVALID_INPUT"),
        ("suanwang/max-cost: '1e999999999'", "INVALID_INPUT"),
        ("suanwang/max-cost: '1200.000000000000000000000000000001'", "INVALID_INPUT"),
        ("suanwang/max-cost: 12.5", "INVALID_INPUT"),
        ("suanwang/use: fun", "INVALID_INPUT"),
        ("suanwang/objective: quickest", "INVALID_INPUT"),
        ("suanwang/within: room", "INVALID_INPUT"),
        ("suanwang/booking: My Course", "INVALID_INPUT"),
        ("suanwang/voucher: ''", "INVALID_INPUT"),
        ("suanwang/voucher: a b", "INVALID_INPUT"),
        ("suanwang/preemptible: 'yes'", "INVALID_INPUT"),
        ("suanwang/preemptible: true", "INVALID_INPUT"),
        ("suanwang/checkpoint-every: often", "INVALID_INPUT"),
        ("suanwang/checkpoint-every: 367d", "INVALID_INPUT"),
        ("suanwang/waltime: 8h", "UNKNOWN_LABEL"),
        ("suanwang/inputs: x", "UNKNOWN_LABEL"),
        ("version: 1.10", "INVALID_INPUT"),
        ("version: null", "INVALID_INPUT"),
    ],
)
def test_labels_refused(label: str, code: str) -> None:
    key = label.partition(":")[0]
    text = f"run: x\nresources:\n  labels:\n    {label}\n"
    assert problems(text, TaskOverrides()) == [(f"resources.labels.{key}", code)]


def test_other_labels_are_kept() -> None:
    labels = {"team": "speech", "cost/centre": "42", "suanwang": "x"}
    assert task(yaml.safe_dump({"run": "x", "resources": {"labels": labels}}))[0].labels == labels
    assert task("run: x\nresources: {labels: {n: 7}}")[0].labels == {"n": "7"}


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (TaskOverrides(use="fun"), "use"),
        (TaskOverrides(voucher="a b"), "voucher"),
        (TaskOverrides(name=""), "name"),
        (TaskOverrides(walltime_s=0), "resources.labels.suanwang/walltime"),
        (TaskOverrides(max_cost_fen=-1), "resources.labels.suanwang/max-cost"),
        (TaskOverrides(priority=5000), "resources.priority"),
        (TaskOverrides(envs={"a b": "x"}), "envs.a b"),
        (TaskOverrides(envs={"SKYPILOT_TASK_ID": "x"}), "envs.SKYPILOT_TASK_ID"),
    ],
)
def test_what_is_said_at_submit_is_checked_too(said: TaskOverrides, field: str) -> None:
    assert [found for found, _ in problems("run: x", said)] == [field]


# What is refused, and how


@pytest.mark.parametrize("key", [*REFUSED])
def test_refused_at_the_top(key: str) -> None:
    assert problems(f"run: x\n{key}: {{a: b}}") == [(key, "FIELD_REFUSED")]
    assert task(f"run: x\n{key}: null")[0].run == "x"


@pytest.mark.parametrize(
    ("key", "value", "empty"),
    [
        ("ports", "8080", "[]"),
        ("ports", "[8080, 9000-9010]", "null"),
        ("volumes", "[{path: /mnt}]", "[]"),
        ("accelerator_args", "{tpu_vm: true}", "{}"),
        ("instance_type", "p3.8xlarge", "null"),
        ("autostop", "true", "false"),
        ("autostop", "10", "null"),
        ("autostop", "0", "false"),
        ("autostop", "{idle_minutes: 5}", "{}"),
    ],
)
def test_refused_in_resources(key: str, value: str, empty: str) -> None:
    assert problems(f"run: x\nresources: {{cpus: 1, {key}: {value}}}") == [(f"resources.{key}", "FIELD_REFUSED")]
    assert resources(f"cpus: 1, {key}: {empty}") == (Variant("cpu", 1),)


def test_file_mounts_are_refused_one_by_one_with_what_to_do() -> None:
    text = """
        run: x
        file_mounts:
          /configs: ./configs
          /data: s3://bucket/data
          /out: {name: my-bucket, mode: MOUNT}
        """
    with pytest.raises(TaskRefused) as caught:
        read_task(dedent(text))
    found = {problem["field"]: problem for problem in caught.value.facts["problems"]}
    assert list(found) == ["file_mounts./configs", "file_mounts./data", "file_mounts./out"]
    assert {problem["code"] for problem in found.values()} == {"FILE_MOUNTS_REFUSED"}
    assert "workdir" in found["file_mounts./configs"]["allowed"]
    assert "setup" in found["file_mounts./data"]["allowed"]
    assert "setup" in found["file_mounts./out"]["allowed"]
    assert task("run: x\nfile_mounts: {}\nsecrets: {}")[0].run == "x"
    assert problems("run: x\nfile_mounts: [a]") == [("file_mounts", "FILE_MOUNTS_REFUSED")]


@pytest.mark.parametrize("written", ["{HF_TOKEN: s3cret}", "{HF_TOKEN: null}", "[s3cret]"])
def test_secrets_are_refused_by_name_and_not_repeated(written: str) -> None:
    with pytest.raises(TaskRefused) as caught:
        read_task(f"run: x\nsecrets: {written}")
    (problem,) = caught.value.facts["problems"]
    assert problem["code"] == "SECRETS_REFUSED"
    assert problem["field"] in ("secrets.HF_TOKEN", "secrets.(list)")
    assert "s3cret" not in f"{caught.value.message}{caught.value.facts}"


@pytest.mark.parametrize(
    ("text", "field", "hint"),
    [
        ("run: x\nnun_nodes: 2", "nun_nodes", "did you mean num_nodes?"),
        ("run: x\nRESOURCES: {}", "RESOURCES", "did you mean resources?"),
        ("run: x\naccelerators: H100", "accelerators", "it belongs at resources.accelerators"),
        ("run: x\nacelerators: H100", "acelerators", "did you mean resources.accelerators?"),
        ("run: x\npriority: 3", "priority", "it belongs at resources.priority"),
        ("run: x\nresources: {acelerators: H100}", "resources.acelerators", "did you mean accelerators?"),
        ("run: x\nresources: {num_nodes: 2}", "resources.num_nodes", "it belongs at num_nodes, outside of resources"),
        ("run: x\nresources: {spot_recovery: x}", "resources.spot_recovery", "did you mean job_recovery?"),
        ("run: x\nzzz: 1", "zzz", "known here: name"),
        ("run: x\n1: 1", "1", "known here: name"),
        ("run: x\nyes: 1", "True", "known here: name"),
        ("run: x\n" + "k" * 500 + ": 1", "k" * 63 + "…", "known here: name"),
        (
            "run: x\nresources: {labels: {suanwang/waltime: 8h}}",
            "resources.labels.suanwang/waltime",
            "suanwang/walltime?",
        ),
        ("run: x\nresources: {infra: awss}", "resources.infra", "did you mean aws?"),
        ("run: x\nresources: {labels: {suanwang/use: trainning}}", "resources.labels.suanwang/use", "mean training?"),
    ],
)
def test_unknown_words_are_refused_with_a_hint(text: str, field: str, hint: str) -> None:
    assert [found for found, _ in problems(text)] == [field]
    assert hint in allowed(text)


def test_all_problems_come_at_once() -> None:
    text = """
        nmae: x
        num_nodes: 0
        service: {replicas: 2}
        resources:
          accelerators: H100:0.5
          ports: 80
          any_of: [{cpus: none}, {memry: 3}]
          labels: {suanwang/walltime: soon}
        envs: {TOKEN: null}
        secrets: {KEY: k}
        """
    assert sorted(problems(text, TaskOverrides())) == [
        ("envs.TOKEN", "ENV_MISSING"),
        ("nmae", "UNKNOWN_FIELD"),
        ("num_nodes", "INVALID_INPUT"),
        ("resources.accelerators", "FRACTIONAL_CHIPS"),
        ("resources.any_of[0].cpus", "INVALID_INPUT"),
        ("resources.any_of[1].memry", "UNKNOWN_FIELD"),
        ("resources.labels.suanwang/walltime", "INVALID_INPUT"),
        ("resources.ports", "FIELD_REFUSED"),
        ("run", "INVALID_INPUT"),
        ("secrets.KEY", "SECRETS_REFUSED"),
        ("service", "FIELD_REFUSED"),
    ]


def test_reading_stops_at_too_many_problems() -> None:
    text = yaml.safe_dump({"run": "x", **{f"unknown_{i}": 1 for i in range(2_000)}})
    with pytest.raises(TaskRefused) as caught:
        read_task(text)
    assert len(caught.value.facts["problems"]) == MAX_PROBLEMS
    assert caught.value.facts["more"] is True


@pytest.mark.parametrize(
    ("text", "field", "code"),
    [
        ("", "task file", "EMPTY_FILE"),
        ("# only words\n", "task file", "EMPTY_FILE"),
        ("---\n", "task file", "EMPTY_FILE"),
        ("just words", "task file", "INVALID_INPUT"),
        ("- run: x", "task file", "INVALID_INPUT"),
        ("42", "task file", "INVALID_INPUT"),
        ("PK\x03\x04\0\0", "task file", "INVALID_INPUT"),
        ("r\0u\0n\0:\0", "task file", "INVALID_INPUT"),
        ("run: \x07", "text", "INVALID_INPUT"),
        ("run: \ud800", "text", "INVALID_INPUT"),
        ("run: [a\nname: b", "line 2", "INVALID_INPUT"),
        ("run: x\nrun: y", "line 2", "INVALID_INPUT"),
        ("run: x\n---\nrun: y", "task file", "PIPELINE_REFUSED"),
        ("name: p\n---\nname: a\nrun: x\n---\nname: b\nrun: y\n", "task file", "PIPELINE_REFUSED"),
        ("run: x\n---\n", "line 2", "INVALID_INPUT"),
        ("run: x #" + "x" * 2**20, "text", "INVALID_INPUT"),
        ("run: *nowhere", "line 1", "INVALID_INPUT"),
    ],
)
def test_no_task_file(text: str, field: str, code: str) -> None:
    assert problems(text) == [(field, code)]


def test_marks_around_the_one_document_are_fine() -> None:
    for text in ("---\nrun: x\n", "# words\n---\nrun: x\n...\n", "\N{ZERO WIDTH NO-BREAK SPACE}run: x\n", "run: x\r\n"):
        assert task(text)[0].run == "x"
    assert task("run: |\n  cat <<E\n  ---\n  E\n")[0].run == "cat <<E\n---\nE\n"


def test_conda_is_not_missed_where_the_script_brings_it() -> None:
    brings = "curl -O https://example.com/Miniconda3-latest-Linux-x86_64.sh && sh Mini*.sh -b"
    _, notices = task(yaml.safe_dump({"setup": brings, "run": "conda activate x\npython x.py"}))
    assert set(notices) == {"NO_CPUS"}


def test_lines_of_a_habit_are_bounded() -> None:
    _, notices = task(yaml.safe_dump({"run": "sudo true\n" * 5000}))
    assert notices["SUDO_USED"].facts["lines"] == list(range(1, 21))


def test_the_reference_names_every_word() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs/reference/task-file.md").read_text(encoding="utf-8")
    code = "".join(path.read_text(encoding="utf-8") for path in (root / "src/suanwang/taskfile").glob("*.py"))
    codes = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', code)) - {*STRATEGIES}
    assert {"NO_WALLTIME", "ENV_MISSING", "UNKNOWN_FIELD"} <= codes
    labels = {f"suanwang/{name}" for name in LABELS}
    fields = {*TASK_FIELDS, *RESOURCE_FIELDS, *REFUSED, *REFUSED_RESOURCES}
    assert not [word for word in codes | labels | fields | NETWORK_VARIABLES if f"`{word}" not in page]

"""The resources of a task file: accelerators, other hardware, variants, where to run."""

import pytest

from suanwang.domain.job import Variant
from suanwang.taskfile import read_task
from tests.domain.taskreading import TIMED, problems, resources, task

# Accelerators


@pytest.mark.parametrize(
    ("written", "chips", "ordered"),
    [
        ("H100", [("H100", 1)], False),
        ("H100:8", [("H100", 8)], False),
        ("'H100: 8'", [("H100", 8)], False),
        ("A100-80GB:4", [("A100-80GB", 4)], False),
        ("'RTX 4090:2'", [("RTX 4090", 2)], False),
        ("昇腾910B:8", [("昇腾910B", 8)], False),
        ("'H100:2.0'", [("H100", 2)], False),
        ("{L4: 1}", [("L4", 1)], False),
        ("{L4: 2.0}", [("L4", 2)], False),
        ("{A100: 1, V100: 2}", [("A100", 1), ("V100", 2)], False),
        ("{A100:8, H100:8}", [("A100", 8), ("H100", 8)], False),
        ("{A100, H100}", [("A100", 1), ("H100", 1)], False),
        ("[H100:8]", [("H100", 8)], True),
        ("[H100:8, A100, {V100: 4}]", [("H100", 8), ("A100", 1), ("V100", 4)], True),
    ],
)
@pytest.mark.parametrize("key", ["accelerators", "gpus"])
def test_accelerators(key: str, written: str, chips: list[tuple[str, int]], ordered: bool) -> None:
    spec, _ = task(f"run: x\nresources:\n  {key}: {written}\n")
    assert [(variant.chip, variant.chips_per_node) for variant in spec.variants] == chips
    assert spec.ordered is ordered
    assert {variant.cpus_per_node for variant in spec.variants} == {1}


@pytest.mark.parametrize(
    ("written", "field", "code"),
    [
        ("H100:0.5", "", "FRACTIONAL_CHIPS"),
        ("{H100: 0.5}", ".H100", "FRACTIONAL_CHIPS"),
        ("[A100:8, H100:1.5]", "[1]", "FRACTIONAL_CHIPS"),
        ("H100:0", "", "INVALID_INPUT"),
        ("H100:-1", "", "INVALID_INPUT"),
        ("{H100: 0}", ".H100", "INVALID_INPUT"),
        ("{H100: true}", ".H100", "INVALID_INPUT"),
        ("{H100: many}", ".H100", "INVALID_INPUT"),
        ("{H100: 123456789012345678901234567890}", ".H100", "INVALID_INPUT"),
        ("{H100:1: 2}", ".H100:1", "INVALID_INPUT"),
        ("H100:1025", "", "INVALID_INPUT"),
        ("'H100:'", "", "INVALID_INPUT"),
        ("H100:x", "", "INVALID_INPUT"),
        ("H100:nan", "", "INVALID_INPUT"),
        ("'H100:99999999999999'", "", "INVALID_INPUT"),
        ("':8'", "", "INVALID_INPUT"),
        ("''", "", "INVALID_INPUT"),
        ("32GB+", "", "INVALID_INPUT"),
        ("cpu:4", "", "INVALID_INPUT"),
        ("8", "", "INVALID_INPUT"),
        ("[]", "", "INVALID_INPUT"),
        ("{}", "", "INVALID_INPUT"),
        ("[[H100]]", "[0]", "INVALID_INPUT"),
        ("[3]", "[0]", "INVALID_INPUT"),
        (str([f"H{i}" for i in range(33)]), "", "INVALID_INPUT"),
    ],
)
def test_accelerators_refused(written: str, field: str, code: str) -> None:
    assert problems(f"run: x\nresources:\n  accelerators: {written}\n") == [(f"resources.accelerators{field}", code)]


def test_gpus_is_an_alias_not_a_second_field() -> None:
    assert problems("run: x\nresources: {gpus: H100, accelerators: H100}") == [("resources.gpus", "INVALID_INPUT")]


# The other hardware


@pytest.mark.parametrize(
    ("written", "cores"),
    [("4", 4), ("'4'", 4), ("4+", 4), ("2.5", 3), ("'0.5+'", 1), ("0.1", 1), ("1024", 1024), ("null", 1)],
)
def test_cpus(written: str, cores: int) -> None:
    assert resources(f"cpus: {written}") == (Variant("cpu", cores, cpus_per_node=cores),)
    assert resources(f"cpus: {written}, accelerators: H100:8") == (Variant("H100", 8, cpus_per_node=cores),)


@pytest.mark.parametrize(
    "written", ["0", "-1", "'+'", "4x", "true", "[4]", "1025", "nan", "''", "99999999999999999999"]
)
def test_cpus_refused(written: str) -> None:
    assert problems(f"run: x\nresources:\n  cpus: {written}\n") == [("resources.cpus", "INVALID_INPUT")]


@pytest.mark.parametrize(
    ("written", "gib"),
    [("32", 32.0), ("32+", 32.0), ("0.5", 0.5), ("64GB", 64.0), ("64gb+", 64.0), ("1024MB", 1.0), ("2TiB", 2048.0)],
)
def test_memory(written: str, gib: float) -> None:
    assert resources(f"cpus: 1, memory: {written}")[0].memory_gib_per_node == gib


@pytest.mark.parametrize("written", ["-1", "8x", "true", "{a: 1}", "lots", "1e99", "64 parsecs"])
def test_memory_refused(written: str) -> None:
    assert problems(f"run: x\nresources:\n  memory: {written}\n") == [("resources.memory", "INVALID_INPUT")]


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("image_id", "ami-0868a20f5a3bf9702", "IMAGE_REFUSED"),
        ("image_id", "skypilot:gpu-ubuntu-2004", "IMAGE_REFUSED"),
        ("image_id", "{us-east-1: ami-1}", "IMAGE_REFUSED"),
        ("image_id", "'docker:'", "IMAGE_REFUSED"),
        ("image_id", "docker:${IMAGE}", "INVALID_INPUT"),
        ("image_id", "docker:a b", "INVALID_INPUT"),
        ("image_id", "docker:--privileged", "INVALID_INPUT"),
        ("use_spot", "yes please", "INVALID_INPUT"),
        ("use_spot", "1", "INVALID_INPUT"),
        ("disk_size", "[1]", "INVALID_INPUT"),
        ("disk_size", "big", "INVALID_INPUT"),
        ("disk_tier", "fast", "INVALID_INPUT"),
        ("network_tier", "{a: b}", "INVALID_INPUT"),
        ("max_hourly_cost", "0", "INVALID_INPUT"),
        ("max_hourly_cost", "-3", "INVALID_INPUT"),
        ("max_hourly_cost", "1.234", "INVALID_INPUT"),
        ("max_hourly_cost", "1e300", "INVALID_INPUT"),
        ("max_hourly_cost", "ten", "INVALID_INPUT"),
        ("max_hourly_cost", "true", "INVALID_INPUT"),
        ("priority", "1001", "INVALID_INPUT"),
        ("priority", "1.5", "INVALID_INPUT"),
        ("priority", "true", "INVALID_INPUT"),
        ("priority_class", "urgent", "UNKNOWN_PRIORITY_CLASS"),
        ("job_recovery", "DYNAMIC_NODE_SET", "INVALID_INPUT"),
        ("job_recovery", "7", "INVALID_INPUT"),
        ("labels", "[a]", "INVALID_INPUT"),
        ("any_of", "[]", "INVALID_INPUT"),
        ("any_of", "{cpus: 1}", "INVALID_INPUT"),
        ("ordered", "[" + "{cpus: 1}," * 33 + "]", "INVALID_INPUT"),
        ("infra", "suanwang/a/b", "INVALID_INPUT"),
        ("infra", "suanwang/a b", "INVALID_INPUT"),
        ("infra", "moon", "INVALID_INPUT"),
        ("infra", "[aws]", "INVALID_INPUT"),
    ],
)
def test_values_refused(key: str, value: str, code: str) -> None:
    found = problems(f"run: x\nresources:\n  {key}: {value}\n")
    assert found in ([(f"resources.{key}", code)], [(f"resources.{key}.strategy", code)])


def test_price_limit_is_read_as_yuan() -> None:
    spec, notices = task("run: x\nresources: {accelerators: H100, max_hourly_cost: 10.05}")
    assert spec.variants[0].max_fen_per_hour == 1_005
    assert notices["MAX_HOURLY_COST_READ_AS_YUAN"].facts == {"yuan_per_hour": 10.05}


@pytest.mark.parametrize("key", ["disk_size: 256GB", "disk_tier: best", "network_tier: standard", "local_disk: nvme+"])
def test_accepted_with_a_notice(key: str) -> None:
    spec, notices = task(f"run: x\nresources: {{accelerators: H100, {key}}}")
    assert spec.variants == (Variant("H100", 1),)
    assert list(notices) == [f"{key.partition(':')[0].upper()}_IGNORED"]


def test_a_job_without_resources_takes_one_core_and_says_so() -> None:
    for text in ("run: x", "run: x\nresources:\n", "run: x\nresources: {}"):
        spec, notices = task(text)
        assert spec.variants == (Variant("cpu", 1),)
        assert list(notices) == ["NO_CPUS"]


# Variants


def test_entries_inherit_and_override() -> None:
    variants = resources(
        "accelerators: H100:8, cpus: 16, use_spot: true, image_id: docker:a, any_of: "
        "[{}, {use_spot: false, image_id: docker:b}, {accelerators: null, cpus: 4}, {gpus: A100:8, image_id: null}]"
    )
    assert variants == (
        Variant("H100", 8, cpus_per_node=16, preemptible=True, image="a"),
        Variant("H100", 8, cpus_per_node=16, preemptible=False, image="b"),
        Variant("cpu", 4, cpus_per_node=4, preemptible=True, image="a"),
        Variant("A100", 8, cpus_per_node=16, preemptible=True),
    )


def test_notices_of_inherited_fields_come_once() -> None:
    reading = read_task(
        "run: x\nresources: {disk_size: 9, infra: aws, max_hourly_cost: 3, any_of: [{cpus: 1}, {cpus: 2}]}",
        overrides=TIMED,
    )
    assert sorted(notice.field for notice in reading.notices) == [
        "resources.disk_size",
        "resources.infra",
        "resources.max_hourly_cost",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("any_of: [{cpus: 1}], ordered: [{cpus: 1}]", [("resources", "INVALID_INPUT")]),
        ("any_of: [cpus]", [("resources.any_of[0]", "INVALID_INPUT")]),
        ("any_of: [{cpus: 1}, null]", [("resources.any_of[1]", "INVALID_INPUT")]),
        ("any_of: [{cpus: 1}, {acelerators: H100}]", [("resources.any_of[1].acelerators", "UNKNOWN_FIELD")]),
        ("any_of: [{any_of: []}]", [("resources.any_of[0].any_of", "UNKNOWN_FIELD")]),
        ("any_of: [{priority: 3}]", [("resources.any_of[0].priority", "UNKNOWN_FIELD")]),
        ("ordered: [{ports: 80}]", [("resources.ordered[0].ports", "FIELD_REFUSED")]),
        ("ordered: [{cpus: x}, {cpus: 0}]", [(f"resources.ordered[{i}].cpus", "INVALID_INPUT") for i in (0, 1)]),
        ("cpus: x, any_of: [{}, {use_spot: true}]", [("resources.cpus", "INVALID_INPUT")]),
        ("any_of: [{labels: {team: a}}]", [("resources.any_of[0].labels.team", "INVALID_INPUT")]),
        ("any_of: [{labels: x}]", [("resources.any_of[0].labels", "INVALID_INPUT")]),
        ("ordered: [{gpus: {A: 1, B: 1}}]", [("resources.ordered[0].accelerators", "INVALID_INPUT")]),
        ("gpus: [A, B], any_of: [{cpus: 1}]", [("resources.any_of[0].accelerators", "INVALID_INPUT")]),
        (
            f"gpus: {{{', '.join(f'C{i}: 1' for i in range(17))}}}, any_of: [{{use_spot: true}}, {{}}]",
            [("resources", "INVALID_INPUT")],
        ),
    ],
)
def test_variants_refused(text: str, found: list[tuple[str, str]]) -> None:
    assert problems(f"run: x\nresources: {{{text}}}") == found


@pytest.mark.parametrize(
    ("text", "centre", "code"),
    [
        ("infra: suanwang/hangzhou-1", "hangzhou-1", None),
        ("infra: SuanWang/hangzhou-1", "hangzhou-1", None),
        ("infra: suanwang/hangzhou-1/*", "hangzhou-1", None),
        ("cloud: suanwang, region: hangzhou-1", "hangzhou-1", None),
        ("labels: {suanwang/centre: hangzhou-1}", "hangzhou-1", None),
        ("labels: {suanwang/centre: hangzhou-1}, infra: suanwang/hangzhou-1", "hangzhou-1", None),
        ("labels: {suanwang/centre: hangzhou-1}, infra: aws", "hangzhou-1", "PUBLIC_CLOUD_IGNORED"),
        ("infra: suanwang", None, None),
        ("infra: suanwang/*", None, None),
        ("infra: '*'", None, None),
        ("infra: '*/*/*'", None, None),
        ("infra: AWS", None, "PUBLIC_CLOUD_IGNORED"),
        ("infra: aws/us-east-1/us-east-1a", None, "PUBLIC_CLOUD_IGNORED"),
        ("infra: '*/us-east-1'", None, "PUBLIC_CLOUD_IGNORED"),
        ("cloud: azure", None, "PUBLIC_CLOUD_IGNORED"),
        ("region: us-east-1", None, "PUBLIC_CLOUD_IGNORED"),
        ("zone: us-east-1a", None, "PUBLIC_CLOUD_IGNORED"),
        ("infra: k8s", None, "OWN_CLUSTER_IGNORED"),
        ("infra: kubernetes/aws:eks:us-east-1:1:cluster/x", None, "OWN_CLUSTER_IGNORED"),
        ("infra: slurm/mine", None, "OWN_CLUSTER_IGNORED"),
    ],
)
def test_where_to_run(text: str, centre: str | None, code: str | None) -> None:
    spec, notices = task(f"run: x\nresources: {{cpus: 1, {text}}}")
    assert spec.variants[0].centre == centre
    assert list(notices) == ([code] if code else [])


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("infra: aws, region: us-east-1", "resources.infra"),
        ("labels: {suanwang/centre: a}, infra: suanwang/b", "resources.labels.suanwang/centre"),
        ("labels: {suanwang/centre: a b}", "resources.labels.suanwang/centre"),
    ],
)
def test_where_to_run_refused(text: str, field: str) -> None:
    assert problems(f"run: x\nresources: {{cpus: 1, {text}}}") == [(field, "INVALID_INPUT")]


def test_the_place_of_an_entry_replaces_the_outer_one() -> None:
    outer = "cpus: 1, infra: suanwang/a, labels: {suanwang/centre: a}, any_of: "
    entries = "[{}, {infra: suanwang/b}, {labels: {suanwang/centre: c}}, {cloud: suanwang, region: d}, {infra: aws}]"
    assert [variant.centre for variant in resources(outer + entries)] == ["a", "b", "c", "d", None]
    inherited = resources("cloud: suanwang, any_of: [{region: a}, {region: b}]")
    assert [variant.centre for variant in inherited] == ["a", "b"]

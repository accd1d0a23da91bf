"""Any job written as a task file is read back, and anything at all is read or refused."""

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from suanwang.domain.job import GitWorkdir, JobSpec, Objective, Variant, check
from suanwang.skyenv import NETWORK_VARIABLES
from suanwang.taskfile import TaskRefused, read_task
from suanwang.taskfile.resources import RESOURCE_FIELDS
from suanwang.taskfile.task import REFUSED, TASK_FIELDS
from suanwang.units import yuan
from tests.domain.taskreading import PRINTABLE

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        [
            "H100:8",
            "A100",
            "0.5",
            "4+",
            "suanwang/x",
            "aws/us-east-1",
            "*",
            "docker:a",
            "8h",
            "none",
            "FAILOVER",
            "1e999999999",
        ]
    ),
)
_KEYS = st.one_of(
    st.sampled_from(
        [
            *TASK_FIELDS,
            *RESOURCE_FIELDS,
            *REFUSED,
            "url",
            "ref",
            "strategy",
            "recover_on_exit_codes",
            "max_restarts_on_errors",
            "suanwang/walltime",
            "suanwang/max-cost",
            "suanwang/centre",
            "suanwang/waltime",
        ]
    ),
    st.text(max_size=6),
    st.integers(),
    st.booleans(),
    st.none(),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=5)),
    max_leaves=25,
)
_RESOURCES = st.dictionaries(st.one_of(st.sampled_from(RESOURCE_FIELDS), _KEYS), _VALUES, max_size=6)
_TASKS = st.builds(
    lambda task, resources, run: {**task, "resources": resources, **run},
    st.dictionaries(st.one_of(st.sampled_from(TASK_FIELDS), _KEYS), _VALUES, max_size=6),
    _RESOURCES,
    st.sampled_from([{}, {"run": "x"}]),
)


def reads_or_refuses(text: str) -> None:
    """A job that the domain accepts, or TaskRefused; anything else is a bug."""
    try:
        reading = read_task(text)
    except TaskRefused:
        return
    check(reading.spec)


@settings(max_examples=150, deadline=None)
@given(_TASKS)
def test_any_structure_is_read_or_refused(document: dict[Any, Any]) -> None:
    reads_or_refuses(yaml.safe_dump(document, allow_unicode=True))


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=200), st.text(alphabet="runame: x\n-[]{}#&*!|>'\"%@`?,\t~", max_size=80)))
def test_any_text_is_read_or_refused(text: str) -> None:
    reads_or_refuses(text)


_TEXTS = st.text(PRINTABLE, min_size=1, max_size=20)
_CHIPS = st.lists(
    st.tuples(st.sampled_from(["H100", "A100-80GB", "Ascend910B3", "昇腾910B"]), st.integers(1, 1024)),
    min_size=1,
    max_size=4,
    unique_by=lambda chip: chip[0],
)
_NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True).filter(lambda name: name not in NETWORK_VARIABLES)
_SPECS = st.builds(
    JobSpec,
    name=_TEXTS,
    run=_TEXTS.filter(lambda text: bool(text.strip())),
    setup=st.text(max_size=20).filter(lambda text: "\0" not in text),
    num_nodes=st.integers(1, 10_000),
    walltime_s=st.integers(1, 366 * 24).map(lambda hours: hours * 3600),
    envs=st.dictionaries(_NAMES, st.one_of(_TEXTS, st.just("")), max_size=4),
    workdir=st.sampled_from([None, GitWorkdir("https://git.example.com/a/b"), GitWorkdir("git@host:a/b.git", "main")]),
    objective=st.sampled_from(Objective),
    priority=st.integers(-1000, 1000),
    max_cost_fen=st.one_of(st.none(), st.integers(0, 10**12)),
    use=st.sampled_from(["training", "inference", "application"]),
    voucher=st.sampled_from([None, "none", "v-7"]),
    max_restarts_on_errors=st.integers(0, 100),
    recover_on_exit_codes=st.lists(st.integers(0, 255), unique=True, max_size=4).map(tuple),
    labels=st.dictionaries(st.text(alphabet="abc-/", min_size=1, max_size=8), _TEXTS, max_size=4),
    ordered=st.booleans(),
    booking=st.sampled_from([None, "ml-course"]),
    within=st.sampled_from(["pool", "cabinet"]),
    variants=st.builds(
        lambda chips, cpus, gib, image, spot, centre, price: tuple(
            Variant(name, count, cpus, gib, image, spot, centre, price) for name, count in chips
        ),
        _CHIPS,
        st.integers(1, 1024),
        st.integers(0, 4096).map(float),
        st.sampled_from([None, "ubuntu:24.04"]),
        st.booleans(),
        st.sampled_from([None, "hangzhou-1"]),
        st.one_of(st.none(), st.integers(1, 10**9)),
    ),
)


def written(spec: JobSpec, in_entries: bool) -> str:
    """The task file of a job; its chips as `accelerators`, or as entries of `any_of` and `ordered`."""
    first = spec.variants[0]
    labels = spec.labels | {"suanwang/walltime": f"{spec.walltime_s // 3600}h", "suanwang/use": spec.use}
    labels |= {"suanwang/objective": spec.objective.value}
    labels |= {} if spec.max_cost_fen is None else {"suanwang/max-cost": yuan(spec.max_cost_fen)}
    labels |= {} if spec.voucher is None else {"suanwang/voucher": spec.voucher}
    labels |= {} if spec.booking is None else {"suanwang/booking": spec.booking}
    labels |= {} if spec.within == "pool" else {"suanwang/within": spec.within}
    chips = [f"{variant.chip}:{variant.chips_per_node}" for variant in spec.variants]
    choice: dict[str, Any] = {"accelerators": chips if spec.ordered else dict.fromkeys(chips)}
    if in_entries:
        choice = {"ordered" if spec.ordered else "any_of": [{"gpus": chip} for chip in chips]}
    resources = choice | {
        "cpus": f"{first.cpus_per_node}+",
        "memory": first.memory_gib_per_node,
        "image_id": first.image and f"docker:{first.image}",
        "use_spot": first.preemptible,
        "infra": first.centre and f"suanwang/{first.centre}",
        "max_hourly_cost": first.max_fen_per_hour and first.max_fen_per_hour / 100,
        "priority": spec.priority,
        "job_recovery": {
            "max_restarts_on_errors": spec.max_restarts_on_errors,
            "recover_on_exit_codes": [*spec.recover_on_exit_codes],
        },
        "labels": labels,
    }
    task = {key: getattr(spec, key) for key in ("name", "num_nodes", "setup", "run", "envs")}
    if isinstance(spec.workdir, GitWorkdir):
        task["workdir"] = {"url": spec.workdir.url, "ref": spec.workdir.ref}
    return yaml.safe_dump(task | {"resources": resources}, sort_keys=False)  # escaped: the dumper folds a plain U+0085


@settings(max_examples=150, deadline=None)
@given(_SPECS, st.booleans())
def test_a_job_written_as_a_task_file_is_read_back(spec: JobSpec, in_entries: bool) -> None:
    assert read_task(written(spec, in_entries)).spec == spec

"""The `resources` of a task file: variants, retry policy, priority, labels, and where to run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from suanwang.domain.job import Variant
from suanwang.errors import InvalidInput
from suanwang.taskfile import readers
from suanwang.taskfile.findings import Fields, Findings, close_to, fields_of, path, shown, unknown_key

_Entries: TypeAlias = tuple[tuple[str, Any], ...]
_Chip: TypeAlias = tuple[str, int] | None

MAX_VARIANTS = 32
PREFIX = "suanwang/"

REFUSED = {
    "ports": "the network opens no inbound port; write results to files or send them out from the job",
    "volumes": "volumes of clouds cannot be mounted here; put files in the workdir or fetch them in setup",
    "accelerator_args": "these describe TPUs, which no centre offers",
    "instance_type": "centres have no instance types; give accelerators, cpus and memory",
    "autostop": "there is nothing to stop: a job ends with its run command or at its walltime",
}
IGNORED = {
    "disk_size": "scratch space is what the centre offers",
    "disk_tier": "scratch space is what the centre offers",
    "local_disk": "scratch space is what the centre offers",
    "network_tier": "nodes of one pool have the centre's network",
}
_TIERS = {"disk_tier": ("low", "medium", "high", "ultra", "best", "none"), "network_tier": ("standard", "best")}
_PLACE = ("infra", "cloud", "region", "zone")
_HARDWARE = ("accelerators", "gpus", "cpus", "memory", "image_id", "use_spot", "max_hourly_cost")
_OF_JOB = ("job_recovery", "priority", "priority_class")
ENTRY_FIELDS = (*_HARDWARE, *_PLACE, *IGNORED, "labels")
RESOURCE_FIELDS = (*ENTRY_FIELDS, *_OF_JOB, "any_of", "ordered")
JOB_LABELS = (
    "walltime",
    "voucher",
    "project",
    "max-cost",
    "use",
    "objective",
    "preemptible",
    "checkpoint-every",
    "within",
    "booking",
)
LABELS = (*JOB_LABELS, "centre")

_CLOUDS = """
    aws azure cudo digitalocean do fluidstack gcp hyperbolic hyperstack ibm lambda mithril nebius oci paperspace
    primeintellect runpod scp seeweb shadeform vast verda vsphere
"""
PUBLIC_CLOUDS = frozenset(_CLOUDS.split())
OWN_CLUSTERS = frozenset({"k8s", "kubernetes", "slurm", "ssh", "local"})
STRATEGIES = ("EAGER_NEXT_REGION", "FAILOVER", "NONE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What `resources` says of the job. `ours`: our labels of the job by their name without prefix."""

    variants: tuple[Variant, ...]
    ordered: bool = False
    priority: int = 0
    max_recoveries: int | None = None
    max_restarts_on_errors: int = 0
    recover_on_exit_codes: tuple[int, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    ours: dict[str, str] = field(default_factory=dict)


def read_resources(
    value: Any, findings: Findings, *, priority_classes: Mapping[str, int], elsewhere: Mapping[str, str]
) -> Resources:
    """The whole of `resources`; what is wrong goes into `findings`."""
    where = "resources"
    outer = fields_of(
        {} if value is None else value, where, findings, known=RESOURCE_FIELDS, refused=REFUSED, elsewhere=elsewhere
    )
    variants, ordered = _variants(outer, findings)
    strategy, restarts, exit_codes = _recovery(outer, findings)
    labels = _labels(outer, findings)
    return Resources(
        variants=variants,
        ordered=ordered,
        priority=_priority(outer, findings, priority_classes),
        max_recoveries=0 if strategy == "NONE" else None,
        max_restarts_on_errors=restarts,
        recover_on_exit_codes=exit_codes,
        labels={key: text for key, text in labels.items() if not key.startswith(PREFIX)},
        ours={key.removeprefix(PREFIX): text for key, text in labels.items() if key.startswith(PREFIX)},
    )


def _variants(outer: Fields, findings: Findings) -> tuple[tuple[Variant, ...], bool]:
    """The ways to run the job, and whether their order is a preference."""
    lists = [key for key in ("any_of", "ordered") if outer.has(key)]
    if len(lists) > 1:
        findings.refuse(InvalidInput("resources", "any_of and ordered", "one of the two"))
    _note_ignored(outer, findings)
    alone = outer.without(("any_of", "ordered", *_OF_JOB))
    if not lists:
        chips, ordered = _chips(alone, findings)
        return tuple(_variant(alone, chip, findings) for chip in chips), ordered
    nothing: _Entries = ()
    entries = outer.read(lists[0], _entries, nothing)
    ordered = lists[0] == "ordered"
    variants = [
        variant for where, entry in entries for variant in _entry_variants(entry, where, alone, ordered, findings)
    ]
    return tuple(variants), ordered


def _entries(value: Any, where: str) -> _Entries:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_VARIANTS:
        raise InvalidInput(where, shown(value), f"a list of 1 to {MAX_VARIANTS} entries")
    return tuple((f"{where}[{i}]", entry) for i, entry in enumerate(value))


def _entry_variants(entry: Any, where: str, outer: Fields, ordered: bool, findings: Findings) -> list[Variant]:
    """An entry with what it inherits; a free choice of chips multiplies it."""
    elsewhere = {key: f"resources.{key}, once for the whole job" for key in (*_OF_JOB, "any_of", "ordered")}
    own = fields_of(entry, where, findings, known=ENTRY_FIELDS, refused=REFUSED, elsewhere=elsewhere)
    _note_ignored(own, findings)
    _check_entry_labels(own, findings)
    if any(key in own.values for key in ("accelerators", "gpus")):
        outer = outer.without(("accelerators", "gpus"))
    if own.has("infra") or own.has("labels"):
        outer = outer.without((*_PLACE, "labels"))
    elif any(own.has(key) for key in _PLACE):
        outer = outer.without(("infra", "labels"))
    both = own.inheriting(outer)
    chips, chips_ordered = _chips(both, findings)
    if len(chips) > 1 and (ordered or chips_ordered):
        allowed = "one chip in each entry: a preference among entries and another among chips cannot be weighed"
        findings.refuse(InvalidInput(path(where, "accelerators"), f"{len(chips)} chips", allowed))
    return [_variant(both, chip, findings) for chip in chips]


def _chips(fields: Fields, findings: Findings) -> tuple[tuple[_Chip, ...], bool]:
    """The choices of chips; (None,) for a job without accelerators."""
    if fields.has("gpus") and fields.has("accelerators"):
        findings.refuse(
            InvalidInput(fields.paths["gpus"], "gpus and accelerators", "one of the two: gpus is the alias")
        )
    key = "gpus" if fields.has("gpus") else "accelerators"
    choice = fields.read(key, readers.accelerators, None)
    return choice or ((None,), False)


def _variant(fields: Fields, chip: _Chip, findings: Findings) -> Variant:
    cpus = fields.read("cpus", readers.cpus, 1)
    if not chip and not fields.has("cpus"):
        findings.note(
            "NO_CPUS", "resources.cpus", "neither accelerators nor cpus: one CPU core per node is taken", cpus=1
        )
    if fields.has("max_hourly_cost"):
        findings.note(
            "MAX_HOURLY_COST_READ_AS_YUAN",
            fields.paths["max_hourly_cost"],
            "the price limit is read as yuan per hour for the whole job: the network charges in yuan, not in dollars",
            yuan_per_hour=fields.values["max_hourly_cost"],
        )
    return Variant(
        chip=chip[0] if chip else readers.CPU,
        chips_per_node=chip[1] if chip else cpus,
        cpus_per_node=cpus,
        memory_gib_per_node=fields.read("memory", readers.memory, 0.0),
        image=fields.read("image_id", readers.image, None),
        preemptible=fields.read("use_spot", readers.yes_or_no, False),
        centre=_centre(fields, findings),
        max_fen_per_hour=fields.read("max_hourly_cost", readers.yuan_per_hour, None),
    )


def _centre(fields: Fields, findings: Findings) -> str | None:
    """The centre that the variant is pinned to, by our label or by `infra: suanwang/<centre>`."""
    labels = fields.values.get("labels")
    name = f"{PREFIX}centre"
    labelled = labels.get(name) if isinstance(labels, dict) else None
    by_label = None
    if labelled is not None:
        place = path(fields.paths["labels"], name)
        by_label = Fields({name: labelled}, {name: place}, findings).read(name, readers.centre, None)
    by_place = _centre_of_place(fields, findings)
    if by_label and by_place and by_label != by_place:
        findings.refuse(
            InvalidInput(path(fields.paths["labels"], name), by_label, f"{by_place}, as infra says, or one of the two")
        )
    return by_label or by_place


def _centre_of_place(fields: Fields, findings: Findings) -> str | None:
    given = [key for key in _PLACE if fields.has(key)]
    if not given:
        return None
    where = fields.paths[given[0]]
    written = {key: fields.read(key, readers.word, "") for key in given}
    if "infra" in written and len(given) > 1:
        findings.refuse(InvalidInput(where, written["infra"], "infra alone, or cloud, region and zone"))
    place = written.get("infra") or "/".join(written.get(key) or "*" for key in ("cloud", "region", "zone"))
    while place.endswith("/*"):
        place = place.removesuffix("/*")
    network, _, rest = place.partition("/")
    if network.lower() in PUBLIC_CLOUDS:
        message = f"{place} is no part of this network: any centre that has the chips may run the job"
        findings.note("PUBLIC_CLOUD_IGNORED", where, message, place=place)
    elif network.lower() in OWN_CLUSTERS:
        message = f"{place} is a cluster of your own: any centre of the network that has the chips may run the job"
        findings.note("OWN_CLUSTER_IGNORED", where, message, place=place)
    elif network == "*" and rest:
        message = f"{place} names a region of a public cloud: any centre that has the chips may run the job"
        findings.note("PUBLIC_CLOUD_IGNORED", where, message, place=place)
    elif network.lower() == "suanwang" and rest:
        return Fields({"infra": rest}, {"infra": where}, findings).read("infra", readers.centre, None)
    elif network.lower() not in ("suanwang", "*"):
        meant = close_to(network, (*PUBLIC_CLOUDS, "suanwang"))
        hint = f"; did you mean {meant}?" if meant else ""
        findings.refuse(InvalidInput(where, place, f"suanwang/<centre> for one centre, or leave it out{hint}"))
    return None


def _note_ignored(fields: Fields, findings: Findings) -> None:
    for key, message in IGNORED.items():
        if not fields.has(key):
            continue
        value = fields.read(key, readers.size if key == "disk_size" else readers.word, None)
        tiers = _TIERS.get(key)
        if isinstance(value, str) and tiers and value.lower() not in tiers:
            findings.refuse(InvalidInput(fields.paths[key], value, f"one of {', '.join(tiers)}"))
        elif value is not None:
            findings.note(f"{key.upper()}_IGNORED", fields.paths[key], message, value=fields.values[key])


def _recovery(fields: Fields, findings: Findings) -> tuple[str | None, int, tuple[int, ...]]:
    """Strategy (None: ours), restarts on errors, exit codes that always restart."""
    value, where = fields.values.get("job_recovery"), "resources.job_recovery"
    if value is None:
        return None, 0, ()
    if isinstance(value, str):
        value = {"strategy": value}
    policy = fields_of(value, where, findings, known=("strategy", "max_restarts_on_errors", "recover_on_exit_codes"))
    strategy = policy.read("strategy", _strategy, None)
    if strategy == "NONE":
        findings.note("NO_RECOVERY", where, "the job is not started again after a failure of the centre")
    elif strategy is not None:
        message = (
            "the network itself chooses where a job recovers: at the centre of its checkpoint first, else elsewhere"
        )
        findings.note("RECOVERY_STRATEGY_IGNORED", where, message, strategy=strategy)
    return (
        strategy,
        policy.read("max_restarts_on_errors", readers.restarts, 0),
        policy.read("recover_on_exit_codes", readers.exit_codes, ()),
    )


def _strategy(value: Any, where: str) -> str:
    if not isinstance(value, str) or value.upper() not in STRATEGIES:
        raise InvalidInput(where, shown(value), f"one of {', '.join(STRATEGIES)}")
    return value.upper()


def _priority(fields: Fields, findings: Findings, classes: Mapping[str, int]) -> int:
    number = fields.read("priority", readers.whole_number, None)
    name = fields.read("priority_class", readers.word, None)
    if name is None:
        return number or 0
    where = fields.paths["priority_class"]
    if number is not None:
        findings.refuse(InvalidInput(where, name, "priority or priority_class, not both"))
    if name not in classes:
        allowed = (
            f"one of {', '.join(sorted(classes))}"
            if classes
            else "no classes are defined here; give priority as a number"
        )
        findings.refuse(InvalidInput(where, name, allowed, code="UNKNOWN_PRIORITY_CLASS"))
    return classes.get(name, 0)


def _labels(fields: Fields, findings: Findings) -> dict[str, str]:
    """The labels of the job as texts; our own must be known."""
    value = fields.values.get("labels")
    if value is None:
        return {}
    where = "resources.labels"
    if not isinstance(value, dict):
        findings.refuse(InvalidInput(where, shown(value), "a mapping of texts"))
        return {}
    labels = {}
    for key, text in value.items():
        if isinstance(key, str) and key.startswith(PREFIX) and key.removeprefix(PREFIX) not in LABELS:
            problem = unknown_key(key, where, [PREFIX + name for name in LABELS])
            findings.refuse(InvalidInput(problem.facts["field"], key, problem.facts["allowed"], code="UNKNOWN_LABEL"))
            continue
        try:
            labels[readers.label(key, where)] = readers.label(text, path(where, key))
        except InvalidInput as error:
            findings.refuse(error)
    return labels


def _check_entry_labels(entry: Fields, findings: Findings) -> None:
    """Labels belong to the job; in an entry only the centre has a meaning."""
    value = entry.values.get("labels")
    if value is None:
        return
    where = entry.paths["labels"]
    if not isinstance(value, dict):
        findings.refuse(InvalidInput(where, shown(value), "a mapping of texts"))
        return
    allowed = f"{PREFIX}centre alone in an entry; other labels are the job's: put them under resources.labels"
    for key in value:
        if key != f"{PREFIX}centre":
            findings.refuse(InvalidInput(path(where, key), shown(key), allowed))

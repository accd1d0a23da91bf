"""A SkyPilot task file -> JobSpec."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from suanwang.boundedyaml import load_yaml
from suanwang.domain.job import BlobWorkdir, GitWorkdir, JobSpec, Objective, Variant, check
from suanwang.errors import InvalidInput
from suanwang.skyenv import NETWORK_VARIABLES
from suanwang.taskfile import readers
from suanwang.taskfile.findings import (
    Fields,
    Findings,
    TaskRefused,
    fields_of,
    is_nothing,
    path,
    shown,
)
from suanwang.taskfile.resources import PREFIX, RESOURCE_FIELDS, Resources, read_resources
from suanwang.taskfile.scripts import note_habits
from suanwang.units import SECONDS_PER_HOUR, duration_s
from suanwang.wire import Notice

MAX_TASK_BYTES = 2**20

TASK_FIELDS = (
    "name",
    "workdir",
    "num_nodes",
    "resources",
    "envs",
    "setup",
    "run",
    "inputs",
    "outputs",
    "file_mounts",
    "secrets",
)
REFUSED = {
    "service": "the network runs jobs that end, it serves no endpoints yet; run inference as a batch job",
    "pool": "pools of waiting workers are not offered; submit the jobs themselves",
    "volumes": "volumes of clouds cannot be mounted here; put files in the workdir or fetch them in setup",
    "config": "configuration of SkyPilot itself has no meaning here; say what the job needs under resources",
    "event_callback": "the network calls nobody back; watch the job instead",
    "managed_secrets": "the hub keeps no secrets yet; let the job fetch them at run time from your own store",
    "api_server_access": "there is no SkyPilot API server here",
}
_IN_RESOURCES = {key: f"resources.{key}" for key in RESOURCE_FIELDS}
_AT_TOP = {
    key: f"{key}, outside of resources" for key in (*TASK_FIELDS, *REFUSED) if key not in ("resources", "volumes")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOverrides:
    """What was said at submit and goes before the file. `workdir_sha256`: the archive uploaded for the workdir."""

    name: str | None = None
    walltime_s: int | None = None
    envs: Mapping[str, str] = field(default_factory=dict)
    workdir_sha256: str | None = None
    objective: Objective | None = None
    voucher: str | None = None
    project: str | None = None
    max_cost_fen: int | None = None
    use: str | None = None
    priority: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDefaults:
    """What holds where neither file nor submit say anything. `priority_classes`: known classes and their numbers."""

    name: str = "job"
    walltime_s: int = SECONDS_PER_HOUR
    use: str = "training"
    objective: Objective = Objective.BALANCED
    priority_classes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskReading:
    """A task file as a job. `notices`: what was assumed or left out, worth telling the tenant."""

    spec: JobSpec
    notices: tuple[Notice, ...]


NOTHING_SAID = TaskOverrides()
DEFAULTS = TaskDefaults()


def read_task(text: str, *, overrides: TaskOverrides = NOTHING_SAID, defaults: TaskDefaults = DEFAULTS) -> TaskReading:
    """Read a SkyPilot task file. What was given at submit goes before the file's labels, these before the defaults.

    Raises TaskRefused with every problem of the file at once.
    """
    findings = Findings()
    try:
        document = _document(text)
    except InvalidInput as error:
        findings.refuse(error)
        raise TaskRefused(findings.problems) from None
    task = fields_of(document, "", findings, known=TASK_FIELDS, refused=REFUSED, elsewhere=_IN_RESOURCES)
    resources = read_resources(
        task.values.get("resources"), findings, priority_classes=defaults.priority_classes, elsewhere=_AT_TOP
    )
    spec = _spec(task, resources, findings, overrides, defaults)
    _check(spec, findings)
    findings.raise_if_any()
    note_habits(spec.setup, spec.run, findings)
    return TaskReading(spec, tuple(findings.notices.values()))


def _document(text: str) -> dict[Any, Any]:
    """The one mapping of the file. Raises InvalidInput."""
    if "\0" in text:
        raise InvalidInput("task file", "a NUL character", "text in UTF-8: this is a binary file or UTF-16")
    text = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")  # a byte order mark says nothing in UTF-8
    try:
        document = load_yaml(text, max_bytes=MAX_TASK_BYTES)
    except InvalidInput:
        tasks = _count_documents(text)
        if tasks > 1:
            allowed = "one task in one file: submit the tasks of a pipeline one by one, each after the end of the last"
            raise InvalidInput("task file", f"{tasks} documents", allowed, code="PIPELINE_REFUSED") from None
        raise
    if document is None:
        raise InvalidInput("task file", "nothing", "a task: at least `run: COMMAND`", code="EMPTY_FILE")
    if not isinstance(document, dict):
        raise InvalidInput("task file", shown(document), "a mapping like `run: COMMAND`, one key on each line")
    return document


def _count_documents(text: str) -> int:
    """Documents that hold more than comments; a line of `---` parts them wherever it stands."""
    parts = re.split(r"(?m)^---(?=\s|$)", text)
    return sum(
        any(line.strip() and not line.lstrip().startswith(("#", "%")) for line in part.splitlines()) for part in parts
    )


def _spec(
    task: Fields, resources: Resources, findings: Findings, overrides: TaskOverrides, defaults: TaskDefaults
) -> JobSpec:
    _refuse_file_mounts(task, findings)
    _refuse_secrets(task, findings)
    ours = Fields(resources.ours, {key: f"resources.labels.{PREFIX}{key}" for key in resources.ours}, findings)
    given = {"use": overrides.use, "voucher": overrides.voucher, "project": overrides.project}
    said = Fields(given, {key: key for key in given}, findings)
    envs = _envs(task, findings, overrides.envs)
    spec = JobSpec(
        name=_first(overrides.name, task.read("name", readers.text, None), defaults.name),
        variants=resources.variants or _SOUND.variants,
        ordered=resources.ordered,
        run=task.read("run", readers.text, ""),
        setup=task.read("setup", readers.text, ""),
        num_nodes=task.read("num_nodes", readers.whole_number, 1),
        walltime_s=_walltime(ours, findings, overrides, defaults),
        envs=envs,
        workdir=_workdir(task, envs, findings, overrides.workdir_sha256),
        objective=_first(overrides.objective, ours.read("objective", readers.objective, None), defaults.objective),
        priority=_first(overrides.priority, resources.priority, 0),
        max_cost_fen=_first(overrides.max_cost_fen, ours.read("max-cost", readers.max_cost, None)),
        use=_first(said.read("use", readers.use, None), ours.read("use", readers.use, None), defaults.use),
        voucher=_first(said.read("voucher", readers.voucher, None), ours.read("voucher", readers.voucher, None)),
        project=_first(said.read("project", readers.project, None), ours.read("project", readers.project, None)),
        max_restarts_on_errors=resources.max_restarts_on_errors,
        recover_on_exit_codes=resources.recover_on_exit_codes,
        preemptible=ours.read("preemptible", readers.said_yes_or_no, False),
        checkpoint_every_s=ours.read("checkpoint-every", duration_s, 0),
        labels={**resources.labels, **_place_labels(task, findings)},
        within=ours.read("within", readers.within, "pool"),
        booking=ours.read("booking", readers.booking, None),
    )
    return spec if resources.max_recoveries is None else replace(spec, max_recoveries=resources.max_recoveries)


def _first(*values: Any) -> Any:
    """The first that was given."""
    return next((value for value in values if value is not None), None)


_SOUND = JobSpec(name="job", variants=(Variant(readers.CPU, 1),), run="true")
_PATH_OF_FIELD = {
    "priority": "resources.priority",
    "walltime_s": f"resources.labels.{PREFIX}walltime",
    "max_cost_fen": f"resources.labels.{PREFIX}max-cost",
    "checkpoint_every_s": f"resources.labels.{PREFIX}checkpoint-every",
    "max_restarts_on_errors": "resources.job_recovery.max_restarts_on_errors",
    "labels": "resources.labels",
    "variants": "resources",
}


def _check(spec: JobSpec, findings: Findings) -> None:
    """Ask the domain, and ask again with each refused field made sound: every problem comes to light at once."""
    for _ in JobSpec.__slots__:
        try:
            check(spec)
        except InvalidInput as error:
            name = re.split(r"[.\[]", error.facts["field"])[0]
            where = _PATH_OF_FIELD.get(name, error.facts["field"])
            if not any(problem["field"] == where for problem in findings.problems):
                findings.refuse(InvalidInput(where, error.facts["value"], error.facts["allowed"], code=error.code))
            spec = replace(spec, **{name: getattr(_SOUND, name)})
        else:
            return


def _walltime(ours: Fields, findings: Findings, overrides: TaskOverrides, defaults: TaskDefaults) -> int:
    labelled = ours.read("walltime", duration_s, None)
    if overrides.walltime_s is not None:
        return overrides.walltime_s
    if labelled is not None:
        return labelled
    where = f"resources.labels.{PREFIX}walltime"
    message = f"the file gives no time limit: {defaults.walltime_s} s are taken, and a job that reaches them is ended"
    findings.note("NO_WALLTIME", where, message, walltime_s=defaults.walltime_s)
    return defaults.walltime_s


def _envs(task: Fields, findings: Findings, given: Mapping[str, str]) -> dict[str, str]:
    """The file's variables with what was given at submit; a null that nobody gave is a problem."""
    written = task.values.get("envs")
    if written is not None and not isinstance(written, dict):
        findings.refuse(InvalidInput("envs", shown(written), "a mapping NAME: value"))
        written = None
    envs = {}
    for name, value in {**(written or {}), **given}.items():
        where = path("envs", name)
        try:
            _check_env_name(name, where)
            if value is None:
                raise InvalidInput(where, None, f"a value given at submit: {name}=…", code="ENV_MISSING")
            envs[name] = readers.env(value, where)
        except InvalidInput as error:
            findings.refuse(error)
            continue
        if isinstance(value, bool):
            findings.note(
                "ENV_READ_AS_BOOLEAN",
                where,
                f"YAML reads this as a boolean, the job sees {envs[name]!r}; quote it",
                value=envs[name],
            )
        elif isinstance(value, str) and "${" in value:
            findings.note("ENV_NOT_EXPANDED", where, "values are passed on as they are, ${…} is not filled in")
    if any(name.startswith("SKYPILOT_DOCKER_") for name in envs):
        findings.note(
            "DOCKER_LOGIN_IGNORED",
            "envs",
            "centres log in to no private registry for a job; use an image that is open to them",
        )
    return envs


def _check_env_name(name: Any, where: str) -> None:
    readers.env_name(name, where)
    if name in NETWORK_VARIABLES or name.startswith("SUANWANG_"):
        raise InvalidInput(where, name, "another name: the network itself sets this variable", code="ENV_RESERVED")


def _workdir(
    task: Fields, envs: Mapping[str, str], findings: Findings, sha256: str | None
) -> BlobWorkdir | GitWorkdir | None:
    written = task.values.get("workdir")
    if isinstance(written, dict):
        parts = fields_of(written, "workdir", findings, known=("url", "ref"))
        if sha256 is not None:
            findings.refuse(
                InvalidInput("workdir", "a git repository", "either the repository or an uploaded archive, not both")
            )
        url, ref = (_filled(parts.values.get(key), envs) for key in ("url", "ref"))
        try:
            return readers.git_workdir(url, ref, "workdir")
        except InvalidInput as error:
            findings.refuse(error)
            return None
    local = task.read("workdir", readers.word, None)
    if sha256 is not None:
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            findings.refuse(
                InvalidInput("workdir", sha256, "the SHA-256 of the uploaded archive: 64 hexadecimal digits")
            )
        return BlobWorkdir(sha256)
    if local:
        message = f"{local} is on your machine: upload it with the job, or it starts in an empty directory"
        findings.note("LOCAL_WORKDIR", "workdir", message, path=_filled(local, envs))
    return None


def _filled(value: Any, envs: Mapping[str, str]) -> Any:
    """`${NAME}` replaced by the variable's value, as SkyPilot does it in `workdir`; unknown names stay."""
    if not isinstance(value, str):
        return value
    return re.sub(r"\$\{(\w+)\}", lambda match: envs.get(match[1], match[0]), value)


def _refuse_file_mounts(task: Fields, findings: Findings) -> None:
    mounts = task.values.get("file_mounts")
    if is_nothing(mounts):
        return
    if not isinstance(mounts, dict):
        findings.refuse(
            InvalidInput(
                "file_mounts", shown(mounts), "nothing: file mounts are not offered", code="FILE_MOUNTS_REFUSED"
            )
        )
        return
    for target, source in mounts.items():
        is_bucket = isinstance(source, dict) or "://" in str(source)
        allowed = (
            "no bucket can be mounted: fetch the data in setup, and let run write its results to your store itself"
            if is_bucket
            else "files are not copied one by one: put them in the workdir, which is uploaded as a whole"
        )
        where = path("file_mounts", target)
        findings.refuse(
            InvalidInput(where, "a bucket" if is_bucket else shown(source), allowed, code="FILE_MOUNTS_REFUSED")
        )


def _refuse_secrets(task: Fields, findings: Findings) -> None:
    """Names alone: a secret is never repeated."""
    secrets = task.values.get("secrets")
    if is_nothing(secrets):
        return
    allowed = "the hub keeps no secrets yet: let the job fetch it at run time from your own store"
    names = list(secrets) if isinstance(secrets, dict) else ["(list)"]
    for name in names:
        findings.refuse(InvalidInput(path("secrets", name), "a secret", allowed, code="SECRETS_REFUSED"))


def _place_labels(task: Fields, findings: Findings) -> dict[str, str]:
    """`inputs` and `outputs`, one `{uri: GB}` each, kept as labels: the network does not move data by them."""
    labels = {}
    for key in ("inputs", "outputs"):
        value = task.read(key, _one_place, None)
        if value is not None:
            labels[PREFIX + key] = value
            findings.note(
                "DATA_NOT_MOVED",
                key,
                f"{key} are kept as a label; the job itself fetches and writes its data",
                place=value,
            )
    return labels


def _one_place(value: Any, where: str) -> str | None:
    if value == {}:
        return None
    if not isinstance(value, dict) or len(value) != 1:
        raise InvalidInput(where, shown(value), "one {uri: GB}")
    ((uri, gigabytes),) = value.items()
    if (
        not isinstance(uri, str)
        or isinstance(gigabytes, bool)
        or not isinstance(gigabytes, (int, float))
        or gigabytes < 0
    ):
        raise InvalidInput(where, shown(value), "one {uri: GB}, with 0 or more gigabytes")
    return f"{uri} {gigabytes} GB"

"""The inputs of the demonstration: the training is real and survives being killed, every file says what it claims."""

import ast
import csv
import io
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from suanwang.agent.config import read_agent_config
from suanwang.agent.progress import read_progress
from suanwang.boundedyaml import load_yaml
from suanwang.catalogue import read_catalogue
from suanwang.control.providers import check_stated
from suanwang.domain.voucher import (
    Applicant,
    Contract,
    History,
    Outcome,
    Part,
    Programme,
    Provider,
    RefusalCode,
    assess,
    provider_findings,
)
from suanwang.rulesfile import read_programme
from suanwang.taskfile import read_task
from suanwang.units import FEN_PER_YUAN, duration_s

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "examples" / "demo"
SHARED = ROOT.parent / "shared"
CENTRES = ("qingyang", "wuhu", "zhangjiakou")
LIST = "通用人工智能产业创新伙伴计划 算力伙伴"

STEPS, SECONDS = 600, 2
PATIENCE_S = 60.0


# The training ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attempt:
    """One process of the training, with files as an agent gives them."""

    folder: Path
    process: subprocess.Popen[str]

    @property
    def progress(self) -> Path:
        return self.folder / "progress.jsonl"

    @property
    def lines(self) -> list[dict[str, Any]]:
        text = self.progress.read_text() if self.progress.exists() else ""
        return [msgspec.json.decode(line, type=dict[str, Any]) for line in text[: text.rfind("\n") + 1].splitlines()]

    def finish(self) -> str:
        """What it printed, after a good end."""
        said, _ = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0, said
        return said


Start = Callable[..., Attempt]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Start an attempt in a folder of its own, with the checkpoints of `after` if it is given."""
    begun: list[Attempt] = []

    def start_one(after: Attempt | None = None) -> Attempt:
        folder = tmp_path_factory.mktemp("attempt")
        checkpoints = (after.folder if after else folder) / "checkpoint"
        checkpoints.mkdir(exist_ok=True)
        process = subprocess.Popen(
            [sys.executable, str(DEMO / "digits" / "train.py")],
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "STEPS": str(STEPS),
                "SECONDS": str(SECONDS),
                "SUANWANG_PROGRESS_FILE": str(folder / "progress.jsonl"),
                "SUANWANG_CHECKPOINT_DIR": str(checkpoints),
                **({"SUANWANG_RESUME": "1"} if after else {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        begun.append(Attempt(folder, process))
        return begun[-1]

    yield start_one
    for attempt in begun:
        if attempt.process.poll() is None:
            attempt.process.kill()
            attempt.process.communicate()


@pytest.fixture(scope="module")
def undisturbed(start: Start) -> tuple[Attempt, str]:
    attempt = start()
    return attempt, attempt.finish()


def state_in(folder: Path) -> Mapping[str, np.ndarray]:
    """Every array of the one checkpoint in a folder."""
    with np.load(folder / "checkpoint.npz") as saved:
        return {name: saved[name] for name in saved.files}


def test_the_network_learns(undisturbed: tuple[Attempt, str]) -> None:
    attempt, said = undisturbed
    first, last = attempt.lines[0], attempt.lines[-1]
    assert first["accuracy"] < 0.5
    assert last["accuracy"] > 0.9
    assert last["loss"] < first["loss"] / 10
    assert (last["step"], last["total_steps"]) == (STEPS, STEPS)
    assert re.search(rf"test accuracy {last['accuracy']:.4f}, weights [0-9a-f]{{16}}$", said.strip())


def test_an_agent_can_follow_it(undisturbed: tuple[Attempt, str]) -> None:
    attempt, _ = undisturbed
    read = read_progress(attempt.progress, 0, began_s=0, now_s=int(time.time()))
    assert read.offset == attempt.progress.stat().st_size
    assert read.progress is not None
    assert read.progress.step == read.progress.total_steps == STEPS
    assert set(read.progress.metrics) == {"loss", "accuracy"}
    assert read.checkpoint is not None
    assert (read.checkpoint.step, read.checkpoint.entry) == (STEPS, None)
    assert all(type(line["at_s"]) is int for line in attempt.lines)
    steps = [line["step"] for line in attempt.lines]
    assert steps == sorted(steps)
    assert len(steps) > 10


def test_the_pace_is_kept(undisturbed: tuple[Attempt, str]) -> None:
    """Steps are spread over the time that was asked for: no checkpoint says much more than its share of the steps."""
    attempt, _ = undisturbed
    saved = [line["step"] for line in attempt.lines if line.get("checkpoint") is True]
    assert len(saved) >= 5
    assert saved[0] < STEPS / 2


def test_nothing_is_lost_when_it_is_killed(start: Start, undisturbed: tuple[Attempt, str]) -> None:
    """SIGKILL at a random moment, then go on from the checkpoint: the same bits as without."""
    killed = start()
    began = time.monotonic()
    while not any(line.get("checkpoint") for line in killed.lines):
        assert killed.process.poll() is None
        assert time.monotonic() < began + PATIENCE_S
        time.sleep(0.01)
    pause_s = random.uniform(0, SECONDS * 0.6)
    time.sleep(pause_s)
    killed.process.send_signal(signal.SIGKILL)
    killed.process.communicate()
    assert killed.process.returncode == -signal.SIGKILL, f"it ended before it was killed, after {pause_s} s"
    resumed = start(after=killed)
    said = resumed.finish()
    step = int(re.findall(r"^resumed from the checkpoint of step (\d+)$", said, re.MULTILINE)[0])
    reached = killed.lines[-1]["step"]
    last_saved = max(line["step"] for line in killed.lines if line.get("checkpoint"))
    assert 0 < last_saved <= step < STEPS, f"killed at {reached} after {pause_s} s"
    assert resumed.lines[0]["step"] == step
    attempt, said_before = undisturbed
    before, after = state_in(attempt.folder / "checkpoint"), state_in(killed.folder / "checkpoint")
    assert before.keys() == after.keys()
    assert {"step", "rng", "weight_0", "velocity_0"} <= before.keys()
    for name, array in before.items():
        assert array.tobytes() == after[name].tobytes(), f"{name} differs; killed after {pause_s} s at {reached}"
    assert said.splitlines()[-1] == said_before.splitlines()[-1]


# The files ------------------------------------------------------------------------------------------------------------


def yaml_of(path: Path) -> dict[str, Any]:
    document = load_yaml(path.read_text("utf-8"), max_bytes=2**16)
    assert isinstance(document, dict)
    return document


def centre(name: str) -> dict[str, Any]:
    return yaml_of(DEMO / "centres" / f"{name}.yaml")


def programme(name: str) -> Programme:
    return read_programme((DEMO / "programme" / f"{name}.yaml").read_text("utf-8"))


def test_the_task_file_is_a_job() -> None:
    reading = read_task((DEMO / "digits" / "task.yaml").read_text("utf-8"))
    spec = reading.spec
    assert {(variant.chip, variant.chips_per_node) for variant in spec.variants} == {("A100", 1), ("Ascend910B", 1)}
    assert not spec.ordered
    assert (spec.name, spec.walltime_s, spec.use, spec.num_nodes) == ("digits", 180, "training", 1)
    assert spec.envs == {"STEPS": "1500", "SECONDS": "25", "PYTHON": "python3"}
    assert [notice.code for notice in reading.notices] == ["LOCAL_WORKDIR"]
    shell = {"PATH": os.environ.get("PATH", os.defpath), "PYTHON": "echo"}
    assert subprocess.check_output(["bash", "-c", spec.run], env=shell, text=True) == "train.py\n"


def test_a_killed_training_is_seen_as_killed(tmp_path: Path) -> None:
    """Not as a failure of the tenant's own, after which no other attempt would follow."""
    run = read_task((DEMO / "digits" / "task.yaml").read_text("utf-8")).spec.run
    (tmp_path / "run.sh").write_text(run)
    (tmp_path / "train.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    ended = subprocess.run(["bash", "run.sh"], cwd=tmp_path, env={"PYTHON": sys.executable}, check=False)
    assert ended.returncode == -signal.SIGKILL


def test_centres_are_what_an_agent_reads() -> None:
    catalogue = read_catalogue()
    chips = {}
    for name in CENTRES:
        config = read_agent_config(centre(name))
        assert (config.centre_id, config.driver) == (name, "local")
        (pool,) = config.pools
        chips[catalogue.chip(pool.chip_id).id] = [node.chips for node in pool.nodes]
    assert chips == {"a100-sxm-80g": [8, 8], "ascend-910b3": [4, 4, 4], "ascend-910b4": [8]}
    assert sorted(path.stem for path in (DEMO / "centres").iterdir()) == list(CENTRES)


def test_centres_are_what_the_network_reads() -> None:
    centrefile = pytest.importorskip("suanwang.centrefile", reason="the reader of centre files is not there")
    for name in CENTRES:
        text = (DEMO / "centres" / f"{name}.yaml").read_text("utf-8")
        joining = centrefile.read_centre_file(text, organisation_id=f"{name}-centre")
        file = centre(name)
        assert (joining.id, joining.city, joining.provider) == (
            name,
            file["centre"]["city"],
            file["centre"]["provider"],
        )
        ((pool,), (written,)) = joining.pools, file["pools"]
        assert pool.fen_per_chip_hour == written["offer"]["fen_per_chip_hour"]
        assert pool.max_walltime_s == duration_s(written["offer"]["max_walltime"])


def test_centres_state_their_peaks() -> None:
    for name in CENTRES:
        file = centre(name)
        (pool,) = file["pools"]
        peak_tflops = read_catalogue().chip(pool["chip"]).fp16_tflops
        assert peak_tflops is not None
        chips = pool["nodes"]["count"] * pool["nodes"]["chips"]
        assert file["centre"]["provider"]["pflops"] == pytest.approx(peak_tflops * chips / 1000)


def test_one_centre_takes_short_jobs_only() -> None:
    walltime_s = read_task((DEMO / "digits" / "task.yaml").read_text("utf-8")).spec.walltime_s
    offers = {name: centre(name)["pools"][0]["offer"] for name in CENTRES}
    longest_s = {name: duration_s(offer["max_walltime"]) for name, offer in offers.items()}
    assert {name for name in CENTRES if longest_s[name] < walltime_s} == {"qingyang"}
    assert longest_s["qingyang"] > 60, "it still takes the arrivals"
    prices_fen = {name: offer["fen_per_chip_hour"] for name, offer in offers.items()}
    assert prices_fen["qingyang"] < prices_fen["wuhu"] < prices_fen["zhangjiakou"]
    assert prices_fen["wuhu"] * 8 // 10 < prices_fen["qingyang"], "a voucher turns the order"


@pytest.mark.skipif(not (SHARED / "facts").exists(), reason="the fact sheets are not here")
def test_places_and_the_price_are_those_of_the_fact_sheets() -> None:
    places = {row["id"]: row for row in csv.DictReader((SHARED / "facts/clusters.csv").read_text().splitlines())}
    for name in CENTRES:
        told = centre(name)["centre"]
        place = places[name]
        assert (told["latitude"], told["longitude"]) == (float(place["latitude"]), float(place["longitude"]))
        assert told["city"] == place["name_zh"]
    chips = {row["id"]: row for row in csv.DictReader((SHARED / "facts/chips.csv").read_text().splitlines())}
    price_fen = centre("zhangjiakou")["pools"][0]["offer"]["fen_per_chip_hour"]
    assert price_fen == round(float(chips["a100-sxm-80g"]["price_usd_per_hour"]) * 7.2 * FEN_PER_YUAN)
    assert not any(chips[chip]["price_usd_per_hour"] for chip in ("ascend-910b3", "ascend-910b4"))


def test_the_programme_is_the_published_one() -> None:
    published = (ROOT / "tests/data/voucher_rules.yaml").read_text("utf-8")
    assert programme("beijing-2023") == read_programme(published, "beijing-2023")


def test_the_extended_programme_differs_in_its_end_alone() -> None:
    rules, extended = programme("beijing-2023"), programme("beijing-2023-extended")
    assert rules.valid_to == date(2025, 12, 31)
    assert extended.id != rules.id
    assert replace(rules, id=extended.id, name_zh=extended.name_zh, valid_to=None) == extended


def put_on_list() -> tuple[tuple[str, ...], str]:
    """Whom the officer of the story puts on which list."""
    (line,) = re.findall(r"^PARTNERS, PARTNER_LIST = (.+)$", (DEMO / "story.py").read_text("utf-8"), re.MULTILINE)
    names, of_list = ast.literal_eval(line)
    return names, of_list


def providers(rules: Programme) -> dict[str, Provider]:
    """The centres as a programme sees them: on its list if the officer of the story puts them there."""
    partners, of_list = put_on_list()
    seen = {}
    for name in CENTRES:
        facts = centre(name)["centre"]["provider"]
        check_stated(facts)
        listed = name in partners and of_list in (rules.providers.list or ())
        seen[name] = replace(msgspec.convert(facts, Provider), id=name, listed=listed)
    return seen


def applicant() -> Applicant:
    facts = yaml_of(DEMO / "startup.yaml")
    assert facts.keys() <= set(Applicant.__dataclass_fields__)
    return msgspec.convert(facts, Applicant)


def contract_of(rules: Programme) -> Contract:
    return Contract(
        id="c-1",
        parts=(Part("intelligent", 100_000_00), Part("storage", 5_000_00)),
        providers=tuple(seen for seen in providers(rules).values() if seen.listed),
        signed_on=date(2026, 3, 1),
        term_days=90,
        uses=("training",),
        project_tags=rules.eligibility.project_tags,
    )


def test_the_startup_gets_a_voucher_for_two_of_three_centres() -> None:
    rules = programme("beijing-2023-extended")
    refused = {
        name: [f.refusal.code for f in provider_findings(rules, seen)] for name, seen in providers(rules).items()
    }
    assert refused == {"zhangjiakou": [], "wuhu": [], "qingyang": [RefusalCode.PROVIDER_NOT_ELIGIBLE]}
    found = assess(rules, applicant(), contract_of(rules), History(), on=date(2026, 3, 2))
    assert (found.outcome, found.amount_fen) == (Outcome.GRANT, 20_000_00)


def test_the_rules_that_ended_refuse_a_claim_of_today() -> None:
    rules = programme("beijing-2023")
    found = assess(rules, applicant(), contract_of(rules), History(), on=date(2026, 3, 2))
    assert {refusal.code for refusal in found.refusals} == {RefusalCode.EXPIRED}


# The arrivals ---------------------------------------------------------------------------------------------------------


def arrivals() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((DEMO / "arrivals.csv").read_text())))


def test_arrivals_are_whole_jobs_that_fit() -> None:
    rows = arrivals()
    assert len({row["job"] for row in rows}) == len(rows) == 40
    submits_s = [int(row["submit_s"]) for row in rows]
    assert submits_s == sorted(submits_s)
    assert submits_s[0] == 0
    assert {int(row["gpus"]) for row in rows} == {1, 2, 4, 8}
    largest = max(
        node.chips for name in CENTRES for pool in read_agent_config(centre(name)).pools for node in pool.nodes
    )
    assert max(int(row["gpus"]) for row in rows) <= largest


def test_the_scale_that_sources_name_gives_what_they_say() -> None:
    said = (DEMO / "SOURCES.md").read_text("utf-8")

    def divisor(column: str) -> int:
        return int(re.findall(rf"`{column}` by ([\d,]+)", said)[0].replace(",", ""))

    rows = arrivals()
    submits_s = [int(row["submit_s"]) / divisor("submit_s") for row in rows]
    scaled_s = [int(row["run_s"]) / divisor("run_s") for row in rows]
    runs_s = [max(1.0, run_s) for run_s in scaled_s]
    assert f"the last job comes after {submits_s[-1]:.1f} s" in said
    assert f"the median is {statistics.median(runs_s):.1f} s, the longest job {max(runs_s):.1f} s" in said
    assert f"and {sum(run_s < 1 for run_s in scaled_s)} jobs are lifted to 1 s" in said
    assert submits_s[-1] <= 40.05
    assert 3 <= statistics.median(runs_s) <= 6.05
    assert max(runs_s) <= 20


def test_arrivals_are_cut_from_the_trace() -> None:
    trace = SHARED / "traces" / "philly" / "philly.csv.gz"
    if not trace.exists():
        pytest.skip("the trace is not here")
    cut = subprocess.check_output([sys.executable, str(DEMO / "cut_arrivals.py"), str(trace)], text=True)
    assert cut == (DEMO / "arrivals.csv").read_text()

"""What people see: tables made of the hub's answers."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from suanwang.cli.bill import settlement_table
from suanwang.cli.centre import centre_table
from suanwang.cli.explain import explanation, explanation_view
from suanwang.cli.joblines import job_table
from suanwang.cli.prove import proof_table
from suanwang.cli.quote import BEST, best_line, quote_table
from suanwang.cli.receipt import receipt_view
from suanwang.cli.settlement import batch_table, batch_view, due_table, proposal_view
from suanwang.cli.trace import trail_view
from suanwang.cli.voucher import claim_table, claim_view
from suanwang.domain.job import JobSpec, JobState, Phase, Variant
from suanwang.domain.seal import Wrong
from suanwang.export.trail import Trail, TrailStep
from suanwang.i18n import speaking
from suanwang.wire import (
    AttemptLine,
    CentreLine,
    ChargeLine,
    ClaimAnswer,
    Due,
    EventLine,
    HeldBack,
    JobLine,
    Notice,
    Payment,
    PoolLine,
    Proof,
    Proofs,
    Proposal,
    Quote,
    QuoteLine,
    Reason,
    Receipt,
    Settlement,
    SettlementBatch,
    SettlementLine,
    SettlementStep,
    TransferLine,
    UsageLine,
)
from tests.cli.conftest import shown

START_S = 1_700_000_000
JOB = "1d6705c3-305d-52a9-a7b3-4c9db12aedb5"
OVER_LIMIT = Reason("WALLTIME_OVER_LIMIT", {"max_walltime_s": 120, "wanted_walltime_s": 7_500})


def quote_line(centre_id: str, *, start_s: int = START_S, own_fen: int = 0, accepted: bool = True) -> QuoteLine:
    priced: dict[str, Any] = {
        "start_s": start_s,
        "finish_s": start_s + 7_500,
        "price_fen": own_fen + 100_000,
        "voucher_fen": 100_000,
        "own_fen": own_fen,
    }
    reason = Reason("FITS", {"fen_per_chip_hour": 2_100}) if accepted else OVER_LIMIT
    names = (centre_id, centre_id.title(), f"{centre_id}智算中心", "北京", f"{centre_id}-pool", "a100-sxm-80g")
    return QuoteLine(*names, accepted, reason, **(priced if accepted else {}))


def quote_of(*lines: QuoteLine) -> Quote:
    notice = Notice("NO_WALLTIME", "resources.labels", "no limit", {"walltime_s": 3_600})
    return Quote("train", 7_500, START_S, list(lines), [notice], "13d93bfa-4cf5", "offset")


def test_quote_marks_the_best_line() -> None:
    dear = quote_line("east", own_fen=250_000)
    cheap = quote_line("west", own_fen=123_456, start_s=START_S + 600)
    refused = quote_line("north", accepted=False)
    with speaking("en"):
        text = shown(quote_table(quote_of(dear, cheap, refused)))
    lines = {
        name: next(line for line in text.splitlines() if name in line and "a100" in line)
        for name in ("East", "West", "North")
    }
    assert BEST in lines["West"]
    assert BEST not in lines["East"] + lines["North"]
    assert "1,234.56" in lines["West"]
    assert "2,234.56" in lines["West"]
    assert "refused" in lines["North"]
    assert "North: it takes jobs of at most 2m, the job asks for 2h05m" in text
    assert "notice: resources.labels: no time limit is given: 1h is taken" in text
    assert "voucher 13d93bfa: taken off the bill" in text
    assert best_line([dear, cheap, refused], "soonest") is dear
    assert best_line([refused], None) is None


def test_quote_in_chinese() -> None:
    with speaking("zh"):
        text = shown(quote_table(quote_of(quote_line("east", own_fen=1), quote_line("north", accepted=False))))
    assert "east智算中心" in text
    assert "自付" in text
    assert "只接受时限不超过 2m 的作业，此作业要求 2h05m" in text
    assert "East" not in text


def job_line(**changes: Any) -> JobLine:
    line: dict[str, Any] = {
        "id": JOB,
        "number": 7,
        "name": "train [bold]",
        "tenant_id": "acme",
        "state": JobState.RUNNING,
        "attempts": 1,
        "centre_id": "east",
        "pool_id": "east-pool",
        "phase": Phase.RUNNING,
        "unseen": False,
        "submitted_s": START_S,
        "started_s": START_S,
        "ended_s": None,
        "estimate_fen": 100,
        "charged_fen": 2,
        "voucher_fen": 0,
        "reason": Reason("RUNNING", {"centre": "east", "attempt": 1}),
        "progress": {"step": 340, "total_steps": 1_500},
    }
    return JobLine(**{**line, **changes})


def test_jobs() -> None:
    with speaking("en"):
        text = shown(job_table([job_line(), job_line(unseen=True, progress=None)], "running 2"))
    assert "340/1500" in text
    assert "runs at east, attempt 1" in text
    assert "running (unseen)" in text
    assert "train [bold]" in text, "what tenants write is no markup"


def test_a_narrow_terminal_keeps_ids_and_amounts_whole() -> None:
    with speaking("en"):
        jobs = shown(job_table([job_line(name="a long name of a job " * 3, charged_fen=123_456)]), width=80)
        claims = shown(
            claim_table([ClaimAnswer(JOB, "p" * 30, "granted", 9, 9, 9, 9, [], [], [], "s", None, [], {})]), 80
        )
        quotes = shown(quote_table(quote_of(quote_line("a-centre", own_fen=10**7))), 80)
        wide = shown(quote_table(quote_of(quote_line("a-centre", own_fen=10**10))), 80)
    assert "340/1500" in jobs
    assert "A-Centre" in quotes
    assert "100,000.00" in quotes
    assert "100,000,000.00" in wide, "too wide, but whole"
    assert "1,234.56" in jobs
    assert "running" in jobs
    assert JOB in claims


def attempt_line(number: int, pool_id: str, **changes: Any) -> AttemptLine:
    outlook = [
        {
            "pool_id": "east-pool",
            "variant": 0,
            "feasible": True,
            "reason": {"code": "FITS", "facts": {"fen_per_chip_hour": 2_100}},
            "start_s": START_S,
            "finish_s": START_S + 60,
            "price_fen": 4_200,
        },
        {
            "pool_id": "west-pool",
            "variant": 0,
            "feasible": False,
            "reason": {"code": "POOL_UNSEEN", "facts": {"centre": "west"}},
            "start_s": None,
            "finish_s": None,
            "price_fen": None,
        },
    ]
    line: dict[str, Any] = {
        "number": number,
        "centre_id": pool_id.removesuffix("-pool"),
        "pool_id": pool_id,
        "chip_id": "a100-sxm-80g",
        "node_names": ["n1"],
        "chips": 2,
        "fen_per_chip_hour": 2_100,
        "phase": Phase.ENDED,
        "unseen": False,
        "cause": "killed",
        "exit_code": None,
        "signal": 9,
        "detail": "",
        "placed_s": START_S,
        "expected_end_s": START_S + 60,
        "started_s": START_S,
        "observed_s": START_S + 60,
        "ended_s": START_S + 60,
        "progress": None,
        "checkpoint": None,
        "resume_from": None,
        "decision": {"reason": {"code": "ONLY_POOL", "facts": {"fitting_pools": 1}}, "outlook": outlook},
        "usage": [UsageLine(START_S, START_S + 60, 2)],
        "charges": [
            ChargeLine(START_S, START_S + 40, 80, True, 2_100, 46, 20, 26, "t1"),
            ChargeLine(START_S + 40, START_S + 60, 40, False, 2_100, 0, 0, 0, None),
        ],
        "lost_chip_s": 40,
        "charged_chip_s": 80,
        "charged_fen": 46,
        "running_fen": 0,
    }
    return AttemptLine(**{**line, **changes})


def receipt_of(state: JobState, *attempts: AttemptLine, reason: Reason | None = None) -> Receipt:
    transfer = TransferLine("ab12cd34-0000", "charge", f"hold:cash/acme:CNY:{JOB}", "payable:east:CNY", 26, START_S)
    return Receipt(
        id=JOB,
        number=7,
        name="train",
        tenant_id="acme",
        state=state,
        settled=state is JobState.SUCCEEDED,
        reason=reason or Reason("SUCCEEDED", {"attempt": 2, "centre": "east"}),
        spec=JobSpec("train", (Variant("A100", 2), Variant("H20", 4)), "run", num_nodes=2, walltime_s=7_500),
        submitted_s=START_S,
        ended_s=START_S + 60,
        estimate_fen=8_400,
        charged_fen=92,
        voucher_id="13d93bfa-4cf5-502d-901b-76a091bf79f5",
        voucher_fen=40,
        voucher_flow="offset",
        programme_id="city-2025",
        repaid_fen=0,
        cash_fen=52,
        attempts=list(attempts),
        transfers=[transfer],
        evidence=[],
        refunds=[],
    )


def test_receipt_shows_where_every_fen_goes() -> None:
    with speaking("en"):
        text = shown(receipt_view(receipt_of(JobState.SUCCEEDED, attempt_line(1, "east-pool"))))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "asks for 2 x (2 A100 | 4 H20)" in lines
    assert "time limit 2h05m" in lines
    assert any(line.endswith("killed from outside, signal 9") and "1m 80 + 40 lost 0.46" in line for line in lines)
    assert any("lost, not charged" in line for line in lines)
    assert any(line.endswith("80 21.00 0.46 0.20 0.26 yes") for line in lines)
    assert {"charged 0.92", "voucher part 0.40", "cash part 0.52", "settled yes"} <= set(lines)
    assert any("hold:cash/acme:CNY payable:east:CNY 0.26" in line for line in lines), "without the job's own id"


def test_a_receipt_of_a_repaying_programme_says_who_pays_first_and_what_comes_back() -> None:
    attempt = attempt_line(1, "east-pool")
    paid = replace(receipt_of(JobState.SUCCEEDED, attempt), voucher_flow="reimburse", repaid_fen=40)
    running = replace(paid, settled=False, state=JobState.RUNNING, voucher_fen=0, repaid_fen=0, cash_fen=92)
    with speaking("en"):
        ended, waits = (" ".join(shown(receipt_view(one)).split()) for one in (paid, running))
    assert "charged 0.92 paid in cash first 0.92 repaid by programme city-2025 0.40 borne in the end 0.52" in ended
    assert "paid in cash first 0.92 repaid by programme city-2025 reckoned when the job is over" in waits
    with speaking("zh"):
        assert "由算力券项目 city-2025 返还" in shown(receipt_view(paid))


CENTRES = [
    CentreLine(
        name, name.title(), f"{name}智算中心", "北京", 39.9, 116.4, "org", "unseen" if name == "west" else "seen",
        START_S, "0.1", "local", [PoolLine(f"{name}-pool", "a100-sxm-80g", 2, 16, 4, 1, 2_100, 86_400)],  # house: a day
    )
    for name in ("east", "west")
]  # fmt: skip


def test_explain_a_job_that_recovered() -> None:
    second = attempt_line(2, "east-pool", cause=None, phase=Phase.RUNNING, resume_from={"step": 300})
    receipt = receipt_of(JobState.RUNNING, attempt_line(1, "west-pool"), second)
    found = explanation(receipt, [], CENTRES)
    assert found.last_look is not None
    assert [(pool.pool_id, pool.chosen) for pool in found.last_look.pools] == [
        ("east-pool", True),
        ("west-pool", False),
    ]
    with speaking("en"):
        text = shown(explanation_view(explanation(receipt, [], CENTRES)))
    assert "why here (attempt 2): the only pool that can run it" in text
    assert "west is unseen: nothing is heard of it at present" in text
    assert "goes on from step 300" in text
    assert "killed from outside, signal 9" in text


def test_explain_a_job_that_waits() -> None:
    reason = Reason("WAITS_FOR_CHIPS", {"pool_id": "east-pool", "expected_start_s": START_S, "waiting_ahead": 3})
    outlook = attempt_line(1, "x").decision["outlook"]
    body = {"reason": msgspec.to_builtins(reason), "outlook": outlook}
    events = [
        EventLine(
            1,
            START_S,
            "job_waiting",
            None,
            None,
            "brain",
            {"reason": {"code": "NO_POOL_OPEN", "facts": {}}, "outlook": []},
        ),
        EventLine(2, START_S, "job_waiting", None, None, "brain", body),
    ]
    receipt = receipt_of(JobState.QUEUED, reason=reason)
    with speaking("en"):
        text = shown(explanation_view(explanation(receipt, events, CENTRES)))
    assert "waits for chips at east-pool, expected start" in text
    assert "jobs ahead: 3" in text
    assert "why not yet: every pool at the last look" in text
    assert "can take it at 21.00 yuan per chip-hour" in text
    with speaking("en"):
        assert "has not looked at it yet" in shown(explanation_view(explanation(receipt, [], CENTRES)))


def test_explanation_is_one_json_document() -> None:
    receipt = receipt_of(JobState.RUNNING, attempt_line(1, "east-pool"))
    found = msgspec.json.decode(msgspec.json.encode(explanation(receipt, [], CENTRES)))
    assert found["last_look"]["reason"]["code"] == "ONLY_POOL"
    assert found["history"][0]["attempt"] == 1


def test_centres() -> None:
    with speaking("zh"):
        text = shown(centre_table(CENTRES))
    west = next(line for line in text.splitlines() if "west智算中心" in line)
    assert "失联（状态未知）" in west
    assert "21.00" in west
    assert "1d" in west


@pytest.mark.parametrize("holds", [True, False])
def test_proofs(holds: bool) -> None:
    records = [] if holds else [{"job": f"job-{i}", "fen": i} for i in range(7)]
    statement = "books balance: every asset sums to zero over all accounts"
    found = Proofs(START_S, holds, [Proof("x", statement, holds, records)], {"transfers": 12})
    with speaking("en"):
        text = shown(proof_table(found))
    assert ("✓" in text, "✗" in text) == (holds, not holds)
    assert ("job job-4, fen 4" in text, "… and 2 more" in text) == (not holds, not holds)
    assert f"{int(holds)} of 1 statements hold; looked at: transfers 12" in text
    with speaking("zh"):
        assert "账目平衡" in shown(proof_table(found))


def test_settlement() -> None:
    payments = [Payment("east", "centre", 100_050, {"p": 20_000}), Payment("acme", "tenant", 0, {"p": 1})]
    with speaking("en"):
        text = shown(settlement_table(Settlement(payments, paid=False)))
    assert "owed and not paid yet" in text
    assert "1,000.50" in text
    assert "1,200.50" in text
    assert "in all 1,200.51 yuan to 2 payees" in text


def batch(**changes: Any) -> SettlementBatch:
    lines = [
        SettlementLine(
            f"t{i}", "payable:east:CNY", None, fen, kind, "j", "train", 1, "acme", 0, reason, dispute, corrects
        )
        for i, (fen, kind, reason, dispute, corrects) in enumerate(
            [(70_000, "charge", "", None, ()), (30_050, "charge", "", None, ()), (-50, "refund", "slow", 3, ("S-1",))]
        )
    ]
    steps = [SettlementStep("proposed", "ann", 0), SettlementStep("rejected", "bob", 1, "another account")]
    whole = SettlementBatch(
        "S-2026-11-east", "2026-11", "centre", "east", "rejected", False, 120_000, 100_000, {"p": 20_000},
        {"p": {"city": 12_000, "district": 8_000}}, 3, "ab" * 32, steps, lines,
    )  # fmt: skip
    return replace(whole, **changes)


def test_settlement_batches() -> None:
    with speaking("en"):
        text = shown(batch_view(batch()))
        many = shown(batch_table([batch(), batch(id="S-2", funders={})]))
        made = Proposal(
            [], [HeldBack("centre", "east", None, -50, 1, ()), HeldBack("tenant", "acme", "p", 9, 1, (3, 4))]
        )
        held = shown(proposal_view(made))
        nothing = shown(proposal_view(Proposal([], [])))
        dues = [Due("p", level, one, "2026-11", "centre", "east", "paid", 50_000) for level in "ab" for one in "xy"]
        owed = shown(due_table(dues))
    # Both charges of the attempt on one row; the refund on its own, with what it is about.
    for part in ("1,000.50", "-0.50", "dispute 3; slow; corrects S-1", "p: city", "120.00", "bob  another account"):
        assert part in text, part
    assert "p city 120.00, district 80.00" in many
    assert "p 200.00" in many
    assert "less than nothing, so it waits" in held
    assert "disputed (3, 4)" in held
    assert "nothing is open" in nothing
    assert owed.count("1,000.00") == 2
    with speaking("zh"):
        text = shown(batch_view(batch()))
    assert "已驳回" in text
    assert "更正 S-1" in text


def test_a_trail() -> None:
    step = TrailStep("t", 0, "charge", "hold:cash/acme:CNY:j", "payable:east:CNY", 70_000, "S-2026-11-east")
    trail = Trail("train", [step], [batch(lines=[])], {"payable:east:CNY": 70_000}, 2, [])
    with speaking("en"):
        text = shown(trail_view(trail))
        assert "✓ the book is as it was sealed" in text
        assert "payable:east:CNY 700.00" in text
        wrong = replace(trail, wrong=[Wrong(0, "LINE_TWICE", {"transaction": "t", "batch": "S-1", "other": "S-2"})])
        text = shown(trail_view(wrong))
    assert "✗ this does not fit together" in text
    assert "transaction t is in batch S-1 and in S-2" in text


def test_claim_says_everything_behind_the_answer() -> None:
    refusal = Reason(
        "RELATED_PARTY", {"field": "contract.providers[0].related", "now": True, "rule": "r", "limit": True}
    )
    answer = ClaimAnswer(
        "c1", "p", "granted", 200_000, 150_000, 1_000_000, 2_000, ["per_claim"], [],
        [Reason("per_claim", {"field": "base_fen", "now": 1_000_000, "needed": 750_000})],
        "sha", "v1", ["east"], {"west": [refusal]},
    )  # fmt: skip
    with speaking("en"):
        text = shown(claim_view(answer))
    for part in ("20 %", "2,000.00", "1,500.00", "cap per claim", "7,500.00 is needed (now 10,000.00)", "not at west"):
        assert part in text
    assert "applicant and provider are related parties" in text

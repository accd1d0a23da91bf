"""Codes and facts as sentences, in both languages."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanwang.domain.job import Cause, JobState, Phase
from suanwang.domain.scheduling.kernel.codes import CODE
from suanwang.domain.scheduling.reasons import REASON_OF_OBJECTIVE
from suanwang.domain.tenant import OrganisationKind, Role
from suanwang.domain.voucher import RefusalCode
from suanwang.domain.voucher.answer import Limit
from suanwang.i18n import CHINESE, _, language_of, speaking
from suanwang.sentences import ERRORS, NOTICES, SENTENCES, WORDS
from suanwang.units import fen_of_yuan
from suanwang.wire import Reason
from suanwang.words import duration, money, say, say_code, say_error, say_notice, word

KILLED = {"code": "KILLED", "facts": {"attempt": 1, "centre": "zgc", "signal": 9, "exit_code": None}}


@pytest.mark.parametrize(
    ("code", "facts", "english", "chinese"),
    [
        (
            "WALLTIME_OVER_LIMIT",
            {"max_walltime_s": 120, "wanted_walltime_s": 7_500},
            "it takes jobs of at most 2m, the job asks for 2h05m",
            "只接受时限不超过 2m 的作业，此作业要求 2h05m",
        ),
        (
            "COST_OVER_BUDGET",
            {"price_fen": 123_456, "max_cost_fen": 5},
            "it can cost 1,234.56 yuan, at most 0.05 may be spent on the job",
            "可能需要 1,234.56 元，该作业最多可花费 0.05 元",
        ),
        (
            "RECOVERING",
            {"after": KILLED, "from_step": 300},
            "recovers, from step 300, because attempt 1 at zgc was killed from outside by signal 9",
            "恢复中，从第 300 步继续，因为第 1 次尝试在 zgc 被外部信号 9 终止",
        ),
        (
            "RECOVERING",
            {"after": KILLED, "from_step": None},
            "recovers, from the beginning, because attempt 1 at zgc was killed from outside by signal 9",
            "恢复中，从头开始，因为第 1 次尝试在 zgc 被外部信号 9 终止",
        ),
        (
            "TERM_TOO_LONG",
            {"field": "contract.term_days", "now": 400, "rule": "service.max_term_days", "limit": 365},
            "the contract runs 400 days, the rules allow 365",
            "合同期限 400 天，规则最多允许 365 天",
        ),
        (
            "TERM_TOO_LONG",
            {"field": "contract.term_days", "now": 400, "needed": 365},
            "days of the contract: 365 is needed (now 400)",
            "合同天数：需为 365（现为 400）",
        ),
        (
            "BELOW_MIN_CLAIM",
            {"field": "base_fen", "now": 100_000, "rule": "caps.min_claim_fen", "limit": 500_000},
            "eligible part of the contract: 1,000.00, below the least of 5,000.00",
            "合同中符合条件的部分：1,000.00，低于下限 5,000.00",
        ),
        (
            "per_entity_year",
            {"field": "history.claimed_year_fen", "now": 100, "needed": 0, "again_from": "2027-01-01"},
            "claimed in this year: 0.00 is needed (now 1.00), or claim again from 2027-01-01",
            "本年度已申领：需为 0.00（现为 1.00），或自 2027-01-01 起重新申领",
        ),
        (
            "CHEAPEST_POOL",
            {"fitting_pools": 3, "waiting_ahead": 2},
            "the cheapest of 3 pools that can run it; goes ahead of 2 waiting jobs without delaying them",
            "在 3 个能运行它的资源池中最便宜；先于 2 个等待中的作业开始，但不推迟它们",
        ),
    ],
)
def test_sentences(code: str, facts: dict[str, Any], english: str, chinese: str) -> None:
    with speaking("en"):
        assert say(Reason(code, facts)) == english
    with speaking("zh"):
        assert say(Reason(code, facts)) == chinese


def test_a_code_of_a_newer_hub_is_shown_with_its_facts() -> None:
    with speaking("en"):
        assert say_code("MOON_TOO_FULL", {"phase": 7, "price_fen": 100}) == "MOON_TOO_FULL (phase 7; price_fen 1.00)"
        assert say_code("", {}) == ""
        assert len(say_code("LONG", {"text": "x" * 10_000})) < 300


def test_known_code_without_its_facts_is_shown_with_those_it_has() -> None:
    with speaking("en"):
        assert say_code("CHIP_MISMATCH", {"chip": "a100"}) == "CHIP_MISMATCH (chip a100)"


def test_every_code_has_a_sentence() -> None:
    codes = {name.upper() for name in CODE._fields} | set(REASON_OF_OBJECTIVE.values()) | {"ONLY_POOL"}
    codes |= {cause.upper() for cause in Cause} | set(RefusalCode) | set(Limit)
    codes |= {"RUNNING", "RECOVERING", "CANCELLED_BY_TENANT", "INSUFFICIENT_VALUE", "NO_POOL"}
    assert not codes - set(SENTENCES)


def test_every_term_has_a_word() -> None:
    terms = {*JobState, *Phase, *Cause, *OrganisationKind, *Role, *Limit}
    assert not terms - set(WORDS)


def test_nothing_is_left_in_english() -> None:
    sentences = [one for group in (SENTENCES, ERRORS) for templates in group.values() for one in templates]
    with speaking(CHINESE):
        same = [one for one in [*sentences, *NOTICES.values(), *WORDS.values()] if _(one) == one]
    assert not same


def test_errors_and_notices() -> None:
    with speaking("en"):
        assert say_error("INVALID_INPUT", {"field": "count", "value": 0, "allowed": "1 or more"}, "?") == (
            "count: 0 is not allowed; 1 or more"
        )
        assert say_error("USE_NOT_ELIGIBLE", {}, "voucher 12 cannot pay") == "voucher 12 cannot pay"
        problems = [{"code": "ENV_MISSING", "field": "envs.A", "value": None, "allowed": "a value", "message": "?"}]
        assert say_error("TASK_REFUSED", {"problems": problems}, "?") == (
            "the task file is refused:\n  envs.A is missing; a value"
        )
        assert say_notice("NO_WALLTIME", "labels", "?", {"walltime_s": 3_600}).startswith(
            "labels: no time limit is given: 1h"
        )
        assert say_notice("NEW_NOTICE", "run", "as the hub says", {}) == "run: as the hub says"
    with speaking("zh"):
        assert say_error("JOB_ENDED", {"state": "failed"}, "?") == "此作业已结束：失败"
        pools = {"pools": {"a": {"code": "TOO_FEW_NODES", "facts": {"fitting_nodes": 1, "wanted_nodes": 2}}}}
        assert say_error("NO_POOL", pools, "?") == "没有智算中心能运行它：a: 足够大的节点有 1 个，作业需要 2 个"


def test_words_of_the_network_are_not_mistaken_in_names_of_others() -> None:
    with speaking("zh"):
        assert word("unseen") == "失联（状态未知）"
        assert say_code("RUNNING", {"centre": "storage", "attempt": 1}) == "在 storage 运行，第 1 次尝试"


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh_CN"),
        ({"LANG": "zh_TW"}, "zh_CN"),
        ({"LANG": "C.UTF-8", "LC_ALL": "zh"}, "zh_CN"),
        ({"SUANWANG_LANG": "en", "LC_ALL": "zh_CN"}, "en"),
        ({"SUANWANG_LANG": "zh-CN", "LANG": "en_US"}, "zh_CN"),
        ({"LANG": "de_DE"}, "en"),
    ],
)
def test_language(environment: dict[str, str], found: str) -> None:
    assert language_of(environment) == found


@given(st.integers(-(10**15), 10**15))
def test_money_reads_back(amount_fen: int) -> None:
    written = money(amount_fen)
    assert fen_of_yuan(written.replace(",", "")) == amount_fen
    assert all(len(group) == 3 for group in written.split(".")[0].split(",")[1:])


@pytest.mark.parametrize(
    ("length_s", "written"),
    [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (61, "1m01s"),
        (3_600, "1h"),
        (7_500, "2h05m"),
        (86_400, "1d"),
        (-60, "-1m"),
    ],  # house: the cases
)
def test_duration(length_s: int, written: str) -> None:
    assert duration(length_s) == written

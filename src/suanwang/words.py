"""Codes and facts as sentences for people, in the language spoken; money, durations and instants as people write them.

    say(reason)                      # Reason("WALLTIME_OVER_LIMIT", {...}) -> "it takes jobs of at most 24h, ..."
    say_code("NOT_PAID", facts)      # the same of a code
    word(job.state)                  # "running"

A code can have several sentences: the first whose facts are all there is said. A code that nobody knows is shown as it
is, with its facts, so a newer hub never makes an older reader fail.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from string import Formatter
from types import MappingProxyType
from typing import Any, Protocol

from suanwang.allowed import say_allowed
from suanwang.i18n import _
from suanwang.sentences import ERRORS, FIELDS, NOTICES, SENTENCES, WORDS
from suanwang.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MINUTE, yuan

NOTHING = "-"
INSTANTS = frozenset(
    {"expected_start_s", "earliest_start_s", "start_s", "end_s", "finish_s", "ended_s", "started_s"}
    | {"booking_start_s", "booking_end_s", "window_start_s", "window_end_s"}
)
"""Facts that end in `_s` and are instants; the others are durations."""
TERMS = frozenset({"state", "now", "needed", "limit", "use", "uses", "kind", "cause"})
"""Facts whose texts can be words of the network, which have translations."""
MONEY_RULES = frozenset({"voucher", "voucher.share_of_bill_max_bp"})
"""Rules whose limit is an amount, though their name does not say so."""
PLACED_CODES = frozenset({"CHEAPEST_POOL", "SOONEST_START", "BEST_BALANCE", "ONLY_POOL"})
MAX_FACTS_LENGTH = 200
_FORMATTER = Formatter()


class Stated(Protocol):
    """A code with the facts behind it."""

    @property
    def code(self) -> str: ...

    @property
    def facts(self) -> Mapping[str, Any]: ...


def say(reason: Stated) -> str:
    """A reason as a sentence."""
    return say_code(reason.code, reason.facts)


def say_code(code: str, facts: Mapping[str, Any]) -> str:
    """A code with its facts as a sentence. Nothing for an empty code."""
    found = _fitting(SENTENCES.get(code, ()), facts)
    if found is None:
        return _generic(code, facts)
    if facts.get("waiting_ahead") and code in PLACED_CODES:
        overtook = _("; goes ahead of {count} waiting jobs without delaying them")
        found += overtook.format(count=facts["waiting_ahead"])
    return found


def say_error(code: str, facts: Mapping[str, Any], message: str) -> str:
    """A refusal or failure: our own sentence where there is one for the code and its facts, else the message given."""
    if code == "TASK_REFUSED" and facts.get("problems"):
        problems = [say_error(one.get("code", ""), one, one.get("message", "")) for one in facts["problems"]]
        return "\n  ".join([_("the task file is refused:"), *problems])
    templates = ERRORS.get(code) or (ERRORS["INVALID_INPUT"] if "allowed" in facts else ())
    return _fitting(templates, facts) or message


def say_notice(code: str, field: str, message: str, facts: Mapping[str, Any]) -> str:
    """Something that was assumed while a task file was read, with the field that it is about."""
    said = _fitting((NOTICES[code],), {**facts, "field": field}) if code in NOTICES else None
    return f"{field}: {said or message}" if field else said or message


def word(term: str | None) -> str:
    """One word of the network's own (a state, a cause, a role, a limit), in the language spoken."""
    if not term:
        return NOTHING
    return _(WORDS.get(term, term))


def field_name(path: str) -> str:
    """What a field of the programme model is called: `contract.term_days` -> length of the contract in days."""
    plain = path.partition("[")[0] + path.partition("]")[2]
    return _(FIELDS[plain]) if plain in FIELDS else path


_FEN_RANGE = re.compile(r"(?<![\^\d])(\d+) (to|到|至) (\d+) (fen|分)")


def _allowed(text: str) -> str:
    """What is allowed; a range of fen in yuan, as people write amounts."""
    unit = {"fen": "yuan", "分": "元"}
    return _FEN_RANGE.sub(
        lambda found: f"{money(int(found[1]))} {found[2]} {money(int(found[3]))} {unit[found[4]]}", say_allowed(text)
    )


_SAID = MappingProxyType({"field": field_name, "allowed": _allowed})
"""Facts whose texts are said by rules of their own."""


def _fitting(templates: tuple[str, ...], facts: Mapping[str, Any]) -> str | None:
    """The first sentence for which all facts are there, filled in."""
    for template in templates:
        names = {name for _text, name, _spec, _conversion in _FORMATTER.parse(template) if name}
        if all(facts.get(name) is not None for name in names):
            return _(template).format_map({name: shown_fact(name, facts[name], facts) for name in names})
    return None


def _generic(code: str, facts: Mapping[str, Any]) -> str:
    shown = "; ".join(f"{name} {shown_fact(name, value, facts)}" for name, value in facts.items())
    if len(shown) > MAX_FACTS_LENGTH:
        shown = shown[: MAX_FACTS_LENGTH - 1] + "…"
    return f"{code} ({shown})" if shown else code


def shown_fact(name: str, value: Any, facts: Mapping[str, Any] = MappingProxyType({})) -> str:
    """A fact as people write it; its unit is the last part of its name, or of the field or rule that it belongs to."""
    if value is None:
        return _("not stated")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int):
        in_fen = name == "value" and str(facts.get("field", "")).endswith("_fen")
        return money(value) if in_fen else _shown_number(_unit_name(name, facts), value)
    if isinstance(value, (list, tuple)):
        shown = (_candidate(entry) if name == "candidates" else shown_fact(name, entry, facts) for entry in value)
        return ", ".join(shown) or _("none")
    if isinstance(value, Mapping):
        return _shown_mapping(value)
    if name in _SAID:
        return _SAID[name](str(value))
    if name == "value":
        return repr(value)
    return word(str(value)) if name in TERMS else str(value)


def _unit_name(name: str, facts: Mapping[str, Any]) -> str:
    if name in ("now", "needed"):
        return str(facts.get("field", name))
    if name == "limit":
        rule = str(facts.get("rule", name))
        return "fen" if rule in MONEY_RULES else rule
    return name


def _shown_number(name: str, value: int) -> str:
    if "fen" in name.split("_"):
        return money(value)
    if name in INSTANTS:
        return instant(value)
    if name.endswith("_s"):
        return duration(value)
    return str(value)


def _candidate(job: Mapping[str, Any]) -> str:
    return f"{job.get('number')} ({job.get('name')}, {word(job.get('state'))}, {str(job.get('job_id'))[:8]})"


def _shown_mapping(value: Mapping[str, Any]) -> str:
    """A reason in a reason is said; reasons by pool are said one after the other; other mappings are listed."""
    if isinstance(value.get("code"), str) and isinstance(value.get("facts"), Mapping):
        return say_code(value["code"], value["facts"])
    return "; ".join(f"{key}: {shown_fact(key, entry, value)}" for key, entry in value.items())


def money(amount_fen: int | None) -> str:
    """123456 -> `1,234.56` (yuan)."""
    if amount_fen is None:
        return NOTHING
    sign, plain = ("-", yuan(-amount_fen)) if amount_fen < 0 else ("", yuan(amount_fen))
    whole, _point, fen = plain.partition(".")
    return f"{sign}{int(whole):,}.{fen}"


def duration(length_s: int | None) -> str:
    """7500 -> `2h05m`: the two largest units, the second left out if it is zero."""
    if length_s is None:
        return NOTHING
    if length_s < 0:
        return f"-{duration(-length_s)}"
    days, rest_s = divmod(length_s, SECONDS_PER_DAY)
    hours, rest_s = divmod(rest_s, SECONDS_PER_HOUR)
    minutes, seconds = divmod(rest_s, SECONDS_PER_MINUTE)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")]
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    (first, unit), *others = parts
    second = f"{others[0][0]:02d}{others[0][1]}" if others and others[0][0] else ""
    return f"{first}{unit}{second}"


def instant(at_s: int | None) -> str:
    """Seconds since the epoch -> date and time on this machine's clock."""
    return NOTHING if at_s is None else datetime.fromtimestamp(at_s, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def rate(share_bp: int) -> str:
    """2500 basis points -> `25 %`."""
    return f"{share_bp / 100:g} %"


def moment(at_s: int | None, near_s: int) -> str:
    """The time alone if it is on the same day as `near_s`, else day and time: for tables with many columns."""
    if at_s is None:
        return NOTHING
    date, _space, time = instant(at_s).partition(" ")
    return time if date == instant(near_s).partition(" ")[0] else f"{date[5:]} {time[:5]}"

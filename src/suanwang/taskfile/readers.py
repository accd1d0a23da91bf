"""Values of a task file into the domain's words. Each reader takes (value, path) and raises InvalidInput."""

import math
import re
from typing import Any, get_args

from suanwang.domain.job import GIT_PLACES, MAX_CHIPS_PER_NODE, GitWorkdir, Objective, Within, check_git
from suanwang.domain.project import check_name
from suanwang.errors import InvalidInput
from suanwang.taskfile.findings import close_to, path, shown
from suanwang.units import fen_of_yuan, gib

CPU = "cpu"
"""Chip of a job without accelerators."""
MAX_IMAGE_LENGTH = 512
MAX_WORD_LENGTH = 1_024
USES = ("training", "inference", "application")
"""What compute is for, in the words of voucher rules."""

_NUMBER = re.compile(r"-?\d{1,9}(\.\d{1,9})?", re.ASCII)
_CHIP_NAME = re.compile(r"[^\W_][\w. /()-]{0,63}")
_VOUCHER = re.compile(r"[^\s\x00-\x20]{1,64}")
_BOOKING = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_CENTRE = re.compile(r"\w[\w.-]{0,63}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}", re.ASCII)
_VISIBLE = re.compile(r"[^\s\x00-\x20]+")


def text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput(where, shown(value), "a text; put it in quotes")
    return value


def word(value: Any, where: str) -> str:
    """A text that may be shown in a message and compared."""
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        raise InvalidInput(where, shown(value), "a text")
    if len(written := str(value)) > MAX_WORD_LENGTH or not written.isprintable():
        raise InvalidInput(where, written, f"one line of at most {MAX_WORD_LENGTH} characters")
    return written


def yes_or_no(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(where, shown(value), "true or false")
    return value


def whole_number(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(where, shown(value), "a whole number")
    return value


def label(value: Any, where: str) -> str:
    """A label's text; a whole number is taken for its digits, as nothing is lost by it."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value, where)


def env(value: Any, where: str) -> str:
    """An environment variable's text, as SkyPilot makes it of YAML values: 7 -> "7", yes -> "True"."""
    if isinstance(value, (dict, list)):
        raise InvalidInput(where, shown(value), "one text or number")
    return str(value)


def env_name(name: Any, where: str) -> str:
    if not isinstance(name, str) or not _ENV_NAME.fullmatch(name):
        raise InvalidInput(where, shown(name), "a text of letters, digits and underscores, at most 256 characters")
    return name


def accelerators(value: Any, where: str) -> tuple[tuple[tuple[str, int], ...], bool]:
    """Every shape of `accelerators` -> ((chip, count), ...) and whether their order is a preference.

    `H100:8`, `H100`, `{L4: 1}`: one; a list: ordered; a set or a mapping of several: free choice.
    """
    if isinstance(value, str):
        return (_chip(value, where),), False
    if isinstance(value, list):
        entries = [(entry, f"{where}[{i}]") for i, entry in enumerate(value)]
        chips = tuple(_chip_of_entry(entry, place) for entry, place in entries[: _MAX_CHOICES + 1])
    elif isinstance(value, dict):
        chips = tuple(_chip_of_pair(name, count, where) for name, count in list(value.items())[: _MAX_CHOICES + 1])
    else:
        raise InvalidInput(where, shown(value), 'a chip like "H100:8", a list or a set of them')
    if not 1 <= len(chips) <= _MAX_CHOICES:
        raise InvalidInput(
            where, f"{len(value)} chips", f"1 to {_MAX_CHOICES} choices; without accelerators leave it out"
        )
    return chips, isinstance(value, list)


_MAX_CHOICES = 32


def _chip_of_entry(entry: Any, where: str) -> tuple[str, int]:
    if isinstance(entry, dict) and len(entry) == 1:
        ((name, count),) = entry.items()
        return _chip_of_pair(name, count, where)
    return _chip(text(entry, where), where)


def _chip_of_pair(name: Any, count: Any, where: str) -> tuple[str, int]:
    """`{L4: 1}` and, as YAML reads a set in flow style, `{"A100:8": null}`."""
    if count is None:
        return _chip(text(name, where), where)
    if ":" in (chip := text(name, where)):
        raise InvalidInput(path(where, name), shown(count), "the count once: {A100: 8} or {A100:8}")
    if isinstance(count, bool) or not isinstance(count, (int, float)):
        raise InvalidInput(path(where, name), shown(count), "a whole number of chips per node")
    return _chip_name(chip, where), _chip_count(count, path(where, name))


def _chip(written: str, where: str) -> tuple[str, int]:
    name, colon, count = written.partition(":")
    if not colon:
        return _chip_name(name, where), 1
    if not _NUMBER.fullmatch(count.strip()):
        raise InvalidInput(where, written, "NAME or NAME:COUNT, like H100:8")
    return _chip_name(name, where), _chip_count(float(count), where)


def _chip_name(name: str, where: str) -> str:
    name = name.strip()
    if not _CHIP_NAME.fullmatch(name):
        raise InvalidInput(where, name, "the name of one model of chip, like H100 or Ascend-910B3")
    if name.lower() == CPU:
        raise InvalidInput(where, name, "leave accelerators out and give cpus: the job then runs on CPU cores")
    return name


def _chip_count(count: float, where: str) -> int:
    if count != int(count):
        raise InvalidInput(where, count, "whole chips: sharing of one chip is not offered yet", code="FRACTIONAL_CHIPS")
    if not 1 <= count <= MAX_CHIPS_PER_NODE:
        raise InvalidInput(where, count, f"1 to {MAX_CHIPS_PER_NODE} chips per node")
    return int(count)


def cpus(value: Any, where: str) -> int:
    """`4`, `"4"`, `"4+"`, `0.5` -> at least so many cores, whole ones."""
    written = "" if isinstance(value, (bool, dict, list)) else str(value).strip().removesuffix("+")
    if not _NUMBER.fullmatch(written) or not 0 < float(written) <= MAX_CHIPS_PER_NODE:
        raise InvalidInput(where, shown(value), f'cores per node, up to {MAX_CHIPS_PER_NODE}: like 4 or "4+"')
    return math.ceil(float(written))


def memory(value: Any, where: str) -> float:
    """`32`, `"32+"`, `"512MB"` -> at least so many GiB."""
    if isinstance(value, (bool, dict, list)):
        raise InvalidInput(where, shown(value), 'memory per node in GiB: like 32, "32+" or "512MB"')
    return gib(str(value).strip().removesuffix("+"), where)


def size(value: Any, where: str) -> float:
    """`256`, `"256GB"` -> GiB."""
    if isinstance(value, (bool, dict, list)):
        raise InvalidInput(where, shown(value), 'GiB or a unit: like 256 or "1TB"')
    return gib(value, where)


def image(value: Any, where: str) -> str:
    """`docker:NAME` -> NAME."""
    name = value.removeprefix("docker:") if isinstance(value, str) else ""
    if not isinstance(value, str) or not value.startswith("docker:") or not name:
        raise InvalidInput(
            where,
            shown(value),
            "a container image as docker:NAME; machine images of clouds do not exist here",
            code="IMAGE_REFUSED",
        )
    if not _VISIBLE.fullmatch(name) or "$" in name or name.startswith("-") or len(name) > MAX_IMAGE_LENGTH:
        raise InvalidInput(
            where, value, f"an image name without spaces and variables, at most {MAX_IMAGE_LENGTH} characters"
        )
    return name


def yuan_per_hour(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise InvalidInput(where, shown(value), "more than 0 yuan per hour, with at most two decimals")
    return fen_of_yuan(str(value), where)


def objective(value: str, where: str) -> Objective:
    try:
        return Objective(value)
    except ValueError:
        raise InvalidInput(where, value, f"one of {', '.join(Objective)}{_hint(value, tuple(Objective))}") from None


def within(value: str, where: str) -> Within:
    known: tuple[Within, ...] = get_args(Within)
    for one in known:
        if one == value:
            return one
    raise InvalidInput(where, value, f"one of {', '.join(known)}{_hint(value, known)}")


def booking(value: str, where: str) -> str:
    if not _BOOKING.fullmatch(value):
        raise InvalidInput(where, value, "the id of a booking: 1 to 63 lower-case letters, digits and dashes")
    return value


def use(value: str, where: str) -> str:
    if value not in USES:
        raise InvalidInput(where, value, f"one of {', '.join(USES)}{_hint(value, USES)}")
    return value


def _hint(value: str, known: tuple[str, ...]) -> str:
    meant = close_to(value, known)
    return f"; did you mean {meant}?" if meant else ""


def said_yes_or_no(value: str, where: str) -> bool:
    """A label is a text, so that yes and no come in quotes."""
    if value not in ("true", "false"):
        raise InvalidInput(where, value, 'true or false, in quotes: "true"')
    return value == "true"


def max_cost(value: str, where: str) -> int:
    amount_fen = fen_of_yuan(value, where)
    if amount_fen < 0:
        raise InvalidInput(where, value, "0 or more yuan")
    return amount_fen


def voucher(value: str, where: str) -> str:
    if not _VOUCHER.fullmatch(value):
        raise InvalidInput(where, value, "the id of a voucher, or none; at most 64 characters without spaces")
    return value


def project(value: str, where: str) -> str:
    check_name(value, where)
    return value


def centre(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _CENTRE.fullmatch(value):
        raise InvalidInput(where, shown(value), "the id of a centre: letters, digits, dots, dashes; at most 64")
    return value


def exit_codes(value: Any, where: str) -> tuple[int, ...]:
    codes = value if isinstance(value, list) else [value]
    for code in codes:
        if isinstance(code, bool) or not isinstance(code, int) or not 0 <= code <= 255:
            raise InvalidInput(where, shown(code), "exit codes from 0 to 255, one or a list")
    return tuple(dict.fromkeys(codes))


def restarts(value: Any, where: str) -> int:
    if whole_number(value, where) < 0:
        raise InvalidInput(where, value, "0 or more restarts")
    return int(value)


def git_workdir(url: Any, ref: Any, where: str) -> GitWorkdir:
    """Raises InvalidInput; a password in the URL is not repeated in its message."""
    if not isinstance(url, str):
        raise InvalidInput(path(where, "url"), shown(url), GIT_PLACES)
    if ref is not None and not isinstance(ref, str):
        raise InvalidInput(path(where, "ref"), shown(ref), "a branch, tag or commit as text; put digits in quotes")
    found = GitWorkdir(url, ref)
    check_git(found, where)
    return found

"""The two languages of everything that people read.

    from suanwang.i18n import _
    _("expected start")

Outside of a request the language is that of the environment (SUANWANG_LANG, LC_ALL, LC_MESSAGES, LANG); `speaking`
sets another one for a block, in this task only. The words are in `locale/`, made by `script/catalogues`.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

ENGLISH = "en"
CHINESE = "zh_CN"
LANGUAGES = (ENGLISH, CHINESE)
DOMAIN = "suanwang"
LOCALE_FOLDER = Path(__file__).parent / "locale"
VARIABLES = ("SUANWANG_LANG", "LC_ALL", "LC_MESSAGES", "LANG")

_spoken: ContextVar[str | None] = ContextVar("language", default=None)


def language_of(environment: Mapping[str, str]) -> str:
    """The language that the first of the variables names; any Chinese is zh_CN, everything else English."""
    named = next((value for name in VARIABLES if (value := environment.get(name))), "")
    return supported(named)


def supported(name: str) -> str:
    """`zh-CN`, `zh_CN.UTF-8`, `zh` -> zh_CN; the rest -> en."""
    return CHINESE if name.lower().replace("-", "_").split("_")[0].split(".")[0] == "zh" else ENGLISH


@cache
def _language_of_environment() -> str:
    return language_of(os.environ)


def language() -> str:
    """The language spoken here and now."""
    return _spoken.get() or _language_of_environment()


@contextmanager
def speaking(name: str) -> Iterator[None]:
    """Within the block, `_` speaks this language (any name that `supported` understands)."""
    token = _spoken.set(supported(name))
    try:
        yield
    finally:
        _spoken.reset(token)


@cache
def _words(name: str) -> NullTranslations:
    catalogue = LOCALE_FOLDER / name / "LC_MESSAGES" / f"{DOMAIN}.mo"
    if name == ENGLISH or not catalogue.exists():
        return NullTranslations()
    with catalogue.open("rb") as file:
        return GNUTranslations(file)


def _(sentence: str) -> str:
    """The sentence in the language spoken; the sentence itself where there is no translation."""
    return _words(language()).gettext(sentence) if sentence else ""


def ngettext(one: str, many: str, count: int) -> str:
    """`one` or `many`, as the language counts; fill in {count} yourself."""
    return _words(language()).ngettext(one, many, count)


def named(english: str, chinese: str) -> str:
    """Of two names of one thing, the one for the language spoken; the other if it is empty."""
    return (chinese or english) if language() == CHINESE else (english or chinese)

"""Where a hub is and who speaks to it: files in `$SUANWANG_HOME/profiles`, or SUANWANG_URL and SUANWANG_TOKEN."""

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from suanwang.errors import InvalidInput, Refused

DEFAULT_PROFILE = "default"
URL_FORM = "an address like http://127.0.0.1:7700 or https://hub.example.org"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class Profile:
    """A hub's address, and the token to speak with; without one only public things can be asked."""

    url: str
    token: str | None


def check_url(url: str, field: str = "url") -> str:
    """Raises InvalidInput for what can be no hub's address."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not url.isprintable() or any(character.isspace() for character in url):
        raise InvalidInput(field, url, URL_FORM, code="BAD_HUB_URL")
    return url


def check_token(token: str, field: str = "token") -> str:
    """Raises InvalidInput, which does not repeat it, for what can be no token and no HTTP header."""
    if not token.isascii() or not token.isprintable() or any(character.isspace() for character in token):
        raise InvalidInput(field, "…", "one line of ASCII characters, as it was issued", code="BAD_TOKEN")
    return token


def profile_file(home: Path, name: str) -> Path:
    """Raises InvalidInput for a name that could lead elsewhere."""
    if not _NAME.fullmatch(name):
        raise InvalidInput("profile", name, "letters, digits, dots, hyphens and underscores, at most 63")
    return home / "profiles" / f"{name}.json"


def known_profiles(home: Path) -> list[str]:
    return sorted(path.stem for path in (home / "profiles").glob("*.json"))


def read_profile(home: Path, name: str) -> Profile:
    """Raises Refused if there is no such profile or it cannot be read."""
    path = profile_file(home, name)
    try:
        found = json.loads(path.read_text("utf-8"))
        token = found.get("token")
        return Profile(check_url(str(found["url"])), check_token(str(token)) if token else None)
    except FileNotFoundError:
        known = ", ".join(known_profiles(home)) or "-"
        message = f"there is no profile {name}; known here: {known}"
        raise Refused(message, code="NO_PROFILE", profile=name, known=known) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidInput) as error:
        message = f"the profile {path} cannot be read ({error}); log in again"
        raise Refused(message, code="BAD_PROFILE", path=str(path)) from None


def write_profile(home: Path, name: str, profile: Profile) -> Path:
    """Whole or not at all, readable by its owner alone."""
    path = profile_file(home, name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = json.dumps({"url": profile.url, "token": profile.token}, indent=2) + "\n"
    place, part = tempfile.mkstemp(dir=path.parent, prefix=f".{name}-")  # mode 0600
    try:
        with os.fdopen(place, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    return path


def choose_profile(home: Path, name: str | None, environment: Mapping[str, str], default_url: str) -> Profile:
    """The profile named on the command line; else SUANWANG_URL and SUANWANG_TOKEN; else SUANWANG_PROFILE; else
    `default`; where nothing was ever stored, this machine's own hub without a token.

    Raises Refused if a profile that was named is not there, InvalidInput for an address or a token that can be none.
    """
    if name is not None:
        return read_profile(home, name)
    url, token = environment.get("SUANWANG_URL"), environment.get("SUANWANG_TOKEN")
    if url or token:
        checked = None if not token else check_token(token.strip(), "SUANWANG_TOKEN")
        return Profile(check_url(url, "SUANWANG_URL") if url else default_url, checked)
    named = environment.get("SUANWANG_PROFILE")
    if not named and not profile_file(home, DEFAULT_PROFILE).exists():
        return Profile(default_url, None)
    return read_profile(home, named or DEFAULT_PROFILE)

"""Profiles: where they are, who may read them, and which one is taken."""

import json
from pathlib import Path

import pytest

from suanwang.cli.profile import Profile, choose_profile, read_profile, write_profile
from suanwang.cli.up import reachable, store_admin
from suanwang.errors import InvalidInput, Refused

A, B = Profile("http://a:1", "token-a"), Profile("http://b:2", None)
DEFAULT_URL = "http://127.0.0.1:7700"


def test_only_the_owner_reads_a_profile(tmp_path: Path) -> None:
    path = write_profile(tmp_path, "default", A)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert json.loads(path.read_text()) == {"url": "http://a:1", "token": "token-a"}
    assert read_profile(tmp_path, "default") == A
    write_profile(tmp_path, "default", B)
    assert read_profile(tmp_path, "default") == B
    assert [one.name for one in path.parent.iterdir()] == ["default.json"]


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "x" * 64])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput):
        write_profile(tmp_path, name, A)
    assert not list(tmp_path.iterdir())


def test_precedence(tmp_path: Path) -> None:
    for name in ("default", "other", "third"):
        write_profile(tmp_path, name, Profile(f"http://{name}", name))
    environment = {"SUANWANG_URL": "http://env", "SUANWANG_TOKEN": "env", "SUANWANG_PROFILE": "third"}

    def token(name: str | None, **kept: str) -> str | None:
        return choose_profile(tmp_path, name, kept, DEFAULT_URL).token

    assert token("other", **environment) == "other"
    assert token(None, **environment) == "env"
    assert token(None, SUANWANG_PROFILE="third") == "third"
    assert token(None) == "default"
    assert choose_profile(tmp_path / "new", None, {}, DEFAULT_URL) == Profile(DEFAULT_URL, None)
    with pytest.raises(Refused):
        token(None, SUANWANG_PROFILE="nobody")
    assert choose_profile(tmp_path, None, {"SUANWANG_TOKEN": "t"}, DEFAULT_URL) == Profile(DEFAULT_URL, "t")
    assert choose_profile(tmp_path, None, {"SUANWANG_URL": "http://x"}, DEFAULT_URL) == Profile("http://x", None)


def test_unknown_and_broken_profiles(tmp_path: Path) -> None:
    write_profile(tmp_path, "known", A)
    with pytest.raises(Refused, match="no profile missing; known here: known"):
        read_profile(tmp_path, "missing")
    for text in ("{", "[]", '{"token": "x"}', "7"):
        (tmp_path / "profiles/known.json").write_text(text)
        with pytest.raises(Refused) as refused:
            read_profile(tmp_path, "known")
        assert refused.value.code == "BAD_PROFILE"


def test_a_new_hub_keeps_the_profile_of_the_one_before(tmp_path: Path) -> None:
    write_profile(tmp_path, "default", A)
    store_admin(tmp_path, B)
    assert read_profile(tmp_path, "default") == B
    assert read_profile(tmp_path, "default-before") == A


def test_nobody_calls_everywhere() -> None:
    assert reachable("http://0.0.0.0:7700") == "http://127.0.0.1:7700"
    assert reachable("http://10.0.0.7:7700") == "http://10.0.0.7:7700"


@pytest.mark.parametrize(
    "url",
    ["nonsense", "localhost:7700", "ftp://a", "http://", "http://a b", "http://[x", "http://a:99999", "http://a\n"],
)
def test_what_is_no_address_is_told_before_anything_is_sent(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidInput) as no:
        choose_profile(tmp_path, None, {"SUANWANG_URL": url}, DEFAULT_URL)
    assert (no.value.code, no.value.facts["field"]) == ("BAD_HUB_URL", "SUANWANG_URL")


@pytest.mark.parametrize("token", ["秘密", "sw_é", "a b", "a\nb", "a\x7f"])
def test_what_can_be_no_token_is_told_and_not_repeated(tmp_path: Path, token: str) -> None:
    with pytest.raises(InvalidInput) as no:
        choose_profile(tmp_path, None, {"SUANWANG_TOKEN": token}, DEFAULT_URL)
    assert (no.value.code, no.value.facts["field"]) == ("BAD_TOKEN", "SUANWANG_TOKEN")
    assert token not in str(no.value)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "default.json").write_text(json.dumps({"url": "http://a", "token": token}))
    with pytest.raises(Refused) as refused:
        read_profile(tmp_path, "default")
    assert refused.value.code == "BAD_PROFILE"


def test_a_token_from_the_environment_may_end_with_its_line(tmp_path: Path) -> None:
    assert choose_profile(tmp_path, None, {"SUANWANG_TOKEN": "t\n"}, DEFAULT_URL).token == "t"

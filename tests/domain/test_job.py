"""What no agent should hand to git is refused before a job is queued; what was meant by a chip is guessed with care."""

import pytest

from suanwang.catalogue import read_catalogue
from suanwang.domain.job import GitWorkdir, JobSpec, Variant, check
from suanwang.errors import InvalidInput


def job(url: str, ref: str | None = None) -> JobSpec:
    return JobSpec("x", (Variant("A100", 1),), "true", workdir=GitWorkdir(url, ref))


@pytest.mark.parametrize(
    ("url", "ref"),
    [
        ("https://example.org/a.git", None),
        ("http://example.org:8080/a", "main"),
        ("ssh://git@example.org/a.git", "v1.0"),
        ("git://example.org/a", "feature/x-y"),
        ("git@example.org:a/b.git", "0123abcd"),
    ],
)
def test_git_places_that_agents_clone(url: str, ref: str | None) -> None:
    check(job(url, ref))


@pytest.mark.parametrize(
    ("url", "ref", "field", "code"),
    [
        ("ext::sh -c id", None, "workdir.url", "INVALID_INPUT"),
        ("file:///etc", None, "workdir.url", "INVALID_INPUT"),
        ("/srv/git", None, "workdir.url", "INVALID_INPUT"),
        ("--upload-pack=x", None, "workdir.url", "INVALID_INPUT"),
        ("ssh://-oProxyCommand=x/y", None, "workdir.url", "INVALID_INPUT"),
        ("-x@host:path", None, "workdir.url", "INVALID_INPUT"),
        ("https://[a/b", None, "workdir.url", "INVALID_INPUT"),
        ("https://a/b c", None, "workdir.url", "INVALID_INPUT"),
        ("https://me:pa55@example.org/a", None, "workdir.url", "SECRETS_REFUSED"),
        ("https://example.org/a", "--upload-pack=x", "workdir.ref", "INVALID_INPUT"),
        ("https://example.org/a", "", "workdir.ref", "INVALID_INPUT"),
        ("https://example.org/a", "a b", "workdir.ref", "INVALID_INPUT"),
        ("https://example.org/a", "a\x00b", "workdir.ref", "INVALID_INPUT"),
    ],
)
def test_git_places_that_are_refused(url: str, ref: str | None, field: str, code: str) -> None:
    with pytest.raises(InvalidInput) as no:
        check(job(url, ref))
    assert (no.value.facts["field"], no.value.code) == (field, code)
    assert "pa55" not in str(no.value)


@pytest.mark.parametrize(
    ("written", "suggested"),
    [("A10O", "A100"), ("asend910b", "Ascend910B"), ("RTX409", "RTX-4090"), ("H9000", None), ("quantum", None)],
)
def test_only_a_near_name_is_suggested(written: str, suggested: str | None) -> None:
    with pytest.raises(InvalidInput) as no:
        read_catalogue().matching(written)
    allowed = no.value.facts["allowed"]
    assert allowed.startswith("did you mean ") == (suggested is not None), allowed
    assert suggested is None or suggested.lower() in allowed.lower()

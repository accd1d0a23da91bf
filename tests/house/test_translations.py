"""Every sentence that people see has its translation, with the same placeholders."""

from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from tests.house.source import SOURCE, place

CATALOGUES = sorted(SOURCE.rglob("*.po"))


@pytest.mark.parametrize("path", CATALOGUES, ids=place)
def test_catalogue_is_complete(path: Path) -> None:
    with path.open("rb") as file:
        messages = [message for message in read_po(file) if message.id]
    assert messages
    missing = [message.id for message in messages if message.fuzzy or not message.string]
    broken = [f"{message.id}: {error}" for message in messages for error in message.check()]
    assert not missing
    assert not broken

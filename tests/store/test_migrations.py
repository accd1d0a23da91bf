"""A database of an earlier release keeps what it says when it is brought up to date."""

import asyncpg
import pytest

from suanwang.store import migrate

VOUCHER, CLAIM = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
BEFORE_LISTS = f"""
insert into organisation (id, name, kind, created_s) values
    ('agency', 'Agency', 'agency', 1), ('acme', 'Acme', 'tenant', 1), ('east-org', 'East', 'centre', 1);
insert into centre (id, organisation_id, name, name_zh, city, latitude, longitude, provider_facts, created_s)
values ('east', 'east-org', 'East', 'East', 'x', 0, 0, '{{"on_list": ["partners"]}}', 1);
insert into programme (id, agency_id, rules, rules_sha256, automatic_limit_fen, created_s)
values ('p', 'agency', '{{}}', '', 0, 1);
insert into claim (id, programme_id, tenant_id, state, contract_id, contract, centre_ids, inputs, assessment,
    assessed_fen, submitted_s)
values ('{CLAIM}', 'p', 'acme', 'granted', 'C', '{{}}', '{{east}}', '{{}}', '{{"refused_centres": {{"west": []}}}}',
    5, 1);
insert into voucher (id, programme_id, tenant_id, claim_id, terms, granted_fen, valid_from_s, created_s)
values ('{VOUCHER}', 'p', 'acme', '{CLAIM}', '{{}}', 5, 1, 1);
insert into job (id, tenant_id, name, spec, state, estimate_fen, voucher_id, submitted_s, queued_s) values
    (gen_random_uuid(), 'acme', 'with', '{{}}', 'queued', 5, '{VOUCHER}', 1, 1),
    (gen_random_uuid(), 'acme', 'without', '{{}}', 'queued', 5, null, 1, 1);
"""


async def test_vouchers_of_before_the_lists_stay_with_the_centres_of_their_day(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = migrate._migrations()
    monkeypatch.setattr(migrate, "_migrations", lambda: [one for one in every if one[0] < "0007"])
    await migrate.migrate(database_url)
    owner = await asyncpg.connect(database_url)
    await owner.execute(BEFORE_LISTS)
    monkeypatch.setattr(migrate, "_migrations", lambda: every)
    assert "0007_provider_list.sql" in await migrate.migrate(database_url)
    asked = await owner.fetchval("select asked_centres from claim")
    jobs = {row["name"]: row["voucher_centres"] for row in await owner.fetch("select name, voucher_centres from job")}
    listed = await owner.fetchval("select count(*) from provider_listing")
    await owner.close()
    assert sorted(asked) == ["east", "west"]
    assert jobs == {"with": ["east"], "without": []}
    assert listed == 0  # what a centre said of itself puts it on no list

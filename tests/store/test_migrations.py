"""A database of an earlier release keeps what it says when it is brought up to date."""

import asyncpg
import pytest

from suanwang.store import db, migrate, settlement
from suanwang.store.period import EVERY_SEAL

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


BEFORE_BATCHES = """
insert into organisation (id, name, kind, created_s) values ('east-org', 'East', 'centre', 1);
insert into centre (id, organisation_id, name, name_zh, city, latitude, longitude, created_s)
values ('east', 'east-org', 'East', 'East', 'x', 0, 0, 1);
insert into account (key, kind, owner, asset, limited) values
    ('payable:east:CNY', 'payable', 'east', 'CNY', false), ('bank:clearing:CNY', 'bank', 'clearing', 'CNY', false);
insert into ledger_transaction (id, kind, subject, request_sha256, transfers, total_fen, actor, effective_s, recorded_s)
select id::uuid, kind, subject, '', 1, fen, 'admin', at_s, at_s from (values
    ('00000000-0000-0000-0000-000000000001', 'charge', 'job', 700, 10),
    ('00000000-0000-0000-0000-000000000002', 'pay_centre', 'network/month/east', 700, 20),
    ('00000000-0000-0000-0000-000000000003', 'charge', 'job', 50, 30)) row (id, kind, subject, fen, at_s);
insert into transfer (transaction_id, debit_id, credit_id, amount_fen)
select t.id, case when t.kind = 'charge' then bank.id else east.id end,
    case when t.kind = 'charge' then east.id else bank.id end, t.total_fen
from ledger_transaction t, account bank, account east where bank.kind = 'bank' and east.kind = 'payable';
insert into period
    (name, start_s, end_s, last_seal, transactions, charged_fen, refunded_fen, redeemed_fen, closed_s, actor)
values ('1970-01', 0, 15, 0, 0, 0, 0, 0, 15, 'admin');
"""


async def test_what_was_paid_before_there_were_batches_is_set_off_to_the_fen(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = migrate._migrations()
    monkeypatch.setattr(migrate, "_migrations", lambda: [one for one in every if one[0] < "0015"])
    await migrate.migrate(database_url)
    owner = await asyncpg.connect(database_url)
    await owner.execute(BEFORE_BATCHES)
    await owner.close()
    monkeypatch.setattr(migrate, "_migrations", lambda: every)
    assert "0016_settlement.sql" in await migrate.migrate(database_url)
    database = await db.connect(database_url, connections=1)
    async with database.transaction() as tx:
        entries = await settlement.open_entries(tx, 2**62, EVERY_SEAL)
        horizons = [row["horizon"] for row in await tx.fetch("select horizon from period")]
    await database.close()
    assert [(one.kind, one.payee, one.amount_fen, one.turn) for one in entries] == [
        ("centre", "east", 700, 1),
        ("centre", "east", -700, 1),
        ("centre", "east", 50, 1),
    ]
    assert horizons == [None]

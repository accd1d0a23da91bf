-- The whole schema. Instants are bigint seconds since the Unix epoch (`_s`), money is bigint fen (`_fen`).
-- Two roles: the owner migrates; `suanwang_app` runs the hub and can never change or delete what was recorded.

-- People and centres ------------------------------------------------------------------------------------------------

create table organisation (
    id text primary key check (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name text not null,
    kind text not null check (kind in ('tenant', 'centre', 'agency', 'network')),
    facts jsonb not null default '{}',
    created_s bigint not null
);

create table token (
    id uuid primary key,
    secret_sha256 bytea not null unique,
    organisation_id text not null references organisation,
    role text not null,
    centre_id text,
    label text not null default '',
    created_s bigint not null,
    expires_s bigint,
    revoked_s bigint
);

create table centre (
    id text primary key check (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    organisation_id text not null references organisation,
    name text not null,
    name_zh text not null,
    city text not null,
    latitude double precision not null,
    longitude double precision not null,
    provider_facts jsonb not null default '{}',
    drained boolean not null default false,
    created_s bigint not null
);
alter table token add foreign key (centre_id) references centre;

-- What changes at every sync stands apart from what hardly changes.
create table centre_contact (
    centre_id text primary key references centre,
    agent_id text,
    agent_release text not null default '',
    driver text not null default '',
    seen_s bigint,
    unchanged_s bigint,
    unseen boolean not null default true,
    inventory jsonb
);
comment on column centre_contact.inventory is 'What its agent last found behind the pools; compared with the offer, never placed on';

create table pool (
    id text primary key check (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    centre_id text not null references centre,
    chip_id text not null,
    nodes jsonb not null,
    fen_per_chip_hour bigint not null check (fen_per_chip_hour >= 0),
    max_walltime_s bigint not null check (max_walltime_s > 0),
    bills_lost_work boolean not null default false,
    created_s bigint not null,
    offer_xid xid8 not null default pg_current_xact_id()
);
comment on column pool.offer_xid is 'The transaction that said so: who kept the pool in memory knows whether it changed';
create index pool_of_centre on pool (centre_id);

-- What every node had and when, so that history is judged by what was true then. Seconds of several clocks do not order
-- what happened: a turn is drawn, under the pool's lock, whenever chips are taken, given back, or become more or fewer.
create sequence turn;
create table node_capacity (
    pool_id text not null references pool,
    node text not null,
    turn bigint not null,
    chips int not null check (chips >= 0),
    at_s bigint not null,
    primary key (pool_id, node, turn)
);
comment on column node_capacity.chips is 'From this turn on; 0: the pool has no such node any more';

-- Jobs --------------------------------------------------------------------------------------------------------------

create table job (
    id uuid primary key,
    number bigint generated always as identity unique,
    tenant_id text not null references organisation,
    name text not null,
    spec jsonb not null,
    state text not null,
    attempts int not null default 0,
    recoveries int not null default 0,
    restarts int not null default 0,
    estimate_fen bigint not null,
    voucher_id uuid,
    charged_fen bigint not null default 0,
    voucher_fen bigint not null default 0,
    submitted_s bigint not null,
    queued_s bigint not null,
    ended_s bigint,
    reason jsonb not null default '{}',
    settled boolean not null default false
) with (fillfactor = 75);
create index job_of_tenant on job (tenant_id, number desc);
-- No index of jobs and attempts mentions what changes often (state, phase): their rows are then updated in place. Who
-- is over is settled in the same transaction, so `not settled` finds the live ones.
create index job_live on job (number) where not settled;
create index job_live_of_tenant on job (tenant_id) where not settled;

create table attempt (
    job_id uuid not null references job,
    number int not null check (number > 0),
    centre_id text not null references centre,
    pool_id text not null references pool,
    variant int not null,
    node_names text[] not null,
    chips int not null check (chips > 0),
    fen_per_chip_hour bigint not null,
    bills_lost_work boolean not null,
    walltime_s bigint not null,
    placed_s bigint not null,
    placed_turn bigint not null default nextval('turn'),
    expected_end_s bigint not null,
    released_s bigint,
    released_turn bigint,
    decision jsonb not null,
    resume_from jsonb,
    wanted text not null default 'run' check (wanted in ('run', 'stop')),
    order_xid xid8 not null default pg_current_xact_id(),
    phase text not null default 'placed',
    cause text,
    sequence int not null default 0,
    started_s bigint,
    observed_s bigint,
    ended_s bigint,
    exit_code int,
    signal int,
    detail text not null default '',
    progress jsonb,
    checkpoint jsonb,
    metered_until_s bigint,
    charged_until_s bigint,
    charged_chip_s bigint not null default 0,
    charged_fen bigint not null default 0,
    settled boolean not null default false,
    primary key (job_id, number),
    check ((phase = 'ended') = (released_turn is not null))
) with (fillfactor = 75);
create index attempt_orders on attempt (centre_id, order_xid);
create index attempt_live on attempt (centre_id) where not settled;

-- Usage: what was taken, as immutable intervals [from_s, until_s) that never overlap within an attempt.
create table usage (
    job_id uuid not null,
    attempt int not null,
    from_s bigint not null,
    until_s bigint not null check (until_s > from_s),
    chips int not null check (chips > 0),
    recorded_s bigint not null,
    primary key (job_id, attempt, from_s),
    foreign key (job_id, attempt) references attempt (job_id, number)
);

-- Reports that could not be applied: an agent may forget what the hub has taken, so the hub keeps them and tries again.
create table kept_report (
    job_id uuid not null,
    attempt int not null,
    centre_id text not null references centre,
    report jsonb not null,
    cause text not null,
    failures int not null,
    first_s bigint not null,
    last_s bigint not null,
    primary key (job_id, attempt),
    foreign key (job_id, attempt) references attempt (job_id, number)
);
comment on column kept_report.report is 'With its times on the clock of the hub';
create index kept_report_of_centre on kept_report (centre_id);

-- Charge lines: every second of usage ends in exactly one of them; lost work is a line of 0 fen that says why.
create table charge (
    job_id uuid not null,
    attempt int not null,
    from_s bigint not null,
    until_s bigint not null check (until_s > from_s),
    chip_s bigint not null check (chip_s > 0),
    kept boolean not null,
    fen_per_chip_hour bigint not null,
    amount_fen bigint not null check (amount_fen >= 0),
    voucher_fen bigint not null check (voucher_fen >= 0),
    cash_fen bigint not null check (cash_fen >= 0),
    tenant_id text not null references organisation,
    centre_id text not null references centre,
    voucher_id uuid,
    transaction_id uuid,
    effective_s bigint not null,
    recorded_s bigint not null,
    primary key (job_id, attempt, from_s),
    foreign key (job_id, attempt) references attempt (job_id, number),
    check (voucher_fen + cash_fen = amount_fen),
    check ((amount_fen = 0) = (transaction_id is null))
);
create index charge_of_centre on charge (centre_id, effective_s);

-- Events: the live trace, and the audit trail. Read in the order (xid, seq) below the oldest transaction in progress,
-- because neither number alone is the order of commits.
create table event (
    seq bigint generated always as identity primary key,
    xid xid8 not null default pg_current_xact_id(),
    at_s bigint not null,
    kind text not null,
    job_id uuid,
    attempt int,
    centre_id text,
    actor text not null default '',
    body jsonb not null default '{}'
);
create index event_order on event (xid, seq);
create index event_of_job on event (job_id, seq) where job_id is not null;

create table answer (
    organisation_id text not null,
    key text not null,
    request_sha256 bytea not null,
    body jsonb,
    created_s bigint not null,
    primary key (organisation_id, key)
);
comment on table answer is 'Idempotency keys: what was answered to a write, so that the same call again answers the same';

create table blob (
    sha256 bytea primary key,
    body bytea not null,
    size_bytes bigint not null check (size_bytes > 0),
    sent_s bigint not null
);
comment on column blob.sent_s is 'When it was last sent: sent again, it is kept as long as a new one';
alter table blob alter column body set storage external;

-- Equal content is stored once; who uploaded it may read it.
create table blob_owner (
    sha256 bytea not null references blob on delete cascade,
    organisation_id text not null references organisation,
    primary key (sha256, organisation_id)
);

-- Vouchers ----------------------------------------------------------------------------------------------------------

create table programme (
    id text primary key,
    agency_id text not null references organisation,
    rules jsonb not null,
    rules_sha256 text not null,
    automatic_limit_fen bigint not null check (automatic_limit_fen >= 0),
    created_s bigint not null
);

create table claim (
    id uuid primary key,
    programme_id text not null references programme,
    tenant_id text not null references organisation,
    state text not null,
    contract_id text not null,
    contract jsonb not null,
    centre_ids text[] not null,
    inputs jsonb not null,
    assessment jsonb not null,
    assessed_fen bigint not null check (assessed_fen >= 0),
    decided_fen bigint check (decided_fen between 0 and assessed_fen),
    decided_by text,
    submitted_s bigint not null,
    decided_s bigint
);
create index claim_of_tenant on claim (tenant_id, programme_id);

create table voucher (
    id uuid primary key,
    programme_id text not null references programme,
    tenant_id text not null references organisation,
    claim_id uuid not null references claim,
    terms jsonb not null,
    granted_fen bigint not null check (granted_fen > 0),
    valid_from_s bigint not null,
    valid_to_s bigint,
    created_s bigint not null
);
create index voucher_of_tenant on voucher (tenant_id);

-- The book ----------------------------------------------------------------------------------------------------------
-- A transfer takes from one account and gives to another, so it balances by its shape. A transaction is a header with
-- the number and sum of its transfers; at commit a constraint trigger checks that it is whole and that every asset in
-- it sums to zero. Balances of limited accounts are kept by the database itself and can never fall below zero.

create table account (
    id bigint generated always as identity primary key,
    key text not null unique,
    kind text not null,
    owner text not null,
    asset text not null,
    limited boolean not null,
    job_id uuid
);
create index account_of_job on account (job_id) where job_id is not null;
create index account_of_owner on account (owner);

create table balance (
    account_id bigint primary key references account,
    amount_fen bigint not null,
    constraint account_covers check (amount_fen >= 0)
) with (fillfactor = 70);

create table ledger_transaction (
    id uuid primary key,
    kind text not null,
    subject text not null,
    request_sha256 bytea not null,
    transfers int not null check (transfers > 0),
    total_fen bigint not null check (total_fen > 0),
    actor text not null,
    effective_s bigint not null,
    recorded_s bigint not null,
    xid xid8 not null default pg_current_xact_id()
);
create index ledger_transaction_of_subject on ledger_transaction (subject);

create table transfer (
    seq bigint generated always as identity primary key,
    transaction_id uuid not null references ledger_transaction,
    debit_id bigint not null references account,
    credit_id bigint not null references account,
    amount_fen bigint not null check (amount_fen > 0),
    check (debit_id <> credit_id)
);
create index transfer_of_transaction on transfer (transaction_id);
create index transfer_debit on transfer (debit_id, seq);
create index transfer_credit on transfer (credit_id, seq);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: % refused', tg_table_name, tg_op using errcode = 'SW001';
end $$;

create function apply_transfers() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (select from inserted i join ledger_transaction t on t.id = i.transaction_id
               where t.xid <> pg_current_xact_id()) then
        raise exception 'a transfer can only join a transaction that is being recorded' using errcode = 'SW002';
    end if;
    -- Balances are locked in one order everywhere, so that two batches never wait for each other in a ring.
    perform from balance b where b.account_id in (select debit_id from inserted union select credit_id from inserted)
        order by b.account_id for no key update;
    update balance b set amount_fen = b.amount_fen + moved.fen
    from (select account_id, sum(fen) as fen
          from (select credit_id as account_id, amount_fen as fen from inserted
                union all select debit_id, -amount_fen from inserted) legs
          group by account_id) moved
    where b.account_id = moved.account_id and moved.fen <> 0;
    return null;
end $$;

create function open_balance() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into balance (account_id, amount_fen) select id, 0 from inserted where limited;
    return null;
end $$;

create function check_transaction() returns trigger language plpgsql as $$
declare
    legs bigint;
    total bigint;
    within_assets boolean;
begin
    select count(*), coalesce(sum(t.amount_fen), 0), coalesce(bool_and(debit.asset = credit.asset), true)
    into legs, total, within_assets
    from transfer t join account debit on debit.id = t.debit_id join account credit on credit.id = t.credit_id
    where t.transaction_id = new.id;
    if legs <> new.transfers or total <> new.total_fen then
        raise exception 'transaction % is not whole: % transfers of % fen, header says % of %',
            new.id, legs, total, new.transfers, new.total_fen using errcode = 'SW003';
    end if;
    -- Every transfer inside one asset: so every asset of the transaction sums to zero.
    if not within_assets then
        raise exception 'transaction % moves value from one asset to another', new.id using errcode = 'SW003';
    end if;
    return null;
end $$;

create trigger account_opens after insert on account
    referencing new table as inserted for each statement execute function open_balance();
create trigger transfer_applies after insert on transfer
    referencing new table as inserted for each statement execute function apply_transfers();
create constraint trigger transaction_balances after insert on ledger_transaction
    deferrable initially deferred for each row execute function check_transaction();

create function refuse_overlap() returns trigger language plpgsql as $$
begin
    if exists (select from inserted i join usage u on u.job_id = i.job_id and u.attempt = i.attempt
               and u.from_s < i.until_s and u.until_s > i.from_s and u.from_s <> i.from_s) then
        raise exception 'usage intervals of one attempt overlap' using errcode = 'SW004';
    end if;
    return null;
end $$;
create trigger usage_overlaps after insert on usage
    referencing new table as inserted for each statement execute function refuse_overlap();

do $$
declare recorded text;
begin
    foreach recorded in array array['account', 'ledger_transaction', 'transfer', 'usage', 'charge', 'event', 'node_capacity'] loop
        execute format('create trigger %I_append_only before update or delete on %I for each statement
                        execute function refuse_change()', recorded, recorded);
        execute format('create trigger %I_never_truncated before truncate on %I for each statement
                        execute function refuse_change()', recorded, recorded);
    end loop;
end $$;

-- Privileges --------------------------------------------------------------------------------------------------------

do $$
begin
    if not exists (select from pg_roles where rolname = 'suanwang_app') then
        create role suanwang_app nologin;
    end if;
    execute format('grant suanwang_app to %I', current_user);
end $$;
grant usage on schema public to suanwang_app;
grant select, insert on account, ledger_transaction, transfer, usage, charge, event, node_capacity to suanwang_app;
grant select on balance to suanwang_app;
grant select, insert, update on organisation, token, centre, centre_contact, pool, job, attempt, kept_report, answer, blob,
    blob_owner, programme, claim, voucher to suanwang_app;
grant delete on kept_report, blob, blob_owner, answer to suanwang_app;
grant usage on all sequences in schema public to suanwang_app;

-- Which hub decides: a hub that starts takes the next epoch, and an older one finds its own epoch gone.
create table brain (single boolean primary key default true check (single), epoch bigint not null);
insert into brain (epoch) values (0);
grant select, update on brain to suanwang_app;

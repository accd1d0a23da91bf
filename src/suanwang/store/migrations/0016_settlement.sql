-- Settlement batches: which lines of the book are paid to whom together, who said so, and what was paid.
-- What a batch is at a moment follows from its steps; nothing is ever changed.

create table settlement (
    id text primary key,
    period text not null check (period ~ '^\d{4}-(0[1-9]|1[0-2])$'),
    kind text not null check (kind in ('centre', 'tenant')),
    payee text not null,
    number int not null check (number > 0),
    at_once boolean not null,
    total_fen bigint not null check (total_fen >= 0),
    lines int not null check (lines > 0),
    lines_sha256 bytea not null check (length(lines_sha256) = 32),
    actor text not null,
    proposed_s bigint not null,
    unique (period, kind, payee, number)
);
comment on column settlement.at_once is 'Proposed, approved and paid by one person: only before the first month is closed';
comment on column settlement.lines_sha256 is 'Over its lines; the payment in the book names it';

-- What one transaction moved on the account of one payee. `turn`: 1, and one more for every rejected batch that it was in,
-- so that the key itself keeps it out of two live batches.
create table settlement_line (
    transaction_id uuid not null references ledger_transaction,
    account_id bigint not null references account,
    turn int not null check (turn > 0),
    settlement_id text not null references settlement,
    amount_fen bigint not null check (amount_fen <> 0),
    primary key (transaction_id, account_id, turn)
);
create index settlement_line_of_settlement on settlement_line (settlement_id);

create table settlement_share (
    settlement_id text not null references settlement,
    programme_id text not null references programme,
    place int not null check (place >= 0),
    level text not null,
    amount_fen bigint not null check (amount_fen >= 0),
    primary key (settlement_id, programme_id, place),
    unique (settlement_id, programme_id, level)
);
comment on table settlement_share is 'What each funder of a programme owes for a batch; place: the order of the rules';

create table settlement_step (
    settlement_id text not null references settlement,
    state text not null check (state in ('approved', 'paid', 'rejected')),
    reason text not null default '',
    actor text not null,
    transaction_id uuid unique references ledger_transaction,
    at_s bigint not null,
    primary key (settlement_id, state),
    check ((state = 'rejected') = (reason <> '')),
    check (transaction_id is null or state = 'paid')
);
create unique index settlement_ends_once on settlement_step (settlement_id) where state in ('paid', 'rejected');

create function check_settlement() returns trigger language plpgsql as $$
begin
    if new.at_once and exists (select from period) then
        raise exception 'months are closed here: a batch takes two people' using errcode = 'SW005';
    end if;
    return new;
end $$;
create trigger settlement_takes_two before insert on settlement for each row execute function check_settlement();

create function check_settlement_step() returns trigger language plpgsql as $$
declare
    batch settlement;
    before text[];
begin
    select * into batch from settlement where id = new.settlement_id;
    select coalesce(array_agg(state), '{}') into before from settlement_step where settlement_id = new.settlement_id;
    if 'rejected' = any(before) or 'paid' = any(before) then
        raise exception 'batch % is over', batch.id using errcode = 'SW005';
    end if;
    if new.state = 'approved' and new.actor = batch.actor and not batch.at_once then
        raise exception 'who proposed batch % does not approve it', batch.id using errcode = 'SW005';
    end if;
    if new.state = 'paid' and ('approved' <> all(before) or (new.transaction_id is null) <> (batch.total_fen = 0)) then
        raise exception 'batch % is not approved, or not paid in the book', batch.id using errcode = 'SW005';
    end if;
    return new;
end $$;
create trigger settlement_step_in_turn before insert on settlement_step
    for each row execute function check_settlement_step();

create function refuse_second_batch() returns trigger language plpgsql as $$
begin
    if exists (select from inserted i join settlement_line o on o.transaction_id = i.transaction_id
               and o.account_id = i.account_id and o.turn <> i.turn
               where not exists (select from settlement_step s where s.settlement_id = o.settlement_id and s.state = 'rejected')) then
        raise exception 'a line is in two batches' using errcode = 'SW005';
    end if;
    return null;
end $$;
create trigger settlement_line_once after insert on settlement_line
    referencing new table as inserted for each statement execute function refuse_second_batch();

do $$
declare recorded text;
begin
    foreach recorded in array array['settlement', 'settlement_line', 'settlement_share', 'settlement_step'] loop
        execute format('create trigger %I_append_only before update or delete on %I for each statement
                        execute function refuse_change()', recorded, recorded);
        execute format('create trigger %I_never_truncated before truncate on %I for each statement
                        execute function refuse_change()', recorded, recorded);
    end loop;
end $$;
grant select, insert on settlement, settlement_line, settlement_share, settlement_step to suanwang_app;

-- What somebody says is wrong, and nobody has answered: charges, corrections and repayments of that attempt wait.
create view disputed as
select c.transaction_id, d.number from dispute d left join dispute_answer w on w.dispute_id = d.id
join charge c on c.job_id = d.job_id and c.attempt = d.attempt
where w.dispute_id is null and c.transaction_id is not null
union all
select r.transaction_id, d.number from dispute d left join dispute_answer w on w.dispute_id = d.id
join refund r on r.job_id = d.job_id and r.attempt = d.attempt where w.dispute_id is null
union all
select t.id, d.number from dispute d left join dispute_answer w on w.dispute_id = d.id
join ledger_transaction t on t.subject = d.job_id::text and t.kind = 'redeem' where w.dispute_id is null;
grant select on disputed to suanwang_app;

-- Use that cost nothing has no transaction whose seal would say in which month it is. Its own database transaction does:
-- what was over when a month was closed is in it, if its time is. Rows of before have none and count by their time.
alter table charge add column xid xid8;
alter table charge alter column xid set default pg_current_xact_id();
create index charge_of_nothing on charge (tenant_id, effective_s) where amount_fen = 0 and kept;
alter table order_charge add column xid xid8;
alter table order_charge alter column xid set default pg_current_xact_id();
alter table period add column horizon xid8;
alter table period alter column horizon set default pg_snapshot_xmin(pg_current_snapshot());
comment on column period.horizon is 'Every database transaction below was over at the closing; null: see its last seal';

-- Whether what was recorded then was over when the period with this end was closed. As in `transactions_in`, with the
-- last of all seals everything is.
create function over_at(end_s bigint, last_seal bigint, recorded xid8, recorded_s bigint)
returns boolean language sql stable as $$
    select $2 = 9223372036854775807 or exists (
        select from period p left join seal s on s.number = p.last_seal
        where p.end_s = $1 and $4 <= p.closed_s and ($3 is null or $3 < coalesce(p.horizon, s.horizon)))
$$;

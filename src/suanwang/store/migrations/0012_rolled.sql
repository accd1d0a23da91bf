-- What sealed transactions moved on accounts without a limit, added up as they are sealed: what such an account holds is
-- this and what is not sealed yet, however long its history. Accounts with a limit have their balance row.

create table rolled (
    account_id bigint primary key references account,
    amount_fen bigint not null
);
comment on column rolled.amount_fen is 'Credits less debits of all sealed transactions';
insert into rolled
select account_id, sum(fen) from (
    select l.credit_id as account_id, l.amount_fen as fen from transfer l join sealed using (transaction_id)
    union all select l.debit_id, -l.amount_fen from transfer l join sealed using (transaction_id)
) leg join account a on a.id = leg.account_id and not a.limited group by account_id;
grant select, insert, update on rolled to suanwang_app;

-- A planner that knows neither the horizon nor how little is behind it would read all seals; this finds its few rows
-- through indexes. A horizon ahead of the clock of transactions is that of another server, from which this database was
-- copied.
create function unsealed() returns setof uuid language sql stable
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
    set max_parallel_workers_per_gather = 0 as $$
    select t.id from ledger_transaction t
    where t.xid >= coalesce((select case when horizon <= pg_snapshot_xmax(pg_current_snapshot()) then horizon end
                             from seal order by number desc limit 1), '0'::xid8)
        and not exists (select from sealed s where s.transaction_id = t.id)
$$;

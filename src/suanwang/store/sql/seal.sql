-- name: lock
select pg_advisory_xact_lock(7700, 2)

-- name: last
select number, entries, root, before, sealed_s, horizon::text::bigint as horizon from seal order by number desc limit 1

-- name: unsealed
-- In the order in which they count: that of their transactions in the database, and within one, of their transfers.
-- `+ 0`: a bare min(seq) may be looked for through the index of all transfers, once for every transaction.
-- A horizon ahead of the clock of transactions is that of another server, from which this database was copied.
-- Records come after the transactions of the same one in the database.
with span as (
    select case when $1::text::xid8 > pg_current_xact_id() then '0'::xid8 else $1::text::xid8 end as low,
        pg_snapshot_xmin(pg_current_snapshot()) as high
), due as (
    select t.xid, t.id, null::bigint as seq, (select min(seq + 0) from transfer where transaction_id = t.id) as place
    from span, ledger_transaction t
    where t.xid >= span.low and t.xid < span.high and not exists (select from sealed s where s.transaction_id = t.id)
    union all
    select r.xid, null, r.seq, r.seq from span, row_record r
    where r.xid >= span.low and r.xid < span.high and not exists (select from sealed s where s.record_seq = r.seq)
    order by xid, seq nulls first, place limit $2
)
select d.id as transaction_id, d.seq as record_seq, d.xid::text::bigint as xid,
    leaf_sha256(case when d.id is null then record_text(r) else sealed_text(t) end) as leaf
from due d left join ledger_transaction t on t.id = d.id left join row_record r on r.seq = d.seq
order by d.xid, d.seq nulls first, d.place

-- name: insert_seal
insert into seal (number, entries, root, before, sealed_s, horizon) values ($1, $2, $3, $4, $5, $6::text::xid8)

-- name: insert_sealed
insert into sealed (seal, place, transaction_id, record_seq, leaf)
select $1, place - 1, id, seq, leaf from unnest($2::uuid[], $3::bigint[], $4::bytea[]) with ordinality s (id, seq, leaf, place)

-- name: roll_up
insert into rolled (account_id, amount_fen)
select account_id, sum(fen) from (
    select l.credit_id as account_id, l.amount_fen as fen from sealed s join transfer l using (transaction_id) where s.seal = $1
    union all select l.debit_id, -l.amount_fen from sealed s join transfer l using (transaction_id) where s.seal = $1
) leg join account a on a.id = leg.account_id and not a.limited group by account_id
on conflict (account_id) do update set amount_fen = rolled.amount_fen + excluded.amount_fen

-- name: highest_sealed
select coalesce(max(seal), 0) from sealed

-- name: seals
select number, entries, root, before, sealed_s from seal where number between $1 and $2 order by number

-- name: latest
select number, entries, root, before, sealed_s from seal order by number desc limit $1

-- name: numbers_between
-- Seals that were made from one instant on, and up to the first that was made at the other or later.
select min(number) filter (where sealed_s >= $1) as first,
    coalesce(min(number) filter (where sealed_s >= $2), max(number)) as last
from seal

-- name: leaves
select leaf from sealed where seal = $1 order by place

-- name: lines
select case when s.transaction_id is null then record_text(r) else sealed_text(t) end as line
from sealed s left join ledger_transaction t on t.id = s.transaction_id left join row_record r on r.seq = s.record_seq
where s.seal = $1 order by s.place

-- name: places
select s.seal, s.place, s.transaction_id, sealed_text(t) as line
from sealed s join ledger_transaction t on t.id = s.transaction_id where s.transaction_id = any($1::uuid[]) order by s.seal, s.place

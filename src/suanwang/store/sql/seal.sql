-- name: lock
select pg_advisory_xact_lock(7700, 2)

-- name: last
select number, transactions, root, before, sealed_s, horizon::text::bigint as horizon from seal order by number desc limit 1

-- name: unsealed
-- In the order in which they count: that of their transactions in the database, and within one, of their transfers.
-- `+ 0`: a bare min(seq) may be looked for through the index of all transfers, once for every transaction.
-- A horizon ahead of the clock of transactions is that of another server, from which this database was copied.
select t.id, t.xid::text::bigint as xid, leaf_sha256(sealed_text(t)) as leaf
from ledger_transaction t
where t.xid >= case when $1::text::xid8 > pg_current_xact_id() then '0'::xid8 else $1::text::xid8 end
    and t.xid < pg_snapshot_xmin(pg_current_snapshot())
    and not exists (select from sealed s where s.transaction_id = t.id)
order by t.xid, (select min(seq + 0) from transfer where transaction_id = t.id) limit $2

-- name: insert_seal
insert into seal (number, transactions, root, before, sealed_s, horizon) values ($1, $2, $3, $4, $5, $6::text::xid8)

-- name: insert_sealed
insert into sealed (seal, place, transaction_id, leaf)
select $1, place - 1, id, leaf from unnest($2::uuid[], $3::bytea[]) with ordinality s (id, leaf, place)

-- name: roll_up
insert into rolled (account_id, amount_fen)
select account_id, sum(fen) from (
    select l.credit_id as account_id, l.amount_fen as fen from sealed s join transfer l using (transaction_id) where s.seal = $1
    union all select l.debit_id, -l.amount_fen from sealed s join transfer l using (transaction_id) where s.seal = $1
) leg join account a on a.id = leg.account_id and not a.limited group by account_id
on conflict (account_id) do update set amount_fen = rolled.amount_fen + excluded.amount_fen

-- name: seals
select number, transactions, root, before, sealed_s from seal where number between $1 and $2 order by number

-- name: latest
select number, transactions, root, before, sealed_s from seal order by number desc limit $1

-- name: numbers_between
-- Seals that were made from one instant on, and up to the first that was made at the other or later.
select min(number) filter (where sealed_s >= $1) as first,
    coalesce(min(number) filter (where sealed_s >= $2), max(number)) as last
from seal

-- name: leaves
select leaf from sealed where seal = $1 order by place

-- name: lines
select sealed_text(t) as line from sealed s join ledger_transaction t on t.id = s.transaction_id
where s.seal = $1 order by s.place

-- name: places
select s.seal, s.place, s.transaction_id, sealed_text(t) as line
from sealed s join ledger_transaction t on t.id = s.transaction_id where s.transaction_id = any($1::uuid[]) order by s.seal, s.place

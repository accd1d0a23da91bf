-- name: accounts
select key, id from account where key = any($1::text[])

-- name: open_accounts
insert into account (key, kind, owner, asset, limited, job_id)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::uuid[])
on conflict (key) do nothing returning key, id

-- name: open_transactions
insert into ledger_transaction (id, kind, subject, request_sha256, transfers, total_fen, actor, effective_s, recorded_s)
select t.*, $9 from unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::int[], $6::bigint[], $7::text[], $8::bigint[]) t
on conflict (id) do nothing
returning id

-- name: recorded_sha256
select id, request_sha256 from ledger_transaction where id = any($1::uuid[])

-- name: insert_transfers
insert into transfer (transaction_id, debit_id, credit_id, amount_fen)
select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[])

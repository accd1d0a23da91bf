-- name: of_job
select number, attempt, amount_fen, voucher_fen, reason, actor, transaction_id, recorded_s from refund
where job_id = $1 order by number

-- name: insert
insert into refund (job_id, number, attempt, amount_fen, voucher_fen, reason, actor, transaction_id, recorded_s)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)

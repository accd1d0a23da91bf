-- name: insert
insert into dispute (id, job_id, attempt, organisation_id, reason, actor, opened_s) values ($1, $2, $3, $4, $5, $6, $7)
returning number

-- name: insert_answer
insert into dispute_answer (dispute_id, job_id, refund_number, reason, actor, answered_s) values ($1, $2, $3, $4, $5, $6)

-- name: disputes
-- Of one organisation, as tenant or as centre; by number; or all. The newest first.
select d.id, d.number, d.job_id, j.number as job_number, j.name as job_name, j.tenant_id, d.attempt, a.centre_id,
    d.organisation_id, d.reason, d.opened_s, w.reason as answer, w.answered_s, coalesce(r.amount_fen, 0) as refunded_fen
from dispute d join job j on j.id = d.job_id join attempt a on a.job_id = d.job_id and a.number = d.attempt
join centre c on c.id = a.centre_id left join dispute_answer w on w.dispute_id = d.id
left join refund r on r.job_id = w.job_id and r.number = w.refund_number
where ($1::text is null or $1 in (j.tenant_id, c.organisation_id)) and ($2::bigint is null or d.number = $2)
    and ($3::uuid is null or d.job_id = $3)
order by d.number desc

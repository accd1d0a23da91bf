-- name: insert_jobs
insert into job (id, tenant_id, name, spec, state, estimate_fen, voucher_id, voucher_centres, submitted_s,
    queued_s, project_id)
select j.id, j.tenant_id, j.name, j.spec::jsonb, 'queued', j.estimate_fen, j.voucher_id,
    string_to_array(j.voucher_centres, ','), $1, $1, j.project_id
from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::uuid[], $8::text[],
    $9::uuid[]) with ordinality j (id, tenant_id, name, spec, estimate_fen, voucher_id, voucher_centres, project_id, place)
order by j.place returning id, number

-- name: jobs_for_update
select id, number, tenant_id, name, spec::text as spec, state, attempts, recoveries, restarts, estimate_fen, voucher_id,
    voucher_centres, charged_fen, voucher_fen, submitted_s, queued_s, settled, project_id
from job where id = any($1::uuid[]) order by id for no key update

-- name: set_states
update job set state = j.state, reason = j.reason::jsonb, ended_s = coalesce(job.ended_s, j.ended_s),
    queued_s = coalesce(j.queued_s, job.queued_s),
    recoveries = j.recoveries, restarts = j.restarts
from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::int[], $7::int[])
    j (id, state, reason, ended_s, queued_s, recoveries, restarts)
where job.id = j.id

-- name: place
update job set state = 'placed', attempts = j.attempt, reason = j.reason::jsonb
from unnest($1::uuid[], $2::int[], $3::text[]) j (id, attempt, reason)
where job.id = j.id

-- name: set_reasons
update job set reason = j.reason::jsonb from unnest($1::uuid[], $2::text[]) j (id, reason)
where job.id = j.id and job.state = 'queued'

-- name: queued_or_live
select id, number, tenant_id, name, spec::text as spec, state, attempts, recoveries, restarts, estimate_fen, voucher_id,
    voucher_centres, charged_fen, voucher_fen, submitted_s, queued_s, settled, project_id
from job where not settled and state not in ('succeeded', 'failed', 'cancelled') order by number

-- name: job
select j.id, j.number, j.tenant_id, j.name, j.spec::text as spec, j.state, j.attempts, j.recoveries, j.restarts,
    j.estimate_fen, j.voucher_id, j.charged_fen, j.voucher_fen, j.submitted_s, j.queued_s, j.ended_s,
    j.reason::text as reason, j.settled
from job j where j.id = $1

-- name: find
-- What fits best, and what a person needs to choose by; `together`: how many fit as well.
select id, number, name, state, count(*) over () as together
from (
    select *, min(rank) over () as best
    from (
        select id, number, name, state,
            case when id::text = lower($2) or number::text = $2 then 0 when name = $2 then 1 else 2 end as rank
        from job
        where ($1::text is null or tenant_id = $1)
            and (number::text = $2 or name = $2 or (length($2) >= 6 and starts_with(id::text, lower($2))))
    ) fitting
) ranked
where rank = best order by number desc limit 10

-- name: count_live
select tenant_id, jobs from live_jobs where tenant_id = any($1::text[])

-- name: count_in
-- In the order of the tenants, so that nobody waits in a ring.
insert into live_jobs (tenant_id, jobs) select t.* from unnest($1::text[], $2::bigint[]) t (tenant_id, jobs) order by 1
on conflict (tenant_id) do update set jobs = live_jobs.jobs + excluded.jobs

-- name: list
select j.id, j.number, j.tenant_id, j.name, j.state, j.attempts, j.estimate_fen, j.charged_fen, j.voucher_fen,
    j.submitted_s, j.ended_s, j.reason::text as reason, a.centre_id, a.pool_id, a.phase, a.started_s, a.progress::text as progress,
    k.unseen
from job j
left join attempt a on a.job_id = j.id and a.number = j.attempts
left join centre_contact k on k.centre_id = a.centre_id
where ($1::text is null or j.tenant_id = $1) and ($2::text[] is null or j.state = any($2))
    and ($3::bigint is null or j.number < $3) and ($5::text[] is null or a.centre_id = any($5))
order by j.number desc limit $4

-- name: count_states
select j.state, count(*) as jobs from job j
where ($1::text is null or j.tenant_id = $1) and ($2::text[] is null or exists (
    select from attempt a where a.job_id = j.id and a.number = j.attempts and a.centre_id = any($2)))
group by j.state

-- name: settle
-- Counters of tenants are locked last, as when jobs are counted in, and in the order of the tenants.
with over as (
    update job set settled = true where id = any($1::uuid[]) and not settled returning tenant_id
), gone as (
    select tenant_id, count(*) as jobs from over group by tenant_id
), locked as materialized (
    select l.tenant_id from live_jobs l where l.tenant_id in (select tenant_id from gone) order by 1 for no key update
)
update live_jobs l set jobs = l.jobs - gone.jobs
from gone join locked using (tenant_id) where l.tenant_id = gone.tenant_id

-- name: add_charges
update job set charged_fen = job.charged_fen + c.amount_fen, voucher_fen = job.voucher_fen + c.voucher_fen
from unnest($1::uuid[], $2::bigint[], $3::bigint[]) c (id, amount_fen, voucher_fen) where job.id = c.id

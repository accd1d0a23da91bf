-- name: kept
select job_id, attempt, report::text as report from kept_report where centre_id = $1 order by last_s, job_id, attempt limit $2

-- name: keep
-- Says whether this is news: the first failure of the report, or another cause than before.
insert into kept_report as k (job_id, attempt, centre_id, report, cause, failures, first_s, last_s)
values ($1, $2, $3, $4::jsonb, $5, 1, $6, $6)
on conflict (job_id, attempt) do update set report = excluded.report, cause = excluded.cause, last_s = excluded.last_s,
    failures = k.failures + 1
returning failures = 1 or cause <> (select cause from kept_report where job_id = $1 and attempt = $2) as news

-- name: drop
delete from kept_report k using unnest($1::uuid[], $2::int[]) d (job_id, attempt)
where k.job_id = d.job_id and k.attempt = d.attempt returning k.job_id, k.attempt, k.failures

-- name: insert
insert into project (id, tenant_id, name, title, zone, budget_fen, hard, alert_percent, created_s, actor)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (tenant_id, name) do nothing

-- name: projects
select id, tenant_id, name, title, zone, budget_fen, hard, alert_percent, held_fen, created_s from project
where ($1::text is null or tenant_id = $1) and ($2::text is null or name = $2) order by tenant_id, name

-- name: ids
select id from project where (tenant_id, name) in (select * from unnest($1::text[], $2::text[]))

-- name: lock
-- In id order, so that nobody waits in a ring.
select id, tenant_id, name, title, zone, budget_fen, hard, alert_percent, held_fen, created_s from project
where id = any($1::uuid[]) order by id for no key update

-- name: spent
select m.project_id, m.spent_fen from project_month m
join unnest($1::uuid[], $2::text[]) t (id, month) on m.project_id = t.id and m.month = t.month

-- name: months
select month, spent_fen from project_month where project_id = $1 order by month desc

-- name: set_budget
update project set budget_fen = $2, hard = $3, alert_percent = $4 where id = $1

-- name: hold
-- More is held for these jobs.
with more as (
    update job set project_held_fen = project_held_fen + j.fen from unnest($1::uuid[], $2::bigint[]) j (id, fen)
    where job.id = j.id returning job.project_id, j.fen
)
update project p set held_fen = p.held_fen + m.fen
from (select project_id, sum(fen)::bigint as fen from more group by project_id) m where p.id = m.project_id

-- name: draw
-- What is charged is held no more. Of a job that was given up too early more may be charged than is held.
with less as (
    select j.id, j.project_id, least(j.project_held_fen, c.fen) as fen
    from unnest($1::uuid[], $2::bigint[]) c (id, fen) join job j on j.id = c.id
), taken as (
    update job set project_held_fen = project_held_fen - l.fen from less l where job.id = l.id
    returning l.project_id, l.fen
)
update project p set held_fen = p.held_fen - t.fen
from (select project_id, sum(fen)::bigint as fen from taken group by project_id) t where p.id = t.project_id

-- name: release
with less as (
    select id, project_id, project_held_fen as fen from job where id = any($1::uuid[]) and project_held_fen > 0
), given as (
    update job set project_held_fen = 0 from less l where job.id = l.id returning l.project_id, l.fen
)
update project p set held_fen = p.held_fen - g.fen
from (select project_id, sum(fen)::bigint as fen from given group by project_id) g where p.id = g.project_id

-- name: held
select project_held_fen from job where id = $1

-- name: spend
insert into project_month (project_id, month, spent_fen) values ($1, $2, $3)
on conflict (project_id, month) do update set spent_fen = project_month.spent_fen + excluded.spent_fen
returning spent_fen

-- name: raise_alerts
insert into project_alert (project_id, month, percent, budget_fen, spent_fen, raised_s)
select $1, $2, percent, $4, $5, $6 from unnest($3::int[]) percent on conflict do nothing returning percent

-- name: alerts
select p.tenant_id, p.name, a.month, a.percent, a.budget_fen, a.spent_fen, a.raised_s
from project_alert a join project p on p.id = a.project_id
where ($1::text is null or p.tenant_id = $1) and ($2::text is null or p.name = $2)
order by a.raised_s desc, p.name, a.percent desc limit $3

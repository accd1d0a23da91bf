-- name: insert_centre
with new as (
    insert into centre (id, organisation_id, name, name_zh, city, latitude, longitude, provider_facts, created_s)
    values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9) on conflict (id) do nothing returning id
)
insert into centre_contact (centre_id) select id from new

-- name: upsert_pool
insert into pool (id, centre_id, chip_id, nodes, fen_per_chip_hour, max_walltime_s, bills_lost_work, created_s)
values ($1, $2, $3, $4::jsonb, $5, $6, $7, $8)
on conflict (id) do update set chip_id = excluded.chip_id, nodes = excluded.nodes,
    fen_per_chip_hour = excluded.fen_per_chip_hour, max_walltime_s = excluded.max_walltime_s,
    bills_lost_work = excluded.bills_lost_work, offer_xid = pg_current_xact_id()
where pool.centre_id = excluded.centre_id
returning id

-- name: centres
select c.id, c.organisation_id, c.name, c.name_zh, c.city, c.latitude, c.longitude, c.provider_facts::text as provider_facts,
    c.drained, k.seen_s, k.unchanged_s, k.unseen, k.agent_id, k.agent_release, k.driver
from centre c join centre_contact k on k.centre_id = c.id order by c.created_s, c.id

-- name: centre
select c.id, c.organisation_id, c.name, c.name_zh, c.city, c.latitude, c.longitude, c.provider_facts::text as provider_facts,
    c.drained, k.seen_s, k.unchanged_s, k.unseen, k.agent_id, k.agent_release, k.driver
from centre c join centre_contact k on k.centre_id = c.id where c.id = $1

-- name: pools
select id, centre_id, chip_id, nodes::text as nodes, fen_per_chip_hour, max_walltime_s, bills_lost_work
from pool order by created_s, id

-- name: offers_version
select md5(string_agg(id || ' ' || offer_xid, ' ' order by id)) as version from pool

-- name: pools_of_centre
select id, centre_id, chip_id, nodes::text as nodes, fen_per_chip_hour, max_walltime_s, bills_lost_work
from pool where centre_id = $1 order by created_s, id

-- name: set_drained
update centre set drained = $2 where id = $1 and drained <> $2 returning id

-- name: record_contact
update centre_contact k set seen_s = greatest(k.seen_s, $3), unchanged_s = greatest(k.unchanged_s, $4),
    agent_id = $2, agent_release = $5, driver = $6, unseen = false
from centre_contact before where k.centre_id = $1 and before.centre_id = $1
returning before.unseen, before.agent_id, before.seen_s as seen_before_s

-- name: mark_unseen
update centre_contact set unseen = true where not unseen and (seen_s is null or seen_s < $1) returning centre_id

-- name: used_chips
select pool_id, sum(chips)::bigint as chips, count(*) as attempts from attempt where not settled and phase <> 'ended' group by pool_id

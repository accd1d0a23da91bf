-- name: upsert_centre
with stored as (
    insert into centre (id, organisation_id, name, name_zh, city, latitude, longitude, provider_facts, created_s)
    values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9)
    on conflict (id) do update set name = excluded.name, name_zh = excluded.name_zh, city = excluded.city,
        latitude = excluded.latitude, longitude = excluded.longitude, provider_facts = excluded.provider_facts,
        facts_xid = pg_current_xact_id()
    where centre.organisation_id = excluded.organisation_id
    returning id
), contact as (
    insert into centre_contact (centre_id) select id from stored on conflict (centre_id) do nothing
)
select id from stored

-- name: upsert_pool
insert into pool (id, centre_id, chip_id, nodes, fen_per_chip_hour, max_walltime_s, bills_lost_work, created_s,
    own_tenants_first, preemptible_fen_per_chip_hour, rate_card, rates_until_s)
values ($1, $2, $3, $4::jsonb, $5, $6, $7, $8, $9, $10, $11::jsonb, $12)
on conflict (id) do update set chip_id = excluded.chip_id, nodes = excluded.nodes,
    fen_per_chip_hour = excluded.fen_per_chip_hour, max_walltime_s = excluded.max_walltime_s,
    bills_lost_work = excluded.bills_lost_work, own_tenants_first = excluded.own_tenants_first,
    preemptible_fen_per_chip_hour = excluded.preemptible_fen_per_chip_hour, rate_card = excluded.rate_card,
    rates_until_s = excluded.rates_until_s, offer_xid = pg_current_xact_id()
where pool.centre_id = excluded.centre_id
returning id

-- name: centres
select c.id, c.organisation_id, c.name, c.name_zh, c.city, c.latitude, c.longitude, c.provider_facts::text as provider_facts,
    c.drained, k.seen_s, k.unchanged_s, k.unseen, k.agent_id, k.agent_release, k.driver, k.inventory::text as inventory,
    k.lost_s
from centre c join centre_contact k on k.centre_id = c.id order by c.created_s, c.id

-- name: centre
select c.id, c.organisation_id, c.name, c.name_zh, c.city, c.latitude, c.longitude, c.provider_facts::text as provider_facts,
    c.drained, k.seen_s, k.unchanged_s, k.unseen, k.agent_id, k.agent_release, k.driver, k.inventory::text as inventory,
    k.lost_s
from centre c join centre_contact k on k.centre_id = c.id where c.id = $1

-- name: record_capacity
-- What differs from the last record of the pool's nodes, all under one turn.
with turn as materialized (select nextval('turn') as number),
was as (
    select distinct on (node) node, chips from node_capacity where pool_id = $1 order by node, turn desc
), now as (
    select value ->> 'name' as node, (value ->> 'chips')::int as chips
    from pool, jsonb_array_elements(nodes) value where id = $1
)
insert into node_capacity (pool_id, node, turn, chips, at_s)
select $1, coalesce(now.node, was.node), turn.number, coalesce(now.chips, 0), $2
from now full join was on was.node = now.node cross join turn
where coalesce(now.chips, 0) <> coalesce(was.chips, 0)

-- name: record_offer
-- If it differs from the last record.
insert into pool_offer (pool_id, fen_per_chip_hour, preemptible_fen_per_chip_hour, bills_lost_work, at_s)
select p.id, p.fen_per_chip_hour, p.preemptible_fen_per_chip_hour, p.bills_lost_work, $2 from pool p
left join lateral (select * from pool_offer o where o.pool_id = p.id order by turn desc limit 1) was on true
where p.id = $1 and (was.fen_per_chip_hour, was.preemptible_fen_per_chip_hour, was.bills_lost_work)
    is distinct from (p.fen_per_chip_hour, p.preemptible_fen_per_chip_hour, p.bills_lost_work)

-- name: nodes_taken_beyond
-- Nodes on which live attempts have more chips than the pool has there now.
select taken.node, taken.chips, coalesce(now.chips, 0) as capacity, taken.jobs
from (
    select node, sum(a.chips / cardinality(a.node_names))::int as chips, array_agg(a.job_id::text order by a.job_id) as jobs
    from attempt a cross join unnest(a.node_names) node
    where a.centre_id = $1 and a.pool_id = $2 and not a.settled and a.phase <> 'ended' group by node
) taken
left join (
    select value ->> 'name' as node, (value ->> 'chips')::int as chips
    from pool, jsonb_array_elements(nodes) value where id = $2
) now on now.node = taken.node
where taken.chips > coalesce(now.chips, 0) order by taken.node limit $3

-- name: pools
select id, centre_id, chip_id, nodes::text as nodes, fen_per_chip_hour, max_walltime_s, bills_lost_work,
    own_tenants_first, preemptible_fen_per_chip_hour, rate_card::text as rate_card, rates_until_s,
    offer_xid::text::bigint as version
from pool order by created_s, id

-- name: hold_versions
-- In id order, so that nobody waits in a ring; a change of these pools waits until the transaction ends.
select id, offer_xid::text::bigint as version from pool where id = any($1::text[]) order by id for share

-- name: offers_version
-- Listings are only added, so their number names what is on the lists.
select md5(concat_ws('/',
    (select string_agg(id || ' ' || offer_xid, ' ' order by id) from pool),
    (select string_agg(id || ' ' || facts_xid, ' ' order by id) from centre),
    (select count(*) from provider_listing)
)) as version

-- name: pools_of_centre
select id, centre_id, chip_id, nodes::text as nodes, fen_per_chip_hour, max_walltime_s, bills_lost_work,
    own_tenants_first, preemptible_fen_per_chip_hour, rate_card::text as rate_card, rates_until_s,
    offer_xid::text::bigint as version
from pool where centre_id = $1 order by created_s, id

-- name: rates_over
-- Pools whose prices are no longer those of their rate card, locked in id order.
select id, centre_id, chip_id, nodes::text as nodes, fen_per_chip_hour, max_walltime_s, bills_lost_work,
    own_tenants_first, preemptible_fen_per_chip_hour, rate_card::text as rate_card, rates_until_s
from pool where rates_until_s <= $1 order by id for no key update

-- name: set_prices
update pool set fen_per_chip_hour = $2, preemptible_fen_per_chip_hour = $3, rates_until_s = $4,
    offer_xid = pg_current_xact_id()
where id = $1

-- name: set_drained
update centre set drained = $2 where id = $1 and drained <> $2 returning id

-- name: record_contact
update centre_contact k set seen_s = greatest(k.seen_s, $3), unchanged_s = greatest(k.unchanged_s, $4),
    agent_id = $2, agent_release = $5, driver = $6, unseen = k.lost_s is not null
from centre_contact before where k.centre_id = $1 and before.centre_id = $1
returning before.unseen, before.agent_id, before.seen_s as seen_before_s, k.lost_s

-- name: lock_contact
select unseen, lost_s, seen_s, unchanged_s from centre_contact where centre_id = $1 for no key update

-- name: set_lost
update centre_contact set lost_s = $2 where centre_id = $1

-- name: touch_pools
-- Whoever decided for these pools without knowing of this change finds them changed.
update pool set offer_xid = pg_current_xact_id() where centre_id = $1

-- name: set_inventory
update centre_contact set inventory = $2::jsonb where centre_id = $1

-- name: mark_unseen
update centre_contact set unseen = true where not unseen and (seen_s is null or seen_s < $1) returning centre_id

-- name: used_chips
select pool_id, sum(chips)::bigint as chips, count(*) as attempts from attempt where not settled and phase <> 'ended' group by pool_id

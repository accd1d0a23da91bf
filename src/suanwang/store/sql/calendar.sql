-- name: insert_booking
insert into booking (id, pool_id, start_s, end_s, tenants, num_nodes, within, created_s)
values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (id) do nothing

-- name: remove_booking
update booking set state = 'removed' where id = $1 and state in ('asked', 'confirmed') returning id

-- name: answer_booking
update booking set state = case when $2 then 'confirmed' else 'refused' end, node_names = $3, reason = $4::jsonb
where id = $1 and state in ('asked', 'confirmed')

-- name: bookings
select b.id, b.pool_id, p.centre_id, c.organisation_id, b.start_s, b.end_s, b.tenants, b.num_nodes, b.within, b.state,
    b.node_names, b.reason::text as reason
from booking b join pool p on p.id = b.pool_id join centre c on c.id = p.centre_id
where b.end_s > $1 and ($2::text is null or b.id = $2) order by b.start_s, b.id

-- name: insert_maintenance
insert into maintenance (id, pool_id, start_s, end_s, node_names, created_s)
values ($1, $2, $3, $4, $5, $6) on conflict (id) do nothing

-- name: remove_maintenance
update maintenance set removed = true where id = $1 and not removed returning id

-- name: answer_maintenance
update maintenance set reason = $2::jsonb where id = $1

-- name: maintenance
select m.id, m.pool_id, p.centre_id, c.organisation_id, m.start_s, m.end_s, m.node_names, m.removed,
    m.reason::text as reason
from maintenance m join pool p on p.id = m.pool_id join centre c on c.id = p.centre_id
where m.end_s > $1 and ($2::text is null or m.id = $2) order by m.start_s, m.id

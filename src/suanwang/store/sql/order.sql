-- name: products
select * from (
    select distinct on (centre_id, id) seq, centre_id, id, name, unit, fen, per, offered
    from product where $1::text is null or centre_id = $1 order by centre_id, id, seq desc
) last where offered order by centre_id, id

-- name: product
select seq, centre_id, id, name, unit, fen, per, offered from product where centre_id = $1 and id = $2
order by seq desc limit 1

-- name: insert_product
insert into product (centre_id, id, name, unit, fen, per, size, offered, at_s, actor)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: insert
insert into service_order (id, tenant_id, centre_id, product_seq, limit_fen, renews, state, created_s)
values ($1, $2, $3, $4, $5, $6, 'open', $7)

-- name: orders
select o.id, o.number, o.tenant_id, o.centre_id, o.limit_fen, o.renews, o.state, o.holds, o.measured, o.charged_fen,
    o.created_s, o.ended_s, p.id as product_id, p.name, p.unit, p.fen, p.per
from service_order o join product p on p.seq = o.product_seq join centre c on c.id = o.centre_id
where ($1::text is null or o.tenant_id = $1) and ($2::text is null or o.centre_id = $2)
    and ($3::text is null or c.organisation_id = $3)
    and ($4::text is null or o.number::text = $4 or (length($4) >= 4 and o.id::text like $4 || '%'))
order by o.number desc limit $5

-- name: lock
select o.id, o.number, o.tenant_id, o.centre_id, o.limit_fen, o.renews, o.state, o.holds, o.measured, o.charged_fen,
    o.created_s, o.ended_s, p.id as product_id, p.name, p.unit, p.fen, p.per
from service_order o join product p on p.seq = o.product_seq where o.id = $1 for no key update of o

-- name: advance
update service_order set state = $2, holds = $3, measured = $4, charged_fen = $5, ended_s = $6 where id = $1

-- name: in_the_way
-- The same report, or one whose time overlaps.
select key, from_s, until_s, quantity, measured, refused, amount_fen, transaction_id, recorded_s from order_charge
where order_id = $1 and (key = $2 or (from_s < $4 and until_s > $3)) order by key <> $2, from_s limit 1

-- name: insert_charge
insert into order_charge (order_id, key, from_s, until_s, quantity, measured, refused, amount_fen, tenant_id, centre_id,
    transaction_id, actor, recorded_s)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)

-- name: charges
select key, from_s, until_s, quantity, measured, refused, amount_fen, transaction_id, recorded_s from order_charge
where order_id = $1 order by from_s

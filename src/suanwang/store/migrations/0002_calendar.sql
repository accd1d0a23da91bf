-- The calendar of a centre: who goes first at a pool, nodes booked for courses and demonstrations, maintenance.

alter table pool add column own_tenants_first text[] not null default '{}';

create table booking (
    id text primary key check (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    pool_id text not null references pool,
    start_s bigint not null,
    end_s bigint not null check (end_s > start_s),
    tenants text[] not null check (cardinality(tenants) > 0),
    num_nodes int check (num_nodes > 0),
    within text not null check (within in ('pool', 'cabinet')),
    state text not null default 'asked' check (state in ('asked', 'confirmed', 'refused', 'removed')),
    node_names text[] not null default '{}',
    reason jsonb,
    created_s bigint not null
);
comment on column booking.num_nodes is 'Null: all nodes of the pool';
create index booking_to_come on booking (end_s) where state in ('asked', 'confirmed');

create table maintenance (
    id text primary key check (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    pool_id text not null references pool,
    start_s bigint not null,
    end_s bigint not null check (end_s > start_s),
    node_names text[] not null default '{}',
    removed boolean not null default false,
    reason jsonb,
    created_s bigint not null
);
comment on column maintenance.node_names is 'Empty: the whole pool';
create index maintenance_to_come on maintenance (end_s) where not removed;

grant select, insert, update on booking, maintenance to suanwang_app;

-- What centres sell besides chip-hours, who ordered it, and what was charged for its use.

create table product (
    seq bigint generated always as identity primary key,
    centre_id text not null references centre,
    id text not null check (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name text not null,
    unit text not null,
    fen bigint not null check (fen > 0),
    per bigint not null check (per > 0),
    size numeric(38, 0) not null check (size > 0),
    offered boolean not null,
    at_s bigint not null,
    actor text not null
);
comment on table product is 'The last row of a product counts; an order names the row whose price it has';
comment on column product.size is 'How much of the smallest unit (bytes, tokens, seconds, bytes for a second) costs `fen`';
create index product_of_centre on product (centre_id, id, seq);

create table service_order (
    id uuid primary key,
    number bigint generated always as identity unique,
    tenant_id text not null references organisation,
    centre_id text not null references centre,
    product_seq bigint not null references product,
    limit_fen bigint not null check (limit_fen > 0),
    renews boolean not null,
    state text not null check (state in ('open', 'exhausted', 'closed')),
    holds int not null default 1 check (holds > 0),
    measured numeric(38, 0) not null default 0 check (measured >= 0),
    charged_fen bigint not null default 0 check (charged_fen <= limit_fen * holds),
    created_s bigint not null,
    ended_s bigint,
    check ((state = 'open') = (ended_s is null))
) with (fillfactor = 75);
create index service_order_of_tenant on service_order (tenant_id, number desc);
create index service_order_of_centre on service_order (centre_id, number desc);

-- A report of use and its charge are one line: no use without its charge, no charge without its use.
create table order_charge (
    order_id uuid not null references service_order,
    key text not null,
    from_s bigint not null,
    until_s bigint not null check (until_s > from_s),
    quantity bigint not null check (quantity >= 0),
    measured numeric(38, 0) not null check (measured >= 0),
    refused numeric(38, 0) not null check (refused >= 0),
    amount_fen bigint not null check (amount_fen >= 0),
    tenant_id text not null references organisation,
    centre_id text not null references centre,
    transaction_id uuid references ledger_transaction,
    actor text not null,
    recorded_s bigint not null,
    primary key (order_id, from_s),
    unique (order_id, key),
    check ((amount_fen = 0) = (transaction_id is null))
);
comment on column order_charge.key is 'The same report again has the same';
comment on column order_charge.refused is 'What the order did not cover; nobody pays for it';
create index order_charge_of_centre on order_charge (centre_id, until_s);

create function refuse_order_overlap() returns trigger language plpgsql as $$
begin
    if exists (select from inserted i join order_charge u on u.order_id = i.order_id
               and u.from_s < i.until_s and u.until_s > i.from_s and u.from_s <> i.from_s) then
        raise exception 'intervals of use of one order overlap' using errcode = 'SW004';
    end if;
    return null;
end $$;
create trigger order_charge_overlaps after insert on order_charge
    referencing new table as inserted for each statement execute function refuse_order_overlap();

do $$
declare recorded text;
begin
    foreach recorded in array array['product', 'order_charge'] loop
        execute format('create trigger %I_append_only before update or delete on %I for each statement
                        execute function refuse_change()', recorded, recorded);
        execute format('create trigger %I_never_truncated before truncate on %I for each statement
                        execute function refuse_change()', recorded, recorded);
    end loop;
end $$;
grant select, insert on product, order_charge to suanwang_app;
grant select, insert, update on service_order to suanwang_app;

-- What every pool asked for and when, by the same turns as its nodes: the price of an attempt is the one in force then.

create table pool_offer (
    pool_id text not null references pool,
    turn bigint not null default nextval('turn'),
    fen_per_chip_hour bigint not null check (fen_per_chip_hour >= 0),
    bills_lost_work boolean not null,
    at_s bigint not null,
    primary key (pool_id, turn)
);
-- Attempts were priced by the offer of their day; what it was is on record from now on, and before in the attempts alone.
insert into pool_offer (pool_id, turn, fen_per_chip_hour, bills_lost_work, at_s)
select pool_id, min(placed_turn) - 1, fen_per_chip_hour, bills_lost_work, min(placed_s)
from (
    select *, sum(changed) over (partition by pool_id order by placed_turn) as run from (
        select pool_id, placed_turn, placed_s, fen_per_chip_hour, bills_lost_work,
            ((fen_per_chip_hour, bills_lost_work) is distinct from (
                lag(fen_per_chip_hour) over turns, lag(bills_lost_work) over turns))::int as changed
        from attempt window turns as (partition by pool_id order by placed_turn)
    ) known
) runs group by pool_id, run, fen_per_chip_hour, bills_lost_work;
insert into pool_offer (pool_id, fen_per_chip_hour, bills_lost_work, at_s)
select id, fen_per_chip_hour, bills_lost_work, created_s from pool;

create trigger pool_offer_append_only before update or delete on pool_offer for each statement
    execute function refuse_change();
create trigger pool_offer_never_truncated before truncate on pool_offer for each statement
    execute function refuse_change();
grant select, insert on pool_offer to suanwang_app;

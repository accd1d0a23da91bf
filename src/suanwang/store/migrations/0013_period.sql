-- Billing periods. Closing one is a row; which transactions are in it follows from that row for ever: those of before its
-- end that were sealed by then, and are in no earlier period. What comes to light later is in the next.

create table period (
    name text primary key check (name ~ '^\d{4}-(0[1-9]|1[0-2])$'),
    start_s bigint not null unique,
    end_s bigint not null unique check (end_s > start_s),
    last_seal bigint not null check (last_seal >= 0),
    transactions bigint not null,
    charged_fen bigint not null,
    refunded_fen bigint not null,
    redeemed_fen bigint not null,
    closed_s bigint not null check (closed_s >= end_s),
    actor text not null
);
comment on column period.last_seal is 'The newest seal at the closing; 0: there was none';
comment on column period.charged_fen is 'As the book had it at the closing: it must have it so for ever';
create trigger period_append_only before update or delete on period for each statement execute function refuse_change();
create trigger period_never_truncated before truncate on period for each statement execute function refuse_change();
grant select, insert on period to suanwang_app;

-- What is in one period, given its end and last seal and those of the period before it. What is not sealed yet counts as
-- sealed last of all.
create function transactions_in(end_s bigint, last_seal bigint, before_end_s bigint, before_seal bigint)
returns setof ledger_transaction language sql stable as $$
    select t.* from ledger_transaction t left join sealed s on s.transaction_id = t.id
    where t.effective_s < $1 and coalesce(s.seal, 9223372036854775807) <= $2
        and not (t.effective_s < $3 and coalesce(s.seal, 9223372036854775807) <= $4)
$$;

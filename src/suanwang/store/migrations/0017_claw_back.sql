-- A voucher that should not have been granted, or not been used like that, is clawed back: it ends at once, what no job
-- holds of it is taken, and of what it paid the agency may ask a part back, which its tenant owes until it repays.

create table claw_back (
    voucher_id uuid primary key references voucher,
    taken_fen bigint not null check (taken_fen >= 0),
    owed_fen bigint not null check (owed_fen >= 0),
    reason text not null check (reason <> ''),
    actor text not null,
    at_s bigint not null
);
comment on column claw_back.owed_fen is 'What the tenant was asked to repay; repayments are in the book';

do $$
begin
    execute 'create trigger claw_back_append_only before update or delete on claw_back for each statement
             execute function refuse_change()';
    execute 'create trigger claw_back_never_truncated before truncate on claw_back for each statement
             execute function refuse_change()';
end $$;
grant select, insert on claw_back to suanwang_app;

-- What was charged wrongly is given back by new facts; charges stay as they are.

create table refund (
    job_id uuid not null,
    number int not null check (number > 0),
    attempt int not null,
    amount_fen bigint not null check (amount_fen > 0),
    voucher_fen bigint not null check (voucher_fen between 0 and amount_fen),
    reason text not null check (reason <> ''),
    actor text not null,
    transaction_id uuid not null references ledger_transaction,
    recorded_s bigint not null,
    primary key (job_id, number),
    foreign key (job_id, attempt) references attempt (job_id, number)
);
comment on column refund.voucher_fen is 'Of the amount: what the voucher had borne, and gets back (its programme, once it has ended)';
create trigger refund_append_only before update or delete on refund for each statement execute function refuse_change();
create trigger refund_never_truncated before truncate on refund for each statement execute function refuse_change();
grant select, insert on refund to suanwang_app;

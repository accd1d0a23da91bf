-- A tenant or a centre says that a charge is wrong; the network answers once, by a refund or by a reason against it.

create table dispute (
    id uuid primary key,
    number bigint generated always as identity unique,
    job_id uuid not null,
    attempt int not null,
    organisation_id text not null references organisation,
    reason text not null check (reason <> ''),
    actor text not null,
    opened_s bigint not null,
    foreign key (job_id, attempt) references attempt (job_id, number)
);
comment on column dispute.organisation_id is 'Who says so: the tenant of the job, or the centre that ran it';
create index dispute_of_job on dispute (job_id);

create table dispute_answer (
    dispute_id uuid primary key references dispute,
    job_id uuid not null,
    refund_number int,
    reason text not null check (reason <> ''),
    actor text not null,
    answered_s bigint not null,
    foreign key (job_id, refund_number) references refund (job_id, number)
);
comment on column dispute_answer.refund_number is 'The refund that was given; null: none was';

do $$
declare recorded text;
begin
    foreach recorded in array array['dispute', 'dispute_answer'] loop
        execute format('create trigger %I_append_only before update or delete on %I for each statement
                        execute function refuse_change()', recorded, recorded);
        execute format('create trigger %I_never_truncated before truncate on %I for each statement
                        execute function refuse_change()', recorded, recorded);
    end loop;
end $$;
grant select, insert on dispute, dispute_answer to suanwang_app;

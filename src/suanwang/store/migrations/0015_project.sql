-- Projects of a tenant: a part of its jobs with a budget of its own for every month, and alerts as it is used up.

create table project (
    id uuid primary key,
    tenant_id text not null references organisation,
    name text not null check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    title text not null,
    zone text not null,
    budget_fen bigint check (budget_fen >= 0),
    hard boolean not null default false,
    alert_percent int[] not null,
    held_fen bigint not null default 0 check (held_fen >= 0),
    created_s bigint not null,
    actor text not null,
    unique (tenant_id, name)
) with (fillfactor = 75);
comment on column project.zone is 'Time zone of its months: that of the billing periods when it was made';
comment on column project.budget_fen is 'What its jobs may cost in a month, before vouchers; null: no budget';
comment on column project.held_fen is 'Running sum of job.project_held_fen; belongs to the month that is now';

create table project_month (
    project_id uuid not null references project,
    month text not null,
    spent_fen bigint not null,
    primary key (project_id, month)
) with (fillfactor = 75);
comment on column project_month.spent_fen is 'Running sum: charges less refunds that were made in the month; below zero if more was given back';

create table project_alert (
    project_id uuid not null references project,
    month text not null,
    percent int not null,
    budget_fen bigint not null,
    spent_fen bigint not null,
    raised_s bigint not null,
    primary key (project_id, month, percent)
);
comment on table project_alert is 'A threshold is passed once in a month, whatever refunds and budgets do afterwards';
create trigger project_alert_append_only before update or delete on project_alert for each statement
    execute function refuse_change();
create trigger project_alert_never_truncated before truncate on project_alert for each statement
    execute function refuse_change();

alter table job add column project_id uuid references project, add column project_held_fen bigint not null default 0
    check (project_held_fen >= 0);
comment on column job.project_held_fen is 'Of its project''s budget: the most that it can still be charged';
create index job_of_project on job (project_id) where project_id is not null;

grant select, insert on project, project_month, project_alert to suanwang_app;
grant update (title, budget_fen, hard, alert_percent, held_fen) on project to suanwang_app;
grant update (spent_fen) on project_month to suanwang_app;

-- Prices by the time of the week, and of jobs that may be told to leave. A rate card changes the pool's offer when its time
-- comes, as its centre would: history knows prices, not cards.

alter table pool add column preemptible_fen_per_chip_hour bigint check (preemptible_fen_per_chip_hour >= 0);
comment on column pool.preemptible_fen_per_chip_hour is 'Of jobs that may be told to leave; null: what others pay';
alter table pool add column rate_card jsonb;
comment on column pool.rate_card is 'Prices by the time of the week; those of the row are in force until rates_until_s';
alter table pool add column rates_until_s bigint;
alter table pool add check ((rate_card is null) = (rates_until_s is null));
create index pool_rates_end on pool (rates_until_s) where rates_until_s is not null;

alter table pool_offer add column preemptible_fen_per_chip_hour bigint check (preemptible_fen_per_chip_hour >= 0);

alter table attempt add column preemptible boolean not null default false;
comment on column attempt.preemptible is 'Whether it was placed at the price of those who may be told to leave';

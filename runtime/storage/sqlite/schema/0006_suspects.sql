-- Suspects of a worker's death that are tried again together, and the clock of the queue.

-- The group of a run in the lane of suspects; null: it is tried alone.
alter table runs add column suspects text;

-- When a running run was claimed, by the clock of the queue; `started_at` is the time of day.
alter table runs add column claimed_at integer;

-- What the kernel's clock of a boot lacks to be the queue's: microseconds. Dates of the queue are by that clock, which
-- goes on evenly when somebody sets the time of day.
create table clock (
  boot text primary key,
  ahead integer not null
) without rowid;

-- One row, changed to find out whether writes get through.
create table probes (number integer not null);
insert into probes (number) values (0);

-- Batches: what was accepted in one request, how far it is, and who waits for its end.

-- `size` is how many items it has. `start_due` and `finish_due`, by the clock of the queue, are when the time of items
-- that have not begun, or not ended, is over; null once that is dealt with. `retry` is a retry policy and `result_ttl`
-- the seconds for which results are kept, both as they were asked for. `ended_at` is null while an item is under way.
create table batches (
  batch_id text primary key,
  creator text,
  name text,
  metadata text not null,
  webhook text,
  size integer not null,
  max_concurrency integer,
  start_within real,
  finish_within real,
  start_due integer,
  finish_due integer,
  retry text,
  result_ttl real,
  created_at integer not null,
  cancelled_at integer,
  ended_at integer
);
create index batch_active on batches (batch_id) where ended_at is null;
create index batch_ended on batches (ended_at) where ended_at is not null;
create index batch_start_due on batches (start_due) where start_due is not null;
create index batch_finish_due on batches (finish_due) where finish_due is not null;
create index batch_cancelled on batches (batch_id) where cancelled_at is not null and ended_at is null;

-- How many items have which status, an item being its latest run; kept by the triggers below, whoever changes a run, and
-- whatever becomes of the run later. `room` is how many more runs may be ready or running at once, null without a cap.
create table batch_counts (
  batch_id text primary key,
  pending integer not null,
  running integer not null default 0,
  success integer not null default 0,
  error integer not null default 0,
  timeout integer not null default 0,
  interrupted integer not null default 0,
  room integer,
  input_tokens integer not null default 0,
  output_tokens integer not null default 0,
  cached_tokens integer not null default 0,
  started_at integer,
  updated_at integer not null
) without rowid;

-- Of how many runs the last attempt took up to `upto` microseconds, and longer than the class before.
create table batch_durations (
  batch_id text not null,
  upto integer not null,
  runs integer not null,
  primary key (batch_id, upto)
) without rowid;

-- Each class is a tenth wider than the one before, from a millisecond to more than ten days; the last one is for the rest.
create table duration_classes (upto integer primary key);
insert into duration_classes (upto)
with recursive class (upto) as (values (1000) union all select upto * 11 / 10 from class where upto < 1000000000000)
select upto from class union all values (9223372036854775807);

-- Batches that were deleted, or forgotten, and of whose runs some still name them.
create table discarded_batches (batch_id text primary key) without rowid;

-- Only runs that came in a batch have these. `batch_index` is the place of the item, from 0 on.
alter table runs add column batch_id text;
alter table runs add column batch_index integer;
create index run_batch on runs (batch_id, batch_index) where batch_id is not null;
-- Runs that are ready but for the room that their batch has (lane 8).
create index run_held on runs (batch_id, seq) where queue = 'ready' and lane = 8 and batch_id is not null;

-- A call for the end of a batch has its id, and no run.
alter table deliveries add column batch_id text;
create index delivery_batch on deliveries (batch_id) where batch_id is not null;

create trigger batch_counted after update of status on runs
when new.batch_id is not null and new.status <> old.status begin
  update batch_counts set
    pending = pending + (new.status = 'pending') - (old.status = 'pending'),
    running = running + (new.status = 'running') - (old.status = 'running'),
    success = success + (new.status = 'success'),
    error = error + (new.status = 'error'),
    timeout = timeout + (new.status = 'timeout'),
    interrupted = interrupted + (new.status = 'interrupted'),
    started_at = coalesce(started_at, new.started_at),
    updated_at = new.updated_at
  where batch_id = new.batch_id;
end;

-- Of large batches one item in eight is looked at: enough to say how long most take.
create trigger batch_run_timed after update of ended_at on runs
when new.batch_id is not null and new.ended_at is not null and old.ended_at is null and new.started_at is not null
and (new.batch_index < 64 or new.batch_index % 8 = 0) begin
  insert into batch_durations (batch_id, upto, runs)
  values (new.batch_id,
          (select upto from duration_classes where upto >= new.ended_at - new.started_at order by upto limit 1), 1)
  on conflict (batch_id, upto) do update set runs = runs + 1;
end;

-- What is removed before it has ended was not let come to an end.
create trigger batch_run_removed after delete on runs when old.batch_id is not null and old.ended_at is null begin
  update batch_counts set
    pending = pending - (old.status = 'pending'),
    running = running - (old.status = 'running'),
    interrupted = interrupted + 1,
    updated_at = cast((julianday('now') - 2440587.5) * 86400000 as integer) * 1000
  where batch_id = old.batch_id;
end;

create trigger batch_ended after update of pending, running on batch_counts
when new.pending = 0 and new.running = 0 and (old.pending > 0 or old.running > 0) begin
  update batches set ended_at = new.updated_at, start_due = null, finish_due = null where batch_id = new.batch_id;
  insert into deliveries (run_id, batch_id, url, payload, due, created_at)
  select '', batch_id, webhook, cast('{"batch_id":"' || batch_id || '"}' as blob), 0, new.updated_at
  from batches where batch_id = new.batch_id and webhook is not null;
end;

-- Items of an ended batch are tried again.
create trigger batch_resumed after update of pending on batch_counts
when new.pending > 0 and old.pending = 0 and old.running = 0 begin
  update batches set ended_at = null, cancelled_at = null where batch_id = new.batch_id;
end;

-- A run gives up its share of the room: the next one that is held gets it. Suspects of a crash keep theirs.
create trigger batch_room_left after update of queue on runs
when new.batch_id is not null and old.queue in ('ready', 'running') and old.lane <> 8
and (new.queue is null or new.queue not in ('ready', 'running'))
and exists (select 1 from batch_counts where batch_id = new.batch_id and room is not null) begin
  update batch_counts set room = room + 1 where batch_id = new.batch_id;
  update batch_counts set room = room - 1 where batch_id = new.batch_id
  and exists (select 1 from runs where batch_id = new.batch_id and queue = 'ready' and lane = 8);
  update runs set lane = 2
  where seq = (select min(seq) from runs where batch_id = new.batch_id and queue = 'ready' and lane = 8);
end;

create trigger batch_room_removed after delete on runs
when old.batch_id is not null and old.queue in ('ready', 'running') and old.lane <> 8
and exists (select 1 from batch_counts where batch_id = old.batch_id and room is not null) begin
  update batch_counts set room = room + 1 where batch_id = old.batch_id;
  update batch_counts set room = room - 1 where batch_id = old.batch_id
  and exists (select 1 from runs where batch_id = old.batch_id and queue = 'ready' and lane = 8);
  update runs set lane = 2
  where seq = (select min(seq) from runs where batch_id = old.batch_id and queue = 'ready' and lane = 8);
end;

-- A run whose time, or turn on its thread, has come needs room too.
create trigger batch_room_taken after update of queue on runs
when new.batch_id is not null and new.queue = 'ready' and old.queue in ('delayed', 'waiting')
and exists (select 1 from batch_counts where batch_id = new.batch_id and room is not null) begin
  update runs set lane = 8
  where seq = new.seq and (select room from batch_counts where batch_id = new.batch_id) <= 0;
  update batch_counts set room = room - 1 where batch_id = new.batch_id and room > 0;
end;

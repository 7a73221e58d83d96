-- Times are integers, microseconds since 1970 (UTC) by the clock of the database. JSON that is searched is jsonb, JSON
-- that is only passed on is text, and payloads are bytea. Texts are compared byte by byte, whatever the database's
-- locale.

create function clock_micros() returns bigint language sql volatile
as $$ select (extract(epoch from clock_timestamp()) * 1000000)::bigint $$;

-- JSON of a payload, for searching; null for what jsonb cannot hold.
create function json_of(payload bytea) returns jsonb language plpgsql immutable as $$
begin
  return convert_from(payload, 'UTF8')::jsonb;
exception when others then
  return null;
end $$;

-- Assistants

create table assistants (
  assistant_id text collate "C" primary key,
  graph_id text collate "C" not null,
  name text collate "C" not null,
  description text,
  config text not null,
  context text not null,
  metadata jsonb not null,
  version bigint not null,
  creator text collate "C",
  system boolean not null default false,
  created_at bigint not null,
  updated_at bigint not null
);
create index assistant_created on assistants (created_at);

create table assistant_versions (
  assistant_id text collate "C" not null,
  version bigint not null,
  graph_id text collate "C" not null,
  name text collate "C" not null,
  description text,
  config text not null,
  context text not null,
  metadata jsonb not null,
  created_at bigint not null,
  primary key (assistant_id, version)
);

-- Threads

-- `settled` is the status that the thread has when no run of it is under way; `status` is what it shows. `unsettled` is
-- how it settles once its last checkpoint has been read; null: it shows all that it should. `kept_at` is the state
-- whose history was dropped, so that a thread is not considered again until it has a new one. `answered` is the run
-- whose answer is the state: it gets one of its own as soon as the thread holds something else.
create table threads (
  thread_id text collate "C" primary key,
  created_at bigint not null,
  updated_at bigint not null,
  state_updated_at bigint not null,
  status text collate "C" not null,
  settled text collate "C" not null default 'idle',
  unsettled text collate "C",
  metadata jsonb not null,
  graph_id text collate "C",
  creator text collate "C",
  ran boolean not null default false,
  temporary boolean not null default false,
  answered bigint,
  state bytea,
  interrupts bytea,
  error bytea,
  ttl_strategy text collate "C",
  ttl_minutes double precision,
  kept_at bigint
);
create index thread_created on threads (created_at) where not temporary;
create index thread_updated on threads (updated_at) where not temporary;
create index thread_state_updated on threads (state_updated_at) where not temporary;
create index thread_status on threads (status, created_at) where not temporary;
create index thread_temporary on threads (created_at) where temporary;
create index thread_unsettled on threads (thread_id) where unsettled is not null;
create index thread_expires on threads ((updated_at + (ttl_minutes * 60000000)::bigint))
where ttl_minutes is not null and (ttl_strategy = 'delete' or kept_at is distinct from state_updated_at);

-- The top-level texts and numbers of the metadata of kept threads, so that a search reads only what matches, and the
-- texts in their lists, whose key ends with "[]". Long ones have no room in an index. Temporary threads last for a
-- moment; they are few, or not many for long, and are searched one by one.
create table thread_tags (
  key text collate "C" not null,
  value text collate "C" not null,
  created_at bigint not null,
  thread_id text collate "C" not null,
  primary key (key, value, created_at, thread_id)
);

create function tags_of(metadata jsonb) returns table (key text, value text) language sql immutable as $$
  select key, value #>> '{}' from jsonb_each(metadata)
  where jsonb_typeof(value) in ('string', 'number') and octet_length(key) + octet_length(value #>> '{}') <= 1000
  union
  select listed.key || '[]', item #>> '{}'
  from jsonb_each(metadata) as listed,
       jsonb_array_elements(case jsonb_typeof(listed.value) when 'array' then listed.value else '[]' end) as item
  where jsonb_typeof(item) = 'string' and octet_length(listed.key) + octet_length(item #>> '{}') <= 1000
$$;

create function thread_tags_insert() returns trigger language plpgsql as $$
begin
  insert into thread_tags (key, value, created_at, thread_id)
  select tag.key, tag.value, added.created_at, added.thread_id
  from added, tags_of(added.metadata) as tag where not added.temporary;
  return null;
end $$;
create trigger thread_tags_insert after insert on threads referencing new table as added
for each statement execute function thread_tags_insert();

create function thread_tags_update() returns trigger language plpgsql as $$
begin
  if not old.temporary then
    delete from thread_tags using tags_of(old.metadata) as tag
    where thread_tags.key = tag.key and thread_tags.value = tag.value
    and thread_tags.created_at = old.created_at and thread_tags.thread_id = old.thread_id;
  end if;
  if not new.temporary then
    insert into thread_tags (key, value, created_at, thread_id)
    select tag.key, tag.value, new.created_at, new.thread_id from tags_of(new.metadata) as tag;
  end if;
  return null;
end $$;
create trigger thread_tags_update after update of metadata, temporary on threads for each row
when (new.metadata <> old.metadata or new.temporary <> old.temporary) execute function thread_tags_update();

create function thread_tags_delete() returns trigger language plpgsql as $$
begin
  delete from thread_tags using tags_of(old.metadata) as tag
  where thread_tags.key = tag.key and thread_tags.value = tag.value
  and thread_tags.created_at = old.created_at and thread_tags.thread_id = old.thread_id;
  return null;
end $$;
create trigger thread_tags_delete after delete on threads for each row
when (not old.temporary) execute function thread_tags_delete();

-- Threads that were deleted and of which rows are left, too many for one transaction. `with_runs` is false when only
-- the checkpoints go: a temporary run's answer stays joinable. Until `due` (a copy that is being made) they are left
-- alone.
create table discarded_threads (
  thread_id text collate "C" primary key,
  with_runs boolean not null,
  due bigint not null
);

-- Threads whose history could not be dropped though their lifetime is over; they are tried again at `due`.
create table postponed_expiries (
  thread_id text collate "C" primary key,
  tries integer not null,
  due bigint not null
);

-- Batches

-- `size` is how many items it has. `start_due` and `finish_due` are when the time of items that have not begun, or not
-- ended, is over; null once that is dealt with. `retry` is a retry policy and `result_ttl` the seconds for which results
-- are kept, both as they were asked for. `ended_at` is null while an item is under way. `erased` is 1 once the time of
-- its results is over, and 2 when nothing is left of them.
create table batches (
  batch_id text collate "C" primary key,
  creator text collate "C",
  name text,
  metadata jsonb not null,
  webhook text,
  size bigint not null,
  max_concurrency bigint,
  start_within double precision,
  finish_within double precision,
  start_due bigint,
  finish_due bigint,
  retry text,
  result_ttl double precision,
  created_at bigint not null,
  cancelled_at bigint,
  ended_at bigint,
  erased smallint not null default 0
);
create index batch_created on batches (created_at);
create index batch_active on batches (batch_id) where ended_at is null;
create index batch_ended on batches (ended_at) where ended_at is not null;
create index batch_start_due on batches (start_due) where start_due is not null;
create index batch_finish_due on batches (finish_due) where finish_due is not null;
create index batch_cancelled on batches (batch_id) where cancelled_at is not null and ended_at is null;
create index batch_with_results on batches (ended_at) where erased = 0;
create index batch_erasing on batches (batch_id) where erased = 1;

-- How many items have which status, an item being its latest run; kept by the triggers below, whoever changes a run, and
-- whatever becomes of the run later. `room` is how many more runs may be ready or running at once, null without a cap.
-- `ends` counts the ends of its items, `result_bytes` the bytes of answers that are kept; `paused` are the microseconds
-- between ends of the batch and retries of its items, in which it could not get on.
create table batch_counts (
  batch_id text collate "C" primary key,
  pending bigint not null,
  running bigint not null default 0,
  success bigint not null default 0,
  error bigint not null default 0,
  timeout bigint not null default 0,
  interrupted bigint not null default 0,
  room bigint,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cached_tokens bigint not null default 0,
  ends bigint not null default 0,
  result_bytes bigint not null default 0,
  paused bigint not null default 0,
  started_at bigint,
  updated_at bigint not null
) with (fillfactor = 50);

-- Of how many runs the last attempt took up to `upto` microseconds, and longer than the class before.
create table batch_durations (
  batch_id text collate "C" not null,
  upto bigint not null,
  runs bigint not null,
  primary key (batch_id, upto)
) with (fillfactor = 50);

-- Each class is a tenth wider than the one before, from a millisecond to more than ten days; the last one is for the rest.
create table duration_classes (upto bigint primary key);
insert into duration_classes (upto)
with recursive class (upto) as (
  values (1000::bigint) union all select upto * 11 / 10 from class where upto < 1000000000000
)
select upto from class union all values (9223372036854775807);

-- Batches that were deleted, or forgotten, and of whose runs some still name them.
create table discarded_batches (batch_id text collate "C" primary key);

-- What is left of items whose run was removed, with its thread or by a rollback. Of those that did not succeed also
-- what a retry needs.
create table removed_items (
  batch_id text collate "C" not null,
  batch_index bigint not null,
  batch_end bigint not null,
  run_id text collate "C" not null,
  retry_of text collate "C",
  status text collate "C" not null,
  attempt bigint not null,
  failed bigint not null,
  ended_at bigint not null,
  assistant_id text collate "C" not null,
  graph_id text collate "C" not null,
  strategy text collate "C" not null,
  temporary boolean not null,
  resumable boolean not null,
  webhook text,
  metadata jsonb not null,
  kwargs text,
  answer bytea,
  failure bytea,
  primary key (batch_id, batch_index)
);
create index removed_item_end on removed_items (batch_id, batch_end);
create index removed_item_answered on removed_items (ended_at) where answer is not null;

-- Runs

-- The queue is this table. `queue` is the place in it: ready (head of its thread), waiting (behind another run of its
-- thread), delayed (due later), running (leased), null (ended). The interface shows `status`. Whoever changes the queue
-- of a thread holds the lock of that thread, see threads.py.
--
-- `protocol`: it speaks the thread event protocol, and what it emits is stored as its events. `paused`: something was
-- next when it ended. `claimed_at` is when a running run was claimed. `token` is random with each claim and tells it from all others.
-- `suspects` is the group of a run in the lane of suspects; null: it is tried alone. `failure` is what joining a run
-- that failed answers when its outcome is no longer kept. `failed` counts tries that failed and were followed by
-- another. `creator_details` is all that is known of the creator, as JSON, for the code of graphs; it may hold secrets,
-- so it goes when the run leaves the queue for good. `batch_index` is the place of the item in its batch, from 0 on: a
-- run that was replaced by another (`retry_of` names it there) keeps its batch and has no index. `batch_end` counts the
-- ends in a batch, so that who follows one knows which results are new.
create table runs (
  seq bigint generated by default as identity primary key,
  run_id text collate "C" not null,
  thread_id text collate "C" not null,
  assistant_id text collate "C" not null,
  graph_id text collate "C" not null,
  status text collate "C" not null,
  queue text collate "C",
  lane smallint not null,
  due bigint,
  worker text collate "C",
  attempt bigint not null default 0,
  token bigint not null default 0,
  crashes bigint not null default 0,
  failed bigint not null default 0,
  suspects text collate "C",
  cancel text collate "C",
  cancel_reason text,
  strategy text collate "C" not null,
  temporary boolean not null,
  resumable boolean not null,
  protocol boolean not null default false,
  paused boolean not null default false,
  watching smallint not null,
  webhook text,
  metadata jsonb not null,
  kwargs text not null,
  creator text collate "C",
  creator_details text,
  batch_id text collate "C",
  batch_index bigint,
  batch_end bigint,
  retry_of text collate "C",
  answer bytea,
  failure bytea,
  created_at bigint not null,
  updated_at bigint not null,
  started_at bigint,
  claimed_at bigint,
  ended_at bigint
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
create unique index run_id on runs (run_id);
create index run_thread on runs (thread_id, seq);
create index run_ready on runs (lane, seq) where queue = 'ready';
create index run_delayed on runs (due) where queue = 'delayed';
create index run_owned on runs (worker) where queue = 'running';
create index run_waiting on runs (thread_id, seq) where queue = 'waiting';
create index run_active on runs (thread_id, seq) where queue is not null;
create unique index run_one on runs (thread_id) where queue in ('ready', 'running');
-- Runs that wait for their next try: each keeps its thread.
create unique index run_trying on runs (thread_id) where queue = 'delayed' and failed > 0;
create index run_resumable on runs (ended_at) where resumable and ended_at is not null;
-- What an item answered goes with the results of its batch, other answers when they are old.
create index run_answered on runs (ended_at) where answer is not null and batch_index is null;
create index run_item_answered on runs (ended_at) where answer is not null and batch_index is not null;
create index run_batch on runs (batch_id, batch_index) where batch_id is not null;
create index run_batch_end on runs (batch_id, batch_end) where batch_end is not null;
-- Runs that are ready but for the room that their batch has (lane 8).
create index run_held on runs (batch_id, seq) where queue = 'ready' and lane = 8 and batch_id is not null;

create function thread_answer_replaced() returns trigger language plpgsql as $$
begin
  update runs set answer = old.state where seq = old.answered and answer is null;
  return new;
end $$;
create trigger thread_answer_replaced before update of state on threads for each row
when (old.answered is not null
      and (new.answered is distinct from old.answered or new.state is distinct from old.state))
execute function thread_answer_replaced();

-- Workers

-- Those that were heard of; `seen_at` is the moment of the last heartbeat.
create table workers (
  worker text collate "C" primary key,
  started_at bigint not null,
  seen_at bigint not null
) with (fillfactor = 50);

-- Those that are registered: they live for as long as they renew this.
create table worker_leases (
  worker text collate "C" primary key,
  renewed_at bigint not null
) with (fillfactor = 50);

-- One row, changed to find out whether writes get through.
create table probes (number bigint not null);
insert into probes (number) values (0);

-- The logs of threads

-- A row holds all that a run emitted in a moment (`data`; from number `first` to number `seq`), or an end. `status` is
-- that of an ended run, or `removed`; `unstored` says that it was executed and its events are not here.
create table thread_events (
  thread_id text collate "C" not null,
  seq bigint not null,
  first bigint not null,
  run_id text collate "C" not null,
  status text collate "C",
  unstored boolean,
  ended_at bigint,
  data bytea,
  primary key (thread_id, seq)
);
create index thread_event_run on thread_events (run_id, seq) where data is not null;
create index thread_event_ended on thread_events (ended_at) where ended_at is not null;

-- Where the latest event of a thread was removed: its number, which is not given again.
create table removed_events (
  thread_id text collate "C" primary key,
  last bigint not null
);

create function last_of_thread(thread text) returns bigint language sql stable as $$
  select greatest(coalesce((select max(seq) from thread_events where thread_id = thread), 0),
                  coalesce((select last from removed_events where thread_id = thread), 0))
$$;

-- However a run ends: nothing that changes one can forget it. A run whose thread goes with it has its end in no log.
create function run_ended() returns trigger language plpgsql as $$
begin
  if not new.temporary or exists (select 1 from threads where thread_id = new.thread_id and not temporary) then
    insert into thread_events (thread_id, seq, first, run_id, status, unstored, ended_at)
    select new.thread_id, next, next, new.run_id, new.status, new.attempt > 0 and not new.resumable, new.ended_at
    from (select 1 + last_of_thread(new.thread_id) as next) as numbered;
  end if;
  return null;
end $$;
create trigger run_ended after update of ended_at on runs for each row
when (new.ended_at is not null and old.ended_at is null) execute function run_ended();

-- Runs that are removed before they have ended, from a thread that is still there, have ended too.
create function run_removed() returns trigger language plpgsql as $$
begin
  if exists (select 1 from threads where thread_id = old.thread_id and not temporary)
     and not exists (select 1 from discarded_threads where thread_id = old.thread_id) then
    insert into thread_events (thread_id, seq, first, run_id, status, unstored, ended_at)
    select old.thread_id, next, next, old.run_id, 'removed', false, clock_micros()
    from (select 1 + last_of_thread(old.thread_id) as next) as numbered;
  end if;
  return null;
end $$;
create trigger run_removed after delete on runs for each row
when (old.ended_at is null) execute function run_removed();

create function latest_event_removed() returns trigger language plpgsql as $$
begin
  insert into removed_events (thread_id, last)
  select thread_id, latest from (select thread_id, max(seq) as latest from removed group by thread_id) as highest
  where not exists (select 1 from thread_events where thread_id = highest.thread_id and seq > latest)
  and exists (select 1 from threads where thread_id = highest.thread_id)
  on conflict (thread_id) do update set last = greatest(removed_events.last, excluded.last);
  return null;
end $$;
create trigger latest_event_removed after delete on thread_events referencing old table as removed
for each statement execute function latest_event_removed();

-- Webhook calls: for the end of a run, or of a batch (then there is no run).
create table deliveries (
  delivery_id bigint generated by default as identity primary key,
  run_id text collate "C" not null,
  batch_id text collate "C",
  url text not null,
  payload bytea not null,
  attempt bigint not null default 0,
  due bigint not null,
  error text,
  created_at bigint not null
);
create index delivery_due on deliveries (due);
create index delivery_batch on deliveries (batch_id) where batch_id is not null;

-- What triggers keep of batches. The counts of a batch are one row, which is locked from the first change until the
-- commit: whoever changes several items changes the rows of the runs first.

create function batch_run_changed() returns trigger language plpgsql as $$
declare
  ends_now boolean := new.ended_at is not null and old.ended_at is null;
  item_ends boolean := ends_now and new.batch_index is not null;
  left_behind boolean := old.queue in ('ready', 'running') and old.lane <> 8
                         and (new.queue is null or new.queue not in ('ready', 'running'));
  place bigint;
  room_left bigint;
  held bigint;
begin
  update batch_counts set
    pending = pending + (new.status = 'pending')::int - (old.status = 'pending')::int,
    running = running + (new.status = 'running')::int - (old.status = 'running')::int,
    success = success + (new.status = 'success' and old.status <> 'success')::int,
    error = error + (new.status = 'error' and old.status <> 'error')::int,
    timeout = timeout + (new.status = 'timeout' and old.status <> 'timeout')::int,
    interrupted = interrupted + (new.status = 'interrupted' and old.status <> 'interrupted')::int,
    started_at = coalesce(started_at, new.started_at),
    updated_at = case when new.status <> old.status then new.updated_at else updated_at end,
    ends = ends + item_ends::int,
    result_bytes = result_bytes + case when item_ends then coalesce(octet_length(new.answer), 0) else 0 end,
    room = room + left_behind::int
  where batch_id = new.batch_id
  returning ends, room into place, room_left;
  if not found then
    return new;
  end if;
  if item_ends then
    new.batch_end := place;
  end if;
  -- Of large batches one item in eight is looked at: enough to say how long most take.
  if ends_now and new.started_at is not null and (new.batch_index < 64 or new.batch_index % 8 = 0) then
    insert into batch_durations (batch_id, upto, runs)
    values (new.batch_id,
            (select upto from duration_classes where upto >= new.ended_at - new.started_at order by upto limit 1), 1)
    on conflict (batch_id, upto) do update set runs = batch_durations.runs + 1;
  end if;
  if room_left is not null then
    if left_behind then
      -- A run gives up its share of the room: the next one that is held gets it. One that is locked is about to end.
      select seq into held from runs where batch_id = new.batch_id and queue = 'ready' and lane = 8
      order by seq limit 1 for update skip locked;
      if found then
        update runs set lane = 2 where seq = held;
        update batch_counts set room = room - 1 where batch_id = new.batch_id;
      end if;
    elsif new.queue = 'ready' and old.queue in ('delayed', 'waiting') then
      -- A run whose time, or turn on its thread, has come needs room too.
      if room_left <= 0 then
        new.lane := 8;
      else
        update batch_counts set room = room - 1 where batch_id = new.batch_id;
      end if;
    end if;
  end if;
  return new;
end $$;
create trigger batch_run_changed before update of status, queue, ended_at on runs for each row
when (new.batch_id is not null and (new.status <> old.status or new.queue is distinct from old.queue
                                    or (new.ended_at is not null and old.ended_at is null)))
execute function batch_run_changed();

create function batch_run_removed() returns trigger language plpgsql as $$
declare
  item_ends boolean := old.batch_index is not null and old.batch_end is null
                       and exists (select 1 from batches where batch_id = old.batch_id and erased = 0);
  left_behind boolean := old.queue in ('ready', 'running') and old.lane <> 8;
  place bigint;
  room_left bigint;
  held bigint;
begin
  -- What is removed before it has ended was not let come to an end.
  if old.ended_at is null or item_ends or left_behind then
    update batch_counts set
      pending = pending - (old.ended_at is null and old.status = 'pending')::int,
      running = running - (old.ended_at is null and old.status = 'running')::int,
      interrupted = interrupted + (old.ended_at is null)::int,
      updated_at = case when old.ended_at is null then clock_micros() else updated_at end,
      ends = ends + item_ends::int,
      room = room + coalesce(left_behind, false)::int
    where batch_id = old.batch_id
    returning ends, room into place, room_left;
    if left_behind and room_left is not null then
      select seq into held from runs where batch_id = old.batch_id and queue = 'ready' and lane = 8 and seq <> old.seq
      order by seq limit 1 for update skip locked;
      if found then
        update runs set lane = 2 where seq = held;
        update batch_counts set room = room - 1 where batch_id = old.batch_id;
      end if;
    end if;
  end if;
  if old.batch_index is not null and exists (select 1 from batches where batch_id = old.batch_id and erased = 0) then
    insert into removed_items
      (batch_id, batch_index, batch_end, run_id, retry_of, status, attempt, failed, ended_at, assistant_id, graph_id,
       strategy, temporary, resumable, webhook, metadata, kwargs, answer, failure)
    values (old.batch_id, old.batch_index, coalesce(old.batch_end, place), old.run_id, old.retry_of,
            case when old.ended_at is null then 'interrupted' else old.status end, old.attempt, old.failed,
            coalesce(old.ended_at, old.updated_at), old.assistant_id, old.graph_id, old.strategy, old.temporary,
            old.resumable, old.webhook, old.metadata, case when old.status <> 'success' then old.kwargs end, old.answer,
            case when old.ended_at is null
                 then convert_to('{"__error__":{"error":"UserInterrupt","message":"The run was removed before it ended."}}', 'UTF8')
                 else old.failure end)
    on conflict (batch_id, batch_index) do update set
      batch_end = excluded.batch_end, run_id = excluded.run_id, retry_of = excluded.retry_of, status = excluded.status,
      attempt = excluded.attempt, failed = excluded.failed, ended_at = excluded.ended_at,
      assistant_id = excluded.assistant_id, graph_id = excluded.graph_id, strategy = excluded.strategy,
      temporary = excluded.temporary, resumable = excluded.resumable, webhook = excluded.webhook,
      metadata = excluded.metadata, kwargs = excluded.kwargs, answer = excluded.answer, failure = excluded.failure;
  end if;
  return old;
end $$;
create trigger batch_run_removed before delete on runs for each row
when (old.batch_id is not null) execute function batch_run_removed();

create function batch_ended() returns trigger language plpgsql as $$
begin
  update batches set ended_at = new.updated_at, start_due = null, finish_due = null where batch_id = new.batch_id;
  insert into deliveries (run_id, batch_id, url, payload, due, created_at)
  select '', batch_id, webhook, convert_to(json_build_object('batch_id', batch_id)::text, 'UTF8'), 0, new.updated_at
  from batches where batch_id = new.batch_id and webhook is not null;
  return null;
end $$;
create trigger batch_ended after update of pending, running on batch_counts for each row
when (new.pending = 0 and new.running = 0 and (old.pending > 0 or old.running > 0)) execute function batch_ended();

-- Items of an ended batch are tried again.
create function batch_resumed() returns trigger language plpgsql as $$
begin
  new.paused := new.paused + greatest(0, (select new.updated_at - coalesce(ended_at, new.updated_at)
                                          from batches where batch_id = new.batch_id));
  update batches set ended_at = null, cancelled_at = null where batch_id = new.batch_id;
  return new;
end $$;
create trigger batch_resumed before update of pending on batch_counts for each row
when (new.pending > 0 and old.pending = 0 and old.running = 0) execute function batch_resumed();

-- Checkpoints of the LangGraph saver

create table checkpoints (
  thread_id text collate "C" not null,
  ns text collate "C" not null,
  checkpoint_id text collate "C" not null,
  parent_id text collate "C",
  run_id text collate "C",
  type text not null,
  data bytea not null,
  metadata bytea not null,
  primary key (thread_id, ns, checkpoint_id)
);

create table checkpoint_blobs (
  thread_id text collate "C" not null,
  ns text collate "C" not null,
  channel text collate "C" not null,
  version text collate "C" not null,
  run_id text collate "C",
  type text not null,
  data bytea not null,
  primary key (thread_id, ns, channel, version)
);

create table checkpoint_writes (
  thread_id text collate "C" not null,
  ns text collate "C" not null,
  checkpoint_id text collate "C" not null,
  task_id text collate "C" not null,
  idx integer not null,
  run_id text collate "C",
  channel text collate "C" not null,
  type text not null,
  data bytea not null,
  task_path text not null,
  primary key (thread_id, ns, checkpoint_id, task_id, idx)
);

-- Pending writes of earlier runs that the latest run of a thread has replaced: a rollback brings them back.
create table replaced_writes (
  thread_id text collate "C" not null,
  run_id text collate "C" not null,
  ns text collate "C" not null,
  checkpoint_id text collate "C" not null,
  task_id text collate "C" not null,
  idx integer not null,
  written_by text collate "C",
  channel text collate "C" not null,
  type text not null,
  data bytea not null,
  task_path text not null,
  primary key (thread_id, run_id, ns, checkpoint_id, task_id, idx)
);

-- Idempotency keys that were used, and what was made under them: for those who repeat their request. `bytes` is what a
-- row takes, with what it has beside its answer.
create table idempotency_keys (
  seq bigint generated by default as identity primary key,
  creator text collate "C",
  key text collate "C" not null,
  fingerprint bytea not null,
  answer bytea not null,
  bytes bigint generated always as (512 + octet_length(answer)) stored,
  created_at bigint not null
);
-- Nobody in particular is one of those whom keys belong to.
create unique index idempotency_key on idempotency_keys (key, coalesce(creator, ''), (creator is null));
create index idempotency_key_created on idempotency_keys (created_at) include (bytes);

-- Runs that the server makes by itself. `next_due` is the next moment of the calendar at which one is to be made (null:
-- none any more), found at the time of day `timed_at`; `revision` counts the changes, so that what was prepared for an
-- earlier one is not written. `creator_details` are as those of runs, and there for as long as the cron makes runs.
create table crons (
  seq bigint generated by default as identity,
  cron_id text collate "C" primary key,
  assistant_id text collate "C" not null,
  thread_id text collate "C",
  schedule text not null,
  timezone text,
  end_time bigint,
  enabled boolean not null,
  on_run_completed text,
  payload text not null,
  metadata jsonb not null,
  next_due bigint,
  timed_at bigint not null default 0,
  revision bigint not null default 0,
  creator text collate "C",
  creator_details text,
  created_at bigint not null,
  updated_at bigint not null
);
create index cron_due on crons (next_due) where enabled and next_due is not null;
create index cron_timed on crons (timed_at) where enabled and next_due is not null;
create index cron_created on crons (created_at);
create index cron_thread on crons (thread_id, created_at) where thread_id is not null;
create index cron_assistant on crons (assistant_id);

-- What is written with each run that a cron makes: the latest of each cron. One moment can be there only once, whoever
-- tries. `run_id` is null for a run that was refused.
create table cron_firings (
  cron_id text collate "C" not null,
  due bigint not null,
  fired_at bigint not null,
  run_id text collate "C",
  primary key (cron_id, due)
);

create function cron_removed() returns trigger language plpgsql as $$
begin
  delete from cron_firings where cron_id = old.cron_id;
  return null;
end $$;
create trigger cron_removed after delete on crons for each row execute function cron_removed();

-- The long-term store. `namespace` is labels joined by dots, which no label has; `updated_at` grows with every change of
-- an item; `fields` are the paths of what is indexed (null: those of the project), and `indexed` the index that has it.
create table store_items (
  id bigint generated by default as identity primary key,
  namespace text collate "C" not null,
  key text collate "C" not null,
  value text not null,
  created_at bigint not null,
  updated_at bigint not null,
  ttl_minutes double precision,
  expires_at bigint,
  fields text,
  indexed text collate "C"
);
-- Keys may be longer than what an index has room for.
create unique index store_item_key on store_items (md5(namespace), md5(key));
create index store_item_order on store_items (left(namespace, 500), updated_at);
create index store_item_newest on store_items (updated_at);
create index store_item_expiry on store_items (expires_at) where expires_at is not null;
create index store_item_indexed on store_items (indexed);

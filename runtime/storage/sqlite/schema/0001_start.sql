-- Times are integers, microseconds since 1970 (UTC). JSON is text; payloads that are only passed on are blobs.

create table assistants (
  assistant_id text primary key,
  graph_id text not null,
  name text not null,
  description text,
  config text not null,
  context text not null,
  metadata text not null,
  version integer not null,
  created_at integer not null,
  updated_at integer not null
);
create index assistant_created on assistants (created_at);

create table assistant_versions (
  assistant_id text not null,
  version integer not null,
  graph_id text not null,
  name text not null,
  description text,
  config text not null,
  context text not null,
  metadata text not null,
  created_at integer not null,
  primary key (assistant_id, version)
) without rowid;

-- `settled` is the status that the thread has when no run of it is under way; `status` is what it shows.
create table threads (
  thread_id text primary key,
  created_at integer not null,
  updated_at integer not null,
  state_updated_at integer not null,
  status text not null,
  settled text not null default 'idle',
  metadata text not null,
  graph_id text,
  ran integer not null default 0,
  temporary integer not null default 0,
  state blob,
  interrupts blob,
  error blob,
  ttl_strategy text,
  ttl_minutes real,
  expires_at integer
);
create index thread_created on threads (created_at) where not temporary;
create index thread_updated on threads (updated_at) where not temporary;
create index thread_status on threads (status, created_at) where not temporary;
create index thread_expires on threads (expires_at) where expires_at is not null;

-- The queue is this table. `queue` is the place in it: ready (head of its thread), waiting (behind another
-- run of its thread), delayed (due later), running (leased), null (ended). The interface shows `status`.
create table runs (
  seq integer primary key autoincrement,
  run_id text not null,
  thread_id text not null,
  assistant_id text not null,
  graph_id text not null,
  status text not null,
  queue text,
  lane integer not null,
  due integer,
  worker text,
  attempt integer not null default 0,
  crashes integer not null default 0,
  cancel text,
  strategy text not null,
  temporary integer not null,
  resumable integer not null,
  watching integer not null,
  webhook text,
  metadata text not null,
  kwargs text not null,
  answer blob,
  created_at integer not null,
  updated_at integer not null,
  started_at integer,
  ended_at integer
);
create unique index run_id on runs (run_id);
create index run_thread on runs (thread_id, seq);
create index run_ready on runs (lane, seq) where queue = 'ready';
create index run_delayed on runs (due) where queue = 'delayed';
create index run_owned on runs (worker) where queue = 'running';
create index run_waiting on runs (thread_id, seq) where queue = 'waiting';
create unique index run_one on runs (thread_id) where queue in ('ready', 'running');
-- What a run answered stays joinable for a while; a temporary run's row goes with it.
create index run_answered on runs (ended_at) where answer is not null;

create table workers (
  worker text primary key,
  pid integer not null,
  started_at integer not null,
  seen_at integer not null
) without rowid;

create table run_events (
  run_id text not null,
  first integer not null,
  last integer not null,
  data blob not null,
  primary key (run_id, first)
) without rowid;

create table checkpoints (
  thread_id text not null,
  ns text not null,
  checkpoint_id text not null,
  parent_id text,
  run_id text,
  type text not null,
  data blob not null,
  metadata blob not null,
  primary key (thread_id, ns, checkpoint_id)
) without rowid;

create table checkpoint_blobs (
  thread_id text not null,
  ns text not null,
  channel text not null,
  version text not null,
  run_id text,
  type text not null,
  data blob not null,
  primary key (thread_id, ns, channel, version)
) without rowid;

create table checkpoint_writes (
  thread_id text not null,
  ns text not null,
  checkpoint_id text not null,
  task_id text not null,
  idx integer not null,
  run_id text,
  channel text not null,
  type text not null,
  data blob not null,
  task_path text not null,
  primary key (thread_id, ns, checkpoint_id, task_id, idx)
) without rowid;

create table deliveries (
  delivery_id integer primary key,
  run_id text not null,
  url text not null,
  payload blob not null,
  attempt integer not null default 0,
  due integer not null,
  error text,
  created_at integer not null
);
create index delivery_due on deliveries (due);

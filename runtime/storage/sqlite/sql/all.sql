-- Every statement that the SQLite adapter runs often, by name. A guarded transition changes a row only when
-- the row is still what the caller believes; the caller looks at the row count or the returned rows.

-- name: insert_thread
-- "or fail", here and below: what the triggers write needs no journal of its own then, which costs more than
-- they do. For one row it makes no other difference.
insert or fail into threads (thread_id, created_at, updated_at, state_updated_at, status, metadata, graph_id, temporary)
values (:thread_id, :now, :now, :now, :status, :metadata, :graph_id, :temporary);

-- name: insert_run
insert into runs (run_id, thread_id, assistant_id, graph_id, status, queue, lane, due, strategy, temporary,
                  resumable, watching, webhook, metadata, kwargs, created_at, updated_at)
values (:run_id, :thread_id, :assistant_id, :graph_id, 'pending', :queue, :lane, :due, :strategy, :temporary,
        :resumable, :watching, :webhook, :metadata, :kwargs, :now, :now);

-- name: active_runs
select seq, run_id from runs where thread_id = ? and queue is not null order by seq;

-- name: runs_ahead
-- Runs of the thread that a new one has to wait for; delayed ones come after it.
select run_id from runs where thread_id = ? and queue in ('ready', 'running', 'waiting');

-- name: keep_thread
update threads set temporary = 0 where thread_id = ?;

-- name: thread_busy
update or fail threads set status = 'busy', updated_at = :now, graph_id = :graph_id, metadata = :metadata
where thread_id = :thread_id;

-- name: claim
-- :lane_from and :lane_to bound the lanes; the head of each thread is 'ready', so no thread runs twice.
update runs set queue = 'running', status = 'running', worker = :worker, attempt = attempt + 1,
                started_at = :now, updated_at = :now
where seq in (select seq from runs where queue = 'ready' and lane between :lane_from and :lane_to
              order by lane, seq limit :limit)
returning seq, run_id, thread_id, attempt, assistant_id, graph_id, lane, temporary, resumable, watching,
          cancel, metadata, kwargs, started_at - max(created_at, coalesce(due, 0));

-- name: hold
-- The fence in front of every write of a worker.
select cancel from runs where seq = ? and worker = ? and attempt = ? and queue = 'running';

-- name: finish
update runs set status = :status, queue = null, worker = null, answer = :answer, updated_at = :now, ended_at = :now
where seq = :seq and worker = :worker and attempt = :attempt and queue = 'running'
returning thread_id, webhook;

-- name: delete_finished_thread
-- A temporary thread goes with its run, but not with other runs that were put on it meanwhile.
delete from threads where thread_id = :thread_id and temporary
and not exists (select 1 from runs where thread_id = :thread_id and queue is not null);

-- name: settle_thread
update or fail threads set
  settled = :settled,
  status = case when exists (select 1 from runs where thread_id = :thread_id and queue is not null)
                then 'busy' else :settled end,
  ran = 1, temporary = 0, state = :state, interrupts = :interrupts, error = :error,
  updated_at = :now, state_updated_at = :now
where thread_id = :thread_id;

-- name: edit_thread
-- A thread that somebody edits is more than a temporary run's.
update threads set
  temporary = 0, settled = :settled,
  status = case when exists (select 1 from runs where thread_id = :thread_id and queue is not null)
                then 'busy' else :settled end,
  state = :state, interrupts = :interrupts, error = null, updated_at = :now, state_updated_at = :now
where thread_id = :thread_id;

-- name: rest_thread
-- The thread falls back to what it was before a run that never got to change it.
update threads set
  status = case when exists (select 1 from runs where thread_id = :thread_id and queue is not null)
                then 'busy' else settled end,
  updated_at = :now
where thread_id = :thread_id;

-- name: promote
update runs set queue = 'ready', updated_at = :now
where seq = (select min(seq) from runs where thread_id = :thread_id and queue = 'waiting')
and not exists (select 1 from runs where thread_id = :thread_id and queue in ('ready', 'running'))
returning seq;

-- name: due
select seq, thread_id from runs where queue = 'delayed' and due <= ? order by due limit ?;

-- name: make_due
update runs set updated_at = :now,
  queue = case when exists (select 1 from runs where thread_id = :thread_id
                            and queue in ('ready', 'running', 'waiting')) then 'waiting' else 'ready' end
where seq = :seq and queue = 'delayed'
returning queue;

-- name: next_due
select min(due) from runs where queue = 'delayed';

-- name: release
update runs set queue = 'ready', status = 'pending', worker = null, updated_at = :now
where seq = :seq and worker = :worker and attempt = :attempt and queue = 'running';

-- name: owned
select seq, run_id, thread_id, attempt, crashes, cancel, lane, started_at from runs
where worker = ? and queue = 'running' order by seq;

-- name: requeue_crashed
update runs set queue = 'ready', status = 'pending', worker = null, crashes = crashes + 1, lane = :lane,
                updated_at = :now
where seq = :seq and worker = :worker and queue = 'running';

-- name: exhaust
update runs set queue = null, status = :status, worker = null, crashes = crashes + 1, answer = :answer,
                updated_at = :now, ended_at = :now
where seq = :seq and worker = :worker and queue = 'running'
returning thread_id, webhook;

-- name: request_cancel
-- A rollback that was asked for stays one.
update runs set cancel = case cancel when 'rollback' then cancel else :action end, updated_at = :now
where seq = :seq and queue = 'running';

-- name: end_pending
update runs set queue = null, status = 'interrupted', answer = :answer, updated_at = :now, ended_at = :now
where seq = :seq and queue in ('ready', 'waiting', 'delayed')
returning thread_id, webhook;

-- name: delete_pending
delete from runs where seq = :seq and queue in ('ready', 'waiting', 'delayed') returning thread_id;

-- name: delete_run
delete from runs where run_id = ? and thread_id = ? returning seq;

-- name: heartbeat
insert into workers (worker, pid, started_at, seen_at) values (:worker, :pid, :now, :now)
on conflict (worker) do update set seen_at = :now;

-- name: stale_workers
select worker, pid from workers where seen_at < ?;

-- name: ownerless
select distinct worker from runs where queue = 'running' and worker not in (select worker from workers);

-- name: forget_worker
delete from workers where worker = ?;

-- name: insert_events
insert into run_events (run_id, first, last, data) values (?, ?, ?, ?);

-- name: read_events
select first, last, data from run_events where run_id = ? and last > ? order by first;

-- name: read_thread_events
select first, last, data from runs join run_events using (run_id) where thread_id = ? order by seq, first;

-- name: last_event
select max(last) from run_events where run_id = ?;

-- name: run
select runs.* from runs where run_id = :run_id and thread_id = :thread_id
and exists (select 1 from threads where threads.thread_id = runs.thread_id);

-- name: run_by_id
select runs.* from runs where run_id = ?
and exists (select 1 from threads where threads.thread_id = runs.thread_id);

-- name: runs_of_thread
select * from runs where thread_id = :thread_id and (:status is null or status = :status)
order by seq desc limit :limit offset :offset;

-- name: place
select thread_id, resumable from runs where run_id = ?;

-- name: ended
-- An answer that is no longer kept is what the thread holds now.
select status, queue, answer, (select state from threads where threads.thread_id = runs.thread_id)
from runs where run_id = ?;

-- name: thread
select * from threads where thread_id = ?;

-- name: graphs_of_thread
-- The graph that the metadata names (clients may set it), and that of the latest run.
select case json_type(metadata, '$.graph_id') when 'text' then json_extract(metadata, '$.graph_id') end, graph_id
from threads where thread_id = ?;

-- name: expired_threads
-- The terms are those of the index thread_expires.
select thread_id from threads
where ttl_minutes is not null and (ttl_strategy = 'delete' or kept_at is not state_updated_at)
and ttl_strategy = ? and updated_at + cast(ttl_minutes * 60000000 as integer) <= ? and status <> 'busy'
order by updated_at + cast(ttl_minutes * 60000000 as integer) limit ?;

-- name: depth
select queue, count(*) from runs where queue is not null group by queue;

-- name: ready_solo
select 1 from runs where queue = 'ready' and lane = ? limit 1;

-- name: oldest_ready
select min(created_at) from runs where queue = 'ready';

-- name: answered_before
select seq, run_id, temporary from runs where answer is not null and ended_at < ? order by ended_at limit ?;

-- name: forget_run
delete from runs where seq = ? and queue is null;

-- name: forget_answer
update runs set answer = null where seq = ? and queue is null;

-- name: put_checkpoint
insert or replace into checkpoints (thread_id, ns, checkpoint_id, parent_id, run_id, type, data, metadata)
values (?, ?, ?, ?, ?, ?, ?, ?);

-- name: put_blob
insert or ignore into checkpoint_blobs (thread_id, ns, channel, version, run_id, type, data)
values (?, ?, ?, ?, ?, ?, ?);

-- name: add_write
insert or ignore into checkpoint_writes
  (thread_id, ns, checkpoint_id, task_id, idx, run_id, channel, type, data, task_path)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: replace_write
insert or replace into checkpoint_writes
  (thread_id, ns, checkpoint_id, task_id, idx, run_id, channel, type, data, task_path)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: latest_checkpoint
select thread_id, ns, checkpoint_id, parent_id, type, data, metadata from checkpoints
where thread_id = ? and ns = ? order by checkpoint_id desc limit 1;

-- name: checkpoint
select thread_id, ns, checkpoint_id, parent_id, type, data, metadata from checkpoints
where thread_id = ? and ns = ? and checkpoint_id = ?;

-- name: namespaces
select distinct ns from checkpoints where thread_id = ?;

-- name: writes
select task_id, channel, type, data, task_path, idx from checkpoint_writes
where thread_id = ? and ns = ? and checkpoint_id = ?;

-- name: blob
select type, data from checkpoint_blobs where thread_id = ? and ns = ? and channel = ? and version = ?;

-- name: insert_delivery
insert into deliveries (run_id, url, payload, due, created_at) values (?, ?, ?, ?, ?);

-- name: claim_deliveries
update deliveries set attempt = attempt + 1, due = :leased
where delivery_id in (select delivery_id from deliveries where due <= :now order by due limit :limit)
returning delivery_id, attempt, url, run_id, payload;

-- name: finish_delivery
delete from deliveries where delivery_id = ? and attempt = ?;

-- name: postpone_delivery
update deliveries set due = :due, error = :error where delivery_id = :delivery_id and attempt = :attempt;

-- name: next_delivery
select min(due) from deliveries;

-- name: assistant
select * from assistants where assistant_id = ?;

-- name: ensure_assistant
-- The description is that of langgraph.json for as long as nobody has changed the assistant.
insert into assistants (assistant_id, graph_id, name, description, config, context, metadata, version,
                        created_at, updated_at)
values (:assistant_id, :graph_id, :name, :description, :config, :context, :metadata, :version,
        :created_at, :updated_at)
on conflict (assistant_id) do update set description = excluded.description
where version = 1 and description is not excluded.description;

-- name: put_assistant
insert into assistants (assistant_id, graph_id, name, description, config, context, metadata, version,
                        created_at, updated_at)
values (:assistant_id, :graph_id, :name, :description, :config, :context, :metadata, :version,
        :created_at, :updated_at)
on conflict (assistant_id) do update set
  graph_id = excluded.graph_id, name = excluded.name, description = excluded.description,
  config = excluded.config, context = excluded.context, metadata = excluded.metadata,
  version = excluded.version, updated_at = excluded.updated_at;

-- name: insert_version
insert into assistant_versions (assistant_id, version, graph_id, name, description, config, context, metadata,
                                created_at)
values (:assistant_id, :version, :graph_id, :name, :description, :config, :context, :metadata, :created_at)
on conflict (assistant_id, version) do update set description = excluded.description;

-- name: set_latest
update assistants set
  (version, graph_id, name, description, config, context, metadata) =
  (select version, graph_id, name, description, config, context, metadata from assistant_versions as old
   where old.assistant_id = :assistant_id and old.version = :version),
  updated_at = :now
where assistant_id = :assistant_id
and exists (select 1 from assistant_versions where assistant_id = :assistant_id and version = :version);

-- name: threads_of_assistant
select thread_id from thread_tags where key = 'assistant_id' and value = ? limit ?;

-- name: temporary_threads_of_assistant
select thread_id from threads indexed by thread_temporary
where temporary and json_extract(metadata, '$.assistant_id') = ? limit ?;

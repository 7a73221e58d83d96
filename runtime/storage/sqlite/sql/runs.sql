-- Runs as their clients see them: accepted, looked up, cancelled, removed. A guarded transition changes a row only
-- when the row is still what the caller believes; the caller looks at the row count or the returned rows.

-- name: insert_run
-- "or fail": see insert_thread.
insert or fail into runs (run_id, thread_id, assistant_id, graph_id, status, queue, lane, due, strategy, temporary,
                  resumable, protocol, watching, webhook, metadata, kwargs, creator, creator_details, batch_id, batch_index,
                  created_at, updated_at)
values (:run_id, :thread_id, :assistant_id, :graph_id, 'pending', :queue, :lane, :due, :strategy, :temporary,
        :resumable, :protocol, :watching, :webhook, :metadata, :kwargs, :creator, :creator_details, :batch_id, :batch_index,
        :now, :now);

-- name: active_runs
select seq, run_id from runs where thread_id = ? and queue is not null order by seq;

-- name: runs_ahead
-- Runs of the thread that a new one has to wait for; delayed ones come after it.
select run_id from runs where thread_id = :thread_id and queue in ('ready', 'running', 'waiting')
union all select run_id from runs where thread_id = :thread_id and queue = 'delayed' and failed > 0;

-- name: keep_temporary_thread
update threads set temporary = 0, ttl_strategy = coalesce(ttl_strategy, :ttl_strategy),
                   ttl_minutes = coalesce(ttl_minutes, :ttl_minutes)
where thread_id = :thread_id;

-- name: occupy_thread
update or fail threads set status = 'busy', updated_at = :now, graph_id = :graph_id, metadata = :metadata
where thread_id = :thread_id;

-- name: restore_thread_status
-- The thread falls back to what it was before a run that never got to change it.
update threads set
  status = case when exists (select 1 from runs where thread_id = :thread_id and queue is not null)
                then 'busy' else settled end,
  updated_at = :now
where thread_id = :thread_id;

-- name: request_cancel
-- A rollback that was asked for stays one, and so does the first reason.
update runs set cancel = case cancel when 'rollback' then cancel else :action end,
                cancel_reason = coalesce(cancel_reason, :reason), updated_at = :now
where seq = :seq and queue = 'running'
returning worker;

-- name: pending_run
select thread_id, attempt from runs where seq = ? and queue in ('ready', 'waiting', 'delayed');

-- name: end_interrupted
update runs set queue = null, creator_details = null, status = 'interrupted', worker = null, answer = :answer,
                cancel_reason = coalesce(cancel_reason, :reason), updated_at = :now, ended_at = :now
where seq = :seq and queue is not null
returning webhook;

-- name: interrupt_thread
-- A run that has begun to change its thread leaves it where it can be continued.
update threads set settled = 'interrupted', error = null where thread_id = :thread_id
and exists (select 1 from checkpoints where thread_id = :thread_id and run_id = :run_id);

-- name: roll_back_run
delete from runs where seq = ? returning run_id;

-- name: latest_run_of_thread
select graph_id, assistant_id from runs where thread_id = ? order by seq desc limit 1;

-- name: restore_thread_graph
update or fail threads set graph_id = :graph_id, metadata = :metadata where thread_id = :thread_id;

-- name: delete_run
delete from runs where run_id = ? and thread_id = ? returning queue is not null and attempt > 0;

-- name: seq_of_run
select seq from runs where run_id = ? and thread_id = ?;

-- name: run
select runs.* from runs where run_id = :run_id and thread_id = :thread_id
and exists (select 1 from threads where threads.thread_id = runs.thread_id);

-- name: run_by_id
select runs.* from runs where run_id = ?
and exists (select 1 from threads where threads.thread_id = runs.thread_id);

-- name: runs_of_thread
select * from runs where thread_id = :thread_id and (:status is null or status = :status)
order by seq desc limit :limit offset :offset;

-- name: newest_run
select coalesce(max(seq), 0) from runs;

-- name: locate
select thread_id, resumable, protocol from runs where run_id = ?
and not exists (select 1 from discarded_threads as gone where gone.thread_id = runs.thread_id and gone.with_runs);

-- name: result
-- An answer that is no longer kept is what the thread holds now.
select status, queue, coalesce(answer, failure),
       (select state from threads where threads.thread_id = runs.thread_id), attempt, resumable
from runs where run_id = ?
and not exists (select 1 from discarded_threads as gone where gone.thread_id = runs.thread_id and gone.with_runs);

-- name: results_before
-- What items of batches answered goes with the results of the batch.
select seq, run_id, temporary from runs where answer is not null and batch_index is null and ended_at < ?
order by ended_at limit ?;

-- name: forget_run
delete from runs where seq = ? and queue is null;

-- name: forget_result
-- A thread does not say what became of one of its earlier runs, so what a run that failed answered stays.
update runs set answer = null,
  failure = case when status <> 'success' and substr(answer, 1, 12) = cast('{"__error__"' as blob) then answer end
where seq = ? and queue is null;

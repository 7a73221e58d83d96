-- Runs as their clients see them: accepted, looked up, cancelled, removed. A guarded transition changes a row only
-- when the row is still what the caller believes; the caller looks at the row count or the returned rows.

-- name: insert_run
-- Many are copied instead, in these columns.
/* kept */
insert into runs (run_id, thread_id, assistant_id, graph_id, status, queue, lane, due, strategy, temporary, resumable,
                  protocol, watching, webhook, metadata, kwargs, creator, creator_details, batch_id, batch_index, created_at,
                  updated_at)
values (%(run_id)s, %(thread_id)s, %(assistant_id)s, %(graph_id)s, 'pending', %(queue)s, %(lane)s, %(due)s,
        %(strategy)s, %(temporary)s, %(resumable)s, %(protocol)s, %(watching)s, %(webhook)s, %(metadata)s, %(kwargs)s, %(creator)s,
        %(creator_details)s, %(batch_id)s, %(batch_index)s, %(now)s, %(now)s);

-- name: accept_runs
/* kept */
select * from accept_runs(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s);

-- name: active_runs
select seq, run_id from runs where thread_id = %s and queue is not null order by seq;

-- name: runs_ahead
-- Runs of the thread that a new one has to wait for; delayed ones come after it.
/* kept */
select run_id from runs where thread_id = %(thread_id)s and queue in ('ready', 'running', 'waiting')
union all select run_id from runs where thread_id = %(thread_id)s and queue = 'delayed' and failed > 0;

-- name: keep_temporary_thread
update threads set temporary = false, ttl_strategy = coalesce(ttl_strategy, %(ttl_strategy)s::text),
                   ttl_minutes = coalesce(ttl_minutes, %(ttl_minutes)s::double precision)
where thread_id = %(thread_id)s;

-- name: occupy_thread
/* kept */
update threads set status = 'busy', updated_at = %(now)s, graph_id = %(graph_id)s, metadata = %(metadata)s
where thread_id = %(thread_id)s;

-- name: restore_thread_statuses
-- Threads fall back to what they were before a run that never got to change them.
update threads set
  status = case when exists (select 1 from runs where runs.thread_id = threads.thread_id and queue is not null)
                then 'busy' else settled end,
  updated_at = %(now)s
where thread_id = any(%(thread_ids)s::text[]);

-- name: request_cancels
-- A rollback that was asked for stays one, and so does the first reason. `queue` is hidden from the planner, see finish.
update runs set cancel = case cancel when 'rollback' then cancel else %(action)s::text end,
                cancel_reason = coalesce(cancel_reason, %(reason)s::text), updated_at = %(now)s
where seq = any(%(seqs)s::bigint[]) and coalesce(queue, '') = 'running'
returning run_id, worker;

-- name: end_unbegun
update runs set queue = null, creator_details = null, status = 'interrupted', worker = null, answer = %(answer)s,
                cancel_reason = coalesce(cancel_reason, %(reason)s::text), updated_at = %(now)s, ended_at = %(now)s
where seq = any(%(seqs)s::bigint[]) and attempt = 0 and coalesce(queue, '') in ('ready', 'waiting', 'delayed')
returning seq, run_id, thread_id, webhook;

-- name: pending_runs
select seq, run_id, thread_id, attempt from runs
where seq = any(%(seqs)s::bigint[]) and coalesce(queue, '') in ('ready', 'waiting', 'delayed') order by seq;

-- name: end_interrupted
update runs set queue = null, creator_details = null, status = 'interrupted', worker = null, answer = %(answer)s,
                cancel_reason = coalesce(cancel_reason, %(reason)s::text), updated_at = %(now)s, ended_at = %(now)s
where seq = %(seq)s and queue is not null
returning webhook;

-- name: interrupt_thread
-- A run that has begun to change its thread leaves it where it can be continued.
update threads set settled = 'interrupted', error = null where thread_id = %(thread_id)s
and exists (select 1 from checkpoints where thread_id = %(thread_id)s and run_id = %(run_id)s);

-- name: roll_back_run
delete from runs where seq = %s returning run_id;

-- name: latest_run_of_thread
select graph_id, assistant_id from runs where thread_id = %s order by seq desc limit 1;

-- name: restore_thread_graph
update threads set graph_id = %(graph_id)s, metadata = %(metadata)s where thread_id = %(thread_id)s;

-- name: delete_run
delete from runs where run_id = %s and thread_id = %s returning queue is not null and attempt > 0;

-- name: run
/* kept */
select runs.* from runs where run_id = %(run_id)s and thread_id = %(thread_id)s
and exists (select 1 from threads where threads.thread_id = runs.thread_id);

-- name: run_by_id
select runs.* from runs where run_id = %s
and exists (select 1 from threads where threads.thread_id = runs.thread_id);

-- name: runs_of_thread
select * from runs where thread_id = %(thread_id)s and (%(status)s::text is null or status = %(status)s)
order by seq desc limit %(limit)s offset %(offset)s;

-- name: newest_run
select coalesce(max(seq), 0) from runs;

-- name: locate
select thread_id, resumable, protocol from runs where run_id = %s
and not exists (select 1 from discarded_threads as gone where gone.thread_id = runs.thread_id and gone.with_runs);

-- name: result
-- An answer that is no longer kept is what the thread holds now.
select status, queue, coalesce(answer, failure),
       (select state from threads where threads.thread_id = runs.thread_id), attempt, resumable
from runs where run_id = %s
and not exists (select 1 from discarded_threads as gone where gone.thread_id = runs.thread_id and gone.with_runs);

-- name: results_before
-- What items of batches answered goes with the results of the batch.
select seq, run_id, temporary from runs where answer is not null and batch_index is null and ended_at < %s
order by ended_at limit %s for update skip locked;

-- name: forget_run
delete from runs where seq = %s and queue is null;

-- name: forget_result
-- A thread does not say what became of one of its earlier runs, so what a run that failed answered stays.
update runs set answer = null,
  failure = case when status <> 'success' and substr(answer, 1, 12) = convert_to('{"__error__"', 'UTF8') then answer end
where seq = %s and queue is null;

-- The life of a run in the hands of a worker, and delayed runs. What a worker writes names its lease: sequence
-- number, worker, attempt and token.

-- name: claim
-- :lane_from and :lane_to bound the lanes; the head of each thread is 'ready', so no thread runs twice.
update runs set queue = 'running', status = 'running', worker = :worker, attempt = attempt + 1,
                token = :token, started_at = :now, claimed_at = :clock, updated_at = :now
where seq in (select seq from runs where queue = 'ready' and lane between :lane_from and :lane_to
              order by lane, seq limit :limit)
returning seq, run_id, thread_id, attempt, assistant_id, graph_id, lane, temporary, resumable, watching,
          cancel, metadata, kwargs, creator_details,
          max(0, case when due is null then :now - created_at else :clock - due end), batch_id, failed, creator;

-- name: claim_suspects
-- The oldest run of the lane, and all of its group.
update runs set queue = 'running', status = 'running', worker = :worker, attempt = attempt + 1,
                token = :token, started_at = :now, claimed_at = :clock, updated_at = :now
where queue = 'ready' and lane = :lane and (
  seq = (select min(seq) from runs where queue = 'ready' and lane = :lane) or
  suspects = (select suspects from runs where queue = 'ready' and lane = :lane order by seq limit 1))
returning seq, run_id, thread_id, attempt, assistant_id, graph_id, lane, temporary, resumable, watching,
          cancel, metadata, kwargs, creator_details,
          max(0, case when due is null then :now - created_at else :clock - due end), batch_id, failed, creator;

-- name: hasten
-- Not what its batch holds (lane 8), nor suspects of a crash.
update runs set lane = :lane
where thread_id = (select thread_id from runs where run_id = :run_id)
and seq <= (select seq from runs where run_id = :run_id) and queue in ('ready', 'waiting', 'delayed')
and lane > :lane and lane < 8
returning queue;

-- name: try_again
-- One that was asked to stop does not begin again. It keeps its thread while it waits: `promote`, `runs_ahead` and
-- `make_due` know it by `failed`.
update runs set queue = 'delayed', status = 'pending', worker = null, failed = failed + 1, due = :due, updated_at = :now
where seq = :seq and worker = :worker and attempt = :attempt and token = :token and queue = 'running' and cancel is null;

-- name: check_lease
-- The fence in front of every write of a worker.
select cancel from runs where seq = ? and worker = ? and attempt = ? and token = ? and queue = 'running';

-- name: finish
-- Only a run that nobody has asked to stop ends as its graph did. `shared`: its thread is about to hold the answer.
update runs set queue = null, creator_details = null, status = :status, worker = null, paused = :paused,
                answer = case when not :shared or batch_id is not null then :answer end,
                updated_at = :now, ended_at = :now
where seq = :seq and worker = :worker and attempt = :attempt and token = :token and queue = 'running'
and (cancel is null or :cancelled)
returning webhook, batch_id;

-- name: count_tokens
update batch_counts set
  input_tokens = input_tokens + :input, output_tokens = output_tokens + :output, cached_tokens = cached_tokens + :cached
where batch_id = :batch_id;

-- name: delete_temporary_thread
-- A temporary thread goes with its run, but not with other runs that were put on it meanwhile.
delete from threads where thread_id = :thread_id and temporary
and not exists (select 1 from runs where thread_id = :thread_id and queue is not null);

-- name: keep_run
update runs set temporary = 0 where seq = ?;

-- name: settle_thread
-- What the run does not say stays as it is.
update or fail threads set
  settled = :settled,
  status = case when exists (select 1 from runs where thread_id = :thread_id and queue is not null)
                then 'busy' else :settled end,
  ran = 1, temporary = 0, state = coalesce(:state, state), interrupts = coalesce(:interrupts, interrupts, '{}'),
  error = :error, unsettled = :unsettled, answered = :answered, updated_at = :now, state_updated_at = :now
where thread_id = :thread_id;

-- name: promote
update runs set queue = 'ready', updated_at = :now
where seq = (select min(seq) from runs where thread_id = :thread_id and queue = 'waiting')
and not exists (select 1 from runs where thread_id = :thread_id and queue in ('ready', 'running'))
and not exists (select 1 from runs where thread_id = :thread_id and queue = 'delayed' and failed > 0)
and exists (select 1 from threads where thread_id = :thread_id)
returning seq;

-- name: release
-- One that was asked to stop does not begin again.
update runs set queue = 'ready', status = 'pending', worker = null, updated_at = :now
where seq = :seq and worker = :worker and attempt = :attempt and token = :token and queue = 'running' and cancel is null;

-- name: due_runs
select seq, thread_id from runs where queue = 'delayed' and due <= ? order by due, seq limit ?;

-- name: make_due
update runs set updated_at = :now,
  queue = case when not exists (select 1 from threads where thread_id = :thread_id) then null
               when failed > 0 then 'ready'
               when exists (select 1 from runs where thread_id = :thread_id
                            and queue in ('ready', 'running', 'waiting')) then 'waiting'
               when exists (select 1 from runs where thread_id = :thread_id
                            and queue = 'delayed' and failed > 0) then 'waiting' else 'ready' end
where seq = :seq and queue = 'delayed'
returning queue;

-- name: next_due
select min(due) from runs where queue = 'delayed';

-- name: depth
-- Each counted in the index that holds no others: ended runs, of which there may be a million, are not looked at.
-- Those that are held (lane 8) wait too, for their batch.
select (select count(*) from runs indexed by run_ready where queue = 'ready' and lane <> 8),
       (select count(*) from runs indexed by run_waiting where queue = 'waiting')
       + (select count(*) from runs indexed by run_ready where queue = 'ready' and lane = 8),
       (select count(*) from runs indexed by run_delayed where queue = 'delayed'),
       (select count(*) from runs indexed by run_owned where queue = 'running'),
       -- Numbers are given in the order of creation.
       (select created_at from runs where seq = (select min(seq) from runs indexed by run_ready where queue = 'ready' and lane <> 8));

-- name: waits
-- When the first and the middle one were created of those that are ready or wait. Numbers are given in that order.
with unclaimed as (
  select seq from runs indexed by run_ready where queue = 'ready'
  union all select seq from runs indexed by run_waiting where queue = 'waiting'
)
select (select created_at from runs where seq = (select min(seq) from unclaimed)),
       (select created_at from runs where seq =
         (select seq from unclaimed order by seq limit 1 offset (select (count(*) - 1) / 2 from unclaimed)));

-- name: ready_solo
select count(distinct coalesce(suspects, seq)) from runs where queue = 'ready' and lane = ?;

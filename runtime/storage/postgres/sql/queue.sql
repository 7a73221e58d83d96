-- The life of a run in the hands of a worker, and delayed runs. What a worker writes names its lease: sequence
-- number, worker, attempt and token.

-- name: claim
/* kept */
select * from claim_runs(%(worker)s::text, %(token)s::bigint, %(limit)s::bigint, %(interactive)s::bigint,
                         %(crowded)s::boolean, %(owed)s::double precision, %(batch_share)s::double precision);

-- name: lock_suspects
-- The oldest run of the lane, and all of its group. One claim at a time: a group is not divided.
select seq from runs where queue = 'ready' and lane = %(lane)s and (
  seq = (select min(seq) from runs where queue = 'ready' and lane = %(lane)s) or
  suspects = (select suspects from runs where queue = 'ready' and lane = %(lane)s order by seq limit 1))
order by seq for update;

-- name: claim_suspects
-- Claimed is a run when its row changes, see claim_runs.
update runs set queue = 'running', status = 'running', worker = %(worker)s, attempt = attempt + 1,
                token = %(token)s, started_at = %(now)s, claimed_at = clock_micros(), updated_at = %(now)s
where seq = any(%(seqs)s::bigint[])
returning seq, run_id, thread_id, attempt, assistant_id, graph_id, lane, temporary, resumable, watching,
          cancel, metadata, kwargs, creator_details,
          greatest(0, %(now)s - coalesce(due, created_at)), batch_id, failed, creator,
          (select retry from batches where batches.batch_id = runs.batch_id), false, false;

-- name: try_again
-- One that was asked to stop does not begin again. It keeps its thread while it waits: `promote`, `runs_ahead` and
-- `make_due` know it by `failed`.
update runs set queue = 'delayed', status = 'pending', worker = null, failed = failed + 1, due = %(due)s, updated_at = %(now)s
where seq = %(seq)s and worker = %(worker)s and attempt = %(attempt)s and token = %(token)s and queue = 'running' and cancel is null;

-- name: check_lease
-- The fence in front of every write of a worker.
/* kept */
select cancel from runs where seq = %s and worker = %s and attempt = %s and token = %s and queue = 'running' for update;

-- name: check_leases
-- The same for several. Their runs are locked in the order that all keep to.
/* kept */
select * from lock_leases(%(places)s, %(seqs)s, %(workers)s, %(attempts)s, %(tokens)s);

-- name: end_runs
/* kept */
select * from end_runs(%(all_known)s, %(buckets)s, %(locks)s, %(seqs)s, %(workers)s, %(attempts)s, %(tokens)s,
                       %(thread_ids)s, %(statuses)s, %(paused)s, %(shared)s, %(answers)s, %(temporary)s, %(settled)s,
                       %(states)s, %(interrupts)s, %(errors)s, %(unsettled)s, %(stopped)s);

-- name: end_runs_with_checkpoints
-- The checkpoints only if they have ended.
/* kept */
with ended as materialized (
  select * from end_runs(%(all_known)s, %(buckets)s, %(locks)s, %(seqs)s, %(workers)s, %(attempts)s, %(tokens)s,
                         %(thread_ids)s, %(statuses)s, %(paused)s, %(shared)s, %(answers)s, %(temporary)s, %(settled)s,
                         %(states)s, %(interrupts)s, %(errors)s, %(unsettled)s, %(stopped)s)
), saved as materialized (
  select add_checkpoint_rows(%(rows_0)s, %(rows_1)s, %(rows_2)s, %(rows_3)s, %(rows_4)s, %(rows_5)s, %(rows_6)s,
                             %(rows_7)s, %(rows_8)s, %(rows_9)s, %(rows_10)s, %(rows_11)s, %(rows_12)s, %(rows_13)s,
                             %(rows_14)s, %(rows_15)s, %(rows_16)s, %(rows_17)s, %(rows_18)s, %(rows_19)s, %(rows_20)s,
                             %(rows_21)s, %(rows_22)s, %(rows_23)s, %(rows_24)s)
  where exists (select 1 from ended)
)
select ended.* from ended where (select count(*) from saved) >= 0;

-- name: count_tokens
update batch_counts set
  input_tokens = input_tokens + %(input)s, output_tokens = output_tokens + %(output)s, cached_tokens = cached_tokens + %(cached)s
where batch_id = %(batch_id)s;

-- name: delete_temporary_threads
select * from remove_temporary_threads(%s::text[]);

-- name: promote
select * from promote_runs(%(thread_ids)s::text[], %(now)s::bigint);

-- name: release
-- One that was asked to stop does not begin again.
update runs set queue = 'ready', status = 'pending', worker = null, updated_at = %(now)s
where seq = %(seq)s and worker = %(worker)s and attempt = %(attempt)s and token = %(token)s and queue = 'running' and cancel is null;

-- name: due_runs
select seq, thread_id from runs where queue = 'delayed' and due <= %s order by due, seq limit %s;

-- name: make_due
update runs set updated_at = %(now)s,
  queue = case when not exists (select 1 from threads where thread_id = %(thread_id)s) then null
               when failed > 0 then 'ready'
               when exists (select 1 from runs where thread_id = %(thread_id)s
                            and queue in ('ready', 'running', 'waiting')) then 'waiting'
               when exists (select 1 from runs where thread_id = %(thread_id)s
                            and queue = 'delayed' and failed > 0) then 'waiting' else 'ready' end
where seq = %(seq)s and queue = 'delayed' and due <= %(now)s
returning queue;

-- name: next_due
select min(due), clock_micros() from runs where queue = 'delayed';

-- name: depth
-- Each counted in the index that holds no others: ended runs, of which there may be a million, are not looked at.
-- Those that are held (lane 8) wait too, for their batch.
select (select count(*) from runs where queue = 'ready' and lane <> 8),
       (select count(*) from runs where queue = 'waiting')
       + (select count(*) from runs where queue = 'ready' and lane = 8),
       (select count(*) from runs where queue = 'delayed'),
       (select count(*) from runs where queue = 'running'),
       -- Numbers are given in the order of creation.
       (select clock_micros() - created_at from runs
        where seq = (select min(seq) from runs where queue = 'ready' and lane <> 8));

-- name: waits
-- For how long the first and the middle one have been there of those that are ready or wait. Numbers are given in the
-- order of creation.
with time as (select clock_micros() as now), unclaimed as (
  select seq from runs where queue = 'ready'
  union all select seq from runs where queue = 'waiting'
)
select (select (select now from time) - created_at from runs where seq = (select min(seq) from unclaimed)),
       (select (select now from time) - created_at from runs where seq =
         (select seq from unclaimed order by seq limit 1 offset (select (count(*) - 1) / 2 from unclaimed)));

-- name: ready_solo
select count(distinct coalesce(suspects, seq::text)) from runs where queue = 'ready' and lane = %s;

-- name: lease_holds
/* kept */
select 1 from runs where seq = %s and worker = %s and attempt = %s and token = %s and queue = 'running';

-- name: hasten
-- Not what its batch holds (lane 8), nor suspects of a crash.
update runs set lane = %(lane)s
where thread_id = (select thread_id from runs where run_id = %(run_id)s)
and seq <= (select seq from runs where run_id = %(run_id)s) and queue in ('ready', 'waiting', 'delayed')
and lane > %(lane)s and lane < 8
returning queue;

-- The life of a run in the hands of a worker, and delayed runs. What a worker writes names its lease: sequence
-- number, worker, attempt and token.

-- name: claim
select * from claim_runs(%(worker)s::text, %(token)s::bigint, %(limit)s::bigint, %(interactive)s::bigint,
                         %(crowded)s::boolean, %(owed)s::double precision, %(batch_share)s::double precision);

-- name: claim_suspects
-- The oldest run of the lane, and all of its group. One claim at a time: a group is not divided.
update runs set queue = 'running', status = 'running', worker = %(worker)s, attempt = attempt + 1,
                token = %(token)s, started_at = %(now)s, claimed_at = %(now)s, updated_at = %(now)s
where seq = any(array(
  select seq from runs where queue = 'ready' and lane = %(lane)s and (
    seq = (select min(seq) from runs where queue = 'ready' and lane = %(lane)s) or
    suspects = (select suspects from runs where queue = 'ready' and lane = %(lane)s order by seq limit 1))
  for update))
returning seq, run_id, thread_id, attempt, assistant_id, graph_id, lane, temporary, resumable, watching,
          cancel, metadata, kwargs, creator_details,
          greatest(0, %(now)s - coalesce(due, created_at)), batch_id, failed, creator,
          (select retry from batches where batches.batch_id = runs.batch_id), false;

-- name: try_again
-- One that was asked to stop does not begin again. It keeps its thread while it waits: `promote`, `runs_ahead` and
-- `make_due` know it by `failed`.
update runs set queue = 'delayed', status = 'pending', worker = null, failed = failed + 1, due = %(due)s, updated_at = %(now)s
where seq = %(seq)s and worker = %(worker)s and attempt = %(attempt)s and token = %(token)s and queue = 'running' and cancel is null;

-- name: check_lease
-- The fence in front of every write of a worker.
select cancel from runs where seq = %s and worker = %s and attempt = %s and token = %s and queue = 'running' for update;

-- name: check_leases
-- The same for several. Their runs are locked in the order that all keep to.
select wanted.place from runs
join unnest(%(places)s::bigint[], %(seqs)s::bigint[], %(workers)s::text[], %(attempts)s::bigint[], %(tokens)s::bigint[])
  as wanted (place, seq, worker, attempt, token)
on runs.seq = wanted.seq and runs.worker = wanted.worker and runs.attempt = wanted.attempt and runs.token = wanted.token
where coalesce(runs.queue, wanted.worker) = 'running' order by runs.seq for update of runs;

-- name: finish
-- Only runs that nobody has asked to stop end as their graphs did. `shared`: the thread is about to hold the answer.
-- Locks are taken in one order before the first row changes, see lock_runs. What a run must be is compared with what is
-- wanted, so that runs are found by their numbers: by the index of running runs all would be read that have ended since
-- it was cleaned. The last column: whether other runs of the thread wait.
with items as materialized (
  select batch_id from runs where seq = any(%(seqs)s::bigint[]) and batch_id is not null order by seq for update
), counts as materialized (
  select batch_id from batch_counts where batch_id in (select batch_id from items) order by batch_id for update
)
update runs set queue = null, creator_details = null, status = wanted.status, worker = null, paused = wanted.paused,
                answer = case when not wanted.shared or runs.batch_id is not null then wanted.answer end,
                updated_at = %(now)s, ended_at = %(now)s
from unnest(%(seqs)s::bigint[], %(workers)s::text[], %(attempts)s::bigint[], %(tokens)s::bigint[],
            %(statuses)s::text[], %(paused)s::boolean[], %(shared)s::boolean[], %(answers)s::bytea[],
            %(cancelled)s::boolean[])
  as wanted (seq, worker, attempt, token, status, paused, shared, answer, cancelled)
where runs.seq = wanted.seq and runs.worker = wanted.worker and runs.attempt = wanted.attempt
and runs.token = wanted.token and coalesce(runs.queue, wanted.worker) = 'running' and (runs.cancel is null or wanted.cancelled)
and (select count(*) from counts) >= 0
returning runs.seq, runs.webhook, runs.batch_id,
          exists (select 1 from runs as next where next.thread_id = runs.thread_id and next.queue = 'waiting');

-- name: count_tokens
update batch_counts set
  input_tokens = input_tokens + %(input)s, output_tokens = output_tokens + %(output)s, cached_tokens = cached_tokens + %(cached)s
where batch_id = %(batch_id)s;

-- name: delete_temporary_threads
-- A temporary thread goes with its run, but not with other runs that were put on it meanwhile.
delete from threads where thread_id = any(%s::text[]) and temporary
and not exists (select 1 from runs where runs.thread_id = threads.thread_id and queue is not null)
returning thread_id;

-- name: keep_runs
update runs set temporary = false where seq = any(%s::bigint[]);

-- name: settle_threads
-- What the runs do not say stays as it is.
update threads set
  settled = wanted.settled,
  status = case when exists (select 1 from runs where runs.thread_id = threads.thread_id and queue is not null)
                then 'busy' else wanted.settled end,
  ran = true, temporary = false, state = coalesce(wanted.state, threads.state),
  interrupts = coalesce(wanted.interrupts, threads.interrupts, '{}'::bytea),
  error = wanted.error, unsettled = wanted.unsettled, answered = wanted.answered,
  updated_at = %(now)s, state_updated_at = %(now)s
from unnest(%(thread_ids)s::text[], %(settled)s::text[], %(states)s::bytea[], %(interrupts)s::bytea[],
            %(errors)s::bytea[], %(unsettled)s::text[], %(answered)s::bigint[])
  as wanted (thread_id, settled, state, interrupts, error, unsettled, answered)
where threads.thread_id = wanted.thread_id;

-- name: promote
-- The next run of each thread that nothing keeps from being ready.
update runs set queue = 'ready', updated_at = %(now)s
where seq = any(array(
  select min(seq) from runs where thread_id = any(%(thread_ids)s::text[]) and queue = 'waiting' group by thread_id))
and queue = 'waiting'
and not exists (select 1 from runs as ahead where ahead.thread_id = runs.thread_id
                and (ahead.queue in ('ready', 'running') or ahead.queue = 'delayed' and ahead.failed > 0))
and exists (select 1 from threads where threads.thread_id = runs.thread_id)
returning thread_id;

-- name: release
-- One that was asked to stop does not begin again.
update runs set queue = 'ready', status = 'pending', worker = null, updated_at = %(now)s
where seq = %(seq)s and worker = %(worker)s and attempt = %(attempt)s and token = %(token)s and queue = 'running' and cancel is null;

-- name: due_runs
select seq, thread_id from runs where queue = 'delayed' and due <= %s order by due limit %s;

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
select 1 from runs where seq = %s and worker = %s and attempt = %s and token = %s and queue = 'running';

-- name: hasten
-- Not what its batch holds (lane 8), nor suspects of a crash.
update runs set lane = %(lane)s
where thread_id = (select thread_id from runs where run_id = %(run_id)s)
and seq <= (select seq from runs where run_id = %(run_id)s) and queue in ('ready', 'waiting', 'delayed')
and lane > %(lane)s and lane < 8
returning queue;

-- Batches. Their counts are kept by triggers, see schema/0001_start.sql.

-- name: lock_batch
-- Whether a batch has ended, or is being erased, is decided behind this. Runs are locked before it.
select 1 from batch_counts where batch_id = %s for update;

-- name: held_items
-- The last ones first: what gets a place meanwhile is the first.
select seq, thread_id, batch_index from runs
where batch_id = %(batch_id)s and queue = 'ready' and lane = 8 order by seq desc limit %(limit)s;

-- name: unstopped_items
select seq, thread_id, batch_index from runs
where batch_id = %(batch_id)s and batch_index > %(after)s and queue is not null and cancel is null
order by batch_index limit %(limit)s;

-- name: next_late_batch
select least((select min(start_due) from batches where start_due is not null),
             (select min(finish_due) from batches where finish_due is not null)), clock_micros();

-- name: late_to_start
select batch_id, start_within from batches where start_due <= (select clock_micros()) order by start_due limit 1;

-- name: late_to_finish
select batch_id, finish_within from batches where finish_due <= (select clock_micros()) order by finish_due limit 1;

-- name: unbegun_items
select seq, run_id, thread_id, attempt from runs
where batch_id = %(batch_id)s and queue in ('ready', 'waiting', 'delayed') and attempt = 0
and (%(among)s::bigint[] is null or seq = any(%(among)s::bigint[]))
order by lane desc, seq desc limit %(limit)s;

-- name: unended_items
select seq, run_id, thread_id, attempt from runs
where batch_id = %(batch_id)s and queue is not null
and (%(among)s::bigint[] is null or seq = any(%(among)s::bigint[]))
order by lane desc, seq desc limit %(limit)s;

-- name: next_discarded_batch
select batch_id from discarded_batches limit 1 for update skip locked;

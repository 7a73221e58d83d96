-- Batches. Their counts are kept by triggers, see schema/0001_start.sql.

-- name: insert_batch
insert into batches (batch_id, creator, name, metadata, webhook, size, max_concurrency, start_within, finish_within,
                     start_due, finish_due, retry, result_ttl, created_at)
values (%(batch_id)s, %(creator)s, %(name)s, %(metadata)s, %(webhook)s, %(size)s, %(max_concurrency)s, %(start_within)s, %(finish_within)s,
        %(start_due)s, %(finish_due)s, %(retry)s, %(result_ttl)s, %(now)s);

-- name: insert_batch_counts
insert into batch_counts (batch_id, pending, room, updated_at) values (%(batch_id)s, %(size)s, %(room)s, %(now)s);

-- name: batch
select *, clock_micros() as now from batches join batch_counts using (batch_id) where batch_id = %s;

-- name: batch_durations
select upto, runs from batch_durations where batch_id = %s order by upto;

-- name: batch_state
select pending, running, success, error, timeout, interrupted, input_tokens, output_tokens, cached_tokens,
       cancelled_at is not null, ended_at is not null
from batches join batch_counts using (batch_id) where batch_id = %s;

-- name: lock_batch
-- Whether a batch has ended, or is being erased, is decided behind this. Runs are locked before it.
select 1 from batch_counts where batch_id = %s for update;

-- name: cancel_batch
update batches set cancelled_at = coalesce(cancelled_at, %(now)s) where batch_id = %(batch_id)s and ended_at is null;

-- name: cancelled_batches
select batch_id from batches where cancelled_at is not null and ended_at is null limit %s;

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

-- name: start_is_settled
update batches set start_due = null where batch_id = %s;

-- name: finish_is_settled
update batches set finish_due = null where batch_id = %s;

-- name: old_batches
select batch_id from batches where ended_at < (select clock_micros()) - %s::bigint order by ended_at limit %s;

-- name: delete_batch
delete from batches where batch_id = %s and ended_at is not null;

-- name: delete_batch_counts
delete from batch_counts where batch_id = %s;

-- name: delete_batch_durations
delete from batch_durations where batch_id = %s;

-- name: note_discarded_batch
insert into discarded_batches (batch_id) values (%s) on conflict do nothing;

-- name: any_discarded_batch
select 1 from discarded_batches limit 1;

-- name: next_discarded_batch
select batch_id from discarded_batches limit 1 for update skip locked;

-- name: forget_discarded_batch
delete from discarded_batches where batch_id = %s;

-- name: runs_of_discarded_batch
select seq, run_id, temporary from runs where batch_id = %s limit %s;

-- name: leave_batch
update runs set batch_id = null, batch_index = null, batch_end = null where seq = %s;

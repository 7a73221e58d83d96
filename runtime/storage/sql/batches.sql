-- Batches. Their counts are kept by triggers.

-- name: insert_batch
insert into batches (batch_id, creator, name, metadata, webhook, size, max_concurrency, start_within, finish_within,
                     start_due, finish_due, retry, result_ttl, created_at)
values (:batch_id, :creator, :name, :metadata, :webhook, :size, :max_concurrency, :start_within, :finish_within,
        :start_due, :finish_due, :retry, :result_ttl, :now);

-- name: insert_batch_counts
insert into batch_counts (batch_id, pending, room, updated_at) values (:batch_id, :size, :room, :now);

-- name: batch
select *, clock_micros() as now from batches join batch_counts using (batch_id) where batch_id = ?;

-- name: batch_state
select pending, running, success, error, timeout, interrupted, input_tokens, output_tokens, cached_tokens,
       cancelled_at is not null, ended_at is not null
from batches join batch_counts using (batch_id) where batch_id = ?;

-- name: batch_durations
select upto, runs from batch_durations where batch_id = ? order by upto;

-- name: cancel_batch
update batches set cancelled_at = coalesce(cancelled_at, :now) where batch_id = :batch_id and ended_at is null;

-- name: cancelled_batches
select batch_id from batches where cancelled_at is not null and ended_at is null limit ?;

-- name: start_is_settled
update batches set start_due = null where batch_id = ?;

-- name: finish_is_settled
update batches set finish_due = null where batch_id = ?;

-- name: delete_batch
delete from batches where batch_id = ? and ended_at is not null;

-- name: delete_batch_counts
delete from batch_counts where batch_id = ?;

-- name: delete_batch_durations
delete from batch_durations where batch_id = ?;

-- name: forget_discarded_batch
delete from discarded_batches where batch_id = ?;

-- name: runs_of_discarded_batch
select seq, run_id, temporary from runs where batch_id = ? limit ?;

-- name: leave_batch
update runs set batch_id = null, batch_index = null, batch_end = null where seq = ?;

-- name: old_batches
select batch_id from batches where ended_at < (select clock_micros()) - cast(? as bigint) order by ended_at limit ?;

-- name: note_discarded_batch
insert into discarded_batches (batch_id) values (?) on conflict do nothing;

-- name: any_discarded_batch
select 1 from discarded_batches limit 1;

-- Batches. Their counts are kept by triggers, see schema/0013_batches.sql.

-- name: retry_policy
select retry from batches where batch_id = ?;

-- name: batch_after_end
-- What the end of one of its runs may have brought about: another got its place, or a call is to be made.
select max_concurrency is not null, webhook is not null and ended_at is not null from batches where batch_id = ?;

-- name: held_items
-- The last ones first: what gets a place meanwhile is the first.
select seq, run_id from runs where batch_id = ? and queue = 'ready' and lane = 8 order by seq desc limit ?;

-- name: unstopped_items
select seq, run_id, batch_index from runs indexed by run_batch
where batch_id = :batch_id and batch_index > :after and queue is not null and cancel is null
order by batch_index limit :limit;

-- name: next_late_batch
select min(due) from (select min(start_due) as due from batches where start_due is not null
                      union all select min(finish_due) from batches where finish_due is not null);

-- name: late_to_start
select batch_id, start_within from batches where start_due <= ? order by start_due limit 1;

-- name: late_to_finish
select batch_id, finish_within from batches where finish_due <= ? order by finish_due limit 1;

-- name: unbegun_items
select seq, run_id, thread_id, attempt from runs indexed by run_batch
where batch_id = ? and queue in ('ready', 'waiting', 'delayed') and attempt = 0 order by lane desc, seq desc limit ?;

-- name: unended_items
select seq, run_id, thread_id, attempt from runs indexed by run_batch
where batch_id = ? and queue is not null order by lane desc, seq desc limit ?;

-- name: next_discarded_batch
select batch_id from discarded_batches limit 1;

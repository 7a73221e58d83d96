-- What is copied of a thread. What runs under way have written is half of the next state, and no part of a copy; what
-- they have replaced is.

-- name: copied_blobs
select * from checkpoint_blobs where thread_id = :source
and (run_id is null or run_id not in (select run_id from runs where thread_id = :source and queue is not null));

-- name: copied_writes
select * from checkpoint_writes where thread_id = :source
and (run_id is null or run_id not in (select run_id from runs where thread_id = :source and queue is not null))
union all
select thread_id, ns, checkpoint_id, task_id, idx, written_by, channel, type, data, task_path
from replaced_writes where thread_id = :source
and run_id in (select run_id from runs where thread_id = :source and queue is not null);

-- name: copied_checkpoints
select * from checkpoints where thread_id = :source
and (run_id is null or run_id not in (select run_id from runs where thread_id = :source and queue is not null));

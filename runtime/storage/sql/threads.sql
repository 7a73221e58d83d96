-- Threads, and what goes with a thread when it is edited, copied, measured or deleted. Searches are put together
-- at run time, in threads/search.py.

-- name: thread
select * from threads where thread_id = ?;

-- name: thread_values
select state from threads where thread_id = ?;

-- name: thread_metadata
select metadata from threads where thread_id = ?;

-- name: set_thread_expiry
update threads set ttl_strategy = ?, ttl_minutes = ? where thread_id = ?;

-- name: leave_unsettled
-- A run has ended without its worker: what it had reached is in its checkpoints, and the thread does not show it yet.
update threads set unsettled = ? where thread_id = ?;

-- name: unsettled_threads
-- What a run under way changes it settles itself.
select thread_id from threads where unsettled is not null
and not exists (select 1 from runs where runs.thread_id = threads.thread_id and queue = 'running') limit ?;

-- name: unsettled_thread
select thread_id from threads where thread_id = ? and unsettled is not null
and not exists (select 1 from runs where runs.thread_id = threads.thread_id and queue = 'running');

-- name: delete_thread
delete from threads where thread_id = ?;

-- name: discarded_thread
select 1 from discarded_threads where thread_id = ?;

-- name: any_discarded
select 1 from discarded_threads where due <= (select clock_micros()) limit 1;

-- name: forget_discarded
delete from discarded_threads where thread_id = ?;

-- name: fence_runs_of_thread
-- Whoever executes one of them has lost it, and nobody takes another; their rows go with the thread's other runs.
update runs set queue = null, creator_details = null, worker = null where thread_id = ? and queue in ('ready', 'running') returning run_id;

-- name: runs_of_discarded_thread
select seq, run_id, queue from runs where thread_id = ? limit ?;

-- name: remove_run
delete from runs where seq = ?;

-- name: latest_checkpoint_id
select max(checkpoint_id) from checkpoints where thread_id = ? and ns = '';

-- name: mark_history_dropped
-- Not a change that a user would call one, so updated_at stays.
update threads set kept_at = state_updated_at where thread_id = ?;

-- name: forget_postponed
delete from postponed_expiries where thread_id = ?;

-- Workers, and what becomes of the runs of one that is dead.

-- name: heartbeat
insert into workers (worker, pid, started_at, seen_at) values (:worker, :pid, :now, :now)
on conflict (worker) do update set seen_at = :now;

-- name: known_workers
select worker, seen_at from workers;

-- name: overdue_runs
select seq, run_id, thread_id, cancel from runs indexed by run_owned where queue = 'running' and claimed_at < :claimed_before limit :limit;

-- name: unstopped_runs
-- What was asked last is what changed the row last. :run_ids is a JSON array, or null for no condition.
select seq, run_id, thread_id, cancel from runs indexed by run_owned
where queue = 'running' and cancel is not null and updated_at <= :asked_before
and (:run_ids is null or run_id in (select value from json_each(:run_ids))) limit :limit;

-- name: end_without_worker
update runs set queue = null, creator_details = null, status = :status, worker = null, crashes = crashes + :crashed, answer = :answer,
                updated_at = :now, ended_at = :now
where seq = :seq and queue is not null
returning webhook;

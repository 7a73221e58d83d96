-- Workers, and what becomes of the runs of one that is dead.

-- name: unknown_workers
select distinct worker from runs where queue = 'running' and worker not in (select worker from workers);

-- name: forget_worker
delete from workers where worker = ?;

-- name: runs_of_worker
select seq, run_id, thread_id, attempt, token, crashes, cancel, lane, suspects, claimed_at from runs
where worker = ? and queue = 'running' order by seq;

-- name: requeue_crashed
update runs set queue = 'ready', status = 'pending', worker = null, crashes = crashes + 1, lane = :lane,
                suspects = :suspects, updated_at = :now
where seq = :seq and worker = :worker and queue = 'running';

-- name: fail_thread
update threads set settled = 'error', error = ? where thread_id = ?;

-- name: probe
update probes set number = number + 1;

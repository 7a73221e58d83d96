-- Workers, and what becomes of the runs of one that is dead.

-- name: heartbeat
insert into workers (worker, started_at, seen_at) values (%(worker)s, %(now)s, %(now)s)
on conflict (worker) do update set seen_at = greatest(workers.seen_at + 1, %(now)s);

-- name: known_workers
-- A lease that is renewed is a sign of life, also while a lock keeps the worker from seeing its runs. Servers that have
-- claimed webhook calls are among them.
select worker, coalesce((select max(renewed_at) from worker_leases where worker_leases.worker = workers.worker), seen_at)
from workers
union all
select sender, coalesce((select renewed_at from worker_leases where worker = sender), 0)
from (select distinct sender from deliveries where sender is not null) as senders;

-- name: overdue_runs
select seq, run_id, thread_id, cancel from runs where queue = 'running' and claimed_at < clock_micros() - %(age)s
and (%(among)s::bigint[] is null or seq = any(%(among)s::bigint[])) limit %(limit)s;

-- name: unstopped_runs
-- What was asked last is what changed the row last. %(run_ids)s is null for no condition.
select seq, run_id, thread_id, cancel from runs
where queue = 'running' and cancel is not null and updated_at <= clock_micros() - %(age)s
and (%(run_ids)s::text[] is null or run_id = any(%(run_ids)s::text[]))
and (%(among)s::bigint[] is null or seq = any(%(among)s::bigint[])) limit %(limit)s;

-- name: end_without_worker
update runs set queue = null, creator_details = null, status = %(status)s, worker = null, crashes = crashes + %(crashed)s::int, answer = %(answer)s,
                updated_at = %(now)s, ended_at = %(now)s
where seq = %(seq)s and queue is not null
returning webhook;

-- name: renew
insert into worker_leases (worker, server, host, role, lease, renewed_at, encrypted)
values (%(worker)s, %(server)s, %(host)s, %(role)s, %(lease)s, clock_micros(), %(encrypted)s::boolean)
on conflict (worker) do update set server = excluded.server, host = excluded.host, lease = excluded.lease,
                                   renewed_at = clock_micros(), encrypted = excluded.encrypted
returning exists (select 1 from encryption);

-- name: unregister
delete from worker_leases where worker = %s;

-- name: leases
-- Those of workers, and of servers that have claimed webhook calls.
select worker, renewed_at, lease, renewed_at not between clock_micros() - lease and clock_micros() + lease
from worker_leases where role = 'worker' or exists (select 1 from deliveries where sender = worker_leases.worker);

-- name: places
select host, server, role from worker_leases where renewed_at > clock_micros() - lease;

-- name: plain_places
select host, server from worker_leases where not encrypted and renewed_at > clock_micros() - lease;

-- name: forget_leases
-- Long after they mattered.
delete from worker_leases where renewed_at < clock_micros() - lease - 3600000000;

-- name: lock_lease
select renewed_at between clock_micros() - lease and clock_micros() + lease, lease from worker_leases
where worker = %s for update;

-- name: lock_runs_of_worker
select seq, run_id, thread_id, attempt, token, crashes, cancel, lane, suspects, claimed_at from runs
where worker = %s and queue = 'running' order by seq for update;

-- name: lock_runs
-- In front of changing several: the runs in their order, then the counts of their batches in theirs. Triggers change
-- those with each run, and whoever got them in another order would wait in a circle.
with items as materialized (select batch_id from runs where seq = any(%s::bigint[]) order by seq for update)
select 1 from batch_counts where batch_id in (select batch_id from items) order by batch_id for update;

-- name: lock_runs_of_threads
-- As lock_runs, of all runs that have not ended.
with items as materialized (select batch_id from runs where thread_id = any(%s::text[]) and queue is not null
                            order by seq for update)
select 1 from batch_counts where batch_id in (select batch_id from items) order by batch_id for update;

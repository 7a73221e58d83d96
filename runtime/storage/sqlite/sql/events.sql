-- The stored events of resumable runs: a row holds all that a run emitted in a moment. Ends of runs, for the streams
-- of threads: `seq` tells those of one moment apart.

-- name: insert_events
insert into run_events (run_id, first, last, data) values (?, ?, ?, ?);

-- name: read_events
select first, last, data from run_events
where run_id = :run_id and last > :after
and first >= coalesce((select max(first) from run_events where run_id = :run_id and first <= :after), 0)
order by first;

-- name: runs_from
select seq, run_id from runs where thread_id = ? and seq >= ? order by seq;

-- name: first_run_since
-- Runs before it had ended before that time.
select min(seq) from (
  select min(seq) as seq from runs
  where thread_id = :thread_id and ended_at >= :since and ended_at is not null and not temporary
  union all
  select min(seq) from runs where thread_id = :thread_id and queue is not null
);

-- name: last_event
select last from run_events where run_id = ? order by first desc limit 1;

-- name: ends
select ended_at, seq, run_id, attempt > 0 and not resumable from runs
where thread_id = :thread_id and (ended_at, seq) > (:ended_at, :seq) and ended_at is not null and not temporary
union all
select ended_at, seq, run_id, 0 from removed_runs
where thread_id = :thread_id and (ended_at, seq) > (:ended_at, :seq)
order by 1, 2 limit :limit;

-- name: last_end
select ended_at, seq from (
  select * from (
    select ended_at, seq from runs where thread_id = :thread_id and ended_at is not null and not temporary
    order by ended_at desc, seq desc limit 1)
  union all
  select * from (
    select ended_at, seq from removed_runs where thread_id = :thread_id order by ended_at desc, seq desc limit 1)
) order by 1 desc, 2 desc limit 1;

-- name: end_of
select ended_at from runs where seq = :seq and thread_id = :thread_id and ended_at is not null
union all
select ended_at from removed_runs where thread_id = :thread_id and seq = :seq limit 1;

-- name: remove_events
-- At most :limit rows.
delete from run_events where run_id = :run_id and first in
(select first from run_events where run_id = :run_id limit :limit);

-- name: delete_events
delete from run_events where run_id = ?;

-- name: resumable_before
select seq, run_id from runs where resumable and ended_at < ? and ended_at is not null order by ended_at limit ?;

-- name: delete_some_events
delete from run_events where run_id = :run_id
and first in (select first from run_events where run_id = :run_id order by first limit :limit);

-- name: forget_resumable
update runs set resumable = 0 where seq = ?;

-- name: forget_removed_runs
delete from removed_runs where (thread_id, ended_at, seq) in (
  select thread_id, ended_at, seq from removed_runs where ended_at < ? order by ended_at limit ?);

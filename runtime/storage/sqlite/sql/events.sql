-- The stored events of resumable runs: a row holds all that a run emitted in a moment.

-- name: insert_events
insert into run_events (run_id, first, last, data) values (?, ?, ?, ?);

-- name: read_events
select first, last, data from run_events where run_id = ? and last > ? order by first;

-- name: read_thread_events
select first, last, data from runs join run_events using (run_id) where thread_id = ? order by seq, first;

-- name: last_event
select max(last) from run_events where run_id = ?;

-- name: remove_events
-- At most :limit rows.
delete from run_events where run_id = :run_id and first in
(select first from run_events where run_id = :run_id limit :limit);

-- name: delete_events
delete from run_events where run_id = ?;

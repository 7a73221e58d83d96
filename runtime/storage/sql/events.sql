-- The log of each thread: rows of events, which resumable runs have emitted, and ends, which triggers write with the
-- change of the run.

-- name: last_event
select seq from thread_events where run_id = ? and data is not null order by seq desc limit 1;

-- name: ends
select seq, run_id, status, unstored from thread_events
where thread_id = ? and seq > ? and status is not null order by seq limit ?;

-- name: outcome
-- The answer of a run may be what its thread holds. That of a run that speaks the protocol is known from its events.
select graph_id, protocol, attempt, paused,
       case when status <> 'success' or not protocol then coalesce(answer, failure,
         (select state from threads where threads.thread_id = runs.thread_id and answered = runs.seq)) end
from runs where run_id = ? and ended_at is not null;

-- name: remove_events
-- At most :limit rows.
delete from thread_events where (thread_id, seq) in
(select thread_id, seq from thread_events where run_id = :run_id and data is not null limit :limit);

-- name: delete_events
delete from thread_events where run_id = ? and data is not null;

-- name: remove_thread_events
delete from thread_events where thread_id = :thread_id
and seq in (select seq from thread_events where thread_id = :thread_id limit :limit);

-- name: forget_numbers
-- Nothing more happens on a thread that is no more.
delete from removed_events where thread_id = :thread_id
and not exists (select 1 from threads where thread_id = :thread_id);

-- name: forget_resumable
update runs set resumable = false where seq = ?;

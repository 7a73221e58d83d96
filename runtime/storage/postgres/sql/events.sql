-- The log of each thread: rows of events, which resumable runs have emitted, and ends, which triggers write with the
-- change of the run.

-- name: last_event
select seq from thread_events where run_id = %s and data is not null order by seq desc limit 1;

-- name: remove_events
-- At most %(limit)s rows.
delete from thread_events where (thread_id, seq) in
(select thread_id, seq from thread_events where run_id = %(run_id)s and data is not null limit %(limit)s);

-- name: delete_events
delete from thread_events where run_id = %s and data is not null;

-- name: remove_thread_events
delete from thread_events where thread_id = %(thread_id)s
and seq in (select seq from thread_events where thread_id = %(thread_id)s limit %(limit)s);

-- name: forget_numbers
-- Nothing more happens on a thread that is no more.
delete from removed_events where thread_id = %(thread_id)s
and not exists (select 1 from threads where thread_id = %(thread_id)s);

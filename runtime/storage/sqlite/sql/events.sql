-- The log of each thread: rows of events, which resumable runs have emitted, and ends, which triggers write with the
-- change of the run.

-- name: insert_events
insert into thread_events (thread_id, seq, first, run_id, data) values (?, ?, ?, ?, ?);

-- name: read_events
select first, seq, data from thread_events where run_id = ? and seq > ? and data is not null order by seq;

-- name: read_thread_events
select first, seq, data, run_id, status, unstored, ended_at from thread_events
where thread_id = :thread_id and seq > :after and first <= :upto order by seq limit :limit;

-- name: last_of_thread
select max(coalesce((select max(seq) from thread_events where thread_id = :thread_id), 0),
           coalesce((select last from removed_events where thread_id = :thread_id), 0));

-- name: resumable_before
select seq, run_id from runs where resumable and ended_at < ? and ended_at is not null order by ended_at limit ?;

-- name: forget_ends
delete from thread_events where (thread_id, seq) in (
  select thread_id, seq from thread_events where ended_at < ? and ended_at is not null order by ended_at limit ?);

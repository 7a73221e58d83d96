-- The log of each thread: rows of events, which resumable runs have emitted, and ends, which triggers write with the
-- change of the run.

-- name: insert_events
insert into thread_events (thread_id, seq, first, run_id, data)
select * from unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[], %b::bytea[]);

-- name: last_of_threads
select thread_id, last_of_thread(thread_id) from unnest(%s::text[]) as wanted (thread_id);

-- name: last_of_thread
select last_of_thread(%s::text);

-- name: read_events
-- Here and below, rows until they have %(size)s bytes, of %(limit)s that are looked at.
select first, seq, data from (
  select first, seq, data, sum(octet_length(data)) over (order by seq) - octet_length(data) as before from (
    select first, seq, data from thread_events
    where run_id = %(run_id)s and seq > %(after)s and data is not null order by seq limit %(limit)s) as next) as measured
where before < %(size)s order by seq;

-- name: read_thread_events
select first, seq, data, run_id, status, unstored, ended_at from (
  select *, sum(coalesce(octet_length(data), 0)) over (order by seq) - coalesce(octet_length(data), 0) as before from (
    select * from thread_events
    where thread_id = %(thread_id)s and seq > %(after)s and first <= %(upto)s order by seq limit %(limit)s) as next
) as measured
where before < %(size)s order by seq;

-- name: ends
select seq, run_id, status, unstored from thread_events
where thread_id = %s and seq > %s and status is not null order by seq limit %s;

-- name: outcome
-- The answer of a run may be what its thread holds. That of a run that speaks the protocol is known from its events.
select graph_id, protocol, attempt, paused,
       case when status <> 'success' or not protocol then coalesce(answer, failure,
         (select state from threads where threads.thread_id = runs.thread_id and answered = runs.seq)) end
from runs where run_id = %s and ended_at is not null;

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

-- name: resumable_before
select seq, run_id from runs where resumable and ended_at < %s and ended_at is not null
order by ended_at limit %s for update skip locked;

-- name: forget_resumable
update runs set resumable = false where seq = %s;

-- name: forget_ends
delete from thread_events where ctid = any(array(
  select ctid from thread_events where ended_at < %s and ended_at is not null
  order by ended_at limit %s for update skip locked));

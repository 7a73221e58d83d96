-- The log of each thread: rows of events, which resumable runs have emitted, and ends, which triggers write with the
-- change of the run.

-- name: insert_events
insert into thread_events (thread_id, seq, first, run_id, data)
select * from unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[], %b::bytea[]);

-- name: last_of_threads
select thread_id, last_of_thread(thread_id) from unnest(%s::text[]) as wanted (thread_id);

-- name: last_of_thread
select last_of_thread(%(thread_id)s::text);

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

-- name: resumable_before
select seq, run_id from runs where resumable and ended_at < %s and ended_at is not null
order by ended_at limit %s for update skip locked;

-- name: forget_ends
delete from thread_events where ctid = any(array(
  select ctid from thread_events where ended_at < %s and ended_at is not null
  order by ended_at limit %s for update skip locked));

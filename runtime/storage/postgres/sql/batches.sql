-- Batches. Their counts are kept by triggers, see schema/0001_start.sql.

-- name: insert_batch
insert into batches (batch_id, creator, name, metadata, webhook, size, max_concurrency, start_within, finish_within,
                     start_due, finish_due, retry, result_ttl, created_at)
values (%(batch_id)s, %(creator)s, %(name)s, %(metadata)s, %(webhook)s, %(size)s, %(max_concurrency)s, %(start_within)s, %(finish_within)s,
        %(start_due)s, %(finish_due)s, %(retry)s, %(result_ttl)s, %(now)s);

-- name: insert_batch_counts
insert into batch_counts (batch_id, pending, room, updated_at) values (%(batch_id)s, %(size)s, %(room)s, %(now)s);

-- name: batches_after_end
-- What the end of one of its runs may have brought about: another got its place, or a call is to be made.
select batch_id, max_concurrency is not null, webhook is not null and ended_at is not null from batches
where batch_id = any(%s::text[]);

-- name: batch
select *, clock_micros() as now from batches join batch_counts using (batch_id) where batch_id = %s;

-- name: batch_durations
select upto, runs from batch_durations where batch_id = %s order by upto;

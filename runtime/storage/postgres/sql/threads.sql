-- Threads, and what goes with a thread when it is edited, copied, measured or deleted. Searches are put together
-- at run time, in threads/search.py.

-- name: insert_thread
/* kept */
insert into threads (thread_id, created_at, updated_at, state_updated_at, status, metadata, graph_id, temporary,
                             creator, ttl_strategy, ttl_minutes)
values (%(thread_id)s, %(now)s, %(now)s, %(now)s, %(status)s, %(metadata)s, %(graph_id)s, %(temporary)s, %(creator)s, %(ttl_strategy)s, %(ttl_minutes)s);

-- name: graphs_of_thread
-- The graph that the metadata names (clients may set it), and that of the latest run.
/* kept */
select case jsonb_typeof(metadata -> 'graph_id') when 'string' then metadata ->> 'graph_id' end, graph_id
from threads where thread_id = %s;

-- name: set_thread_metadata
update threads set metadata = %s, updated_at = %s where thread_id = %s;

-- name: edit_thread
-- A thread that somebody edits is more than a temporary run's.
update threads set
  temporary = false, settled = %(settled)s,
  status = case when exists (select 1 from runs where thread_id = %(thread_id)s and queue is not null)
                then 'busy' else %(settled)s end,
  state = %(state)s, interrupts = %(interrupts)s, error = null, unsettled = null, answered = null, updated_at = %(now)s, state_updated_at = %(now)s
where thread_id = %(thread_id)s;

-- name: settle_unsettled
update threads set
  settled = case when unsettled = 'error' then settled else coalesce(%(settled)s::text, settled) end,
  status = case when exists (select 1 from runs where thread_id = %(thread_id)s and queue is not null) then 'busy'
                when unsettled = 'error' then settled else coalesce(%(settled)s::text, settled) end,
  state = coalesce(%(state)s::bytea, state), interrupts = coalesce(%(interrupts)s::bytea, interrupts),
  error = case when unsettled = 'error' then error end, unsettled = null, answered = null,
  updated_at = %(now)s, state_updated_at = %(now)s
where thread_id = %(thread_id)s and unsettled is not null
and not exists (select 1 from runs where thread_id = %(thread_id)s and queue = 'running');

-- name: next_discarded
-- Whichever is due, or that one: whoever uses an id gives what has it up. Others may be at other ones.
select thread_id, with_runs from discarded_threads where due <= %(now)s order by due limit 1 for update skip locked;

-- name: note_discarded
insert into discarded_threads (thread_id, with_runs, due) values (%s, %s, %s)
on conflict (thread_id) do update set with_runs = discarded_threads.with_runs or excluded.with_runs, due = excluded.due;

-- name: expired_threads
-- The terms are those of the index thread_expires.
select thread_id from threads
where ttl_minutes is not null and (ttl_strategy = 'delete' or kept_at is distinct from state_updated_at)
and ttl_strategy = %(strategy)s and updated_at + (ttl_minutes * 60000000)::bigint <= (select clock_micros()) and status <> 'busy'
and not exists (select 1 from postponed_expiries as postponed
                where postponed.thread_id = threads.thread_id and postponed.due > (select clock_micros()))
order by updated_at + (ttl_minutes * 60000000)::bigint limit %(limit)s;

-- name: postpone_expiry
-- Twice as long each time.
insert into postponed_expiries (thread_id, tries, due) values (%(thread_id)s, 1, %(now)s::bigint + %(pause)s)
on conflict (thread_id) do update set
  tries = postponed_expiries.tries + 1,
  due = %(now)s::bigint + least(%(longest)s, %(pause)s * power(2, least(postponed_expiries.tries, 30)))::bigint;

-- name: checkpoint_sizes
select ns, type, data, octet_length(metadata) from checkpoints where thread_id = %s;

-- name: blob_sizes
select ns, channel, version, octet_length(data) from checkpoint_blobs where thread_id = %s;

-- name: write_sizes
select count(*), coalesce(sum(octet_length(data)), 0) from checkpoint_writes where thread_id = %s;

-- name: this_discarded
select thread_id, with_runs from discarded_threads where thread_id = %(thread_id)s for update;

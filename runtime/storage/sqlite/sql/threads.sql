-- Threads, and what goes with a thread when it is edited, copied, measured or deleted. Searches are put together
-- at run time, in threads/search.py.

-- name: insert_thread
-- "or fail", as in all frequent writes to this table: what its triggers write then needs no journal of its own,
-- which costs more than they do. For one row it makes no other difference.
insert or fail into threads (thread_id, created_at, updated_at, state_updated_at, status, metadata, graph_id, temporary,
                             creator, ttl_strategy, ttl_minutes)
values (:thread_id, :now, :now, :now, :status, :metadata, :graph_id, :temporary, :creator, :ttl_strategy, :ttl_minutes);

-- name: graphs_of_thread
-- The graph that the metadata names (clients may set it), and that of the latest run.
select case json_type(metadata, '$.graph_id') when 'text' then json_extract(metadata, '$.graph_id') end, graph_id
from threads where thread_id = ?;

-- name: set_thread_metadata
update or fail threads set metadata = ?, updated_at = ? where thread_id = ?;

-- name: edit_thread
-- A thread that somebody edits is more than a temporary run's.
update threads set
  temporary = 0, settled = :settled,
  status = case when exists (select 1 from runs where thread_id = :thread_id and queue is not null)
                then 'busy' else :settled end,
  state = :state, interrupts = :interrupts, error = null, unsettled = null, answered = null, updated_at = :now, state_updated_at = :now
where thread_id = :thread_id;

-- name: settle_unsettled
update or fail threads set
  settled = case when unsettled = 'error' then settled else coalesce(:settled, settled) end,
  status = case when exists (select 1 from runs where thread_id = :thread_id and queue is not null) then 'busy'
                when unsettled = 'error' then settled else coalesce(:settled, settled) end,
  state = coalesce(:state, state), interrupts = coalesce(:interrupts, interrupts),
  error = case when unsettled = 'error' then error end, unsettled = null, answered = null,
  updated_at = :now, state_updated_at = :now
where thread_id = :thread_id and unsettled is not null
and not exists (select 1 from runs where thread_id = :thread_id and queue = 'running');

-- name: next_discarded
-- Whichever is due, or that one: whoever uses an id gives what has it up.
select thread_id, with_runs from discarded_threads where due <= :now limit 1;

-- name: this_discarded
select thread_id, with_runs from discarded_threads where thread_id = :thread_id;

-- name: note_discarded
insert into discarded_threads (thread_id, with_runs, due) values (?, ?, ?)
on conflict (thread_id) do update set with_runs = max(with_runs, excluded.with_runs), due = excluded.due;

-- name: expired_threads
-- The terms are those of the index thread_expires.
select thread_id from threads
where ttl_minutes is not null and (ttl_strategy = 'delete' or kept_at is not state_updated_at)
and ttl_strategy = :strategy and updated_at + cast(ttl_minutes * 60000000 as integer) <= (select clock_micros()) and status <> 'busy'
and not exists (select 1 from postponed_expiries as postponed
                where postponed.thread_id = threads.thread_id and postponed.due > (select clock_micros()))
order by updated_at + cast(ttl_minutes * 60000000 as integer) limit :limit;

-- name: postpone_expiry
-- Twice as long each time.
insert into postponed_expiries (thread_id, tries, due) values (:thread_id, 1, :now + :pause)
on conflict (thread_id) do update set tries = tries + 1, due = :now + min(:longest, :pause << min(tries, 30));

-- name: checkpoint_sizes
select ns, type, data, length(metadata) from checkpoints where thread_id = ?;

-- name: blob_sizes
select ns, channel, version, length(data) from checkpoint_blobs where thread_id = ?;

-- name: write_sizes
select count(*), coalesce(sum(length(data)), 0) from checkpoint_writes where thread_id = ?;

-- Checkpoints of the LangGraph saver, the channel values that they refer to (blobs) and pending writes. Queries of
-- checkpoints are put together at run time, in checkpoints.py.

-- name: add_rows
/* kept */
select add_checkpoint_rows(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
                           %s, %s);

-- name: append_rows
-- If all of those leases hold, which are then locked as in `check_leases`; whether they do.
/* kept */
select append_checkpoint_rows(%(seqs)s, %(workers)s, %(attempts)s, %(tokens)s,
                              %(rows_0)s, %(rows_1)s, %(rows_2)s, %(rows_3)s, %(rows_4)s, %(rows_5)s, %(rows_6)s,
                              %(rows_7)s, %(rows_8)s, %(rows_9)s, %(rows_10)s, %(rows_11)s, %(rows_12)s, %(rows_13)s,
                              %(rows_14)s, %(rows_15)s, %(rows_16)s, %(rows_17)s, %(rows_18)s, %(rows_19)s, %(rows_20)s,
                              %(rows_21)s, %(rows_22)s, %(rows_23)s, %(rows_24)s);

-- name: replace_writes
-- Here and below, columns of rows, of which no two are of one write.
insert into checkpoint_writes
  (thread_id, ns, checkpoint_id, task_id, idx, run_id, channel, type, data, task_path)
select * from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::text[], %s::text[], %s::text[],
                     %b::bytea[], %s::text[])
on conflict (thread_id, ns, checkpoint_id, task_id, idx) do update set
  run_id = excluded.run_id, channel = excluded.channel, type = excluded.type, data = excluded.data,
  task_path = excluded.task_path;

-- name: keep_replaced_writes
-- What runs replace of earlier ones (the questions that they answer): there again if such a run is rolled back. Of the
-- runs of a thread, only the latest can be.
insert into replaced_writes
  (thread_id, run_id, ns, checkpoint_id, task_id, idx, written_by, channel, type, data, task_path)
select thread_id, replacing.run_id, ns, checkpoint_id, task_id, idx, written.run_id, channel, type, data, task_path
from checkpoint_writes as written
join unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::text[])
  as replacing (thread_id, ns, checkpoint_id, task_id, idx, run_id) using (thread_id, ns, checkpoint_id, task_id, idx)
where written.run_id is distinct from replacing.run_id
on conflict do nothing;

-- name: forget_replaced_writes
delete from replaced_writes using unnest(%s::text[], %s::text[]) as latest (thread_id, run_id)
where replaced_writes.thread_id = latest.thread_id and replaced_writes.run_id <> latest.run_id;

-- name: restore_replaced_writes
insert into checkpoint_writes
  (thread_id, ns, checkpoint_id, task_id, idx, run_id, channel, type, data, task_path)
select thread_id, ns, checkpoint_id, task_id, idx, written_by, channel, type, data, task_path
from replaced_writes where thread_id = %s and run_id = %s
on conflict (thread_id, ns, checkpoint_id, task_id, idx) do update set
  run_id = excluded.run_id, channel = excluded.channel, type = excluded.type, data = excluded.data,
  task_path = excluded.task_path;

-- name: delete_replaced_writes
delete from replaced_writes where thread_id = %s;

-- name: stored_checkpoints
-- With the pending writes of each, in the order in which LangGraph applies them. Which ones is added in checkpoints.py.
/* kept */
select thread_id, ns, checkpoint_id, parent_id, type, data, metadata, written.*
from checkpoints left join lateral (
  select array_agg(task_id), array_agg(channel), array_agg(type), array_agg(data) from (
    select task_id, channel, type, data from checkpoint_writes
    where checkpoint_writes.thread_id = checkpoints.thread_id and checkpoint_writes.ns = checkpoints.ns
    and checkpoint_writes.checkpoint_id = checkpoints.checkpoint_id order by task_path, task_id, idx) as ordered
) as written (tasks, channels, types, datas) on true;

-- name: namespaces
select distinct ns from checkpoints where thread_id = %s;

-- name: blobs
select thread_id, ns, channel, version, type, data
from checkpoint_blobs join unnest(%s::text[], %s::text[], %s::text[], %s::text[])
  as wanted (thread_id, ns, channel, version) using (thread_id, ns, channel, version);

-- name: blobs_of_checkpoints
/* kept */
select * from blobs_of_checkpoints(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]);

-- name: remove_checkpoints
-- Here and below, at most %(limit)s rows: there may be any number.
delete from checkpoints where thread_id = %(thread_id)s and (ns, checkpoint_id) in
(select ns, checkpoint_id from checkpoints where thread_id = %(thread_id)s limit %(limit)s);

-- name: remove_blobs
delete from checkpoint_blobs where thread_id = %(thread_id)s and (ns, channel, version) in
(select ns, channel, version from checkpoint_blobs where thread_id = %(thread_id)s limit %(limit)s);

-- name: remove_writes
delete from checkpoint_writes where thread_id = %(thread_id)s and (ns, checkpoint_id, task_id, idx) in
(select ns, checkpoint_id, task_id, idx from checkpoint_writes where thread_id = %(thread_id)s limit %(limit)s);

-- name: delete_checkpoints_of_run_on_thread
delete from checkpoints where thread_id = %s and run_id = %s;

-- name: delete_blobs_of_run_on_thread
delete from checkpoint_blobs where thread_id = %s and run_id = %s;

-- name: delete_writes_of_run_on_thread
delete from checkpoint_writes where thread_id = %s and run_id = %s;

-- name: checkpoints_of_runs
-- Looks at all there are: only for reading.
select thread_id, ns, checkpoint_id from checkpoints where run_id = any(%s::text[]);

-- name: blobs_of_runs
select thread_id, ns, channel, version from checkpoint_blobs where run_id = any(%s::text[]);

-- name: writes_of_runs
select thread_id, ns, checkpoint_id, task_id, idx from checkpoint_writes where run_id = any(%s::text[]);

-- name: remove_checkpoint
delete from checkpoints where thread_id = %s and ns = %s and checkpoint_id = %s;

-- name: remove_blob
delete from checkpoint_blobs where thread_id = %s and ns = %s and channel = %s and version = %s;

-- name: remove_write
delete from checkpoint_writes where thread_id = %s and ns = %s and checkpoint_id = %s and task_id = %s and idx = %s;

-- name: drop_checkpoints_after
delete from checkpoints where thread_id = %s and run_id = %s and checkpoint_id > %s;

-- name: drop_writes_from
delete from checkpoint_writes where thread_id = %s and run_id = %s and checkpoint_id >= %s;

-- name: drop_checkpoints
-- Here and below, what is kept is a JSON array of arrays.
delete from checkpoints where thread_id = %(thread_id)s and (ns, checkpoint_id) in
(select ns, checkpoint_id from checkpoints where thread_id = %(thread_id)s and (ns, checkpoint_id) not in
 (select value ->> 0, value ->> 1 from jsonb_array_elements(%(kept)s::jsonb))
 order by ns desc, checkpoint_id desc limit %(limit)s);

-- name: drop_writes
delete from checkpoint_writes where thread_id = %(thread_id)s and (ns, checkpoint_id, task_id, idx) in
(select ns, checkpoint_id, task_id, idx from checkpoint_writes where thread_id = %(thread_id)s
 and (ns, checkpoint_id) not in
 (select value ->> 0, value ->> 1 from jsonb_array_elements(%(kept)s::jsonb)) limit %(limit)s);

-- name: drop_blobs
delete from checkpoint_blobs where thread_id = %(thread_id)s and (ns, channel, version) in
(select ns, channel, version from checkpoint_blobs where thread_id = %(thread_id)s and (ns, channel, version) not in
 (select value ->> 0, value ->> 1, value ->> 2 from jsonb_array_elements(%(kept)s::jsonb))
 limit %(limit)s);

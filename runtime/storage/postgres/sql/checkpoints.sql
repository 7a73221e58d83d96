-- Checkpoints of the LangGraph saver, the channel values that they refer to (blobs) and pending writes. The query of
-- a history is put together at run time, in checkpoints.py.

-- name: put_checkpoint
insert into checkpoints (thread_id, ns, checkpoint_id, parent_id, run_id, type, data, metadata)
values (%s, %s, %s, %s, %s, %s, %s, %s)
on conflict (thread_id, ns, checkpoint_id) do update set
  parent_id = excluded.parent_id, run_id = excluded.run_id, type = excluded.type, data = excluded.data,
  metadata = excluded.metadata;

-- name: add_blob
insert into checkpoint_blobs (thread_id, ns, channel, version, run_id, type, data)
values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing;

-- name: add_write
insert into checkpoint_writes
  (thread_id, ns, checkpoint_id, task_id, idx, run_id, channel, type, data, task_path)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing;

-- name: replace_write
insert into checkpoint_writes
  (thread_id, ns, checkpoint_id, task_id, idx, run_id, channel, type, data, task_path)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (thread_id, ns, checkpoint_id, task_id, idx) do update set
  run_id = excluded.run_id, channel = excluded.channel, type = excluded.type, data = excluded.data,
  task_path = excluded.task_path;

-- name: keep_replaced_write
-- What a run replaces of an earlier one (the question that it answers): there again if the run is rolled back. Of the
-- runs of a thread, only the latest can be.
insert into replaced_writes
  (thread_id, run_id, ns, checkpoint_id, task_id, idx, written_by, channel, type, data, task_path)
select thread_id, %(run_id)s::text, ns, checkpoint_id, task_id, idx, run_id, channel, type, data, task_path
from checkpoint_writes where thread_id = %(thread_id)s and ns = %(ns)s and checkpoint_id = %(checkpoint_id)s
and task_id = %(task_id)s and idx = %(idx)s and run_id is distinct from %(run_id)s
on conflict do nothing;

-- name: forget_replaced_writes
delete from replaced_writes where thread_id = %s and run_id <> %s;

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

-- name: latest_checkpoint
select thread_id, ns, checkpoint_id, parent_id, type, data, metadata from checkpoints
where thread_id = %s and ns = %s order by checkpoint_id desc limit 1;

-- name: checkpoint
select thread_id, ns, checkpoint_id, parent_id, type, data, metadata from checkpoints
where thread_id = %s and ns = %s and checkpoint_id = %s;

-- name: namespaces
select distinct ns from checkpoints where thread_id = %s;

-- name: writes
select task_id, channel, type, data, task_path, idx from checkpoint_writes
where thread_id = %s and ns = %s and checkpoint_id = %s;

-- name: blob
select type, data from checkpoint_blobs where thread_id = %s and ns = %s and channel = %s and version = %s;

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

-- name: checkpoints_of_run
-- Looks at all there are: only for reading.
select thread_id, ns, checkpoint_id from checkpoints where run_id = %s;

-- name: blobs_of_run
select thread_id, ns, channel, version from checkpoint_blobs where run_id = %s;

-- name: writes_of_run
select thread_id, ns, checkpoint_id, task_id, idx from checkpoint_writes where run_id = %s;

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

-- Checkpoints of the LangGraph saver, the channel values that they refer to (blobs) and pending writes. The query of
-- a history is put together at run time, in checkpoints.py.

-- name: put_checkpoint
insert or replace into checkpoints (thread_id, ns, checkpoint_id, parent_id, run_id, type, data, metadata)
values (?, ?, ?, ?, ?, ?, ?, ?);

-- name: add_blob
insert or ignore into checkpoint_blobs (thread_id, ns, channel, version, run_id, type, data)
values (?, ?, ?, ?, ?, ?, ?);

-- name: add_write
insert or ignore into checkpoint_writes
  (thread_id, ns, checkpoint_id, task_id, idx, run_id, channel, type, data, task_path)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: replace_write
insert or replace into checkpoint_writes
  (thread_id, ns, checkpoint_id, task_id, idx, run_id, channel, type, data, task_path)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: keep_replaced_write
-- What a run replaces of an earlier one (the question that it answers): there again if the run is rolled back. Of the
-- runs of a thread, only the latest can be.
insert or ignore into replaced_writes
  (thread_id, run_id, ns, checkpoint_id, task_id, idx, written_by, channel, type, data, task_path)
select thread_id, :run_id, ns, checkpoint_id, task_id, idx, run_id, channel, type, data, task_path
from checkpoint_writes where thread_id = :thread_id and ns = :ns and checkpoint_id = :checkpoint_id
and task_id = :task_id and idx = :idx and run_id is not :run_id;

-- name: forget_replaced_writes
delete from replaced_writes where thread_id = ? and run_id <> ?;

-- name: restore_replaced_writes
insert or replace into checkpoint_writes
  (thread_id, ns, checkpoint_id, task_id, idx, run_id, channel, type, data, task_path)
select thread_id, ns, checkpoint_id, task_id, idx, written_by, channel, type, data, task_path
from replaced_writes where thread_id = ? and run_id = ?;

-- name: delete_replaced_writes
delete from replaced_writes where thread_id = ?;

-- name: latest_checkpoint
select thread_id, ns, checkpoint_id, parent_id, type, data, metadata from checkpoints
where thread_id = ? and ns = ? order by checkpoint_id desc limit 1;

-- name: checkpoint
select thread_id, ns, checkpoint_id, parent_id, type, data, metadata from checkpoints
where thread_id = ? and ns = ? and checkpoint_id = ?;

-- name: namespaces
select distinct ns from checkpoints where thread_id = ?;

-- name: writes
select task_id, channel, type, data, task_path, idx from checkpoint_writes
where thread_id = ? and ns = ? and checkpoint_id = ?;

-- name: blob
select type, data from checkpoint_blobs where thread_id = ? and ns = ? and channel = ? and version = ?;

-- name: remove_checkpoints
-- Here and below, at most :limit rows: there may be any number.
delete from checkpoints where thread_id = :thread_id and (ns, checkpoint_id) in
(select ns, checkpoint_id from checkpoints where thread_id = :thread_id limit :limit);

-- name: remove_blobs
delete from checkpoint_blobs where thread_id = :thread_id and (ns, channel, version) in
(select ns, channel, version from checkpoint_blobs where thread_id = :thread_id limit :limit);

-- name: remove_writes
delete from checkpoint_writes where thread_id = :thread_id and (ns, checkpoint_id, task_id, idx) in
(select ns, checkpoint_id, task_id, idx from checkpoint_writes where thread_id = :thread_id limit :limit);

-- name: delete_checkpoints_of_run_on_thread
delete from checkpoints where thread_id = ? and run_id = ?;

-- name: delete_blobs_of_run_on_thread
delete from checkpoint_blobs where thread_id = ? and run_id = ?;

-- name: delete_writes_of_run_on_thread
delete from checkpoint_writes where thread_id = ? and run_id = ?;

-- name: checkpoints_of_run
-- Looks at all there are: only for reading.
select thread_id, ns, checkpoint_id from checkpoints where run_id = ?;

-- name: blobs_of_run
select thread_id, ns, channel, version from checkpoint_blobs where run_id = ?;

-- name: writes_of_run
select thread_id, ns, checkpoint_id, task_id, idx from checkpoint_writes where run_id = ?;

-- name: remove_checkpoint
delete from checkpoints where thread_id = ? and ns = ? and checkpoint_id = ?;

-- name: remove_blob
delete from checkpoint_blobs where thread_id = ? and ns = ? and channel = ? and version = ?;

-- name: remove_write
delete from checkpoint_writes where thread_id = ? and ns = ? and checkpoint_id = ? and task_id = ? and idx = ?;

-- name: drop_checkpoints_after
delete from checkpoints where thread_id = ? and run_id = ? and checkpoint_id > ?;

-- name: drop_writes_from
delete from checkpoint_writes where thread_id = ? and run_id = ? and checkpoint_id >= ?;

-- name: drop_checkpoints
-- Here and below, what is kept is a JSON array of arrays.
delete from checkpoints where thread_id = :thread_id and (ns, checkpoint_id) in
(select ns, checkpoint_id from checkpoints where thread_id = :thread_id and (ns, checkpoint_id) not in
 (select json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each(:kept))
 order by ns desc, checkpoint_id desc limit :limit);

-- name: drop_writes
delete from checkpoint_writes where thread_id = :thread_id and (ns, checkpoint_id, task_id, idx) in
(select ns, checkpoint_id, task_id, idx from checkpoint_writes where thread_id = :thread_id
 and (ns, checkpoint_id) not in
 (select json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each(:kept)) limit :limit);

-- name: drop_blobs
delete from checkpoint_blobs where thread_id = :thread_id and (ns, channel, version) in
(select ns, channel, version from checkpoint_blobs where thread_id = :thread_id and (ns, channel, version) not in
 (select json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') from json_each(:kept))
 limit :limit);

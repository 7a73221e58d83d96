-- Results of the items of batches: what ended runs have answered, or what is left of those that were removed.

-- name: name_replaced
update runs set retry_of = :retry_of where run_id = :run_id;

-- name: room_of_batch
select room from batch_counts where batch_id = ?;

-- name: count_retried
update batch_counts set
  pending = pending + :retried, error = error - :error, timeout = timeout - :timeout,
  interrupted = interrupted - :interrupted, result_bytes = result_bytes - :bytes, room = room - :ready, updated_at = :now
where batch_id = :batch_id;

-- name: begin_erasing
update batches set erased = 1 where batch_id = ? and erased = 0;

-- name: empty_results
update batch_counts set result_bytes = 0 where batch_id = ?;

-- name: erasing_batch
select batch_id from batches where erased = 1 limit 1;

-- name: results_of_batch
select seq, run_id, temporary from runs where batch_id = ? and batch_end is not null limit ?;

-- name: erase_removed_items
delete from removed_items where batch_id = :batch_id
and batch_index in (select batch_index from removed_items where batch_id = :batch_id limit :limit);

-- name: end_erasing
update batches set erased = 2 where batch_id = ?;

-- name: count_dropped
update batch_counts set result_bytes = result_bytes - :bytes where batch_id = :batch_id;

-- name: results_state
select ends, ended_at is not null, erased <> 0 from batches join batch_counts using (batch_id) where batch_id = ?;

-- name: replace_run
-- It is nobody's item from now on.
update runs set batch_index = null, batch_end = null
where run_id = :run_id and batch_id = :batch_id and batch_index is not null and batch_end is not null
and status <> 'success'
returning status, coalesce(length(answer), 0);

-- name: replace_removed
delete from removed_items where batch_id = :batch_id and run_id = :run_id and status <> 'success'
returning status, coalesce(length(answer), 0);

-- Results of the items of batches: what ended runs have answered, or what is left of those that were removed.

-- name: results_by_index
-- Both halves come in the order of their index, and are read only as far as they are asked for. :statuses is a JSON
-- array, or null for all. Of two paths SQLite makes a JSON array, in which a `custom_id` is as it was: `true` is not 1.
select batch_index, batch_end, run_id, retry_of, json_extract(metadata, '$.custom_id', '$.custom_id'), status, attempt, failed,
       coalesce(answer, failure)
from runs where batch_id = :batch_id and batch_index > :after and batch_end is not null
and (:upto is null or batch_end <= :upto)
and (:statuses is null or status in (select value from json_each(:statuses)))
union all
select batch_index, batch_end, run_id, retry_of, json_extract(metadata, '$.custom_id', '$.custom_id'), status, attempt, failed,
       coalesce(answer, failure)
from removed_items where batch_id = :batch_id and batch_index > :after
and (:upto is null or batch_end <= :upto)
and (:statuses is null or status in (select value from json_each(:statuses)))
order by 1;

-- name: results_by_end
select batch_index, batch_end, run_id, retry_of, json_extract(metadata, '$.custom_id', '$.custom_id'), status, attempt, failed,
       coalesce(answer, failure)
from runs where batch_id = :batch_id and batch_end > :after
and (:statuses is null or status in (select value from json_each(:statuses)))
union all
select batch_index, batch_end, run_id, retry_of, json_extract(metadata, '$.custom_id', '$.custom_id'), status, attempt, failed,
       coalesce(answer, failure)
from removed_items where batch_id = :batch_id and batch_end > :after
and (:statuses is null or status in (select value from json_each(:statuses)))
order by 2;

-- name: failed_items
select batch_index, run_id, assistant_id, graph_id, strategy, temporary, resumable, webhook, metadata, kwargs
from runs where batch_id = :batch_id and batch_index > :after and batch_end is not null
and status in (select value from json_each(:statuses))
union all
select batch_index, run_id, assistant_id, graph_id, strategy, temporary, resumable, webhook, metadata, kwargs
from removed_items where batch_id = :batch_id and batch_index > :after
and status in (select value from json_each(:statuses))
order by 1;

-- name: expired_batch
-- :among: of this one alone, or null.
select batch_id from batches where erased = 0 and ended_at is not null
and ended_at < (select clock_micros()) - cast(coalesce(result_ttl, :older_than) * 1000000 as integer)
and (:among is null or batch_id = :among) limit 1;

-- name: erase_result
update runs set batch_end = null, answer = null,
  failure = case when status <> 'success' and substr(answer, 1, 12) = cast('{"__error__"' as blob) then answer end
where seq = ? and queue is null;

-- name: bytes_of_results
select coalesce(sum((select result_bytes from batch_counts where batch_counts.batch_id = batches.batch_id)), 0)
from batches indexed by batch_with_results where erased = 0;

-- name: oldest_answers
select ended_at, length(answer), batch_id, seq from runs
where answer is not null and batch_index is not null and ended_at is not null order by ended_at limit ?;

-- name: oldest_removed_answers
select ended_at, length(answer), batch_id, batch_index from removed_items
where answer is not null and ended_at > 0 order by ended_at limit ?;

-- name: drop_removed_answer
update removed_items set answer = null,
  failure = case when status <> 'success' and substr(answer, 1, 12) = cast('{"__error__"' as blob) then answer end
where batch_id = ? and batch_index = ?;

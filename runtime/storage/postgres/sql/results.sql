-- Results of the items of batches: what ended runs have answered, or what is left of those that were removed.

-- name: results_by_index
-- Each half is read in the order of its index, as far as it may be needed. `statuses` null: all.
(select batch_index, batch_end, run_id, retry_of, metadata -> 'custom_id', status, attempt, failed,
       coalesce(answer, failure)
from runs where batch_id = %(batch_id)s and batch_index > %(after)s and batch_end is not null
and (%(upto)s::bigint is null or batch_end <= %(upto)s::bigint)
and (%(statuses)s::text[] is null or status = any(%(statuses)s::text[]))
order by batch_index limit %(most)s)
union all
(select batch_index, batch_end, run_id, retry_of, metadata -> 'custom_id', status, attempt, failed,
       coalesce(answer, failure)
from removed_items where batch_id = %(batch_id)s and batch_index > %(after)s
and (%(upto)s::bigint is null or batch_end <= %(upto)s::bigint)
and (%(statuses)s::text[] is null or status = any(%(statuses)s::text[]))
order by batch_index limit %(most)s)
order by 1 limit %(most)s;

-- name: results_by_end
(select batch_index, batch_end, run_id, retry_of, metadata -> 'custom_id', status, attempt, failed,
       coalesce(answer, failure)
from runs where batch_id = %(batch_id)s and batch_end > %(after)s
and (%(statuses)s::text[] is null or status = any(%(statuses)s::text[]))
order by batch_end limit %(most)s)
union all
(select batch_index, batch_end, run_id, retry_of, metadata -> 'custom_id', status, attempt, failed,
       coalesce(answer, failure)
from removed_items where batch_id = %(batch_id)s and batch_end > %(after)s
and (%(statuses)s::text[] is null or status = any(%(statuses)s::text[]))
order by batch_end limit %(most)s)
order by 2 limit %(most)s;

-- name: failed_items
(select batch_index, run_id, assistant_id, graph_id, strategy, temporary, resumable, webhook, metadata, kwargs
from runs where batch_id = %(batch_id)s and batch_index > %(after)s and batch_end is not null
and status = any(%(statuses)s::text[])
order by batch_index limit %(most)s)
union all
(select batch_index, run_id, assistant_id, graph_id, strategy, temporary, resumable, webhook, metadata, kwargs
from removed_items where batch_id = %(batch_id)s and batch_index > %(after)s
and status = any(%(statuses)s::text[])
order by batch_index limit %(most)s)
order by 1 limit %(most)s;

-- name: lock_replaced
select 1 from runs where run_id = any(%s::text[]) order by seq for update;

-- name: expired_batch
-- %(older_than)s: seconds, for those that do not say for how long.
(select batch_id from batches where erased = 0 and result_ttl is null
and ended_at < (select clock_micros()) - (%(older_than)s::double precision * 1000000)::bigint
and (%(among)s::text is null or batch_id = %(among)s::text) limit 1)
union all
(select batch_id from batches where erased = 0 and result_ttl is not null
and ended_at + (result_ttl * 1000000)::bigint < (select clock_micros())
and (%(among)s::text is null or batch_id = %(among)s::text) limit 1)
limit 1;

-- name: erase_result
update runs set batch_end = null, answer = null,
  failure = case when status <> 'success' and substr(answer, 1, 12) = convert_to('{"__error__"', 'UTF8') then answer end
where seq = %s and queue is null;

-- name: bytes_of_results
select coalesce(sum(result_bytes), 0)::bigint from batches join batch_counts using (batch_id) where erased = 0;

-- name: oldest_answers
-- What is being changed is not among the oldest for long.
select ended_at, octet_length(answer), batch_id, seq from runs
where answer is not null and batch_index is not null and ended_at is not null
order by ended_at limit %s for update skip locked;

-- name: oldest_removed_answers
select ended_at, octet_length(answer), batch_id, batch_index from removed_items
where answer is not null and ended_at > 0 order by ended_at limit %s for update skip locked;

-- name: drop_removed_answer
update removed_items set answer = null,
  failure = case when status <> 'success' and substr(answer, 1, 12) = convert_to('{"__error__"', 'UTF8') then answer end
where batch_id = %s and batch_index = %s;

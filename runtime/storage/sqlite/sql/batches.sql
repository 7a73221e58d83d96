-- Batches. Their counts are kept by triggers, see schema/0013_batches.sql.

-- name: insert_batch
insert into batches (batch_id, creator, name, metadata, webhook, size, max_concurrency, start_within, finish_within,
                     start_due, finish_due, retry, result_ttl, created_at)
values (:batch_id, :creator, :name, :metadata, :webhook, :size, :max_concurrency, :start_within, :finish_within,
        :start_due, :finish_due, :retry, :result_ttl, :now);

-- name: insert_batch_counts
insert into batch_counts (batch_id, pending, room, updated_at) values (:batch_id, :size, :room, :now);

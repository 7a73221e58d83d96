-- Idempotency keys that were used. They belong to whoever made the request; creator null: to nobody in particular.

-- name: forget_excess_keys
-- The oldest ones: each for as long as those before it are less than there is too much.
with oldest as (
  select seq, sum(bytes) over (order by created_at, seq) - bytes as before
  from (select seq, bytes, created_at from idempotency_keys order by created_at, seq limit %(limit)s) as few
)
delete from idempotency_keys using oldest
where idempotency_keys.seq = oldest.seq
and oldest.before < (select coalesce(sum(bytes), 0) - %(most)s::bigint from idempotency_keys);

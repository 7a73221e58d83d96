-- Idempotency keys that were used. They belong to whoever made the request; creator null: to nobody in particular.

-- name: size_of_keys
select bytes from idempotency_size;

-- Idempotency keys that were used. They belong to whoever made the request; creator null: to nobody in particular.

-- name: find_key
select fingerprint, answer from idempotency_keys
where key = :key and coalesce(creator, '') = coalesce(:creator, '') and (creator is null) = (:creator is null);

-- name: size_of_keys
select bytes from idempotency_size;

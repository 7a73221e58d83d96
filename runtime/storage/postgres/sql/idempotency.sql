-- Idempotency keys that were used. They belong to whoever made the request; creator null: to nobody in particular.

-- name: keep_key
insert into idempotency_keys (creator, key, fingerprint, answer, created_at)
values (%(creator)s, %(key)s, %(fingerprint)s, %(answer)s, %(now)s)
on conflict do nothing;

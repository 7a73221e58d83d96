-- Idempotency keys that were used. They belong to whoever made the request; creator null: to nobody in particular.

-- name: keep_key
insert into idempotency_keys (creator, key, fingerprint, answer, created_at)
values (:creator, :key, :fingerprint, :answer, :now)
on conflict do nothing;

-- name: forget_keys
delete from idempotency_keys where seq in (
  select seq from idempotency_keys where created_at < ? order by created_at limit ?
);

-- name: find_key
select fingerprint, answer from idempotency_keys
where key = :key and coalesce(creator, '') = coalesce(cast(:creator as text), '')
and (creator is null) = (cast(:creator as text) is null);

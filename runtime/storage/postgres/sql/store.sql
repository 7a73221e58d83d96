-- Items of the store. Searches are put together at run time, in store/search.py.

-- name: items
select *, clock_micros() as now from store_items
where digest = any(%b::bytea[]) and (expires_at is null or expires_at > clock_micros());

-- name: put_items
-- The time of a change is later than that of the one before, whatever the clock says. Numbers are given in the order in
-- which items are put, rows are locked in that of their digests.
insert into store_items as items
  (id, digest, namespace, key, value, created_at, updated_at, ttl_minutes, expires_at, fields)
select id, digest, namespace, key, value, %s::bigint, %s::bigint, ttl_minutes, expires_at, fields
from (select nextval('store_items_id_seq') as id, wanted.*
      from unnest(%b::bytea[], %s::text[], %b::bytea[], %s::text[], %s::double precision[], %s::bigint[], %s::text[])
        as wanted (digest, namespace, key, value, ttl_minutes, expires_at, fields)
      offset 0) as numbered
order by digest
on conflict (digest) do update set
  value = excluded.value,
  created_at = case when items.expires_at <= excluded.created_at then excluded.created_at else items.created_at end,
  updated_at = greatest(excluded.updated_at, items.updated_at + 1),
  ttl_minutes = excluded.ttl_minutes, expires_at = excluded.expires_at, fields = excluded.fields;

-- name: delete_items
delete from store_items where id = any(array(
  select id from store_items where digest = any(%b::bytea[]) order by digest for update));

-- name: refresh_items
-- One that somebody else is changing lives on, or is no more.
update store_items set expires_at = %(now)s + (ttl_minutes * 60000000)::bigint
where id = any(array(select id from store_items where id = any(%(ids)s::bigint[]) for update skip locked))
and expires_at > %(now)s;

-- name: item_is_due
select 1 from store_items where expires_at <= clock_micros() limit 1;

-- name: delete_expired_items
delete from store_items where id = any(array(
  select id from store_items where expires_at <= %s order by expires_at limit %s for update skip locked));

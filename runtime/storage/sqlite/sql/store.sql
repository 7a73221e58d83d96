-- Items of the store. Searches are put together at run time, in store/search.py.

-- name: item
select * from items where namespace = ? and key = ? and (expires_at is null or expires_at > ?);

-- name: put_item
-- The time of a change is later than that of the one before, whatever the clock says.
insert into items (namespace, key, value, created_at, updated_at, ttl_minutes, expires_at, fields, indexed)
values (:namespace, :key, :value, :now, :now, :ttl_minutes, :expires_at, :fields, :indexed)
on conflict (namespace, key) do update set
  value = excluded.value,
  created_at = iif(items.expires_at <= :now, :now, items.created_at),
  updated_at = max(:now, items.updated_at + 1),
  ttl_minutes = excluded.ttl_minutes, expires_at = excluded.expires_at,
  fields = excluded.fields, indexed = excluded.indexed
returning id;

-- name: delete_item
delete from items where namespace = ? and key = ?;

-- name: refresh_item
update items set expires_at = :now + cast(ttl_minutes * 60000000 as integer) where id = :id and expires_at > :now;

-- name: delete_expired_items
delete from items where id in (select id from items where expires_at <= ? limit ?);

-- name: count_unindexed
select (select count(*) from items where indexed is null) + (select count(*) from items where indexed < :index)
  + (select count(*) from items where indexed > :index);

-- name: unindexed
select id, updated_at, value, fields from items where indexed is null
union all select id, updated_at, value, fields from items where indexed < :index
union all select id, updated_at, value, fields from items where indexed > :index
limit :limit;

-- name: set_indexed
update items set indexed = ? where id = ? and updated_at = ?;

-- name: delete_vectors
delete from vectors where item = ?;

-- name: insert_vector
insert into vectors (item, field, embedding) values (?, ?, ?);

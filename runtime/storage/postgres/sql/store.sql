-- Items of the store. Searches are put together at run time, in store/search.py.

-- name: items
select *, clock_micros() as now from store_items
where digest = any(%b::bytea[]) and (expires_at is null or expires_at > clock_micros());

-- name: put_items
-- The time of a change is later than that of the one before, whatever the clock says. Numbers are given in the order in
-- which items are put, rows are locked in that of their digests.
insert into store_items as items
  (id, digest, namespace, key, value, created_at, updated_at, ttl_minutes, expires_at, fields, indexed)
select id, digest, namespace, key, value, %s::bigint, %s::bigint, ttl_minutes, expires_at, fields, indexed
from (select nextval('store_items_id_seq') as id, wanted.*
      from unnest(%b::bytea[], %s::text[], %b::bytea[], %s::text[], %s::double precision[], %s::bigint[], %s::text[],
                  %s::text[])
        as wanted (digest, namespace, key, value, ttl_minutes, expires_at, fields, indexed)
      offset 0) as numbered
order by digest
on conflict (digest) do update set
  value = excluded.value,
  created_at = case when items.expires_at <= excluded.created_at then excluded.created_at else items.created_at end,
  updated_at = greatest(excluded.updated_at, items.updated_at + 1),
  ttl_minutes = excluded.ttl_minutes, expires_at = excluded.expires_at, fields = excluded.fields,
  indexed = excluded.indexed
returning digest, id;

-- name: delete_items
delete from store_items where id = any(array(
  select id from store_items where digest = any(%b::bytea[]) order by digest for update));

-- name: refresh_items
-- One that somebody else is changing lives on, or is no more.
update store_items set expires_at = %(now)s + (ttl_minutes * 60000000)::bigint
where id = any(array(select id from store_items where id = any(%(ids)s::bigint[]) for update skip locked))
and expires_at > %(now)s;

-- name: item_is_due
-- The first to expire, which an index has. It does not go by a clock, which may change from row to row: elsewhere that is
-- read by a query of its own.
select 1 from (select min(expires_at) as first from store_items) as items where first <= clock_micros();

-- name: delete_expired_items
delete from store_items where id = any(array(
  select id from store_items where expires_at <= %s order by expires_at limit %s for update skip locked));

-- Meaning. `vectors` is the schema that the extension lies in.

-- name: schema_of_extension
select quote_ident(nspname) from pg_extension join pg_namespace on pg_namespace.oid = extnamespace where extname = %s;

-- name: create_vectors
-- What an item meant goes when it gets another index, also when it is put by somebody who has none. Vectors lie in their
-- rows as long as a page has room for them: all are read for a search.
create table store_vectors (
  item bigint not null references store_items (id) on delete cascade,
  field text not null,
  embedding {vectors}.vector not null
) with (toast_tuple_target = 8160);
create index store_vector_item on store_vectors (item);
create function store_item_indexed() returns trigger language plpgsql as $$
begin
  delete from store_vectors where item = old.id;
  return null;
end $$;
create trigger store_item_indexed after update of indexed on store_items for each row
when (old.indexed is not null) execute function store_item_indexed();

-- name: insert_vectors
insert into store_vectors (item, field, embedding)
select item, field, vector::{vectors}.vector
from unnest(%s::bigint[], %s::text[], %s::text[]) as wanted (item, field, vector);

-- name: count_unindexed
select (select count(*) from store_items where indexed is null)
  + (select count(*) from store_items where indexed < %(index)s)
  + (select count(*) from store_items where indexed > %(index)s);

-- name: unindexed
(select id, updated_at, value, fields from store_items where indexed is null limit %(limit)s)
union all (select id, updated_at, value, fields from store_items where indexed < %(index)s limit %(limit)s)
union all (select id, updated_at, value, fields from store_items where indexed > %(index)s limit %(limit)s)
limit %(limit)s;

-- name: lock_items
select id, updated_at from store_items where id = any(%s::bigint[]) order by digest for update;

-- name: set_indexed
update store_items set indexed = wanted.indexed
from unnest(%s::bigint[], %s::text[]) as wanted (id, indexed) where store_items.id = wanted.id;

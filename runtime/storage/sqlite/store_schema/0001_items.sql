-- The long-term store, in a database of its own. Earlier revisions kept it in the table of LangGraph's SqliteStore.

create table schema_version (
  version integer not null,        -- the latest migration
  oldest_reader integer not null   -- the earliest migration that a server must know to use this database
);

create table items (
  id integer primary key,
  namespace text not null,         -- labels joined by dots, which no label has
  key text not null,
  value text not null,             -- a JSON object
  created_at integer not null,     -- microseconds since 1970
  updated_at integer not null,     -- grows with every change of the item
  ttl_minutes real,
  expires_at integer,              -- microseconds since 1970
  fields text,                     -- JSON: paths of what is indexed; null: those of the project
  indexed text,                    -- the index that has it
  unique (namespace, key)
);
create index item_order on items (namespace, updated_at, expires_at);
create index item_newest on items (updated_at);
create index item_expiry on items (expires_at) where expires_at is not null;
create index item_indexed on items (indexed);

create table vectors (
  item integer not null references items (id),
  field text not null,
  embedding blob not null          -- little-endian floats of 4 bytes
);
create index vector_item on vectors (item);
create trigger item_deleted after delete on items begin
  delete from vectors where item = old.id;
end;

create table if not exists store (
  prefix text not null,
  key text not null,
  value text not null,
  created_at timestamp default current_timestamp,
  updated_at timestamp default current_timestamp,
  expires_at timestamp,
  ttl_minutes real,
  primary key (prefix, key)
);
insert into items (namespace, key, value, created_at, updated_at, ttl_minutes, expires_at)
select prefix, key, cast(value as text), strftime('%s', created_at) * 1000000, strftime('%s', updated_at) * 1000000,
  ttl_minutes, strftime('%s', expires_at) * 1000000
from store order by updated_at, rowid;
drop table store;
drop table if exists store_migrations;
-- Earlier revisions would make an empty table of that name and forget all items: with this they say that they cannot.
create view store as select 1 as moved;

-- Searching threads by metadata, lifetimes, and assistants with all their versions.

-- The top-level texts and numbers of the metadata of kept threads, so that a search reads only what matches.
-- Temporary threads last for a moment; they are few, or not many for long, and are searched one by one.
-- No function is called in the triggers: it could fail, so SQLite would keep a journal for each statement that
-- sets them off, which takes longer than all the rest.
create table thread_tags (
  key text not null,
  value text not null,
  created_at integer not null,
  thread_id text not null,
  primary key (key, value, created_at, thread_id)
) without rowid;

create trigger thread_tags_insert after insert on threads when not new.temporary begin
  insert or ignore into thread_tags select key, value, new.created_at, new.thread_id from json_each(new.metadata)
  where type in ('text', 'integer', 'real');
end;

create trigger thread_tags_update after update of metadata, temporary on threads
when new.metadata <> old.metadata or new.temporary <> old.temporary begin
  delete from thread_tags where not old.temporary and (key, value, created_at, thread_id) in
  (select key, cast(value as text), old.created_at, old.thread_id from json_each(old.metadata));
  insert or ignore into thread_tags select key, value, new.created_at, new.thread_id from json_each(new.metadata)
  where not new.temporary and type in ('text', 'integer', 'real');
end;

create trigger thread_tags_delete after delete on threads when not old.temporary begin
  delete from thread_tags where (key, value, created_at, thread_id) in
  (select key, cast(value as text), old.created_at, old.thread_id from json_each(old.metadata));
end;

insert or ignore into thread_tags select key, value, created_at, thread_id from threads, json_each(threads.metadata)
where not temporary and type in ('text', 'integer', 'real');

create index thread_temporary on threads (created_at) where temporary;
create index thread_state_updated on threads (state_updated_at) where not temporary;

-- A thread expires so many minutes after its last change; `kept_at` is the state whose history was dropped, so
-- that a thread is not considered again until it has a new one.
drop index thread_expires;
alter table threads drop column expires_at;
alter table threads add column kept_at integer;
create index thread_expires on threads (updated_at + cast(ttl_minutes * 60000000 as integer))
where ttl_minutes is not null and (ttl_strategy = 'delete' or kept_at is not state_updated_at);

insert or ignore into assistant_versions
  (assistant_id, version, graph_id, name, description, config, context, metadata, created_at)
select assistant_id, version, graph_id, name, description, config, context, metadata, created_at from assistants;

-- The texts in the lists of a thread's metadata, as tags too, so that a scope that asks for one of them reads only
-- what matches. Their key ends with "[]". As before, no function is called in the triggers but the cast that was there.

drop trigger thread_tags_insert;
drop trigger thread_tags_update;
drop trigger thread_tags_delete;

create trigger thread_tags_insert after insert on threads when not new.temporary begin
  insert or ignore into thread_tags select key, value, new.created_at, new.thread_id from json_each(new.metadata)
  where type in ('text', 'integer', 'real');
  insert or ignore into thread_tags select listed.key || '[]', item.value, new.created_at, new.thread_id
  from json_each(new.metadata) as listed, json_each(listed.value) as item
  where listed.type = 'array' and item.type = 'text';
end;

create trigger thread_tags_update after update of metadata, temporary on threads
when new.metadata <> old.metadata or new.temporary <> old.temporary begin
  delete from thread_tags where not old.temporary and (key, value, created_at, thread_id) in
  (select key, cast(value as text), old.created_at, old.thread_id from json_each(old.metadata)
   union all
   select listed.key || '[]', item.value, old.created_at, old.thread_id
   from json_each(old.metadata) as listed, json_each(listed.value) as item where listed.type = 'array' and item.type = 'text');
  insert or ignore into thread_tags select key, value, new.created_at, new.thread_id from json_each(new.metadata)
  where not new.temporary and type in ('text', 'integer', 'real');
  insert or ignore into thread_tags select listed.key || '[]', item.value, new.created_at, new.thread_id
  from json_each(new.metadata) as listed, json_each(listed.value) as item
  where not new.temporary and listed.type = 'array' and item.type = 'text';
end;

create trigger thread_tags_delete after delete on threads when not old.temporary begin
  delete from thread_tags where (key, value, created_at, thread_id) in
  (select key, cast(value as text), old.created_at, old.thread_id from json_each(old.metadata)
   union all
   select listed.key || '[]', item.value, old.created_at, old.thread_id
   from json_each(old.metadata) as listed, json_each(listed.value) as item where listed.type = 'array' and item.type = 'text');
end;

insert or ignore into thread_tags
select listed.key || '[]', item.value, threads.created_at, threads.thread_id
from threads, json_each(threads.metadata) as listed, json_each(listed.value) as item
where not threads.temporary and listed.type = 'array' and item.type = 'text';

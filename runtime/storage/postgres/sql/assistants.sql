-- Assistants and their versions. Searches are put together at run time, in assistants.py.

-- name: assistant
select * from assistants where assistant_id = %s;

-- name: assistant_as_seen
select 1 from assistants where assistant_id = %s and updated_at = %s;

-- name: ensure_assistant
-- Name and description are those of the graph for as long as nobody has changed the assistant.
insert into assistants (assistant_id, graph_id, name, description, config, context, metadata, version,
                        created_at, updated_at, system)
values (%(assistant_id)s, %(graph_id)s, %(name)s, %(description)s, %(config)s, %(context)s, %(metadata)s, %(version)s,
        %(created_at)s, %(updated_at)s, true)
on conflict (assistant_id) do update set name = excluded.name, description = excluded.description
where assistants.version = 1
and (assistants.name <> excluded.name or assistants.description is distinct from excluded.description);

-- name: put_assistant
insert into assistants (assistant_id, graph_id, name, description, config, context, metadata, version,
                        created_at, updated_at, creator)
values (%(assistant_id)s, %(graph_id)s, %(name)s, %(description)s, %(config)s, %(context)s, %(metadata)s, %(version)s,
        %(created_at)s, %(updated_at)s, %(creator)s)
on conflict (assistant_id) do update set
  graph_id = excluded.graph_id, name = excluded.name, description = excluded.description,
  config = excluded.config, context = excluded.context, metadata = excluded.metadata,
  version = excluded.version, updated_at = excluded.updated_at;

-- name: insert_version
insert into assistant_versions (assistant_id, version, graph_id, name, description, config, context, metadata,
                                created_at)
values (%(assistant_id)s, %(version)s, %(graph_id)s, %(name)s, %(description)s, %(config)s, %(context)s, %(metadata)s,
        %(created_at)s)
on conflict (assistant_id, version) do update set name = excluded.name, description = excluded.description;

-- name: latest_version
select max(version) from assistant_versions where assistant_id = %s;

-- name: set_latest
update assistants set
  version = old.version, graph_id = old.graph_id, name = old.name, description = old.description,
  config = old.config, context = old.context, metadata = old.metadata, updated_at = %(now)s
from assistant_versions as old
where assistants.assistant_id = %(assistant_id)s
and old.assistant_id = %(assistant_id)s and old.version = %(version)s;

-- name: delete_assistant
delete from assistants where assistant_id = %s;

-- name: delete_versions
delete from assistant_versions where assistant_id = %s;

-- Assistants and their versions. Searches are put together at run time, in assistants.py.

-- name: assistant_as_seen
/* kept */
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

-- name: set_latest
update assistants set
  version = old.version, graph_id = old.graph_id, name = old.name, description = old.description,
  config = old.config, context = old.context, metadata = old.metadata, updated_at = %(now)s
from assistant_versions as old
where assistants.assistant_id = %(assistant_id)s
and old.assistant_id = %(assistant_id)s and old.version = %(version)s;

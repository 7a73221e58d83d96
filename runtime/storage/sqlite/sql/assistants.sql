-- Assistants and their versions. Searches are put together at run time, in assistants.py.

-- name: ensure_assistant
-- Name and description are those of the graph for as long as nobody has changed the assistant.
insert into assistants (assistant_id, graph_id, name, description, config, context, metadata, version,
                        created_at, updated_at, system)
values (:assistant_id, :graph_id, :name, :description, :config, :context, :metadata, :version,
        :created_at, :updated_at, 1)
on conflict (assistant_id) do update set name = excluded.name, description = excluded.description
where version = 1 and (name <> excluded.name or description is not excluded.description);

-- name: set_latest
update assistants set
  (version, graph_id, name, description, config, context, metadata) =
  (select version, graph_id, name, description, config, context, metadata from assistant_versions as old
   where old.assistant_id = :assistant_id and old.version = :version),
  updated_at = :now
where assistant_id = :assistant_id
and exists (select 1 from assistant_versions where assistant_id = :assistant_id and version = :version);

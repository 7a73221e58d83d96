-- Assistants and their versions. Searches are put together at run time, in assistants.py.

-- name: assistant
select * from assistants where assistant_id = ?;

-- name: put_assistant
insert into assistants (assistant_id, graph_id, name, description, config, context, metadata, version,
                        created_at, updated_at, creator)
values (:assistant_id, :graph_id, :name, :description, :config, :context, :metadata, :version,
        :created_at, :updated_at, :creator)
on conflict (assistant_id) do update set
  graph_id = excluded.graph_id, name = excluded.name, description = excluded.description,
  config = excluded.config, context = excluded.context, metadata = excluded.metadata,
  version = excluded.version, updated_at = excluded.updated_at;

-- name: insert_version
insert into assistant_versions (assistant_id, version, graph_id, name, description, config, context, metadata,
                                created_at)
values (:assistant_id, :version, :graph_id, :name, :description, :config, :context, :metadata, :created_at)
on conflict (assistant_id, version) do update set name = excluded.name, description = excluded.description;

-- name: latest_version
select max(version) from assistant_versions where assistant_id = ?;

-- name: delete_assistant
delete from assistants where assistant_id = ?;

-- name: delete_versions
delete from assistant_versions where assistant_id = ?;

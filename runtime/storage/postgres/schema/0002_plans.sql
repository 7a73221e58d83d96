-- The fence in front of what runs write, and the values of checkpoints: joins with what is asked for, as functions,
-- whose plans leave no choice (see 0001_start.sql). As statements, sessions kept the plans of a time when the tables were
-- small, and read them whole.

-- Leases by their places: those that hold. Their runs are locked in one order, see lock_runs.
create function lock_leases(places bigint[], seqs bigint[], workers text[], attempts bigint[], tokens bigint[])
returns setof bigint language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
  return query
  select wanted.place from runs
  join unnest(places, seqs, workers, attempts, tokens) as wanted (place, seq, worker, attempt, token)
  on runs.seq = wanted.seq and runs.worker = wanted.worker and runs.attempt = wanted.attempt and runs.token = wanted.token
  where runs.seq = any(seqs) and coalesce(runs.queue, '') = 'running' order by runs.seq for update of runs;
end $$;

-- Writes what add_checkpoint_rows does if all of the leases hold; whether they do.
create function append_checkpoint_rows(
  seqs bigint[], workers text[], attempts bigint[], tokens bigint[],
  checkpoint_threads text[], checkpoint_spaces text[], checkpoint_ids text[], parents text[], checkpoint_runs text[],
  checkpoint_types text[], checkpoint_data bytea[], checkpoint_metadata bytea[],
  blob_threads text[], blob_spaces text[], blob_channels text[], blob_versions text[], blob_runs text[],
  blob_types text[], blob_data bytea[],
  write_threads text[], write_spaces text[], write_checkpoints text[], write_tasks text[], write_places bigint[],
  write_runs text[], write_channels text[], write_types text[], write_data bytea[], write_paths text[]
) returns boolean language plpgsql as $$
begin
  if (select count(*) from lock_leases(seqs, seqs, workers, attempts, tokens)) < cardinality(seqs) then
    return false;
  end if;
  perform add_checkpoint_rows(
    checkpoint_threads, checkpoint_spaces, checkpoint_ids, parents, checkpoint_runs, checkpoint_types, checkpoint_data,
    checkpoint_metadata, blob_threads, blob_spaces, blob_channels, blob_versions, blob_runs, blob_types, blob_data,
    write_threads, write_spaces, write_checkpoints, write_tasks, write_places, write_runs, write_channels, write_types,
    write_data, write_paths);
  return true;
end $$;

-- The channel values that checkpoints refer to, and how many of these checkpoints are there at the same moment; at least
-- one row.
create function blobs_of_checkpoints(
  checkpoint_threads text[], checkpoint_spaces text[], checkpoint_ids text[],
  blob_threads text[], blob_spaces text[], blob_channels text[], blob_versions text[]
) returns table (present bigint, thread_id text, ns text, channel text, version text, type text, data bytea)
language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
  return query
  with present as materialized (
    select count(*) as checkpoints from unnest(checkpoint_threads, checkpoint_spaces, checkpoint_ids)
      as wanted (thread_id, ns, checkpoint_id)
    join checkpoints using (thread_id, ns, checkpoint_id)
  )
  select present.checkpoints, found.* from present left join (
    select blob.thread_id, blob.ns, blob.channel, blob.version, blob.type, blob.data
    from unnest(blob_threads, blob_spaces, blob_channels, blob_versions) as wanted (thread_id, ns, channel, version)
    join checkpoint_blobs as blob using (thread_id, ns, channel, version)
  ) as found on true;
end $$;

-- Triggers that look for what a thread or a cron has when it goes or changes keep plans, too.
alter function thread_tags_update() set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off;
alter function thread_tags_delete() set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off;
alter function run_removed() set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off;
alter function latest_event_removed() set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off;
alter function cron_removed() set enable_seqscan = off set enable_bitmapscan = off;

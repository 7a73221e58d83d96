-- Pending writes of earlier runs that the latest run of a thread has replaced: a rollback brings them back.
create table replaced_writes (
  thread_id text not null,
  run_id text not null,
  ns text not null,
  checkpoint_id text not null,
  task_id text not null,
  idx integer not null,
  written_by text,
  channel text not null,
  type text not null,
  data blob not null,
  task_path text not null,
  primary key (thread_id, run_id, ns, checkpoint_id, task_id, idx)
) without rowid;

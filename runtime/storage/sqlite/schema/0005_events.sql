-- What the streams of threads tell of ends, in their order, and which stored events are old.

-- Runs whose thread goes with them are in no such stream; they are many.
create index run_ended on runs (thread_id, ended_at) where ended_at is not null and not temporary;
create index run_resumable on runs (ended_at) where resumable and ended_at is not null;

-- Runs that were removed from a thread that is still there: they have ended too.
create table removed_runs (
  thread_id text not null,
  ended_at integer not null,
  seq integer not null,
  run_id text not null,
  primary key (thread_id, ended_at, seq)
) without rowid;
create index removed_run_ended on removed_runs (ended_at);

-- The clock of SQL has milliseconds; whatever it says, a removal is the latest end on its thread so far.
create trigger run_removed after delete on runs when not old.temporary begin
  insert or ignore into removed_runs
  select old.thread_id,
         coalesce(old.ended_at, max(
           cast((julianday('now') - 2440587.5) * 86400000 as integer) * 1000 - 1000,
           1 + coalesce((select max(ended_at) from runs
                         where thread_id = old.thread_id and ended_at is not null and not temporary), 0),
           1 + coalesce((select max(ended_at) from removed_runs where thread_id = old.thread_id), 0))),
         old.seq, old.run_id
  where exists (select 1 from threads where thread_id = old.thread_id)
  and not exists (select 1 from discarded_threads where thread_id = old.thread_id);
end;

create trigger thread_removed after delete on threads when not old.temporary begin
  delete from removed_runs where thread_id = old.thread_id;
end;

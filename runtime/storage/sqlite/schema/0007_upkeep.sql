-- What keeps costs from growing with what has ended, and what is done in small steps.

-- Runs that have not ended, by thread: a thread may have any number of those that have.
create index run_active on runs (thread_id, seq) where queue is not null;

-- Threads that were deleted and of which rows are left, too many for one transaction. `with_runs` is 0 when only the
-- checkpoints go: a temporary run's answer stays joinable. Until `due` (a copy that is being made) they are left alone.
create table discarded_threads (
  thread_id text primary key,
  with_runs integer not null,
  due integer not null
) without rowid;

-- Threads whose history could not be dropped though their lifetime is over; they are tried again at `due`.
create table postponed_expiries (
  thread_id text primary key,
  tries integer not null,
  due integer not null
) without rowid;

-- One row: the number of the latest migration, and that of the earliest that a server must know to use the database.
create table schema_version (
  version integer not null,
  oldest_reader integer not null
);

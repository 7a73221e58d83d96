-- Runs that the server makes by itself. `next_due` is the next moment of the calendar at which one is to be made (null:
-- none any more), found at the time of day `timed_at`; `revision` counts the changes, so that what was prepared for an earlier one is not written.
-- `creator_details` are as those of runs, and there for as long as the cron makes runs.
create table crons (
  cron_id text primary key,
  assistant_id text not null,
  thread_id text,
  schedule text not null,
  timezone text,
  end_time integer,
  enabled integer not null,
  on_run_completed text,
  payload text not null,
  metadata text not null,
  next_due integer,
  timed_at integer not null default 0,
  revision integer not null default 0,
  creator text,
  creator_details text,
  created_at integer not null,
  updated_at integer not null
);
create index cron_due on crons (next_due) where enabled and next_due is not null;
create index cron_timed on crons (timed_at) where enabled and next_due is not null;
create index cron_created on crons (created_at);
create index cron_thread on crons (thread_id, created_at) where thread_id is not null;
create index cron_assistant on crons (assistant_id);

-- What is written with each run that a cron makes: the latest of each cron. One moment can be there only once, whoever
-- tries. `run_id` is null for a run that was refused.
create table cron_firings (
  cron_id text not null,
  due integer not null,
  fired_at integer not null,
  run_id text,
  primary key (cron_id, due)
) without rowid;

create trigger cron_removed after delete on crons begin
  delete from cron_firings where cron_id = old.cron_id;
end;

-- A thread's events are one log: those of its resumable runs, and the ends of all runs that stay on it, numbered from 1
-- as they are written, whatever the clock says.

-- A row holds all that a run emitted in a moment (`data`; from number `first` to number `seq`), or an end. `status` is
-- that of an ended run, or `removed`; `unstored` says that it was executed and its events are not here.
create table thread_events (
  thread_id text not null,
  seq integer not null,
  first integer not null,
  run_id text not null,
  status text,
  unstored integer,
  ended_at integer,
  data blob,
  primary key (thread_id, seq)
) without rowid;
create index thread_event_run on thread_events (run_id, seq) where data is not null;
create index thread_event_ended on thread_events (ended_at) where ended_at is not null;

-- Where the latest event of a thread was removed: its number, which is not given again.
create table removed_events (
  thread_id text primary key,
  last integer not null
) without rowid;

-- What there is so far, run by run. `place` tells the rows of a run apart; its end comes last.
insert into thread_events (thread_id, seq, first, run_id, status, unstored, ended_at, data)
select thread_id, seq, seq - size + 1, run_id, status, unstored, ended_at,
       (select data from run_events where run_events.run_id = numbered.run_id and first = place)
from (
  select *, sum(size) over (partition by thread_id order by run, place rows unbounded preceding) as seq from (
    select runs.thread_id, runs.seq as run, first as place, last - first + 1 as size, runs.run_id,
           null as status, null as unstored, null as ended_at
    from run_events join runs on runs.run_id = run_events.run_id
    union all
    select thread_id, seq, 9223372036854775807, 1, run_id, status, attempt > 0 and not resumable, ended_at
    from runs where ended_at is not null and not temporary
    union all
    select thread_id, seq, 9223372036854775807, 1, run_id, 'removed', 0, ended_at from removed_runs
  )
) as numbered;

drop trigger run_removed;
drop trigger thread_removed;
drop index run_ended;
drop table removed_runs;
drop table run_events;

-- However a run ends: nothing that changes one can forget it. A run whose thread goes with it has its end in no log.
create trigger run_ended after update of ended_at on runs
when new.ended_at is not null and old.ended_at is null
and (not new.temporary or exists (select 1 from threads where thread_id = new.thread_id and not temporary)) begin
  insert into thread_events (thread_id, seq, first, run_id, status, unstored, ended_at)
  select new.thread_id, next, next, new.run_id, new.status, new.attempt > 0 and not new.resumable, new.ended_at
  from (select 1 + max(coalesce((select max(seq) from thread_events where thread_id = new.thread_id), 0),
                       coalesce((select last from removed_events where thread_id = new.thread_id), 0)) as next);
end;

-- Runs that are removed before they have ended, from a thread that is still there, have ended too.
create trigger run_removed after delete on runs
when old.ended_at is null
and exists (select 1 from threads where thread_id = old.thread_id and not temporary)
and not exists (select 1 from discarded_threads where thread_id = old.thread_id) begin
  insert into thread_events (thread_id, seq, first, run_id, status, unstored, ended_at)
  select old.thread_id, next, next, old.run_id, 'removed', 0,
         cast((julianday('now') - 2440587.5) * 86400000 as integer) * 1000
  from (select 1 + max(coalesce((select max(seq) from thread_events where thread_id = old.thread_id), 0),
                       coalesce((select last from removed_events where thread_id = old.thread_id), 0)) as next);
end;

create trigger latest_event_removed after delete on thread_events
when not exists (select 1 from thread_events where thread_id = old.thread_id and seq > old.seq)
and exists (select 1 from threads where thread_id = old.thread_id) begin
  insert into removed_events (thread_id, last) values (old.thread_id, old.seq)
  on conflict (thread_id) do update set last = max(last, excluded.last);
end;

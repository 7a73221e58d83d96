-- How many tries of a run have failed, and were followed by another.
alter table runs add column failed integer not null default 0;

-- Runs that wait for their next try: each keeps its thread.
create unique index run_trying on runs (thread_id) where queue = 'delayed' and failed > 0;

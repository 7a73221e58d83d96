-- Crons, and the moments at which they were due. Searches are put together at run time.

-- name: lock_cron
-- Nobody else changes it, or fires it, until the commit.
select 1 from crons where cron_id = %s for update;

-- name: note_firing
insert into cron_firings (cron_id, due, fired_at, run_id) values (%(cron_id)s, %(due)s, %(now)s, %(run_id)s)
on conflict do nothing;

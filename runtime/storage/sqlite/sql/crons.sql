-- Crons, and the moments at which they were due. Searches are put together at run time.

-- name: note_firing
insert or ignore into cron_firings (cron_id, due, fired_at, run_id) values (:cron_id, :due, :now, :run_id);

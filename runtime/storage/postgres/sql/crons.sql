-- Crons.

-- name: remove_crons_of_thread
delete from crons where cron_id in (select cron_id from crons where thread_id = %(thread_id)s limit %(limit)s);

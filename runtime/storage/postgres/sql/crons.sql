-- Crons.

-- name: remove_crons_of_thread
delete from crons where cron_id in (select cron_id from crons where thread_id = %(thread_id)s limit %(limit)s);

-- name: remove_crons_of_assistant
delete from crons where cron_id in (select cron_id from crons where assistant_id = %(assistant_id)s limit %(limit)s);

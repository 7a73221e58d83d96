-- Crons, and the moments at which they were due. Searches are put together at run time.

-- name: remove_crons_of_thread
delete from crons where cron_id in (select cron_id from crons where thread_id = %(thread_id)s limit %(limit)s);

-- name: remove_crons_of_assistant
delete from crons where cron_id in (select cron_id from crons where assistant_id = %(assistant_id)s limit %(limit)s);

-- name: insert_cron
insert into crons (cron_id, assistant_id, thread_id, schedule, timezone, end_time, enabled, on_run_completed, payload,
                   metadata, next_due, timed_at, creator, creator_details, created_at, updated_at)
values (%(cron_id)s, %(assistant_id)s, %(thread_id)s, %(schedule)s, %(timezone)s, %(end_time)s, %(enabled)s,
        %(on_run_completed)s, %(payload)s, %(metadata)s, %(next_due)s, %(timed_at)s, %(creator)s, %(creator_details)s,
        %(now)s, %(now)s);

-- name: cron
select * from crons where cron_id = %s;

-- name: lock_cron
-- Nobody else changes it, or fires it, until the commit.
select 1 from crons where cron_id = %s for update;

-- name: update_cron
update crons set schedule = %(schedule)s, timezone = %(timezone)s, end_time = %(end_time)s, enabled = %(enabled)s,
                 on_run_completed = %(on_run_completed)s, payload = %(payload)s, metadata = %(metadata)s,
                 next_due = %(next_due)s, timed_at = %(timed_at)s, revision = revision + 1, updated_at = %(now)s
where cron_id = %(cron_id)s;

-- name: delete_cron
delete from crons where cron_id = %s;

-- name: next_cron
select min(next_due), clock_micros() from crons where enabled and next_due is not null;

-- name: due_crons
select * from crons where enabled and next_due <= %s order by next_due limit %s;

-- name: misdated_crons
-- Somebody has set the time of day back since.
select * from crons where enabled and next_due is not null and timed_at > %s limit %s;

-- name: fire_cron
-- Only one that is as it was when its run was prepared.
update crons set next_due = %(next_due)s, timed_at = %(now)s
where cron_id = %(cron_id)s and next_due = %(was_due)s and revision = %(revision)s and enabled;

-- name: note_firing
insert into cron_firings (cron_id, due, fired_at, run_id) values (%(cron_id)s, %(due)s, %(now)s, %(run_id)s)
on conflict do nothing;

-- name: note_refusal
update cron_firings set run_id = null where cron_id = %(cron_id)s and due = %(due)s;

-- name: forget_firings
delete from cron_firings where cron_id = %(cron_id)s
and due <= (select due from cron_firings where cron_id = %(cron_id)s order by due desc limit 1 offset %(kept)s);

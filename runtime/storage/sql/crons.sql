-- Crons, and the moments at which they were due. Searches are put together at run time.

-- name: insert_cron
insert into crons (cron_id, assistant_id, thread_id, schedule, timezone, end_time, enabled, on_run_completed, payload,
                   metadata, next_due, timed_at, creator, creator_details, created_at, updated_at)
values (:cron_id, :assistant_id, :thread_id, :schedule, :timezone, :end_time, :enabled, :on_run_completed, :payload,
        :metadata, :next_due, :timed_at, :creator, :creator_details, :now, :now);

-- name: cron
select * from crons where cron_id = ?;

-- name: update_cron
update crons set schedule = :schedule, timezone = :timezone, end_time = :end_time, enabled = :enabled,
                 on_run_completed = :on_run_completed, payload = :payload, metadata = :metadata, next_due = :next_due,
                 timed_at = :timed_at,
                 revision = revision + 1, updated_at = :now
where cron_id = :cron_id;

-- name: delete_cron
delete from crons where cron_id = ?;

-- name: remove_crons_of_thread
delete from crons where cron_id in (select cron_id from crons where thread_id = :thread_id limit :limit);

-- name: remove_crons_of_assistant
delete from crons where cron_id in (select cron_id from crons where assistant_id = :assistant_id limit :limit);

-- name: next_cron
select min(next_due), clock_micros() from crons where enabled and next_due is not null;

-- name: due_crons
select * from crons where enabled and next_due <= ? order by next_due limit ?;

-- name: misdated_crons
-- Somebody has set the time of day back since.
select * from crons where enabled and next_due is not null and timed_at > ? limit ?;

-- name: fire_cron
-- Only one that is as it was when its run was prepared.
update crons set next_due = :next_due, timed_at = :now
where cron_id = :cron_id and next_due = :was_due and revision = :revision and enabled;

-- name: note_refusal
update cron_firings set run_id = null where cron_id = :cron_id and due = :due;

-- name: forget_firings
delete from cron_firings where cron_id = :cron_id
and due <= (select due from cron_firings where cron_id = :cron_id order by due desc limit 1 offset :kept);

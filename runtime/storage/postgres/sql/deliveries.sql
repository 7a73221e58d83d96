-- Webhook calls that are to be made. What a sender writes names the attempt that it has claimed.

-- name: claim_deliveries
with claimed as materialized (
  select delivery_id from deliveries where due <= %(now)s order by due limit %(limit)s for update skip locked
)
update deliveries set attempt = attempt + 1, due = %(leased)s, sender = %(sender)s from claimed
where deliveries.delivery_id = claimed.delivery_id
returning deliveries.delivery_id, attempt, url, run_id, payload, batch_id;

-- name: postpone_delivery
update deliveries set due = %(due)s, error = %(error)s, sender = null
where delivery_id = %(delivery_id)s and attempt = %(attempt)s;

-- name: next_delivery_due
select min(due), clock_micros() from deliveries;

-- name: release_deliveries
update deliveries set due = %(now)s, sender = null where sender = %(sender)s;

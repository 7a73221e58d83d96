-- Webhook calls that are to be made. What a sender writes names the attempt that it has claimed.

-- name: claim_deliveries
update deliveries set attempt = attempt + 1, due = :leased, sending = 1
where delivery_id in (select delivery_id from deliveries where due <= :now order by due limit :limit)
returning delivery_id, attempt, url, run_id, payload, batch_id;

-- name: postpone_delivery
update deliveries set due = :due, error = :error, sending = 0 where delivery_id = :delivery_id and attempt = :attempt;

-- name: release_deliveries
update deliveries set due = 0, sending = 0 where sending;

-- name: next_delivery_due
select min(due) from deliveries;

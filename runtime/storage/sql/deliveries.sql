-- Webhook calls that are to be made. What a sender writes names the attempt that it has claimed.

-- name: run_by_seq
select * from runs where seq = ?;

-- name: insert_delivery
insert into deliveries (run_id, url, payload, due, created_at) values (?, ?, ?, ?, ?);

-- name: finish_delivery
delete from deliveries where delivery_id = ? and attempt = ?;

-- name: deliveries_of_batch
select delivery_id from deliveries where batch_id = ?;

-- name: complete_delivery
update deliveries set payload = ? where delivery_id = ?;

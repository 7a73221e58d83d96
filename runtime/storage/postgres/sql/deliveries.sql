-- Webhook calls that are to be made. What a sender writes names the attempt that it has claimed.

-- name: run_by_seq
select * from runs where seq = %s;

-- name: insert_delivery
insert into deliveries (run_id, url, payload, due, created_at) values (%s, %s, %s, %s, %s);

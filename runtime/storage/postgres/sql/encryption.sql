-- Whether there are encrypted values, and how they are encrypted anew.

-- name: mark_encrypted
insert into encryption (since) values (clock_micros());

-- The run whose answer its thread holds got the one with the old key when the thread got the new one; they are the same.
-- name: share_answer_again
update runs set answer = null
where seq = (select answered from threads where thread_id = %(thread_id)s)
and position(convert_to(%(old)s, 'UTF8') in answer) > 0;

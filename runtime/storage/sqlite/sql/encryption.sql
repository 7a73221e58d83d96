-- Whether there are encrypted values, and how they are encrypted anew.

-- name: mark_encrypted
insert into encryption (since) select :now where not exists (select 1 from encryption);

-- Servers of earlier versions know nothing of encrypted values.
-- name: raise_oldest_reader
update schema_version set oldest_reader = max(oldest_reader, :version);

-- The run whose answer its thread holds got the one with the old key when the thread got the new one; they are the same.
-- name: share_answer_again
update runs set answer = null
where seq = (select answered from threads where thread_id = :thread_id) and instr(cast(answer as text), :old);

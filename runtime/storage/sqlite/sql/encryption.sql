-- Whether there are encrypted values, and how they are encrypted anew.

-- name: encrypted_since
select since from encryption;

-- name: mark_encrypted
insert into encryption (since) select :now where not exists (select 1 from encryption);

-- Servers of earlier versions know nothing of encrypted values.
-- name: raise_oldest_reader
update schema_version set oldest_reader = max(oldest_reader, :version);

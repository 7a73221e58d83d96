-- Whether there are encrypted values, and how they are encrypted anew.

-- name: encrypted_since
select since from encryption;

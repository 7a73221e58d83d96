-- Browsers whose users have signed in.

-- name: drop_excess_sign_ins
delete from sign_ins where digest in (select digest from sign_ins order by expires_at desc limit -1 offset :most);

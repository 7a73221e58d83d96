-- Browsers whose users have signed in.

-- name: begin_sign_in
insert into sign_ins (digest, sealed, expires_at) values (:digest, :sealed, :expires_at);

-- name: find_sign_in
select sealed from sign_ins where digest = :digest and expires_at > :now;

-- name: end_sign_in
delete from sign_ins where digest = :digest;

-- name: drop_ended_sign_ins
delete from sign_ins where expires_at <= :now;

-- name: drop_excess_sign_ins
delete from sign_ins where digest in (select digest from sign_ins order by expires_at desc limit -1 offset :most);

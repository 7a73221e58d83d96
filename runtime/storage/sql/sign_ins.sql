-- Browsers whose users have signed in.

-- name: begin_sign_in
insert into sign_ins (digest, sealed, expires_at) values (:digest, :sealed, :expires_at);

-- name: find_sign_in
select sealed from sign_ins where digest = :digest and expires_at > clock_micros();

-- name: end_sign_in
delete from sign_ins where digest = :digest;

-- name: drop_ended_sign_ins
delete from sign_ins where expires_at <= :now;

-- Browsers whose users have signed in.

-- name: begin_sign_in
insert into sign_ins (digest, sealed, expires_at) values (%(digest)s, %(sealed)s, %(expires_at)s);

-- name: find_sign_in
select sealed from sign_ins where digest = %(digest)s and expires_at > clock_micros();

-- name: end_sign_in
delete from sign_ins where digest = %(digest)s;

-- name: drop_ended_sign_ins
delete from sign_ins where expires_at <= %(now)s;

-- name: drop_excess_sign_ins
delete from sign_ins where digest in (select digest from sign_ins order by expires_at desc offset %(most)s);

-- Idempotency keys that were used, and what was made under them: for those who repeat their request.
create table idempotency_keys (
  seq integer primary key,
  creator text,
  key text not null,
  fingerprint blob not null,
  answer blob not null,
  created_at integer not null
);

-- Nobody in particular is one of those whom keys belong to.
create unique index idempotency_key on idempotency_keys (key, coalesce(creator, ''), creator is null);
create index idempotency_key_created on idempotency_keys (created_at);

-- How many bytes all of them take, with what a row takes beside its answer.
create table idempotency_size (bytes integer not null);
insert into idempotency_size (bytes) values (0);

create trigger idempotency_key_kept after insert on idempotency_keys begin
  update idempotency_size set bytes = bytes + 512 + length(new.answer);
end;

create trigger idempotency_key_forgotten after delete on idempotency_keys begin
  update idempotency_size set bytes = bytes - 512 - length(old.answer);
end;

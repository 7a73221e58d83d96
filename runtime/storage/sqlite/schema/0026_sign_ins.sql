-- Browsers whose users have signed in: `digest` is that of the secret that a browser has, and `sealed` can be read with
-- that secret alone.
create table sign_ins (
  digest blob primary key,
  sealed blob not null,
  expires_at integer not null
) without rowid;
create index sign_in_expiry on sign_ins (expires_at);

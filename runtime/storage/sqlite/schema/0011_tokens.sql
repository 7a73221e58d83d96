-- What tells a claim from all others, those of the same worker and the same attempt too: random with each.
alter table runs add column token integer not null default 0;

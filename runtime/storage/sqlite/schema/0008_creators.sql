-- Who made what: the identity of the caller; null for what nobody in particular has made.
alter table threads add column creator text;
alter table runs add column creator text;
alter table assistants add column creator text;

-- Whether an assistant is a graph's own, which everybody may read, whoever else's it is.
alter table assistants add column system integer not null default 0;
update assistants set system = 1 where json_extract(metadata, '$.created_by') = 'system';

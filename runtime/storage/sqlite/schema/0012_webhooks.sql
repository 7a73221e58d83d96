-- Whether a server has claimed a webhook call and not yet said what became of it: the next server calls at once.
alter table deliveries add column sending integer not null default 0;
create index delivery_sending on deliveries (delivery_id) where sending;

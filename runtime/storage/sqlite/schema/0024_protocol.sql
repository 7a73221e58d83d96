-- Runs that speak the thread event protocol: what they emit is stored as its events.
alter table runs add column protocol integer not null default 0;

-- Whether something was next when the run ended: it asks, or stopped at a node.
alter table runs add column paused integer not null default 0;

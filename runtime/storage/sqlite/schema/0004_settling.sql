-- Threads whose latest run ended without its worker, and what failed runs answered.

-- How the thread settles ('error', 'interrupted') once its last checkpoint has been read; null: it shows all that it
-- should.
alter table threads add column unsettled text;
create index thread_unsettled on threads (thread_id) where unsettled is not null;

-- What joining a run that failed answers when its outcome is no longer kept.
alter table runs add column failure blob;

-- `paused` are the microseconds between ends of the batch and retries of its items, in which it could not get on.
alter table batch_counts add column paused integer not null default 0;

-- Items of an ended batch are tried again.
drop trigger batch_resumed;
create trigger batch_resumed after update of pending on batch_counts
when new.pending > 0 and old.pending = 0 and old.running = 0 begin
  update batch_counts set
    paused = paused + max(0, (select new.updated_at - coalesce(ended_at, new.updated_at)
                              from batches where batch_id = new.batch_id))
  where batch_id = new.batch_id;
  update batches set ended_at = null, cancelled_at = null where batch_id = new.batch_id;
end;

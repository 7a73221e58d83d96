-- All that is known of the creator of a run, as JSON, for the code of graphs that runs for them; null for nobody in
-- particular. It may hold secrets, so it is kept no longer than the run may begin again.
alter table runs add column creator_details text;

create trigger run_creator_forgotten after update of queue on runs
when new.queue is null and new.creator_details is not null
begin
  update runs set creator_details = null where seq = new.seq;
end;

-- How many tries of a run have failed, and were followed by another.
alter table runs add column failed integer not null default 0;

-- Runs that wait for their next try: each keeps its thread.
create unique index run_trying on runs (thread_id) where queue = 'delayed' and failed > 0;

-- Results are what ended runs of batches have answered. The place of an item is that of its latest run: one that was
-- replaced by another (`retry_of` names it there) keeps its batch and has no index. `batch_end` counts the ends in a
-- batch, so that who follows one knows which results are new.
alter table runs add column retry_of text;
alter table runs add column batch_end integer;
create index run_batch_end on runs (batch_id, batch_end) where batch_end is not null;
alter table batch_counts add column ends integer not null default 0;

-- Bytes of answers that are kept for a batch. `erased` is 1 once the time of its results is over, and 2 when nothing is
-- left of them.
alter table batch_counts add column result_bytes integer not null default 0;
alter table batches add column erased integer not null default 0;
create index batch_with_results on batches (ended_at) where erased = 0;
create index batch_erasing on batches (batch_id) where erased = 1;

-- What an item answered goes with the results of its batch, other answers when they are old.
drop index run_answered;
create index run_answered on runs (ended_at) where answer is not null and batch_index is null;
create index run_item_answered on runs (ended_at) where answer is not null and batch_index is not null;

-- What is left of items whose run was removed, with its thread or by a rollback. Of those that did not succeed also
-- what a retry needs.
create table removed_items (
  batch_id text not null,
  batch_index integer not null,
  batch_end integer not null,
  run_id text not null,
  retry_of text,
  status text not null,
  attempt integer not null,
  failed integer not null,
  ended_at integer not null,
  assistant_id text not null,
  graph_id text not null,
  strategy text not null,
  temporary integer not null,
  resumable integer not null,
  webhook text,
  metadata text not null,
  kwargs text,
  answer blob,
  failure blob,
  primary key (batch_id, batch_index)
);
create index removed_item_end on removed_items (batch_id, batch_end);
create index removed_item_answered on removed_items (ended_at) where answer is not null;

create trigger batch_item_ended after update of ended_at on runs
when new.batch_index is not null and new.ended_at is not null and old.ended_at is null begin
  update batch_counts set
    ends = ends + 1,
    result_bytes = result_bytes + coalesce((select length(answer) from runs where seq = new.seq), 0)
  where batch_id = new.batch_id;
  update runs set batch_end = (select ends from batch_counts where batch_id = new.batch_id) where seq = new.seq;
end;

-- Read from the table: what a trigger names of the old row is read for every run that is removed.
create trigger batch_item_removed before delete on runs
when old.batch_index is not null and exists (select 1 from batches where batch_id = old.batch_id and erased = 0) begin
  update batch_counts set ends = ends + 1 where batch_id = old.batch_id and old.batch_end is null;
  insert or replace into removed_items
    (batch_id, batch_index, batch_end, run_id, retry_of, status, attempt, failed, ended_at, assistant_id, graph_id,
     strategy, temporary, resumable, webhook, metadata, kwargs, answer, failure)
  select batch_id, batch_index, coalesce(batch_end, (select ends from batch_counts where batch_id = old.batch_id)),
         run_id, retry_of, case when ended_at is null then 'interrupted' else status end, attempt, failed,
         coalesce(ended_at, updated_at), assistant_id, graph_id, strategy, temporary, resumable, webhook, metadata,
         case when status <> 'success' then kwargs end, answer,
         case when ended_at is null
              then cast('{"__error__":{"error":"UserInterrupt","message":"The run was removed before it ended."}}' as blob)
              else failure end
  from runs where seq = old.seq;
end;

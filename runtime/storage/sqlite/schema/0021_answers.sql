-- What a run has answered is mostly what its thread holds from then on: that is written once. `answered` is that run; it
-- gets an answer of its own as soon as the thread holds something else. Items of batches have their own from the start,
-- since results outlive threads.
alter table threads add column answered integer;

create trigger thread_answer_replaced before update of state on threads
when old.answered is not null and (new.answered is not old.answered or new.state is not old.state) begin
  update runs set answer = (select state from threads where thread_id = old.thread_id)
  where seq = old.answered and answer is null;
end;

-- The clock of the queue.

-- name: clock_ahead
select ahead from clock where boot = ?;

-- name: note_clock
insert or ignore into clock (boot, ahead) values (?, ?);

-- name: forget_clocks
delete from clock where boot <> ?;

-- Runs as their clients see them: accepted, looked up, cancelled, removed.

-- name: crowd_of_thread
-- Runs of a thread that are not its head, but for the first ones: nothing is promoted when they end.
select seq, run_id from runs where thread_id = ? and queue in ('waiting', 'delayed') order by seq limit ? offset ?;

-- The clock of the database.

-- name: clock
select clock_micros();

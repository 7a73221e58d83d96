-- Since when values are encrypted by the code of a project: a row at the most. A server without that code would take them
-- for what they are not.
create table encryption (since integer not null);

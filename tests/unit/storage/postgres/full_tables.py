"""A database with many rows in each table, most of them of what has ended long ago."""

from __future__ import annotations

import psycopg

FILL = """
insert into threads (thread_id, created_at, updated_at, state_updated_at, status, settled, metadata, graph_id, state,
                     interrupts, temporary, ttl_strategy, ttl_minutes)
select 't' || n, moment, moment, moment, case when n % 500 < 4 then 'busy' else 'idle' end, 'idle',
       jsonb_build_object('graph_id', 'g', 'owner', 'o' || n % 997), 'g', '{{}}', '{{}}', n % 500 = 4,
       case when n % 10 = 0 then 'delete' end, case when n % 10 = 0 then 60 * 24 * 365 end
from {numbers};

insert into batches (batch_id, metadata, size, created_at, ended_at, erased, result_ttl)
select 'b' || n, '{{}}', 1, moment, case when n % 500 > 0 then moment end, case when n % 5 = 0 then 0 else 2 end,
       case when n % 15 = 0 then 31536000 end
from {numbers};
insert into batch_counts (batch_id, pending, success, updated_at)
select batch_id, 0, 1, created_at from batches;
insert into batch_durations (batch_id, upto, runs) select batch_id, 1000, 1 from batches;

insert into runs (run_id, thread_id, assistant_id, graph_id, status, queue, lane, due, worker, strategy, temporary,
                  resumable, watching, metadata, kwargs, batch_id, batch_index, batch_end, answer, created_at,
                  updated_at, started_at, claimed_at, ended_at, cancel)
select 'r' || n, 't' || n, 'a', 'g',
       case when place = 1 then 'running' when place < 4 then 'pending' else 'success' end,
       case place when 0 then 'ready' when 1 then 'running' when 2 then 'waiting' when 3 then 'delayed' end,
       case when n % 2 = 0 then 2 else 1 end, case when place = 3 then moment + 10000000000000 end,
       case when place = 1 then 'w' || n % 7 end, 'enqueue', false, n % 100 = 5, 0, '{{}}', '{{}}',
       case when n % 2 = 0 then 'b' || n end, case when n % 2 = 0 then 0 end,
       case when n % 2 = 0 and place > 3 then 1 end, case when place > 3 then '{{}}'::bytea end,
       moment, moment, moment, moment, case when place > 3 then moment end, null
from (select *, n % 500 as place from {runs}) as placed;

insert into thread_events (thread_id, seq, first, run_id, status, unstored, ended_at, data)
select 't' || n, k, k, 'r' || n, case when k = 2 then 'success' end, case when k = 2 then false end,
       case when k = 2 then moment end, case when k = 1 then 'e'::bytea end
from {numbers}, generate_series(1, 2) as k;
insert into removed_events (thread_id, last) select 't' || n, 3 from {numbers};

insert into checkpoints (thread_id, ns, checkpoint_id, run_id, type, data, metadata)
select 't' || n, '', 'c' || n, 'r' || n, 'msgpack', 'd', 'm' from {numbers};
insert into checkpoint_blobs (thread_id, ns, channel, version, run_id, type, data)
select 't' || n, '', 'messages', '1', 'r' || n, 'msgpack', 'd' from {numbers};
insert into checkpoint_writes (thread_id, ns, checkpoint_id, task_id, idx, run_id, channel, type, data, task_path)
select 't' || n, '', 'c' || n, 'k', 0, 'r' || n, 'messages', 'msgpack', 'd', '' from {numbers};
insert into replaced_writes (thread_id, run_id, ns, checkpoint_id, task_id, idx, channel, type, data, task_path)
select 't' || n, 'r' || n, '', 'c' || n, 'k', 0, 'messages', 'msgpack', 'd', '' from {numbers};

insert into removed_items (batch_id, batch_index, batch_end, run_id, status, attempt, failed, ended_at, assistant_id,
                           graph_id, strategy, temporary, resumable, metadata, answer)
select 'b' || n, 1, 2, 'x' || n, 'success', 1, 0, moment, 'a', 'g', 'enqueue', true, false, '{{}}', '{{}}'
from {numbers};

insert into assistants (assistant_id, graph_id, name, config, context, metadata, version, created_at, updated_at)
select 'a' || n, 'g', 'n' || n, '{{}}', '{{}}', '{{}}', 1, moment, moment from {numbers};
insert into assistant_versions (assistant_id, version, graph_id, name, config, context, metadata, created_at)
select assistant_id, 1, graph_id, name, config, context, metadata, created_at from assistants;

insert into crons (cron_id, assistant_id, thread_id, schedule, enabled, payload, metadata, next_due, created_at,
                   updated_at)
select 'c' || n, 'a' || n, 't' || n, '* * * * *', true, '{{}}', '{{}}', moment + 10000000000000, moment, moment
from {numbers};
insert into cron_firings (cron_id, due, fired_at, run_id) select cron_id, 1, 1, 'r' from crons;

insert into deliveries (run_id, url, payload, due, created_at, batch_id)
select 'r' || n, 'u', '{{}}', moment + 10000000000000, moment, 'b' || n from {numbers};
insert into idempotency_keys (key, fingerprint, answer, created_at) select 'k' || n, 'f', 'a', moment from {numbers};
insert into store_items (digest, namespace, key, value, created_at, updated_at, expires_at, indexed)
select convert_to('d' || n, 'UTF8'), 'users.' || n % 1000, convert_to('k' || n, 'UTF8'), '{{"a": 1}}', moment, moment,
       case when n % 10 = 0 then moment + 10000000000000 end, 'i'
from {numbers};
"""


LARGEST = 50_000


def fill(connection: psycopg.Connection, runs: int) -> None:
    """Makes so many runs, and about as many rows of what else may grow, `LARGEST` at the most."""
    connection.execute(FILL.format(runs=_numbers(runs), numbers=_numbers(min(runs, LARGEST))))
    connection.execute("analyze")


def _numbers(count: int) -> str:
    return f"(select n, clock_micros() - 864000000000 + n as moment from generate_series(1, {count}) as n) as numbers"

// What applications do with the stock JavaScript client, each as one function. A scenario fails by throwing.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { Client } from "@langchain/langgraph-sdk";

const client = new Client({ apiUrl: process.env.RUNYARD_URL, apiKey: null });
// The same server behind a network that breaks the first answer which contains "waiting".
const clientBehindProxy = () => new Client({ apiUrl: process.env.RUNYARD_PROXY, apiKey: null });
const gate = process.env.RUNYARD_GATE;
const openGate = () => writeFileSync(gate, "");
const heldInput = (label = "x") => ({ gate, label });
const unheldInput = (label) => ({ gate: "/", label });
const userMessage = (text) => ({ messages: [{ role: "user", content: text, id: "question" }] });

async function collect(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

async function readUntil(stream, event) {
  const parts = [];
  for (;;) {
    const { done, value } = await stream.next();
    assert(!done, `the stream ended without ${event}`);
    parts.push(value);
    if (value.event === event) return parts;
  }
}

const eventNames = (parts) => parts.map((part) => part.event);
const dataOf = (parts, event) => parts.filter((part) => part.event === event).map((part) => part.data);
const newThread = async () => (await client.threads.create()).thread_id;

async function waitForStatus(threadId, runId, status) {
  for (let look = 0; look < 1500; look += 1) {
    const run = await client.runs.get(threadId, runId);
    if (run.status === status) return run;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`run ${runId} never was ${status}`);
}

const withStatus = (status) => (error) => {
  assert.equal(error.status, status, error.message);
  return true;
};

// Batches

export async function aBatchOfPayloadsInCamelCase() {
  const runs = await client.runs.createBatch(
    [1, 2, 3].map((n) => ({
      assistantId: "chain",
      input: { n },
      metadata: { n },
      streamMode: ["values", "updates"],
      streamSubgraphs: true,
      multitaskStrategy: "reject",
      onCompletion: "keep",
      interruptAfter: ["b"],
      webhook: undefined,
      config: { tags: ["js"] },
    })),
  );
  assert.deepEqual(runs.map((run) => run.metadata.n), [1, 2, 3]);
  const [{ kwargs, multitask_strategy: strategy }] = runs;
  assert.deepEqual([kwargs.config.tags, kwargs.stream_mode, strategy], [["js"], ["values", "updates"], "reject"]);
  const answers = await Promise.all(runs.map((run) => client.runs.join(run.thread_id, run.run_id)));
  assert.deepEqual(answers.map((answer) => answer.n), [12, 13, 14]);
  const threads = await Promise.all(runs.map((run) => client.threads.get(run.thread_id)));
  assert.deepEqual(threads.map((thread) => thread.status), ["interrupted", "interrupted", "interrupted"]);
}

export async function aBadItemRefusesTheBatchAtOnce() {
  let requests = 0;
  const counting = new Client({
    apiUrl: process.env.RUNYARD_URL,
    apiKey: null,
    onRequest: (_url, init) => {
      requests += 1;
      return init;
    },
  });
  const metadata = { tag: randomUUID() };
  const items = [{ assistantId: "chain", metadata, on_completion: "keep" }, { assistantId: "nope" }];
  await assert.rejects(counting.runs.createBatch(items), (error) => {
    assert.equal(error.status, 422);
    assert.match(error.message, /body\[1\]/);
    return true;
  });
  assert.equal(requests, 1);
  assert.equal(await client.threads.count({ metadata }), 0);
}

export async function aRequestWithAKeyMadeOnce() {
  const key = randomUUID();
  const withKey = (url, init) => {
    const headers = new Headers(init.headers);
    if (init.method === "POST") headers.set("Idempotency-Key", key);
    return { ...init, headers };
  };
  const keyed = new Client({ apiUrl: process.env.RUNYARD_URL, apiKey: null, onRequest: withKey });
  const threadId = await newThread();
  const first = await keyed.runs.create(threadId, "chain", { input: { n: 1 } });
  assert.deepEqual(await keyed.runs.create(threadId, "chain", { input: { n: 1 } }), first);
  await assert.rejects(keyed.runs.create(threadId, "chain", { input: { n: 2 } }), withStatus(422));
  const other = { "Idempotency-Key": randomUUID() };
  const byHeaders = new Client({ apiUrl: process.env.RUNYARD_URL, apiKey: null, defaultHeaders: other });
  const values = await byHeaders.runs.wait(threadId, "chain", { input: { n: 2 } });
  assert.deepEqual(await byHeaders.runs.wait(threadId, "chain", { input: { n: 2 } }), values);
  assert.equal((await client.runs.list(threadId)).length, 2);
}

export async function aBatchWithHeadersThatSayWhatIsAskedForIt() {
  const naming = new Client({
    apiUrl: process.env.RUNYARD_URL,
    apiKey: null,
    onRequest: (_url, init) => ({
      ...init,
      headers: { ...init.headers, "X-Batch-Name": "from JavaScript", "X-Batch-Metadata": '{"customer":"acme"}' },
    }),
  });
  const runs = await naming.runs.createBatch([1, 2].map((n) => ({ assistantId: "chain", input: { n } })));
  await Promise.all(runs.map((run) => client.runs.join(run.thread_id, run.run_id)));
  const answer = await fetch(`${process.env.RUNYARD_URL}/batches/${runs[0].batch_id}`);
  const batch = await answer.json();
  assert.deepEqual([batch.name, batch.metadata], ["from JavaScript", { customer: "acme" }]);
  assert.deepEqual([batch.status, batch.counts.success], ["completed", 2]);
}

// Runs

export async function waitAnswersTheFinalValues() {
  assert.equal((await client.runs.wait(null, "chain", { input: { n: 1 } })).n, 112);
  const thread = await newThread();
  await client.runs.wait(thread, "chain", { input: { n: 1 } });
  assert.equal((await client.runs.wait(thread, "chain", { input: { n: 1 } })).n, 224);
}

export async function waitThrowsTheErrorOfAFailedRun() {
  await assert.rejects(client.runs.wait(null, "failing", { input: {} }), /ValueError: boom from failing graph/);
  const answer = await client.runs.wait(null, "failing", { input: {}, raiseError: false });
  assert.equal(answer.__error__.error, "ValueError");
}

export async function aRunIsCreatedJoinedListedAndDeleted() {
  const thread = await newThread();
  const created = [];
  const run = await client.runs.create(thread, "chain", {
    input: { n: 1 },
    metadata: { k: "v" },
    onRunCreated: (named) => created.push(named),
  });
  assert.deepEqual(created, [{ run_id: run.run_id, thread_id: thread }]);
  assert.equal((await client.runs.join(thread, run.run_id)).n, 112);
  assert.equal((await client.runs.get(thread, run.run_id)).status, "success");
  assert.deepEqual(await client.runs.list(thread, { select: ["run_id", "status"] }), [
    { run_id: run.run_id, status: "success" },
  ]);
  assert.deepEqual(await client.runs.list(thread, { status: "error" }), []);
  await client.runs.delete(thread, run.run_id);
  await assert.rejects(client.runs.get(thread, run.run_id), withStatus(404));
}

export async function anUnknownThreadIsMadeWhenAskedFor() {
  const thread = randomUUID();
  await assert.rejects(client.runs.create(thread, "chain", { input: {} }), withStatus(404));
  await client.runs.wait(thread, "chain", { input: { n: 1 }, ifNotExists: "create" });
  assert.equal((await client.threads.get(thread)).status, "idle");
}

export async function runsOfAThreadKeepTheirOrder() {
  const thread = await newThread();
  for (const label of ["1", "2", "3"]) await client.runs.create(thread, "gated", { input: unheldInput(label) });
  const answer = await client.runs.wait(thread, "gated", { input: unheldInput("4") });
  assert.deepEqual(answer.log, ["1", "2", "3", "4"].flatMap((label) => [`${label} in`, `${label} out`]));
}

export async function doubleTexting() {
  const thread = await newThread();
  const first = await client.runs.create(thread, "gated", { input: heldInput("first") });
  await waitForStatus(thread, first.run_id, "running");
  const second = (strategy) => ({ input: unheldInput("second"), multitaskStrategy: strategy });
  await assert.rejects(client.runs.create(thread, "gated", second("reject")), withStatus(409));
  const answer = await client.runs.wait(thread, "gated", second("rollback"));
  assert.deepEqual(answer.log, ["second in", "second out"]);
  await assert.rejects(client.runs.get(thread, first.run_id), withStatus(404));
}

export async function aRunIsCancelled() {
  const thread = await newThread();
  const run = await client.runs.create(thread, "gated", { input: heldInput() });
  await waitForStatus(thread, run.run_id, "running");
  await client.runs.cancel(thread, run.run_id, true);
  assert.equal((await client.runs.get(thread, run.run_id)).status, "interrupted");
  const other = await client.runs.create(thread, "gated", { input: heldInput() });
  await client.runs.cancel(thread, other.run_id, true, "rollback");
  await assert.rejects(client.runs.get(thread, other.run_id), withStatus(404));
  const taken = await client.runs.create(thread, "gated", { input: heldInput() });
  await client.runs.cancel(thread, taken.run_id, true, "interrupt", { reason: "taken" });
  assert.match((await client.runs.get(thread, taken.run_id)).cancel_reason, /^taken:/);
  const many = [];
  for (const label of ["a", "b"]) many.push(await client.runs.create(thread, "gated", { input: heldInput(label) }));
  await client.runs.cancelMany({ threadId: thread, runIds: many.map((each) => each.run_id) });
  for (const each of many) await waitForStatus(thread, each.run_id, "interrupted");
}

// Streams

export async function valuesAndUpdatesAreStreamed() {
  const created = [];
  const parts = await collect(
    client.runs.stream(null, "chain", {
      input: { n: 1 },
      streamMode: ["values", "updates"],
      onRunCreated: (named) => created.push(named.run_id),
    }),
  );
  assert.deepEqual(dataOf(parts, "values").map((values) => values.n), [1, 2, 12, 112]);
  assert.deepEqual(dataOf(parts, "updates").map((update) => Object.keys(update)[0]), ["a", "b", "c"]);
  assert.deepEqual(created, [parts[0].data.run_id]);
}

export async function tokensAreStreamed() {
  const thread = await newThread();
  const tuples = await collect(
    client.runs.stream(thread, "echo", { input: userMessage("hello 🦜 world"), streamMode: "messages-tuple" }),
  );
  assert.equal(dataOf(tuples, "messages").map(([chunk]) => chunk.content).join(""), "echo: hello 🦜 world");
  const growing = await collect(
    client.runs.stream(null, "echo", { input: userMessage("hello world"), streamMode: ["messages"] }),
  );
  assert.equal(dataOf(growing, "messages/partial").at(-1)[0].content, "echo: hello world");
}

export async function subgraphsAreStreamedByTheirPlace() {
  const parts = await collect(
    client.runs.stream(null, "subgraphed", { input: userMessage("x"), streamMode: "updates", streamSubgraphs: true }),
  );
  const inner = parts.filter((part) => part.event.startsWith("updates|child:"));
  assert.deepEqual(inner.map((part) => Object.keys(part.data)[0]), ["think", "confirm"]);
}

export async function aFailureIsTheLastEvent() {
  const parts = await collect(client.runs.stream(null, "failing", { input: {} }));
  assert.deepEqual(parts.at(-1).data, { error: "ValueError", message: "boom from failing graph" });
}

export async function aReloadedPageJoinsTheStreamWhereItWas() {
  const thread = await newThread();
  const options = { input: heldInput(), streamMode: ["updates", "custom"], streamResumable: true };
  const stream = client.runs.stream(thread, "gated", options);
  const seen = await readUntil(stream, "custom");
  const runId = seen[0].data.run_id;
  await stream.return(); // the page is closed
  const rejoined = client.runs.joinStream(thread, runId, { lastEventId: seen.at(-1).id });
  openGate();
  assert.deepEqual(eventNames([...seen, ...(await collect(rejoined))]), ["metadata", "updates", "custom", "updates"]);
}

export async function aStreamIsJoinedByTheRunAlone() {
  const run = await client.runs.create(null, "chain", {
    input: { n: 1 },
    streamMode: ["values", "updates", "tasks"],
    streamResumable: true,
    onCompletion: "keep",
  });
  const whole = await collect(client.runs.joinStream(null, run.run_id, { lastEventId: "-1" }));
  assert.equal(dataOf(whole, "values").at(-1).n, 112);
  const some = await collect(
    client.runs.joinStream(run.thread_id, run.run_id, { lastEventId: "-1", streamMode: ["values", "updates"] }),
  );
  assert.deepEqual([...new Set(eventNames(some))].sort(), ["metadata", "updates", "values"]);
}

export async function aBrokenStreamIsResumedWhereItBroke() {
  const thread = await newThread();
  const stream = clientBehindProxy().runs.stream(thread, "gated", {
    input: heldInput(),
    streamMode: ["updates", "custom"],
    streamResumable: true,
  });
  const begun = await readUntil(stream, "custom");
  openGate();
  assert.deepEqual(eventNames([...begun, ...(await collect(stream))]), ["metadata", "updates", "custom", "updates"]);
}

export async function aBrokenJoinOfAStreamIsResumedWhereItBroke() {
  const run = await client.runs.create(null, "gated", {
    input: heldInput(),
    streamMode: ["updates", "custom"],
    streamResumable: true,
  });
  const stream = clientBehindProxy().runs.joinStream(run.thread_id, run.run_id, { lastEventId: "-1" });
  const begun = await readUntil(stream, "custom");
  openGate();
  assert.deepEqual(eventNames([...begun, ...(await collect(stream))]), ["metadata", "updates", "custom", "updates"]);
}

export async function aClosedPageEndsItsRunWhenThatWasAskedFor() {
  const thread = await newThread();
  const leaving = new AbortController();
  const stream = client.runs.stream(thread, "gated", {
    input: heldInput(),
    streamMode: "custom",
    onDisconnect: "cancel",
    signal: leaving.signal,
  });
  const [begun] = await readUntil(stream, "custom");
  leaving.abort();
  await waitForStatus(thread, begun.data.run_id, "interrupted");
}

export async function theStreamOfAThreadFollowsItsRuns() {
  const thread = await newThread();
  let open;
  const opened = new Promise((resolve) => (open = resolve));
  const watcher = new Client({
    apiUrl: process.env.RUNYARD_URL,
    apiKey: null,
    callerOptions: { fetch: (...request) => fetch(...request).finally(open) },
  });
  const done = [];
  const watching = (async () => {
    for await (const part of watcher.threads.joinStream(thread)) {
      if (part.event === "metadata" && part.data.status === "run_done") done.push(part.data.run_id);
      if (done.length === 2) return;
    }
  })();
  await opened;
  const runs = [];
  for (const n of [1, 2]) runs.push(await client.runs.create(thread, "chain", { input: { n } }));
  await watching;
  assert.deepEqual(done, runs.map((run) => run.run_id));
}

// Threads, people, time

export async function aHumanIsAsked() {
  const thread = await newThread();
  const asked = await client.runs.wait(thread, "interrupting", { input: { text: "t" } });
  assert.deepEqual(asked.__interrupt__[0].value, { question: "ok?", text: "t" });
  const waiting = await client.threads.search({ ids: [thread], status: "interrupted" });
  assert.equal(waiting.length, 1);
  const parts = await collect(
    client.runs.stream(thread, "interrupting", { command: { resume: { ok: true } }, streamMode: "values" }),
  );
  assert.deepEqual(dataOf(parts, "values").at(-1).answer, { ok: true });
}

export async function aThreadHasAPastThatCanBeChanged() {
  const thread = await newThread();
  await client.runs.wait(thread, "chain", { input: { n: 0 } });
  const history = await client.threads.getHistory(thread, { limit: 20 });
  assert.deepEqual(history.map((state) => state.next), [[], ["c"], ["b"], ["a"], ["__start__"]]);
  const { checkpoint } = history[2];
  assert.equal((await client.threads.getState(thread, checkpoint)).values.n, 1);
  assert.equal((await client.threads.getState(thread, checkpoint.checkpoint_id)).values.n, 1);
  const changed = await client.threads.updateState(thread, { values: { n: 1000 }, checkpoint });
  const answer = await client.runs.wait(thread, "chain", { input: null, checkpoint: changed.checkpoint });
  assert.equal(answer.n, 1111);
  const again = await client.runs.wait(thread, "chain", { input: null, checkpointId: checkpoint.checkpoint_id });
  assert.equal(again.n, 111);
}

export async function threadsAreKept() {
  const tag = randomUUID();
  const thread = await client.threads.create({ metadata: { tag }, graphId: "chain" });
  await client.threads.update(thread.thread_id, { metadata: { colour: "red" } });
  const copy = await client.threads.copy(thread.thread_id);
  assert.equal(copy.metadata.colour, "red");
  const found = await client.threads.search({ metadata: { tag }, sortBy: "created_at", sortOrder: "asc" });
  assert.deepEqual(found.map((each) => each.thread_id), [thread.thread_id, copy.thread_id]);
  assert.equal(await client.threads.count({ metadata: { tag } }), 2);
  await client.threads.delete(thread.thread_id);
  await assert.rejects(client.threads.get(thread.thread_id), withStatus(404));
  assert.deepEqual(await client.threads.prune([copy.thread_id]), { pruned_count: 1 });
}

export async function assistantsAreMadeChangedAndDrawn() {
  const [system] = await client.assistants.search({ graphId: "configured", metadata: { created_by: "system" } });
  assert.equal(system.graph_id, "configured");
  const own = await client.assistants.create({ graphId: "configured", context: { model_name: "a" }, name: "mine" });
  const seen = async () => (await client.runs.wait(null, own.assistant_id, { input: {} })).seen.context.model_name;
  assert.equal(await seen(), "a");
  await client.assistants.update(own.assistant_id, { context: { model_name: "b" } });
  assert.equal(await seen(), "b");
  assert.deepEqual((await client.assistants.getVersions(own.assistant_id)).map((each) => each.version), [2, 1]);
  await client.assistants.setLatest(own.assistant_id, 1);
  assert.equal(await seen(), "a");
  const drawn = await client.assistants.getGraph("subgraphed", { xray: true });
  assert(drawn.nodes.some((node) => node.id === "child:think"));
  assert((await client.assistants.getSchemas(own.assistant_id)).state_schema.properties.seen);
  await client.assistants.delete(own.assistant_id);
  await assert.rejects(client.assistants.get(own.assistant_id), withStatus(404));
}

export async function cronsMakeRuns() {
  const thread = await client.threads.create();
  const cron = await client.crons.createForThread(thread.thread_id, "chain", {
    schedule: "* * * * * *",
    input: { n: 1 },
    metadata: { colour: "red" },
  });
  const made = async () => (await client.runs.list(thread.thread_id)).length;
  while (!(await made())) await new Promise((resolve) => setTimeout(resolve, 50));
  await client.crons.update(cron.cron_id, { enabled: false });
  const [found] = await client.crons.search({ threadId: thread.thread_id });
  assert.deepEqual([found.cron_id, found.enabled], [cron.cron_id, false]);
  const [run] = await client.runs.list(thread.thread_id);
  assert.equal(run.metadata.cron_id, cron.cron_id);
  assert.equal(run.metadata.colour, "red");
  const other = await client.crons.create("chain", { schedule: "@daily", timezone: "Europe/Vienna", input: {} });
  assert.equal(await client.crons.count({ assistantId: other.assistant_id, metadata: {} }) >= 1, true);
  for (const each of [cron, other]) await client.crons.delete(each.cron_id);
}

// The store

export async function itemsOfTheStore() {
  const user = randomUUID();
  await client.store.putItem(["users", user], "food", { text: "dumplings", stars: 4 }, { ttl: 60 });
  await client.store.putItem(["users", user, "trips"], "lake", { text: "by train", stars: 2 }, { index: false });
  const item = await client.store.getItem(["users", user], "food", { refreshTtl: true });
  assert.deepEqual(item.value, { text: "dumplings", stars: 4 });
  assert(!Number.isNaN(Date.parse(item.createdAt)) && !Number.isNaN(Date.parse(item.updatedAt)));
  const { items } = await client.store.searchItems(["users", user], { filter: { stars: { $gt: 3 } }, limit: 5 });
  assert.deepEqual(items.map((found) => found.key), ["food"]);
  const { namespaces } = await client.store.listNamespaces({ prefix: ["users", user], maxDepth: 3 });
  assert.deepEqual(namespaces, [["users", user], ["users", user, "trips"]]);
  await client.store.deleteItem(["users", user], "food");
  assert.equal(await client.store.getItem(["users", user], "food").catch(() => null), null);
  await assert.rejects(client.store.putItem(["langgraph"], "k", {}), withStatus(400));
}

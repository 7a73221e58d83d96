// Two users of one server, each with the stock JavaScript client: what one has is not there for the other.
import assert from "node:assert/strict";
import { Client } from "@langchain/langgraph-sdk";

const clientOf = (token) =>
  new Client({
    apiUrl: process.env.RUNYARD_URL,
    apiKey: null,
    defaultHeaders: { authorization: `Bearer ${token}` },
    callerOptions: { maxRetries: 0 },
  });
const ann = clientOf("ann-token");
const bob = clientOf("bob-token");

const { thread_id: threadId } = await ann.threads.create({ metadata: { owner: "bob" } });
const values = await ann.runs.wait(threadId, "chain", { input: { n: 1 } });
assert.equal(values.n, 112);
const parts = [];
for await (const part of ann.runs.stream(threadId, "chain", { input: { n: 1 }, streamResumable: true })) parts.push(part);
const runId = parts[0].data.run_id;
const { assistant_id: assistantId } = await ann.assistants.create({ graphId: "chain" });

assert((await ann.threads.search({ limit: 1000 })).some((thread) => thread.thread_id === threadId));
assert(!(await bob.threads.search({ limit: 1000 })).some((thread) => thread.thread_id === threadId));
const ended = [];
for await (const part of bob.runs.joinStream(threadId, runId, { lastEventId: "-1" })) ended.push(part.event);
assert.deepEqual(ended, ["error"]);
for (const attempt of [
  () => bob.threads.get(threadId),
  () => bob.threads.update(threadId, { metadata: { owner: "bob" } }),
  () => bob.threads.getState(threadId),
  () => bob.threads.delete(threadId),
  () => bob.runs.list(threadId),
  () => bob.runs.wait(threadId, "chain", { input: { n: 1 }, ifNotExists: "create" }),
  () => bob.runs.wait(null, assistantId, { input: { n: 1 } }),
  () => bob.runs.cancel(threadId, runId),
  () => bob.assistants.get(assistantId),
])
  await assert.rejects(attempt, (error) => error.status === 404 || /404/.test(error.message), String(attempt));
await assert.rejects(() => clientOf("nobody").threads.search(), (error) => error.status === 401);
assert.equal((await ann.threads.get(threadId)).metadata.owner, "ann");

// A batch from its submission to its results, by openapi-fetch with the types that openapi-typescript generates.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import createClient from "openapi-fetch";

import type { components, operations, paths } from "./runyard.js";

type Batch = operations["createBatch"]["requestBody"]["content"]["application/json"];
type Run = components["schemas"]["Run"];

const url = process.argv[2];
assert(url !== undefined);
const client = createClient<paths>({ baseUrl: url });

/** The values of a run, once it has ended well. */
async function follow(run: Run): Promise<Record<string, unknown>> {
  const params = { path: { thread_id: run.thread_id, run_id: run.run_id } };
  const { data: values } = await client.GET("/threads/{thread_id}/runs/{run_id}/join", { params });
  const { data: ended } = await client.GET("/threads/{thread_id}/runs/{run_id}", { params });
  assert.equal(ended?.status, "success");
  return values as Record<string, unknown>;
}

const batch: Batch = [0, 1, 2].map((n) => ({
  assistant_id: "chain",
  input: { n },
  metadata: { job: "7" },
  config: { tags: ["nightly"], max_concurrency: 2 },
  on_completion: "keep",
}));
batch.push({ assistant_id: "chain", command: { update: [["log", ["sent"]]] }, on_completion: "keep" });

const { data: runs } = await client.POST("/runs/batch", { body: batch });
const first = runs?.[0];
assert(runs !== undefined && first !== undefined);
assert.deepEqual(runs.map((run) => run.status), ["pending", "pending", "pending", "pending"]);
assert.equal(first.metadata["job"], "7");
const values = await Promise.all(runs.map(follow));
assert.deepEqual(values.map((each) => each["n"]), [111, 112, 113, 111]);

const params = { path: { thread_id: first.thread_id } };
const { data: thread } = await client.GET("/threads/{thread_id}", { params });
assert.deepEqual(thread?.values, values[0]);
const { data: state } = await client.GET("/threads/{thread_id}/state", { params });
assert.deepEqual(state?.values, values[0]);
assert.deepEqual(state?.next, []);

const { error: refused, response } = await client.POST("/runs/batch", { body: [] });
assert.equal(response.status, 422);
assert.match(refused?.detail ?? "", /less than 1 item/);
const missing = await client.GET("/threads/{thread_id}", { params: { path: { thread_id: randomUUID() } } });
assert.equal(missing.error !== undefined && missing.response.status, 404);
console.log("the batch came to its end");

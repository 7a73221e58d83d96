// What applications do with threads.stream of the stock JavaScript client, over the transport that the environment names.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { Client } from "@langchain/langgraph-sdk";

const transport = process.env.RUNYARD_TRANSPORT;
const clientOf = (apiUrl) => new Client({ apiUrl, apiKey: null, callerOptions: { maxRetries: 0 } });
const client = clientOf(process.env.RUNYARD_URL);
const gate = process.env.RUNYARD_GATE;
const openGate = () => writeFileSync(gate, "");
const question = (content) => ({ messages: [{ role: "user", content, id: "question" }] });
const newThread = async () => (await client.threads.create()).thread_id;

const streamOf = (threadId, assistantId, from = client) => from.threads.stream(threadId, { assistantId, transport });

async function collect(iterable, until = () => false) {
  const found = [];
  for await (const each of iterable) {
    found.push(each);
    if (until(each)) break;
  }
  return found;
}

const isEnd = ({ method, params }) =>
  method === "lifecycle" &&
  params.namespace.length === 0 &&
  ["completed", "failed", "interrupted"].includes(params.data.event);
// Events in the order of the log, each once.
function assertInOrder(events) {
  const numbers = events.map((event) => event.seq);
  assert.deepEqual(numbers, [...new Set(numbers)].sort((one, other) => one - other));
}

export async function anAnswerIsStreamedWordByWord() {
  const thread = streamOf(await newThread(), "echo");
  const pieces = [];
  const reading = (async () => {
    for await (const message of thread.messages) for await (const piece of message.text) pieces.push(piece);
  })();
  await thread.run.start({ input: question("hello 🦜 world") });
  await reading;
  assert.deepEqual(pieces, ["echo:", " hello", " 🦜", " world"]);
  const { messages } = await thread.output;
  assert.deepEqual(messages.map((message) => message.text), ["hello 🦜 world", "echo: hello 🦜 world"]);
  await thread.close();
}

export async function theStateIsStreamedStepByStep() {
  const thread = streamOf(await newThread(), "chain");
  const states = collect(thread.values);
  const { run_id: runId } = await thread.run.start({ input: { n: 1 } });
  assert.deepEqual((await states).map((values) => values.n), [1, 2, 12, 112]);
  assert.equal((await thread.output).n, 112);
  assert.equal((await client.runs.get(thread.threadId, runId)).status, "success");
  await thread.close();
}

export async function aThreadThatTheClientNamesIsMadeByItsFirstRun() {
  const thread = streamOf(randomUUID(), "chain");
  await thread.run.start({ input: { n: 1 } });
  assert.equal((await thread.output).n, 112);
  assert.equal((await client.threads.getState(thread.threadId)).values.n, 112);
  await thread.close();
}

export async function runsFollowEachOtherOnOneStream() {
  const thread = streamOf(await newThread(), "chain");
  const events = [];
  thread.onEvent((event) => events.push(event));
  const subscription = await thread.subscribe(["values", "lifecycle"]);
  for (const n of [1, 2, 3]) {
    await thread.submitRun({ input: { n } });
    await collect(subscription); // it pauses at the end of each run
  }
  const values = events.filter((event) => event.method === "values").map((event) => event.params.data.n);
  assert.deepEqual(values, [1, 2, 12, 112, 114, 115, 125, 225, 228, 229, 239, 339]);
  assert.equal(events.filter(isEnd).length, 3);
  assert.equal(new Set(events.map((event) => event.event_id)).size, events.length);
  await thread.close();
}

export async function aHumanIsAsked() {
  const thread = streamOf(await newThread(), "interrupting");
  await thread.run.start({ input: { text: "t" } });
  await thread.output;
  assert.equal(thread.interrupted, true);
  const [{ interruptId, payload, namespace }] = thread.interrupts;
  assert.deepEqual([payload, namespace], [{ question: "ok?", text: "t" }, []]);
  const ended = await thread.subscribe(["lifecycle"]);
  const before = thread.ordering.lastSeenSeq;
  await thread.input.respond({ namespace, interrupt_id: interruptId, response: { ok: true } });
  await collect(ended, (event) => isEnd(event) && event.seq > before);
  const state = await client.threads.getState(thread.threadId);
  assert.deepEqual(state.values.answer, { ok: true });
  assert.deepEqual(thread.interrupts, []);
  await thread.close();
}

export async function twoQuestionsAreAnsweredAtOnce() {
  const thread = streamOf(await newThread(), "two_asks");
  const questions = collect(await thread.subscribe(["input"]), () => thread.interrupts.length === 2);
  await thread.run.start({ input: {} });
  await questions;
  const asked = thread.interrupts.map(({ interruptId, payload }) => ({ interruptId, payload }));
  assert.deepEqual(asked.map(({ payload }) => payload).sort(), ["left?", "right?"]);
  // The run that asks may end after its questions are heard, and its end pauses subscriptions; the answered one completes.
  await thread.subscribe(["lifecycle"]);
  const completed = new Promise((resolve) => {
    thread.onEvent((event) => isEnd(event) && event.params.data.event === "completed" && resolve());
  });
  const responses = asked.map(({ interruptId, payload }) => ({
    namespace: [],
    interrupt_id: interruptId,
    response: payload.toUpperCase(),
  }));
  await thread.input.respond({ responses });
  await completed;
  const { values } = await client.threads.getState(thread.threadId);
  assert.deepEqual(values.got.sort(), [["left", "LEFT?"], ["right", "RIGHT?"]]);
  await thread.close();
}

export async function anAnswerToAQuestionThatNobodyAsksIsRefused() {
  const thread = streamOf(await newThread(), "interrupting");
  await thread.run.start({ input: { text: "t" } });
  await thread.output;
  await assert.rejects(thread.input.respond({ namespace: [], interrupt_id: "0".repeat(32), response: 1 }), (error) => {
    assert.equal(error.code, "no_such_interrupt");
    return true;
  });
  await thread.close();
}

export async function subgraphsAreFound() {
  const thread = streamOf(await newThread(), "subgraphed");
  const told = thread.subscribe(["messages", "lifecycle"]);
  const found = collect(thread.subgraphs);
  const events = collect(await told, isEnd);
  await thread.run.start({ input: question("x") });
  const [{ namespace }] = await found;
  assert.match(namespace[0], /^child:/);
  const words = (await events).filter(({ params }) => params.data.event === "content-block-delta");
  assert.deepEqual(words.map(({ params }) => [params.namespace, params.data.delta.text]), [
    [namespace, "child:"],
    [namespace, " x"],
  ]);
  await thread.close();
}

export async function aSubscriptionToTheRootLeavesSubgraphsOut() {
  const thread = streamOf(await newThread(), "subgraphed");
  const narrow = await thread.subscribe({ channels: ["values", "lifecycle"], namespaces: [[]], depth: 0 });
  const events = collect(narrow, isEnd);
  await thread.submitRun({ input: question("x") });
  assert((await events).every((event) => event.params.namespace.length === 0));
  await thread.close();
}

const hasEntered = ({ method, params }) => method === "values" && params.data.log?.length === 1;
const logs = (events) => events.filter(({ method }) => method === "values").map(({ params }) => params.data.log ?? []);
const LOGS = [[], ["x in"], ["x in", "x out"]];

export async function aLaterSubscriptionIsToldWhatWasBefore() {
  const thread = streamOf(await newThread(), "gated");
  await thread.submitRun({ input: { gate, label: "x" } });
  await collect(await thread.subscribe(["values"]), hasEntered);
  const events = collect(await thread.subscribe(["values", "lifecycle"]), isEnd);
  openGate();
  const seen = await events;
  assert.deepEqual(logs(seen), LOGS);
  assertInOrder(seen);
  await thread.close();
}

export async function anotherClientSeesTheSameRunFromItsBegin() {
  const threadId = await newThread();
  const first = streamOf(threadId, "gated");
  await first.run.start({ input: { gate, label: "x" } });
  await collect(await first.subscribe(["values"]), hasEntered);
  const other = streamOf(threadId, "gated", clientOf(process.env.RUNYARD_URL));
  const events = collect(await other.subscribe(["values", "lifecycle"]), isEnd);
  openGate();
  const seen = await events;
  assert.deepEqual(logs(seen), LOGS);
  assertInOrder(seen);
  assert.deepEqual((await first.output).log, ["x in", "x out"]);
  await Promise.all([first.close(), other.close()]);
}

export async function aBrokenStreamGoesOnWhereItBroke() {
  const threadId = await newThread();
  let reconnected;
  const broken = new Promise((resolve) => (reconnected = resolve));
  const thread = clientOf(process.env.RUNYARD_PROXY).threads.stream(threadId, {
    assistantId: "gated",
    transport,
    reconnectDelayMs: () => 10,
    onReconnect: reconnected,
  });
  const events = collect(await thread.subscribe(["values", "lifecycle"]), isEnd);
  const { run_id: runId } = await streamOf(threadId, "gated").submitRun({ input: { gate, label: "x" } });
  await broken;
  openGate();
  assert.deepEqual(logs(await events), LOGS);
  assert.equal((await client.runs.join(threadId, runId)).log.length, 2);
  await thread.close();
}

export async function whatNodesWriteAndChangeIsToldToo() {
  const thread = streamOf(await newThread(), "gated");
  openGate();
  const events = collect(await thread.subscribe(["updates", "custom", "lifecycle"]), isEnd);
  await thread.submitRun({ input: { gate, label: "x" } });
  const told = (await events).filter((event) => event.method !== "lifecycle").map((event) => event.method);
  assert.deepEqual(told, ["updates", "custom", "updates"]);
  await thread.close();
}

export async function anErrorOfTheGraphIsItsEnd() {
  const thread = streamOf(await newThread(), "failing");
  const events = collect(await thread.subscribe(["lifecycle"]), isEnd);
  await thread.submitRun({ input: {} });
  const end = (await events).at(-1).params.data;
  assert.equal(end.event, "failed");
  assert.match(end.error, /boom from failing graph/);
  await thread.close();
}

export async function aGraphThatIsNotThereIsRefused() {
  const thread = streamOf(await newThread(), "nobody");
  await assert.rejects(thread.submitRun({ input: {} }), (error) => {
    assert.match(error.message, /nobody|assistant/i);
    return true;
  });
  await thread.close();
}

export async function aTransformerHasAChannelOfItsOwn() {
  const thread = streamOf(await newThread(), "transformed");
  const counted = collect(thread.extensions.counted);
  await thread.run.start({ input: question("x") });
  assert.deepEqual(await counted, [1, 2]);
  await thread.close();
}

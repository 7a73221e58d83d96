// A conversation in a page, as applications with @langchain/react have it. The address keeps the thread.
import { useState } from "react";
import { createRoot } from "react-dom/client";
import { useStream } from "@langchain/react";

const address = new URL(location.href);

function Page() {
  const [threadId, setThreadId] = useState(address.searchParams.get("thread"));
  const [connected, setConnected] = useState("");
  const stream = useStream({
    apiUrl: address.searchParams.get("server"),
    assistantId: "chat",
    transport: address.searchParams.get("transport"),
    threadId,
    onThreadId: (id) => {
      setThreadId(id);
      address.searchParams.set("thread", id);
      history.replaceState(null, "", address);
    },
    reconnectDelayMs: () => 100,
    maxReconnectAttempts: 300,
    onConnected: ({ kind }) => setConnected(kind),
  });
  const [text, setText] = useState("");
  return (
    <main>
      <ol>{stream.messages.map((message) => <li key={message.id}>{`${message.getType()}: ${message.text}`}</li>)}</ol>
      <input value={text} onChange={(event) => setText(event.target.value)} />
      <button id="send" onClick={() => stream.submit({ messages: [{ type: "human", content: text }] })}>Send</button>
      {stream.interrupt && <p id="question">{stream.interrupt.value.question}</p>}
      {stream.interrupt && <button id="answer" onClick={() => stream.respond(text, { interruptId: stream.interrupt.id })}>Answer</button>}
      <p id="connected">{connected}</p>
      <p id="status">{stream.error ? `error: ${stream.error.message}` : stream.isLoading ? "busy" : "idle"}</p>
    </main>
  );
}

createRoot(document.getElementById("root")).render(<Page />);

// A page that shows what a graph has to show, as applications with the stock client do.
import { createRoot } from "react-dom/client";
import { useStream } from "@langchain/langgraph-sdk/react";
import { LoadExternalComponent, experimental_loadShare } from "@langchain/langgraph-sdk/react-ui";
import { uiMessageReducer } from "@langchain/langgraph-sdk/react-ui";

experimental_loadShare("greetings", { greet: (place) => `Greetings from ${place}:` });
const query = new URLSearchParams(location.search);

function Page() {
  const stream = useStream({
    apiUrl: query.get("server"),
    apiKey: query.get("key") ?? undefined,
    assistantId: query.get("assistant"),
    onCustomEvent: (event, { mutate }) => mutate((before) => ({ ...before, ui: uiMessageReducer(before.ui ?? [], event) })),
  });
  const { ui = [] } = stream.values;
  return (
    <main>
      <button id="ask" onClick={() => stream.submit({ messages: [{ type: "human", content: "Weather?" }] })}>Ask</button>
      {stream.messages.map((message) => <p key={message.id}>{message.content}</p>)}
      {ui.map((shown) => <LoadExternalComponent key={shown.id} stream={stream} message={shown} meta={{ place: "page" }} />)}
    </main>
  );
}

createRoot(document.getElementById("root")).render(<Page />);

import "./ui.css";
import { useState } from "react";
import { greet } from "greetings";
import { useStreamContext } from "@langchain/langgraph-sdk/react-ui";

function Weather(props: { city: string; degrees: number }) {
  const [clicks, setClicks] = useState(0);
  const { meta } = useStreamContext<Record<string, unknown>, { MetaType: { place: string } }>();
  return (
    <button className="bg-red-500" data-place={meta?.place} onClick={() => setClicks(clicks + 1)}>
      {greet(props.city)} {props.degrees} degrees, {clicks} clicks
    </button>
  );
}

export default { weather: Weather };

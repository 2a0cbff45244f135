// The memory view's page: draws what is posted to it.

import { chart } from "../chart";
import type { MemoryPage } from "../memoryView";
import { bytes, count } from "../text";

declare function acquireVsCodeApi(): { postMessage(message: unknown): void };

const WIDTH = 800;
const HEIGHT = 240;
const LEFT = 64;
const BOTTOM = 24;
const TOP = 10;
const SVG = "http://www.w3.org/2000/svg";

function element(id: string): Element {
  const found = document.getElementById(id);
  if (found === null) {
    throw new Error(id);
  }
  return found;
}

function shape(name: string, attributes: Record<string, string | number>, text?: string): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, String(value));
  }
  if (text !== undefined) {
    made.textContent = text;
  }
  return made;
}

function draw({ samples }: MemoryPage): void {
  const svg = element("chart");
  svg.setAttribute("viewBox", `0 0 ${LEFT + WIDTH + 12} ${TOP + HEIGHT + BOTTOM}`);
  const { rss, snapshots, limit, evictions, grid, ticks } = chart(samples, { width: WIDTH, height: HEIGHT });
  const plot = shape("g", { transform: `translate(${LEFT} ${TOP})` });
  for (const { y, bytes: value } of grid) {
    plot.append(shape("line", { class: "grid", x1: 0, x2: WIDTH, y1: y, y2: y }), shape("text", { class: "axis", x: -8, y: y + 4, "text-anchor": "end" }, bytes(value)));
  }
  for (const [index, { x, time }] of ticks.entries()) {
    const anchor = ["start", "middle", "end"][index] ?? "middle";
    plot.append(shape("text", { class: "axis", x, y: HEIGHT + 18, "text-anchor": anchor }, new Date(time).toLocaleTimeString()));
  }
  for (const { x, count: number } of evictions) {
    const mark = shape("line", { class: "evicted", x1: x, x2: x, y1: 0, y2: HEIGHT });
    mark.append(shape("title", {}, count(number, "eviction")));
    plot.append(mark);
  }
  plot.append(
    shape("polyline", { class: "limit", points: limit }),
    shape("polyline", { class: "snapshots", points: snapshots }),
    shape("polyline", { class: "rss", points: rss }),
  );
  svg.replaceChildren(plot);
}

function list({ largest }: MemoryPage): void {
  const rows = largest.map((session) => {
    const row = document.createElement("tr");
    const cells: [string, string][] = [
      [session.title, ""],
      [session.assistant, ""],
      [bytes(session.bytes), "number"],
      [session.events.toLocaleString("en-US"), "number"],
      [session.age, ""],
    ];
    for (const [text, name] of cells) {
      const cell = document.createElement("td");
      cell.textContent = text;
      cell.className = name;
      row.append(cell);
    }
    return row;
  });
  element("sessions").replaceChildren(...rows);
  element("none").toggleAttribute("hidden", rows.length > 0);
}

/** The figures change every few seconds: a screen reader finds them here, but announces only a server that stopped. */
function summarise({ samples, state }: MemoryPage): void {
  const last = samples.at(-1);
  const isRunning = state === "running";
  const takes = isRunning ? "takes" : "took";
  const figures =
    last === undefined ? "" : `The process ${takes} ${bytes(last.rss)} of ${bytes(last.limit)}; snapshots ${isRunning ? "take" : "took"} ${bytes(last.snapshots)} of that.`;
  element("summary").textContent = figures;
  const stopped = isRunning ? "" : `Kato's server is ${state === "overBudget" ? "stopped: over budget" : state}.`;
  const news = element("state");
  news.toggleAttribute("hidden", isRunning);
  if (news.textContent !== stopped) {
    news.textContent = stopped;
  }
}

window.addEventListener("message", ({ data }: MessageEvent<MemoryPage>) => {
  draw(data);
  list(data);
  summarise(data);
});
acquireVsCodeApi().postMessage("ready");

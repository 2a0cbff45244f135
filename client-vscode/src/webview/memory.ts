// The page of the memory view: draws the data that are posted to it.

import { chart, sampleAt, type Chart } from "../chart";
import type { KeptPage, MemoryPage, PageMessage } from "../memoryView";
import { bytes, count } from "../text";

declare function acquireVsCodeApi(): { postMessage(message: PageMessage): void; setState(state: KeptPage): void };

const HEIGHT = 220;
const LEFT = 60;
const RIGHT = 12;
const BOTTOM = 24;
const TOP = 10;
const SVG = "http://www.w3.org/2000/svg";

const editor = acquireVsCodeApi();
let page: MemoryPage | undefined;
let drawn: Chart | undefined;
/** The time at which values are shown. */
let shownTime: number | undefined;

function element(id: string): HTMLElement {
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

function plotWidth(): number {
  return Math.max(120, element("chart").clientWidth - LEFT - RIGHT);
}

/** Draws one unit to a pixel, so that letters keep their size in a narrow editor. */
function draw({ samples, now }: MemoryPage): void {
  const svg = element("chart");
  const width = plotWidth();
  svg.setAttribute("viewBox", `0 0 ${LEFT + width + RIGHT} ${TOP + HEIGHT + BOTTOM}`);
  drawn = chart(samples, now, { width, height: HEIGHT });
  const { rss, snapshots, limit, evictions, gaps, grid, ticks } = drawn;
  const plot = shape("g", { transform: `translate(${LEFT} ${TOP})` });
  for (const { y, bytes: value } of grid) {
    plot.append(
      shape("line", { class: "grid", x1: 0, x2: width, y1: y, y2: y }),
      shape("text", { class: "axis", x: -8, y: y + 4, "text-anchor": "end" }, bytes(value)),
    );
  }
  for (const [index, { x, time }] of ticks.entries()) {
    const anchor = index === 0 ? "start" : index === ticks.length - 1 ? "end" : "middle";
    plot.append(shape("text", { class: "axis", x, y: HEIGHT + 18, "text-anchor": anchor }, clock(time)));
  }
  for (const { x, width: wide } of gaps) {
    plot.append(shape("rect", { class: "gap", x, y: 0, width: wide, height: HEIGHT }));
  }
  for (const { x } of evictions) {
    plot.append(shape("line", { class: "evicted", x1: x, x2: x, y1: 0, y2: HEIGHT }));
  }
  plot.append(
    shape("path", { class: "limit", d: limit }),
    shape("path", { class: "snapshots", d: snapshots }),
    shape("path", { class: "rss", d: rss }),
    shape("line", { id: "cursor", class: "cursor", y1: 0, y2: HEIGHT, visibility: "hidden" }),
  );
  svg.replaceChildren(plot);
  showValues();
}

function clock(time: number): string {
  return new Date(time).toLocaleTimeString();
}

/** Shows the values at the chosen time next to the chart's cursor. */
function showValues(): void {
  const values = element("values");
  const cursor = document.getElementById("cursor");
  const isShown = page !== undefined && drawn !== undefined && shownTime !== undefined;
  values.hidden = !isShown;
  cursor?.setAttribute("visibility", isShown ? "visible" : "hidden");
  if (page === undefined || drawn === undefined || shownTime === undefined) {
    return;
  }
  const sample = sampleAt(page.samples, shownTime);
  const x = drawn.x(shownTime);
  cursor?.setAttribute("x1", String(x));
  cursor?.setAttribute("x2", String(x));
  const lines =
    sample === undefined
      ? ["Not running"]
      : [
          `Process ${bytes(sample.rss)}`,
          `Snapshots ${bytes(sample.snapshots)}`,
          `Limit ${bytes(sample.limit)}`,
          ...(sample.evicted > 0 ? [count(sample.evicted, "eviction")] : []),
        ];
  values.replaceChildren(
    ...[clock(shownTime), ...lines].map((text) => {
      const line = document.createElement("div");
      line.textContent = text;
      return line;
    }),
  );
  const isRight = x > plotWidth() / 2;
  values.style.left = isRight ? "" : `${LEFT + x + 10}px`;
  values.style.right = isRight ? `${RIGHT + plotWidth() - x + 10}px` : "";
}

function list({ largest }: MemoryPage): void {
  const rows = largest.map((session) => {
    const row = document.createElement("tr");
    row.setAttribute("role", "row");
    const cells: [string | Node, string][] = [
      [opener(session.key, session.title), "title"],
      [session.assistant, ""],
      [bytes(session.bytes), "number"],
      [session.events.toLocaleString("en-US"), "number events"],
      [session.age, ""],
    ];
    for (const [content, name] of cells) {
      const cell = document.createElement("td");
      cell.setAttribute("role", "cell");
      cell.append(content);
      cell.className = name;
      row.append(cell);
    }
    return row;
  });
  const focused = document.activeElement?.getAttribute("data-key");
  element("sessions").replaceChildren(...rows);
  element("none").hidden = rows.length > 0;
  element("table").hidden = rows.length === 0;
  if (focused !== null && focused !== undefined) {
    document.querySelector<HTMLElement>(`button[data-key="${CSS.escape(focused)}"]`)?.focus();
  }
}

function opener(key: string, title: string): HTMLElement {
  const button = document.createElement("button");
  button.textContent = title;
  button.title = `Open “${title}”`;
  button.dataset.key = key;
  button.addEventListener("click", () => editor.postMessage({ kind: "open", key }));
  return button;
}

/** The figures change every few seconds: a screen reader can read them, and announces only that the server stopped. */
function summarise({ samples, state, reason, keepsLimit }: MemoryPage): void {
  const last = samples.at(-1);
  const isRunning = state === "running";
  const [takes, take] = isRunning ? ["takes", "take"] : ["took", "took"];
  const figures =
    last === undefined
      ? ""
      : keepsLimit
        ? `The process ${takes} ${bytes(last.rss)} of ${bytes(last.limit)}; snapshots ${take} ${bytes(last.snapshots)} of that.`
        : `The process ${takes} ${bytes(last.rss)}; snapshots ${take} ${bytes(last.snapshots)}. The limit of ${bytes(last.limit)} applies to the snapshots alone.`;
  element("summary").textContent = figures;
  const isStopped = state === "overBudget";
  const stopped = isRunning
    ? ""
    : reason === ""
      ? `Kato's server is ${state}.`
      : `${isStopped ? "Kato stopped. " : ""}${reason}`;
  const news = element("state");
  news.hidden = isRunning;
  news.classList.toggle("failed", state !== "starting");
  if (news.textContent !== stopped) {
    news.textContent = stopped;
  }
}

/** Moves the shown time to the next sample, or the one before. */
function step(direction: 1 | -1): void {
  const times = page?.samples.map(({ time }) => time) ?? [];
  const now = shownTime ?? Infinity;
  shownTime = (direction > 0 ? times.find((time) => time > now) : times.findLast((time) => time < now)) ?? times.at(-1);
  showValues();
}

function connect(): void {
  const svg = element("chart");
  svg.addEventListener("pointermove", (event) => {
    const x = event.clientX - svg.getBoundingClientRect().left - LEFT;
    const time = drawn?.time(x) ?? Infinity;
    shownTime = x >= 0 && time <= (page?.now ?? 0) ? time : undefined; // a new chart has room for the next seconds
    showValues();
  });
  const hide = (): void => {
    shownTime = undefined;
    showValues();
  };
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", (event) => {
    const directions: Partial<Record<string, 1 | -1>> = { ArrowRight: 1, ArrowLeft: -1 };
    const direction = directions[event.key];
    if (direction !== undefined) {
      element("values").setAttribute("aria-live", "polite");
      step(direction);
      event.preventDefault();
    } else if (event.key === "Escape") {
      hide();
    }
  });
  new ResizeObserver(() => page !== undefined && draw(page)).observe(svg);
  window.addEventListener("message", ({ data }: MessageEvent<MemoryPage>) => {
    page = data;
    draw(data);
    list(data);
    summarise(data);
    editor.setState({ samples: data.samples });
  });
  editor.postMessage({ kind: "ready" });
}

connect();

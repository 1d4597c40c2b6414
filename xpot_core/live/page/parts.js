// From the plain data of a panel to what is seen. Texts are put in place as texts, never as HTML.

import { MARGIN, sketch } from "./sketch.js";

const PLAIN_NUMBERS = { exponentformat: "power", minexponent: 5, separatethousands: true };
const NAME_LENGTH = 24;
const LONG_TEXT = 60;
let loading = null;

/** Plotly, made ready when the first figure is drawn. */
export function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "plotly.js";
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("the library for plots could not be loaded"));
    document.head.append(script);
  });
  return loading;
}

/** Wait until what was put in place is seen. */
const painted = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

/** An element with a text, properties and children. */
export function element(tag, { text, ...properties } = {}, ...children) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

/** Colours of the page: light and dark have one each. */
function colours() {
  const style = getComputedStyle(document.documentElement);
  return { "@ink": style.getPropertyValue("--ink").trim(), "@soft": style.getPropertyValue("--soft").trim() };
}

/** The same data with the names of colours replaced, wherever a colour stands. */
function coloured(data, known, key = "") {
  if (Array.isArray(data)) return data.map((value) => coloured(value, known, key));
  if (data && typeof data === "object") {
    return Object.fromEntries(Object.entries(data).map(([k, value]) => [k, coloured(value, known, k)]));
  }
  return /color$/i.test(key) && Object.hasOwn(known, data) ? known[data] : data;
}

function layoutOf(figure, known, kept) {
  const ink = known["@ink"];
  const line = { color: ink, gridcolor: known["@soft"] + "44", zerolinecolor: known["@soft"] + "88", linecolor: ink };
  const layout = {
    height: figure.height,
    autosize: true,
    margin: MARGIN,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink, size: 12, family: "system-ui, sans-serif" },
    hovermode: "closest",
    hoverlabel: { align: "left", font: { size: 11 } },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    ...coloured(figure.layout, known),
  };
  for (const name of ["xaxis", "yaxis"]) {
    // Else plotly writes 10n for 1e-8, and on logarithmic axes a small 2 for 20 and numbers that run into each other.
    const numbers = layout[name]?.type === "log" ? { tickformat: "~g", nticks: 3 } : PLAIN_NUMBERS;
    layout[name] = { ...numbers, automargin: true, ...line, ...kept?.[name], ...layout[name], ...kept?.zoom?.[name] };
  }
  return layout;
}

/** What the reader has zoomed to, so that a figure that is drawn anew stays there. */
function zoomOf(plot) {
  const zoom = {};
  for (const name of ["xaxis", "yaxis"]) {
    if (plot.zoomed?.[name]) zoom[name] = { range: plot.layout[name].range, autorange: false };
  }
  return { zoom };
}

/** Draw a figure into a place, or bring the one that is there up to date. */
export async function draw(place, figure, onPoint) {
  const known = colours();
  const data = coloured(figure.data, known);
  const layout = layoutOf(figure, known, place.layout ? zoomOf(place) : null);
  if (!window.Plotly) {
    const first = sketch(place, data, layout, known["@soft"]);
    await painted();
    performance.mark("sketched");
    await plotly();
    first.remove();
  }
  const settings = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
  const fresh = !place.layout;
  await window.Plotly.react(place, data, layout, settings);
  if (!fresh) return;
  place.zoomed = {};
  place.on("plotly_relayout", (change) => {
    for (const name of ["xaxis", "yaxis"]) {
      if (`${name}.range[0]` in change) place.zoomed[name] = true;
      if (change[`${name}.autorange`]) place.zoomed[name] = false;
    }
  });
  place.on("plotly_click", ({ points }) => points[0]?.customdata && onPoint(...points[0].customdata));
}

function figurePart(figure) {
  const plot = element("div", { className: "plot" });
  if (figure.width) plot.style.minWidth = `${figure.width}px`;
  plot.style.height = `${figure.height}px`;
  const scroll = element("div", { className: "scroll" }, plot);
  const caption = element("figcaption", { text: figure.caption });
  const made = element("figure", { className: figure.half ? "half" : "" }, element("h3", { text: figure.title }), scroll, caption);
  made.update = (newer, onPoint) => {
    caption.textContent = newer.caption;
    return draw(plot, newer, onPoint);
  };
  made.forget = () => plot.layout && window.Plotly.purge(plot);
  return made;
}

function tablePart(table, onPoint) {
  const words = new Set(table.texts);
  const length = (text) => (text.length <= NAME_LENGTH ? "name" : text.length > LONG_TEXT ? "long" : "");
  const kind = (text, i) => (words.has(i) ? `words ${length(text)}` : "number");
  const cell = (tag) => (text, i) => element(tag, { text, className: kind(text, i) });
  const rows = table.rows.map((row, i) => {
    const line = element("tr", {}, ...row.map(cell("td")));
    if (table.structures.length) {
      line.className = "open";
      line.tabIndex = 0;
      line.onclick = () => onPoint(...table.structures[i]);
      line.onkeydown = (event) => event.key === "Enter" && line.onclick();
    }
    return line;
  });
  const head = element("thead", {}, element("tr", {}, ...table.heads.map(cell("th"))));
  const inner = element("table", {}, ...(table.heads.some(Boolean) ? [head] : []), element("tbody", {}, ...rows));
  const scroll = element("div", { className: "scroll" }, inner);
  return element("section", {}, element("h3", { text: table.title }), scroll, element("p", { text: table.caption }));
}

const makers = {
  table: tablePart,
  log: (log) => element("details", {}, element("summary", { text: log.title }), element("pre", { text: log.text })),
  cards: ({ cards }) =>
    element("dl", { className: "cards" }, ...cards.map(([value, what]) =>
      element("div", {}, element("dd", { text: value }), element("dt", { text: what })))),
};

/** Show the parts of a panel; figures of the same titles in the same order are kept and brought up to date. */
export async function show(place, parts, onPoint) {
  const kept = [...place.children].filter((child) => child.update);
  const shape = (found) => JSON.stringify(found.map((figure) => figure.title));
  const figures = parts.filter((part) => part.kind === "figure");
  const same = place.shape === shape(figures);
  const opened = new Set([...place.querySelectorAll("details[open] > summary")].map((s) => s.textContent));
  if (!same) kept.forEach((child) => child.forget());
  const next = same ? [...kept] : figures.map(figurePart);
  place.shape = shape(figures);
  const made = parts.map((part) => {
    if (part.kind !== "figure") return makers[part.kind](part, onPoint);
    return next[figures.indexOf(part)];
  });
  for (const part of made) {
    if (part.matches("details")) part.open = opened.has(part.firstChild.textContent);
  }
  if (same && made.length === place.children.length) {
    // A figure that is moved in the document loses what the mouse is doing in it.
    made.forEach((part, i) => part !== place.children[i] && place.children[i].replaceWith(part));
  } else {
    place.replaceChildren(...made);
  }
  await Promise.all(figures.map((figure, i) => next[i].update(figure, onPoint)));
}

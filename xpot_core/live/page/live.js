// Which study and panel are seen, and asking for them again while they change.

import { draw, element, plotly, show } from "./parts.js";

const at = (id) => document.getElementById(id);
const LISTING_MS = 5000;
const PANEL_MS = 2000;
let titles = {};
let seen = { key: "", tag: "" };
const ticked = new Set();

/** The address after `#` says what is seen, so that the buttons of the browser work. */
const address = () => new URLSearchParams(location.hash.slice(1));

function go(changes) {
  const next = address();
  for (const [key, value] of Object.entries(changes)) {
    next.delete(key);
    for (const one of [value].flat()) next.append(key, one);
  }
  location.hash = next.toString();
}

async function ask(path, query, tag = "") {
  const url = query ? `${path}?${query}` : path;
  const answer = await fetch(url, tag ? { headers: { "If-None-Match": tag } } : {});
  if (answer.status === 304) return null;
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.error ?? answer.statusText);
  return { data, tag: answer.headers.get("ETag") ?? "" };
}

function tell(text) {
  at("state").textContent = text;
}

function entry(study) {
  const tick = element("input", { type: "checkbox", checked: ticked.has(study.name) });
  tick.setAttribute("aria-label", `compare ${study.name}`);
  tick.onchange = () => {
    if (tick.checked) ticked.add(study.name);
    else ticked.delete(study.name);
    at("compare").disabled = ticked.size < 2;
  };
  const link = element("a", { text: study.name, href: `#${new URLSearchParams({ study: study.name })}` });
  const count = (value) => value.toLocaleString("en");
  const of = study.budget ? ` of ${count(study.budget)}` : "";
  const facts = [`${count(study.trials)}${of} trials`];
  if (study.loss !== null) facts.push(`loss ${study.loss.toPrecision(4)}`);
  for (const [value, unit] of [[study.energy_rmse, "meV/atom"], [study.force_rmse, "eV/Å"]]) {
    if (value !== null) facts.push(`${value.toPrecision(3)} ${unit}`);
  }
  const state = element("span", { text: study.state, className: `state ${study.state}`, title: study.note });
  const said = study.state === "damaged" ? [study.note] : spaced(facts);
  return element("li", {}, element("div", {}, tick, link, state), element("small", {}, ...said));
}

/** Facts after each other; a line ends between two of them only. */
function spaced(facts) {
  const last = facts.length - 1;
  return facts.flatMap((text, i) => [element("span", { text: text + (i < last ? "," : ""), className: "fact" }), " "]);
}

async function list() {
  const { data } = await ask("api/studies");
  titles = data.panels;
  at("place").textContent = data.runs;
  const now = JSON.stringify(data.studies);
  if (at("studies").now !== now) {
    at("studies").now = now;
    at("studies").replaceChildren(...data.studies.map(entry));
    mark();
  }
  if (!data.studies.length) tell("There is no study in this folder yet.");
  else if (!address().has("study")) {
    const sound = data.studies.find((study) => study.state !== "damaged") ?? data.studies[0];
    go({ study: sound.name });
  }
  return data.studies.some((study) => study.state === "reading");
}

/** Show in list and tabs what is seen. */
function mark() {
  const names = address().getAll("study");
  for (const link of document.querySelectorAll("#studies a")) {
    link.toggleAttribute("aria-current", names.includes(link.textContent));
  }
}

function tabs(panel, name) {
  at("name").textContent = panel === "compare" ? name.join(" · ") : name[0];
  at("panels").hidden = panel === "compare";
  at("panels").replaceChildren(...Object.entries(titles).map(([key, text]) => {
    const href = `#${new URLSearchParams({ study: name[0], panel: key })}`;
    const link = element("a", { text, href });
    link.toggleAttribute("aria-current", key === panel);
    return link;
  }));
  at("panels").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function choices(found) {
  at("choices").replaceChildren(...found.map((choice) => {
    const options = choice.choices.map(([value, text]) =>
      element("option", { value, text, selected: value === choice.value }));
    const select = element("select", { name: choice.name }, ...options);
    select.onchange = () => go({ [choice.name]: select.value });
    return element("label", { text: `${choice.label} ` }, select);
  }));
}

async function structure(study, set, index) {
  const { data } = await ask("api/structure", new URLSearchParams({ study, set, index }));
  const figure = data.parts[0];
  const plot = element("div", { className: "plot" });
  plot.style.height = `${figure.height}px`;
  at("atoms").replaceChildren(
    element("h3", { text: figure.title }), plot, element("p", { text: figure.caption }));
  at("structure").onclose = () => window.Plotly.purge(plot);
  at("structure").showModal();
  await draw(plot, figure, () => {});
}

/** Ask for the panel of the address, and show it where it is another or has changed. */
async function panel() {
  const query = address();
  const names = query.getAll("study");
  if (!names.length) return;
  const which = query.get("panel") ?? "summary";
  query.delete("panel");
  const key = location.hash;
  const started = performance.now();
  const other = key !== seen.key;
  if (other) tabs(which, names);
  const answer = await ask(`api/panel/${encodeURIComponent(which)}`, query, other ? "" : seen.tag).catch((error) => {
    // What is there belongs to another study or panel.
    if (other && key === location.hash) clear();
    throw error;
  });
  if (!answer || key !== location.hash) return;
  const { data, tag } = answer;
  choices(data.choices);
  at("notes").replaceChildren(...data.notes.map((text) => element("p", { text })));
  await show(at("parts"), data.parts, (set, index) => structure(names[0], set, index).catch(failed));
  if (!seen.key) performance.mark("drawn");
  seen = { key, tag };
  document.body.dataset.shown = key;
  document.body.dataset.milliseconds = Math.round(performance.now() - started);
  tell("");
}

function clear() {
  for (const name of ["choices", "notes"]) at(name).replaceChildren();
  show(at("parts"), []);
  seen = { key: "", tag: "" };
}

function failed(error) {
  const gone = error instanceof TypeError;
  tell(gone ? "No answer: xpot serve has ended, or the connection to it." : error.message);
}

/** Do something again and again, one at a time, while somebody looks. */
async function again(what, pause) {
  for (;;) {
    let soon = false;
    if (!document.hidden) soon = await what().catch(failed);
    await new Promise((resolve) => setTimeout(resolve, soon ? 300 : pause));
  }
}

at("compare").onclick = () => {
  location.hash = new URLSearchParams([["panel", "compare"], ...[...ticked].map((name) => ["study", name])]);
};
window.addEventListener("hashchange", () => {
  mark();
  tell("");
  panel().catch(failed);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  seen = { key: "", tag: "" };
  panel().catch(failed);
});
await list().catch(failed);
await panel().catch(failed);
plotly().catch(failed);
again(list, LISTING_MS);
again(panel, PANEL_MS);

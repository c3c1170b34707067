// Live pages: hears what changes, and puts the server's own HTML in the place of
// what it shows. Without this script every page works by loading it again.

const root = document.body.dataset.root;
const live = document.getElementById("live");

function say(state, words) {
  live.dataset.state = state;
  live.textContent = words;
}

let isBusy = false;
let isStale = false;
let wait = 0;

/** Bring every part marked `data-live` up to date; soon, and once for many reasons. */
function refresh() {
  if (document.hidden || isBusy) {
    isStale = true;
    return;
  }
  clearTimeout(wait);
  wait = setTimeout(load, 100);
}

async function load() {
  isBusy = true;
  isStale = false;
  try {
    const answer = await fetch(location.href, { headers: { "X-Live": "1" } });
    if (answer.ok && !answer.redirected) {
      put(new DOMParser().parseFromString(await answer.text(), "text/html"));
      document.dispatchEvent(new CustomEvent("refreshed"));
    }
  } catch {
    // The engine is away for a moment; the stream says when it is back.
  } finally {
    isBusy = false;
    if (isStale) refresh();
  }
}

function put(fresh) {
  for (const after of fresh.querySelectorAll("[data-live]")) {
    const before = document.querySelector(`[data-live="${after.dataset.live}"]`);
    if (!before || before.innerHTML === after.innerHTML) continue;
    const held = before.contains(document.activeElement) ? document.activeElement : null;
    const scrolled = [...before.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
    before.replaceChildren(...after.childNodes);
    before.querySelectorAll(".scroll").forEach((one, number) => {
      one.scrollLeft = scrolled[number] ?? 0;
    });
    if (held) find(before, held)?.focus({ preventScroll: true });
  }
}

/** Return what stands for an element after its part was replaced, so that it keeps the focus. */
function find(part, held) {
  const same = (one) =>
    one.tagName === held.tagName &&
    ["href", "value", "aria-label"].every((key) => one.getAttribute(key) === held.getAttribute(key));
  return [...part.querySelectorAll("a, button, [tabindex]")].find(same);
}

const source = new EventSource(`${root}events`);
source.addEventListener("open", () => say("on", "live"));
source.addEventListener("error", () => say("lost", "not live: trying again"));
for (const kind of ["incident", "values", "reset"]) source.addEventListener(kind, refresh);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && isStale) refresh();
});
addEventListener("pagehide", () => source.close());
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// Charts: the page holds each as a picture; bokeh's script draws the same numbers
// with a pointer and a zoom.

const night = matchMedia("(prefers-color-scheme: dark)");

/** Load bokeh's script once, and only on pages with charts. */
function bokeh() {
  bokeh.loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${root}static/charts.js`;
    script.onload = () => resolve(globalThis.Bokeh);
    script.onerror = reject;
    document.head.append(script);
  });
  return bokeh.loading;
}

async function draw(place) {
  const address = new URL(place.dataset.chart, location.href);
  address.searchParams.set("theme", night.matches ? "dark" : "light");
  const [library, answer] = await Promise.all([bokeh(), fetch(address)]);
  if (!answer.ok) return;
  const item = await answer.json();
  const before = [...place.children];
  const inside = document.createElement("div");
  place.append(inside); // it is drawn only where it is seen
  [place.view] = await library.embed.embed_item(item, inside);
  before.forEach((one) => one.remove());
}

async function renew(place) {
  const address = new URL(place.dataset.chart, location.href);
  address.searchParams.set("data", "");
  const answer = await fetch(address);
  if (!answer.ok || !place.view) return;
  const fresh = await answer.json();
  const plot = place.view.model;
  fresh.shades.forEach(([left, right], number) => {
    plot.document.get_model_by_name(`shade-${number}`)?.setv({ left, right });
  });
  const known = (columns) =>
    Object.fromEntries(Object.entries(columns).map(([name, all]) => [name, all.map((one) => one ?? NaN)]));
  for (const name of ["values", "expected", "lane"]) {
    const source = plot.document.get_model_by_name(name);
    if (source) source.data = name === "lane" ? fresh.lane : known(fresh[name]);
  }
  plot.x_range.setv({ start: fresh.from, end: fresh.until });
  plot.y_range.setv({ start: fresh.low, end: fresh.high });
}

const places = [...document.querySelectorAll("[data-chart]")];
const drawAll = () => places.forEach((place) => draw(place).catch(() => {}));
if (places.length) {
  drawAll();
  night.addEventListener("change", drawAll);
  document.addEventListener("refreshed", () => places.forEach((place) => renew(place).catch(() => {})));
}

// Draw the views and answer their controls. The state of all controls is in the address, after the #.

const data = JSON.parse(document.getElementById("data").textContent);
const activations = data.activations;
const place = Object.fromEntries(activations.map((about, index) => [about.name, index]));

const WORDS = {
  glorot_uniform: "Glorot (Keras’ default)", he_normal: "He", critical: "critical (each its own)", centred: "centred",
  adam: "Adam", sgd: "SGD", plain: "none",
};
const SHAPES = {  // matplotlib's markers as paths in a square from -1 to 1
  o: "M-1,0A1,1,0,1,1,1,0A1,1,0,1,1,-1,0Z", s: "M-.9,-.9H.9V.9H-.9Z", "^": "M0,-1.1L1.05,.85H-1.05Z",
  D: "M0,-1.2L1.1,0L0,1.2L-1.1,0Z", v: "M0,1.1L1.05,-.85H-1.05Z",
  P: "M-.4,-1.1H.4V-.4H1.1V.4H.4V1.1H-.4V.4H-1.1V-.4H-.4Z",
  X: "M0,-.5L.6,-1.1L1.1,-.6L.5,0L1.1,.6L.6,1.1L0,.5L-.6,1.1L-1.1,.6L-.5,0L-1.1,-.6L-.6,-1.1Z",
  "<": "M-1.1,0L.85,-1.05V1.05Z", ">": "M1.1,0L-.85,-1.05V1.05Z",
  "*": "M0,-1.2L.29,-.4L1.1,-.37L.48,.15L.71,.97L0,.5L-.71,.97L-.48,.15L-1.1,-.37L-.29,-.4Z",
  d: "M0,-1.2L.7,0L0,1.2L-.7,0Z", p: "M0,-1.1L1,-.34L.65,.89L-.65,.89L-1,-.34Z",
  h: "M0,-1.1L.95,-.55L.95,.55L0,1.1L-.95,.55L-.95,-.55Z",
};
const DASH = "–";
const HEIGHT = 230, LINE = 14;  // pixels: of a chart's vertical axis, and between two labels
const MOST_LETTERS = 24;  // of a label
// Pixels of a chart: on the left, where the numbers of its axis stand, and on the right, where the lines have labels.
const LEFT = 46, RIGHT = 12 + Math.min(72, 8 * Math.max(0, ...activations.map((about) => about.label.length)));

// ---------- small helpers ----------

const byId = (id) => document.getElementById(id);
const word = (value) => WORDS[value] ?? String(value).replaceAll("_", " ");
const unique = (values) => [...new Set(values)];
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const minus = (text) => text.replace("-", "−");
// `raised` writes a whole number as an exponent. `plain`, `brief`, `percent` and `power` write a number: in six digits,
// in two, in percent, and as a power of ten if it is one below 0.001 or from 10,000 on. `span` writes the least and the
// largest of some counts.
const raised = (exponent) => [...String(exponent)].map((sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]).join("");
const plain = (value) => minus(String(Number(Number(value).toPrecision(6))));
const brief = (value) => plain(Number(value).toPrecision(2));
const percent = (value) => `${Number((100 * value).toPrecision(3))}%`;
const isPlain = (value) => value === 0 || (Math.abs(value) >= 0.001 && Math.abs(value) < 10000);
const power = (value) => isPlain(value) ? plain(value) : `10${raised(Math.round(Math.log10(value)))}`;
const listed = (texts) => texts.length > 1 ? `${texts.slice(0, -1).join(", ")} and ${texts.at(-1)}` : texts.join("");
const span = (counts) => unique([Math.min(...counts), Math.max(...counts)]).join(" to ");
const layersOf = (depth) => `${depth} hidden layer${String(depth) === "1" ? "" : "s"}`;
const clipped = (text) => text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS - 1)}…` : text;

// Return a measurement as text with `digits` significant digits, times a power of ten if it is small or large.
function short(value, digits = 2) {
  if (!isNumber(value)) return DASH;
  const text = value.toPrecision(digits);  // 230 in two digits is 2.3e+2
  if (isPlain(value)) return minus(text.includes("e") ? String(Number(text)) : text);
  const [number, exponent] = value.toExponential(digits - 1).split("e");
  return `${minus(number)} × 10${raised(Number(exponent))}`;
}

// Return a new element of the page with these attributes and children.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Return the value that is nearest to the number `wanted`.
function closest(values, wanted) {
  const far = (value) => Math.abs(Number(value) - Number(wanted));
  return values.reduce((best, value) => (far(value) < far(best) ? value : best), values[0]);
}

// ---------- the state, and the address that holds it ----------

const state = {};  // of each control, by "view.key", as text; "shown" holds the activations in the charts
const defaults = { shown: activations.slice(0, 4).map((about) => about.name).join(",") };
const numeric = new Set();  // keys of `state` whose values are numbers
const views = {};  // by name, a function that draws the view from the state
let lastChanged = null;

const shown = () => activations.filter((about) => state.shown.split(",").includes(about.name));

// Set the state from the address, with defaults for what it lacks. Return the view to which the address points, or
// null.
function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const [key, start] of Object.entries(defaults)) {
    const text = given.get(key) ?? start;
    state[key] = numeric.has(key) && !(text.trim() && Number.isFinite(Number(text))) ? start : text;
  }
  return given.get("at");
}

// Return the address of the present state, without the controls at their defaults. It points to `view`, if one is
// given.
function address(view) {
  const parts = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) if (value !== defaults[key]) parts.set(key, value);
  if (view) parts.set("at", view);
  return `#${parts.toString().replaceAll("%2C", ",")}`;
}

const OURS = {};  // marks the entries of the browser's history that the page has made

// Put the state into the address after the control `key` was moved. One control that is moved several times makes one
// entry of the browser's history.
function remember(key) {
  const view = key === "shown" ? new URLSearchParams(location.hash.slice(1)).get("at") : key.split(".")[0];
  history[key === lastChanged ? "replaceState" : "pushState"](OURS, "", address(view));
  lastChanged = key;
}

// Set the state of the control `key`, and draw the view that depends on it.
function set(key, value) {
  state[key] = String(value);
  draw(key === "shown" ? null : key.split(".")[0]);
}

// Draw the view named `only`, or all views if it is null, and renew the links to the views.
function draw(only = null) {
  for (const [name, render] of Object.entries(views)) if (only === null || only === name) render();
  for (const link of document.querySelectorAll("a.link")) link.href = address(link.dataset.view);
}

// Show what the address says. Only an address that somebody typed or followed scrolls to its view.
function arrive(event) {
  const at = readAddress();
  lastChanged = null;
  showChosen();
  draw();
  if (!event?.state && at) byId(at)?.scrollIntoView();
  history.replaceState(OURS, "");
}

// Scroll to `view`, and add it to the browser's history.
function goTo(view) {
  history.pushState(OURS, "", address(view));
  lastChanged = null;
  byId(view).scrollIntoView();
  byId(view).querySelector("h2").focus({ preventScroll: true });
}

// ---------- controls ----------

// Add a select over `values` to the controls of `view`; `start` is its default. `texts` returns an option's text.
// Return `show`, which selects a value.
function choice(view, key, label, values, start, texts = word) {
  const id = `${view}-${key}`, name = `${view}.${key}`;
  defaults[name] = String(start ?? values[0]);
  if (isNumber(values[0])) numeric.add(name);
  const select = make("select", { id }, ...values.map((value) => make("option", { value }, texts(value))));
  select.addEventListener("change", () => { set(name, select.value); remember(name); });
  byId(`${view}-controls`).append(make("label", { for: id }, make("span", {}, label), select));
  return { show: (value) => { select.value = String(value); } };
}

// Add a slider to the controls of `view`, or to the form with the id `form`. Return `show`, which sets its values and
// its place.
function slider(view, key, label, start, texts = String, form = `${view}-controls`) {
  const id = `${view}-${key}`, name = `${view}.${key}`;
  defaults[name] = String(start);
  numeric.add(name);
  const input = make("input", { id, type: "range", min: 0, step: 1 }), output = make("output", { for: id });
  let values = [start];
  const moved = () => set(name, values[Number(input.value)]);
  input.addEventListener("input", moved);
  input.addEventListener("change", () => { moved(); remember(name); });
  byId(form).append(make("label", { for: id, class: "slider" }, make("span", {}, label, " ", output), input));
  return {
    show(found, value) {
      values = found;
      input.max = Math.max(values.length - 1, 0);
      input.disabled = values.length < 2;
      input.value = values.indexOf(value);
      output.textContent = texts(value);
      input.setAttribute("aria-valuetext", texts(value));
    },
  };
}

// Add a checkbox for each activation, with its marker and label.
function chooseActivations() {
  for (const [index, about] of activations.entries()) {
    const box = make("input", { type: "checkbox", value: about.name });
    box.addEventListener("change", () => {
      const names = [...byId("shown").querySelectorAll("input:checked")].map((input) => input.value);
      set("shown", names.join(","));
      remember("shown");
    });
    byId("shown").append(make("label", {}, box, marker(index), about.label));
  }
}

// Tick the checkboxes of the activations that the charts show.
function showChosen() {
  for (const input of byId("shown").querySelectorAll("input")) input.checked = state.shown.split(",").includes(input.value);
}

// Return the marker of the activation with this index as an SVG element, in the activation's colour.
function marker(index) {
  const space = "http://www.w3.org/2000/svg", path = document.createElementNS(space, "path");
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "-1.3 -1.3 2.6 2.6");
  drawing.setAttribute("class", "marker");
  drawing.setAttribute("aria-hidden", "true");
  path.setAttribute("d", SHAPES[activations[index].marker] ?? SHAPES.o);
  path.setAttribute("fill", `var(--c${index})`);
  drawing.append(path);
  return drawing;
}

// ---------- the sentence and the table of a view ----------

const say = (view, text) => { if (byId(`${view}-said`).textContent !== text) byId(`${view}-said`).textContent = text; };

// Return a text as nodes that keep each part in brackets on one line.
function unbroken(text) {
  const [first, ...bounds] = text.split(/ (?=[[(])/);
  return [first, ...bounds.flatMap((part) => [" ", make("span", { class: "bounds" }, part)])];
}

// Fill the table `id` with headings and rows of texts. Every row begins with the name of an activation.
function numbers(id, headings, rows) {
  const head = headings.map((text, index) => make("th", { scope: "col", class: index ? "number" : "" }, text));
  const body = rows.map(([first, ...rest]) => make("tr", {},
    make("th", { scope: "row" }, marker(place[first]), activations[place[first]].label),
    ...rest.map((text, index) => make("td", { class: "number", "data-label": headings[index + 1] }, ...unbroken(text || DASH)))));
  byId(id).replaceChildren(make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
}

// ---------- charts ----------

const charts = {};

// Return Vega's specification of a chart. An axis `x` or `y` is {title, type, format}, and perhaps reverse or padding.
// `plot` sets the domain, ticks and data.
function specification(x, y) {
  const axis = (orient, scale, along) => ({
    orient, scale, title: along.title, values: { signal: `${scale}ticks` }, grid: scale === "y", tickSize: scale === "x" ? 4 : 0,
    domain: scale === "x", labelPadding: 6, titlePadding: 8, titleFontWeight: 400, titleFontSize: 12.5, labelFontSize: 12,
    zindex: 0, gridColor: "var(--line)", domainColor: "var(--soft)",
    tickColor: "var(--soft)", labelColor: "var(--soft)", titleColor: "var(--soft)",
    encode: { labels: { update: { text: { signal: `${scale}labels[indexof(${scale}ticks, datum.value)]` } } } },
  });
  const is = (value) => ({ value }), mark = (type, data, update) => ({ type, from: { data }, encode: { update } });
  const at = { x: { scale: "x", field: "x" }, y: { scale: "y", field: "y" } }, stroke = { scale: "color", field: "k" };
  const panel = { type: "group", clip: true, encode: { update: { width: { signal: "width" }, height: { signal: "height" } } } };
  const each = (name, update, type = "line") => ({
    ...panel, from: { facet: { name: `each_${name}`, data: name, groupby: "k" } },
    marks: [mark(type, `each_${name}`, { ...at, stroke, defined: { field: "known" }, ...update })],
  });
  return {
    width: 300, height: HEIGHT, autosize: "none",
    padding: { left: LEFT, top: 8, right: RIGHT, bottom: 46 },
    config: { aria: false, font: "system-ui, sans-serif", background: null },
    signals: ["xdomain", "ydomain", "xticks", "yticks", "xlabels", "ylabels"].map((name) => ({ name, value: [1, 10] })),
    data: ["lines", "bars", "points", "rings", "theory", "areas", "rules", "levels", "names"].map((name) => ({ name, values: [] })),
    scales: [
      { name: "x", type: x.type, domain: { signal: "xdomain" }, range: "width", zero: false, padding: x.padding ?? 0 },
      { name: "y", type: y.type, domain: { signal: "ydomain" }, range: "height", reverse: !!y.reverse, zero: false },
      ...["color", "text", "shape", "dash"].map((name) => ({
        name, type: "ordinal", domain: activations.map((about, index) => index),
        range: activations.map((about, index) => ({
          color: `var(--c${index})`, text: `var(--t${index})`, shape: SHAPES[about.marker] ?? SHAPES.o,
          dash: Array.isArray(about.dash) ? about.dash[1].map((part) => 2 * part) : [1, 0],
        })[name]),
      })),
    ],
    axes: [axis("left", "y", y), axis("bottom", "x", x)],
    marks: [
      mark("rule", "levels", { x: is(0), x2: { signal: "width" }, y: at.y, stroke: is("var(--soft)"), strokeDash: is([2, 3]) }),
      mark("rule", "rules", { x: at.x, y: is(0), y2: { signal: "height" }, stroke: is("var(--accent)"), strokeWidth: is(1.5), strokeDash: is([5, 4]) }),
      each("areas", { y2: { scale: "y", value: 0 }, stroke: null, fill: stroke, fillOpacity: is(0.13), interpolate: is("monotone") }, "area"),
      each("theory", { strokeWidth: is(9), strokeOpacity: is(0.22), strokeCap: is("round") }),
      each("lines", { strokeWidth: is(2), strokeDash: { scale: "dash", field: "k" } }),
      { ...panel, marks: [mark("rule", "bars", {
        x: at.x, y: { scale: "y", field: "low" }, y2: { scale: "y", field: "high" }, stroke, strokeWidth: is(2), strokeOpacity: is(0.55),
      })] },
      mark("symbol", "points", {
        ...at, shape: { scale: "shape", field: "k" }, size: { field: "size" }, stroke, strokeWidth: is(1.5), tooltip: { field: "tip" },
        fill: { signal: "datum.hollow ? 'var(--paper)' : scale('color', datum.k)" },
      }),
      mark("symbol", "rings", { ...at, size: is(190), stroke, strokeWidth: is(1.5) }),
      mark("text", "names", {
        x: { ...at.x, offset: 9 }, y: { field: "pixel" }, text: { field: "text" }, fill: { scale: "text", field: "k" },
        fontSize: is(12.5), baseline: is("middle"), fontWeight: is(600), limit: is(RIGHT - 6),
      }),
    ],
  };
}

// Make an empty chart in the element `id`, if the page has one. Its changes wait in `queue`, and run one after another.
function chart(id, x, y) {
  if (!byId(id)) return;
  const box = byId(id), made = { x, y, queue: Promise.resolve() };
  charts[id] = made;
  const options = { mode: "vega", ast: true, actions: false, defaultStyle: false, renderer: "svg", tooltip, hover: false };
  made.queue = window.vegaEmbed(box, specification(x, y), options).then((result) => {
    made.view = result.view;
    box.querySelector("svg").setAttribute("aria-hidden", "true");  // the box has a name, and its numbers are in a table
  });
  new ResizeObserver(() => fit(made, box)).observe(box);
}

// Make a chart as wide as its box.
function fit(made, box) {
  made.queue = made.queue.then(() => {
    const width = Math.max(box.clientWidth - LEFT - RIGHT, 80);
    if (made.view.width() === width) return null;
    made.view.width(width);
    if (made.axes) labelTicks(made);
    return made.view.runAsync();
  });
}

// Show data in the chart `id`. `points`, `theory` and `areas` are lists of {k, x, y, ...}, where k is the index of an
// activation. `rules` are vertical lines at {x}, and `levels` horizontal lines at {y}. If there is nothing
// to draw, `note` stands in place of the axes. `xs` and `ys` are axes as `evenAxis` and `layerAxis` return them.
function plot(id, given) {
  const made = charts[id], { points = [], theory = [], areas = [], rules = [], levels = [], note = "no activation chosen was run so", xs, ys } = given;
  if (!made) return;
  const canShow = (value) => isNumber(value) && (made.y.type !== "log" || value > 0);
  const known = (rows) => rows.map((row) => ({ size: 55, ...row, known: canShow(row.y), y: canShow(row.y) ? row.y : null }));
  const lines = known(points), marks = lines.filter((row) => row.known && row.size), axes = { x: xs, y: ys };
  const all = {
    lines, points: marks, bars: marks.filter((row) => canShow(row.low) && canShow(row.high)), rings: marks.filter((row) => row.ring),
    theory: known(theory), areas: known(areas), rules, levels, names: labels(lines, made.y, ys.domain),
  };
  const isEmpty = ![...all.lines, ...all.theory].some((row) => row.known);
  byId(id).toggleAttribute("data-note", isEmpty);
  if (isEmpty) byId(id).dataset.note = note;
  made.wanted = all;
  made.queue = made.queue.then(() => {
    if (made.wanted !== all) return null;  // moved on meanwhile
    for (const [name, rows] of Object.entries(all)) made.view.data(name, rows);
    for (const [name, { domain, ticks, labels: texts }] of Object.entries(axes)) {
      made.view.signal(`${name}domain`, domain).signal(`${name}ticks`, ticks).signal(`${name}labels`, texts ?? ticks.map(made[name].format));
    }
    made.axes = axes;
    labelTicks(made);
    return made.view.runAsync();
  });
}

// Label the ticks of a chart's horizontal axis: the last, the first, and of the others each for which there is space.
function labelTicks({ view, x, axes }) {
  const { domain, ticks, labels: texts = ticks.map(x.format) } = axes.x, padding = x.padding ?? 0, kept = [];
  const [low, high, ...places] = [...domain, ...ticks].map(x.type === "log" ? Math.log : Number);
  const pixel = (index) => padding + (view.width() - 2 * padding) * (places[index] - low) / (high - low);
  const half = (index) => 3.6 * texts[index].length + 3;  // pixels that half of a label takes, and a gap
  for (const index of [ticks.length - 1, ...ticks.keys()]) {
    if (kept.every((other) => Math.abs(pixel(index) - pixel(other)) >= half(index) + half(other))) kept.push(index);
  }
  view.signal("xlabels", texts.map((text, index) => (kept.includes(index) ? text : "")));
}

// Return a label for the end of every line; labels are moved apart where they would overlap. `pixel` is counted from
// the top.
function labels(points, y, [low, high]) {
  const along = y.type === "log" ? Math.log : (value) => value;
  const ends = shown().map((about) => points.filter((row) => row.k === place[about.name] && row.known).at(-1)).filter(Boolean);
  const rows = ends.map((end) => {
    const share = (along(end.y) - along(low)) / (along(high) - along(low));
    return { k: end.k, x: end.x, text: clipped(activations[end.k].label), pixel: HEIGHT * (y.reverse ? share : 1 - share) };
  }).sort((one, other) => one.pixel - other.pixel);
  rows.forEach((row, index) => { row.pixel = Math.max(row.pixel, index ? rows[index - 1].pixel + LINE : 4); });
  let floor = HEIGHT;
  for (const row of rows.toReversed()) { row.pixel = Math.min(row.pixel, floor); floor = row.pixel - LINE; }
  return rows;
}

// Return the domain and ticks of a logarithmic axis for the values above 0, from a power of ten to another.
function logAxis(values) {
  const found = values.filter((value) => isNumber(value) && value > 0).map(Math.log10);
  const low = found.length ? Math.floor(Math.min(...found)) : 0;
  const high = found.length ? Math.max(Math.ceil(Math.max(...found)), low + 1) : 1;
  const ticks = [], by = Math.ceil((high - low) / 6);
  for (let exponent = high; exponent >= low; exponent -= by) ticks.push(10 ** exponent);
  if (high - low === 1 && isPlain(10 ** low) && isPlain(5 * 10 ** low)) ticks.push(2 * 10 ** low, 5 * 10 ** low);
  return { domain: [10 ** low, 10 ** high], ticks };
}

// Return the domain and ticks of an axis with a tick at each of the ascending `values`.
const runAxis = (values) => ({ domain: [values[0], values.at(-1)], ticks: values });

// Return the domain and ticks of a linear axis from `low` to `high`, with at most `most` steps of a round number.
function evenAxis(low, high, most = 6) {
  const rough = (high - low) / most || 1, base = 10 ** Math.floor(Math.log10(rough));
  const by = [1, 2, 5, 10].find((factor) => factor * base >= rough) * base, ticks = [];
  for (let tick = Math.ceil(low / by - 1e-9) * by; tick <= high + by * 1e-9; tick += by) ticks.push(Number(tick.toPrecision(6)));
  return { domain: [low, high], ticks };
}

// Return the domain, ticks and labels of an axis of layers: layer 1, some layers between, and the last, which is the
// output.
function layerAxis(last) {
  const by = [1, 2, 5, 10].find((every) => last / every <= 8) ?? 20, ticks = [1];
  for (let tick = by < 5 ? 1 + by : by; tick <= last - Math.max(by / 2, 1); tick += by) ticks.push(tick);
  return { domain: [1, last], ticks: [...ticks, last], labels: [...ticks.map(String), "out"] };
}

// Write `value` beside the pointer, or hide the text if there is no value. Vega calls this function.
function tooltip(handler, event, item, value) {
  const tip = byId("tip");
  tip.hidden = !value;
  tip.textContent = value ?? "";
  if (!value) return;
  tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${event.clientY + 14}px`;
}

// ---------- settings that were run ----------

// Return the setting nearest to `wanted`, and the keys in which it differs. It has the wanted value of the key
// `chosen`, if a setting has it, then as many others of the `keys` as possible, then the nearest depth.
function nearest(settings, keys, wanted, chosen) {
  const fits = (setting, key) => String(setting[key]) === String(wanted[key]);
  const score = (setting) => keys.reduce((sum, key) => sum + (fits(setting, key) ? (key === chosen ? 100 : 10) : 0), 0)
    - Math.abs(Math.log((setting.depth ?? 1) / Math.min(Math.max(Number(wanted.depth) || 1, 1), 1e6)));
  const best = settings.reduce((one, other) => (score(other) > score(one) ? other : one));
  return { best, moved: keys.filter((key) => !fits(best, key)) };
}

// Return the setting that the controls of `view` choose, or the nearest that was run, and set the state to it. `note`
// says which values of the controls were not run.
function settle(view, settings, keys, words) {
  const wanted = Object.fromEntries(keys.map((key) => [key, state[`${view}.${key}`]]));
  const chosen = lastMoved[view], { best, moved } = nearest(settings, keys, wanted, chosen);
  for (const key of keys) state[`${view}.${key}`] = String(best[key]);
  const asked = moved.length ? keys.filter((key) => key === chosen).map((key) => words[key](best[key])) : [];
  const note = moved.length ? `Not run${asked.length ? ` with ${asked[0]}` : ""}: ${listed(moved.map((key) => words[key](wanted[key])))}. ` : "";
  return { setting: best, note };
}

const lastMoved = {};  // by view, the key of the control that was moved last
const merged = (setting) => ({ ...setting, optimiser: `${word(setting.optimiser)} at ${plain(setting.learning_rate)}` });
// How a sentence names the value of a setting, by key.
const WITH = {
  init: (value) => word(value).replace(/(?= \()|$/, " initialisation"), optimiser: String, depth: layersOf,
  variant: (value) => (value === "plain" ? "no remedy" : word(value)),
};

// Record in `lastMoved` which of the controls `keys` was moved last.
function follow(view, keys) {
  for (const key of keys) byId(`${view}-${key}`).addEventListener("input", () => { lastMoved[view] = key; });
}

// ---------- the views ----------

// Each function below makes the controls and charts of its view once. It adds to `views` the function that draws them.

function layersView() {
  const settings = data.layers.settings.map(merged), keys = ["depth", "init", "optimiser", "variant"];
  const numeric = (one, other) => one - other, options = (key) => unique(settings.map((setting) => setting[key]));
  const start = nearest(settings, keys, { depth: 10, init: "glorot_uniform", variant: "plain", optimiser: "Adam at 0.001" }).best;
  const controls = {
    depth: choice("layers", "depth", "Hidden layers", options("depth").sort(numeric), start.depth),
    init: choice("layers", "init", "Initialisation", options("init"), start.init),
    optimiser: choice("layers", "optimiser", "Optimiser", options("optimiser").sort(), start.optimiser),
    variant: choice("layers", "variant", "Remedy", options("variant"), start.variant),
  };
  let recorded = "";
  const step = slider("layers", "step", "Training step", 0, (value) => `${Number(value).toLocaleString("en")}${recorded}`);
  const layer = slider("layers", "layer", "Layer whose pre-activations are shown", 1, String, "layers-bell");
  follow("layers", keys);
  for (const [id, type] of [["error", "log"], ["weight", "log"], ["forward", "log"]]) {
    chart(`layers-${id}-plot`, { title: "layer", type: "linear", format: String, padding: 6 }, { type, format: power });
  }
  for (const id of ["curve", "slope"]) chart(`layers-${id}-plot`, { title: "z", type: "linear", format: plain }, { type: "linear", format: plain });

  views.layers = () => {
    const { setting, note } = settle("layers", settings, keys, WITH);
    const now = setting.steps.indexOf(closest(setting.steps, state["layers.step"]));
    const hidden = Array.from({ length: setting.depth }, (none, index) => index + 1);
    const chosenLayer = closest(hidden, state["layers.layer"]);
    for (const [key, control] of Object.entries(controls)) control.show(state[`layers.${key}`]);
    recorded = ` (${setting.steps.length} steps recorded)`;
    step.show(setting.steps, setting.steps[now]);
    layer.show(hidden, chosenLayer);
    const present = shown().filter((about) => setting.values[about.name]);

    const theoryOf = (name) => (setting.variant === "plain" && data.layers.theory[`${name}|${setting.init}|${setting.depth}`]) || {};
    const bounds = (name, measure) => measured(setting, now, theoryOf(name), name, measure);
    const every = (measure) => present.flatMap((about) => [...(setting.values[about.name][measure] ?? []), bounds(about.name, measure)].flat(2));
    const lines = (measure) => present.flatMap((about) => bounds(about.name, measure).map(([y, low, high], index) => ({
      k: place[about.name], x: index + 1, y, low, high, size: setting.depth > 14 ? 18 : 55,
      tip: `${about.label}, layer ${index + 1}: ${short(y, 3)} [${short(low, 3)}, ${short(high, 3)}]`,
    })));
    const theory = (measure) => present.flatMap((about) => {
      const found = theoryOf(about.name);
      const top = setting.values[about.name].error?.[0]?.at(-1)?.[0];
      const predicted = measure === "error" ? (found.error_norm_ratio ?? []).map((ratio) => ratio * top) : found[measure] ?? [];
      return predicted.map((y, index) => ({ k: place[about.name], x: index + 1, y }));
    });
    const xs = layerAxis(setting.depth + 1);
    for (const [id, measure] of [["error", "error"], ["weight", "weight_gradient"], ["forward", "preactivation_square"]]) {
      const predicted = theory(measure), points = lines(measure), some = points.some((row) => row.y > 0);
      plot(`layers-${id}-plot`, { points, theory: setting.steps[now] === 0 ? predicted : [], xs,
        rules: id === "forward" && some ? [{ x: chosenLayer }] : [],
        ...(present.length && { note: points.length ? "exactly 0, or training had ended" : "not recorded in this network at this step" }),
        ys: logAxis([...every(measure), ...predicted.map((row) => row.y)]) });
    }
    const squares = (name) => bounds(name, "preactivation_square"), stood = (name) => squares(name) === theoryOf(name).measured;
    const quantilesOf = (name) => setting.quantiles[name]?.[setting.steps[now]]?.[chosenLayer - 1];
    const seeds = (name) => (stood(name) ? theoryOf(name).seeds : setting.values[name].seeds[now]);
    bell((name) => squares(name)[chosenLayer - 1]?.[0], seeds, chosenLayer, present, quantilesOf);
    const ratio = ({ name }) => { const found = bounds(name, "error"); return found[0]?.[0] / found.at(-2)?.[0]; };
    const told = present.filter((about) => isNumber(ratio(about))), untold = present.filter((about) => !told.includes(about));
    const counted = told.length && span(told.map((about) => setting.values[about.name].seeds[now]));
    say("layers", `${note}${layersOf(setting.depth)}, ${WITH.init(setting.init)}, ${setting.optimiser}${setting.variant === "plain" ? "" : `, ${word(setting.variant)}`}, `
      + `step ${setting.steps[now].toLocaleString("en")}. `
      + (setting.depth === 1 ? "Layer 1 is the only hidden layer. " : told.length ? `The error at layer 1 is this many times the error at the last hidden layer (mean of ${counted} seed${counted === "1" ? "" : "s"}): ${told.map((about) => `${about.label} ${short(ratio(about)).replaceAll(" ", "\u00a0")}`).join(", ")}. ` : "")
      + (untold.length ? `The error is exactly 0, or training had ended, with ${listed(untold.map((about) => about.label))}.` : "")
      + (present.length ? "" : "No activation chosen was run so."));
    const measures = ["error", "weight_gradient", "preactivation_square"], last = setting.depth + 1;
    numbers("layers-numbers", ["", "Layer", "Error", "Weight gradient", "Mean of z²"],
      present.flatMap((about) => [...hidden, last].map((at) => [about.name, at === last ? "output" : String(at),
        ...measures.map((measure) => short(bounds(about.name, measure)[at - 1]?.[0], 3))])));
  };
}

// Return [mean, low, high] of a measure by layer, at the step with the index `now`. Where training did not log the mean
// square of z at step 0, return the one of the networks measured for theory.
function measured(setting, now, theory, name, measure) {
  const found = setting.values[name]?.[measure]?.[now] ?? [];
  return !found.length && measure === "preactivation_square" && setting.steps[now] === 0 ? theory.measured ?? [] : found;
}

// Draw the activations `present` and their slopes, over the distribution of the layer's pre-activations z, and fill the
// table of the layer. The distribution is the measured density between quantiles (`quantilesOf`), or a normal curve with
// the mean square (`square`) where no quantiles were measured. `square`, `seeds` and `quantilesOf` are functions of an
// activation's name.
function bell(square, seeds, layer, present, quantilesOf) {
  const curves = data.layers.curves, names = present.filter((about) => curves[about.name]);
  const density = (z, mean) => Math.exp(-z * z / (2 * mean));
  const ends = (column) => { const all = names.flatMap((about) => curves[about.name][column]); return [Math.min(0, ...all), Math.max(1, ...all)]; };
  for (const [id, column] of [["curve", "value"], ["slope", "derivative"]]) {
    const [low, high] = ends(column), room = (high - low) * 0.05;
    const rows = (values) => names.flatMap((about) => curves[about.name].x.map((x, index) => ({ k: place[about.name], x, y: values(about.name, x, index), size: 0 })));
    const xs = names.flatMap((about) => curves[about.name].x);
    plot(`layers-${id}-plot`, {
      points: rows((name, x, index) => curves[name][column][index]),
      areas: [
        ...names.flatMap((about) => heights(quantilesOf(about.name) ?? []).map(([x, share]) => ({ k: place[about.name], x, y: high * 0.9 * share }))),
        ...rows((name, x) => (square(name) > 0 && !quantilesOf(name) ? high * 0.9 * density(x, square(name)) : null)),
      ],
      xs: evenAxis(Math.min(-1, ...xs), Math.max(1, ...xs), 5), ys: { ...evenAxis(low, high, 5), domain: [low - room, high + room] },
    });
  }
  const slope = ({ name }) => (quantilesOf(name) ? slopeBetween(curves[name], quantilesOf(name)) : typicalSlope(curves[name], square(name)));
  const middle = ({ name }) => { const at = quantilesOf(name); return at ? `${short(at[half(at)], 3)} (${short(at[1], 3)} to ${short(at.at(-2), 3)})` : DASH; };
  numbers("layers-chosen", ["", `Mean of z² at layer ${layer}`, "Median z (90% of z)", "Slope there, root mean square", "Seeds"],
    names.map((about) => [about.name, short(square(about.name), 3), middle(about), short(slope(about), 2), String(seeds(about.name))]));
}

const half = (quantiles) => (quantiles.length - 1) / 2;

// Return points [z, density] in the middle between neighbouring quantiles, with density 0 at both ends and 1 at most.
function heights(quantiles) {
  const { percent } = data.layers, parts = quantiles.slice(1).map((high, index) => {
    const low = quantiles[index];
    return [(low + high) / 2, (percent[index + 1] - percent[index]) / Math.max(high - low, 1e-12)];
  });
  const most = Math.max(...parts.map(([, density]) => density));
  return quantiles.length ? [[quantiles[0], 0], ...parts.map(([x, density]) => [x, density / most]), [quantiles.at(-1), 0]] : [];
}

// Return the mean slope of the recorded piece of the curve in which z lies; beyond the ends, of the first or last
// piece.
const slopeAt = ({ x, between }, z) => between[Math.min(Math.max(Math.floor((z - x[0]) / (x[1] - x[0])), 0), between.length - 1)];

// Return the root mean square of the slope over the measured pre-activations, spread evenly between neighbouring
// quantiles.
function slopeBetween(curve, quantiles) {
  const { percent } = data.layers, points = 50;
  let sum = 0;
  for (let part = 0; part + 1 < quantiles.length; part += 1) {
    const low = quantiles[part], step = (quantiles[part + 1] - low) / points, share = (percent[part + 1] - percent[part]) / points;
    for (let index = 0; index < points; index += 1) sum += share * slopeAt(curve, low + (index + 0.5) * step) ** 2;
  }
  return Math.sqrt(sum / (percent.at(-1) - percent[0]));
}

// Return the root mean square of the slope for normal pre-activations with this mean square.
function typicalSlope(curve, square) {
  if (!(square > 0)) return NaN;
  const spread = Math.sqrt(square), steps = 2000;
  let sum = 0, weight = 0;
  for (let index = 0; index < steps; index += 1) {
    const z = spread * 6 * (2 * (index + 0.5) / steps - 1);
    const density = Math.exp(-z * z / (2 * square));
    sum += density * slopeAt(curve, z) ** 2;
    weight += density;
  }
  return Math.sqrt(sum / weight);
}

// Return a point of the data as `plot` takes it, with the properties `more`.
const pointOf = (point, more = {}) => ({
  k: place[point.activation], x: point.x, y: point.y, low: point.low, high: point.high,
  tip: `${activations[place[point.activation]].label}: ${point.text}%`, ...more,
});
// Return which of the `points` (undefined where nothing was run) have the highest and the lowest accuracy of a `kind`.
function extremes(kind, points) {
  const found = points.filter((point) => isNumber(point?.y)).sort((one, other) => other.y - one.y);
  const told = (point) => `${point.text.split(" [")[0]}% with ${activations[place[point.activation]].label}`;
  const range = found.length > 1 ? `from ${told(found.at(-1))} to ${told(found[0])}` : found.map(told).join("");
  return range ? `mean ${kind} accuracy ${range}.` : "no activation chosen was run so.";
}
const drawnOf = (points) => points.filter((point) => shown().some((about) => about.name === point.activation));
const ofActivation = (points, name, x) => points.find((point) => point.activation === name && point.x === x);

function depthView() {
  const settings = data.depth.settings.map(merged), keys = ["optimiser", "init"];
  const options = (key) => unique(settings.map((setting) => setting[key]));
  const controls = {
    optimiser: choice("depth", "optimiser", "Optimiser", options("optimiser"), settings[0].optimiser),
    init: choice("depth", "init", "Initialisation", options("init"), settings[0].init),
  };
  const depth = slider("depth", "depth", "Hidden layers", 10);
  follow("depth", keys);
  chart("depth-accuracy-plot", { title: "hidden layers, log scale", type: "log", format: plain, padding: 10 }, { type: "linear", format: percent });

  views.depth = () => {
    const { setting, note } = settle("depth", settings, keys, WITH);
    const depths = unique(setting.points.map((point) => point.x)).sort((one, other) => one - other);
    const now = closest(depths, state["depth.depth"]), present = shown();
    for (const [key, control] of Object.entries(controls)) control.show(state[`depth.${key}`]);
    depth.show(depths, now);
    plot("depth-accuracy-plot", {
      points: drawnOf(setting.points).map((point) => pointOf(point, { hollow: !point.learns, tip: `${pointOf(point).tip}, ${point.trained} seeds trained` })),
      rules: [{ x: now }], levels: [{ y: data.depth.level }],
      xs: runAxis(depths), ys: evenAxis(0, 1, 5),
    });
    const at = (about) => ofActivation(setting.points, about.name, now);
    const run = present.filter(at), learning = run.filter((about) => at(about).learns);
    const lost = run.filter((about) => at(about).trained.startsWith("0 "));
    const partly = run.filter((about) => !learning.includes(about) && !lost.includes(about));
    const names = (found) => listed(found.map((about) => about.label));
    say("depth", `${note}${layersOf(now)}, ${setting.optimiser}, ${WITH.init(setting.init)}: `
      + (learning.length ? `${names(learning)} learn${learning.length === 1 ? "s" : ""} on every seed`
        : partly.length ? "none learns on every seed" : lost.length ? "none learns on any seed" : "no activation chosen was run so")
      + (partly.length ? `; ${names(partly)} on some` : "") + (lost.length && lost.length < run.length ? `; ${names(lost)} on none` : "") + ".");
    numbers("depth-numbers", ["", "Validation accuracy, %", "Seeds that trained", "Layers that train"],
      present.map((about) => [about.name, at(about)?.text, at(about)?.trained, setting.deepest[about.name]]));
  };
}

function rateView() {
  const { points, dead, chosen } = data.rate, rates = unique(points.map((point) => point.x)).sort((one, other) => one - other);
  const rate = slider("rate", "rate", "Learning rate", closest(rates, 0.01), brief);
  const x = { title: "learning rate, log scale", type: "log", format: brief, padding: 10 };
  chart("rate-accuracy-plot", x, { type: "log", reverse: true, format: (value) => percent(1 - value) });
  chart("rate-dead-plot", x, { type: "linear", format: percent });

  views.rate = () => {
    const now = closest(rates, state["rate.rate"]), present = shown(), rules = [{ x: now }];
    rate.show(rates, now);
    const xs = runAxis(rates);
    const wrong = drawnOf(points).map((point) => pointOf(point, { y: 1 - point.y, low: 1 - point.high, high: 1 - point.low, ring: point.best }));
    const errors = wrong.flatMap((row) => [row.y, row.low > 0.01 ? row.low : row.y]).filter((value) => value > 0);
    const ends = [Math.min(0.03, ...errors) * 0.9, Math.max(0.1, ...errors) * 1.1];
    const ticks = [0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 0.9].filter((tick) => tick >= ends[0] && tick <= ends[1]);
    plot("rate-accuracy-plot", { points: wrong, rules, xs, ys: { domain: ends, ticks } });
    plot("rate-dead-plot", { points: drawnOf(dead).map((point) => pointOf(point)), rules, xs, ys: evenAxis(0, 1, 5) });
    const at = (found, about) => ofActivation(found, about.name, now), best = (about) => points.find((point) => point.activation === about.name && point.best);
    say("rate", `Learning rate ${brief(now)}: ${extremes("validation", present.map((about) => at(points, about)))}`);
    numbers("rate-numbers", ["", "Validation accuracy, %", "Dead units, %", "Best of the grid", "Chosen after full training (seeds)"],
      present.map((about) => [about.name, at(points, about)?.text, at(dead, about)?.text, best(about)?.rate, chosen[about.name]]));
  };
}

function noiseView() {
  const points = data.noise.points, amplitudes = unique(points.map((point) => point.x)).sort((one, other) => one - other);
  const amplitude = slider("noise", "amplitude", "Amplitude a", closest(amplitudes, 1), plain);
  const pictures = (data.digits ?? []).map((digit) => {
    const canvas = make("canvas", { width: 28, height: 28, role: "img" });
    byId("noise-digits")?.append(canvas);
    return { ...digit, canvas };
  });
  chart("noise-accuracy-plot", { title: "amplitude a of the noise", type: "linear", format: plain, padding: 10 }, { type: "linear", format: percent });

  views.noise = () => {
    const now = closest(amplitudes, state["noise.amplitude"]), present = shown();
    amplitude.show(amplitudes, now);
    pictures.forEach((picture, index) => paint(picture, now, 1000 + index));
    plot("noise-accuracy-plot", { points: drawnOf(points).map((point) => pointOf(point)), rules: [{ x: now }],
      xs: runAxis(amplitudes), ys: evenAxis(0, 1, 5) });
    const at = (about) => ofActivation(points, about.name, now);
    say("noise", `Amplitude ${plain(now)}: ${extremes("test", present.map(at))}`);
    numbers("noise-numbers", ["", "Test accuracy, %", `Against ${data.noise.reference}, points`, "Seeds"],
      present.map((about) => [about.name, at(about)?.text, at(about)?.difference, at(about) && String(at(about).n)]));
  };
}

// Draw a digit plus uniform noise in dark on white; brightness is cut to [0, 255]. The same `seed` gives the same
// noise.
function paint({ canvas, label, pixels }, amplitude, seed) {
  const random = generator(seed), context = canvas.getContext("2d"), image = context.createImageData(28, 28);
  pixels.forEach((ink, index) => {
    const bright = 255 - Math.min(Math.max(ink + 255 * amplitude * (2 * random() - 1), 0), 255);
    image.data.set([bright, bright, bright, 255], 4 * index);
  });
  context.putImageData(image, 0, 0);
  canvas.setAttribute("aria-label", `Digit ${label} with noise of amplitude ${plain(amplitude)}`);
}

// Return the generator Mulberry32, a function that returns the next number in [0, 1).
function generator(seed) {
  let now = seed >>> 0;
  return () => {
    now = (now + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(now ^ (now >>> 15), now | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function verdictView() {
  const table = byId("verdict-table"), body = table.tBodies[0], heads = [...table.tHead.rows[0].cells], rows = [...body.rows];
  defaults["verdict.sort"] = "0.up";
  const titles = heads.map((head, column) => {
    const title = head.textContent, button = make("button", { type: "button" }, title);
    button.addEventListener("click", () => {
      const [now, way] = state["verdict.sort"].split("."), first = column ? "down" : "up";
      set("verdict.sort", `${column}.${Number(now) === column ? (way === "up" ? "down" : "up") : first}`);
      remember("verdict.sort");
    });
    head.replaceChildren(button);
    return title;
  });

  views.verdict = () => {
    const [text, way] = state["verdict.sort"].split("."), column = Number(text) in heads ? Number(text) : 0, sign = way === "down" ? -1 : 1;
    const value = (row) => (row.cells[column].dataset.value === "" ? null : Number(row.cells[column].dataset.value));
    const order = (one, other) => (value(one) === null) - (value(other) === null) || sign * (value(one) - value(other));
    body.append(...rows.toSorted(order));
    heads.forEach((head, index) => head.setAttribute("aria-sort", index !== column ? "none" : sign > 0 ? "ascending" : "descending"));
    say("verdict", column ? `Sorted by ${titles[column]}, ${sign > 0 ? "least" : "largest"} first.` : "In the study’s order" + (sign > 0 ? "." : ", reversed."));
  };
}

function claimsView() {
  const found = [...document.querySelectorAll("details.claim")];
  defaults["claims.open"] = "";
  const open = () => found.filter((claim) => claim.open).map((claim) => claim.dataset.claim).join(",");
  for (const claim of found) {
    claim.querySelector("summary").addEventListener("click", () => requestAnimationFrame(() => {
      state["claims.open"] = open();
      remember(`claims.open ${claim.dataset.claim}`);
      draw("");
    }));
  }
  views.claims = () => { for (const claim of found) claim.open = state["claims.open"].split(",").includes(claim.dataset.claim); };
}

// ---------- start ----------

chooseActivations();
for (const [name, view] of Object.entries({ layers: layersView, depth: depthView, rate: rateView, noise: noiseView, verdict: verdictView, claims: claimsView })) {
  if (data[name] && data[name].settings?.length !== 0) view();
}
for (const form of document.querySelectorAll("form")) form.addEventListener("submit", (event) => event.preventDefault());
for (const link of document.querySelectorAll("a[data-view]")) {
  link.addEventListener("click", (event) => { event.preventDefault(); goTo(link.dataset.view); });
}
addEventListener("popstate", arrive);
const closed = [];  // details that are open only on paper
addEventListener("beforeprint", () => {
  closed.push(...document.querySelectorAll("details:not([open])"));
  for (const part of closed) part.open = true;
});
addEventListener("afterprint", () => { for (const part of closed.splice(0)) part.open = false; });
arrive();
document.documentElement.dataset.ready = "";

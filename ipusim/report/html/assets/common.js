"use strict";
/* Shared by all pages: the data, numbers as text, elements from text, packed arrays, and plots that follow the theme. */
const data = JSON.parse(document.getElementById("data").textContent);

const text = {
  figures(value) {
    if (value === 0) return "0";
    const rounded = Math.abs(value) < 1000 ? Number(value.toPrecision(3)) : value;
    const digits = Math.min(4, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(rounded)) + 1e-9)));
    return rounded.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  },
  scaled(value, unit, step, prefixes) {
    let index = 0;
    while (Math.abs(value) >= (step === 1024 ? 1000 : 999.5) && index + 1 < prefixes.length) { value /= step; index += 1; }
    return `${index || value % 1 ? text.figures(value) : value} ${prefixes[index]}${unit}`.trim();
  },
  count: (value) => (value == null ? "-" : Math.round(value).toLocaleString("en")),
  bytes: (value) => (value == null ? "-" : text.scaled(value, "B", 1024, ["", "Ki", "Mi", "Gi", "Ti", "Pi"])),
  rate: (value, unit) => (value == null ? "-" : text.scaled(value, unit, 1000, ["", "k", "M", "G", "T", "P", "E"])),
  percent: (value) => (value == null ? "-" : `${(100 * value).toFixed(1)} %`),
  seconds(value) {
    for (const [scale, unit] of [[1, "s"], [1e-3, "ms"], [1e-6, "us"], [1e-9, "ns"]])
      if (Math.abs(value) >= scale) return `${text.figures(value / scale)} ${unit}`;
    return "0 s";
  },
  joules(value) {
    for (const [scale, unit] of [[1, "J"], [1e-3, "mJ"], [1e-6, "uJ"], [1e-9, "nJ"]])
      if (Math.abs(value) >= scale) return `${text.figures(value / scale)} ${unit}`;
    return value == null ? "-" : `${value} J`;
  },
  /* Plotly reads some markup in its labels: names are shown as they are. */
  plain: (name) => String(name).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;"),
  short: (name, most = 40) => (name.length > most ? `${name.slice(0, most - 1)}\u2026` : name),
};

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.map(String));
  return made;
}

function rows(table, entries) {
  const body = document.createElement("tbody");
  for (const [label, value] of entries) {
    const row = document.createElement("tr");
    row.append(element("th", { scope: "row" }, label), element("td", { className: "n" }, value));
    body.append(row);
  }
  table.replaceChildren(body);
}

function choices(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, label]) => element("option", { value, selected: value === chosen }, label)));
}

const unpacked = new Map();
function unpack(packed) {
  if (!unpacked.has(packed)) unpacked.set(packed, inflate(packed));
  return unpacked.get(packed);
}
async function inflate(packed) {
  const bytes = Uint8Array.from(atob(packed.slice(3)), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  return packed.startsWith("i4:") ? new Int32Array(buffer) : new Float64Array(buffer);
}

const theme = {
  get: (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(),
  categories: () => [1, 2, 3, 4, 5, 6].map((index) => theme.get(`c${index}`)),
};

const plots = { drawn: new Map(), ready: Promise.resolve() };
/* Draw a plot and draw it again when the theme changes; make() returns traces and layout. */
function draw(id, make) {
  const place = document.getElementById(id);
  if (!place) return Promise.resolve(null);
  plots.drawn.set(id, make);
  const shown = show(place, make);
  plots.ready = Promise.all([plots.ready, shown]);
  return shown.then(() => place);
}
function show(place, make) {
  const { traces, layout } = make();
  if (layout.height) place.style.minHeight = `${layout.height}px`;
  const axis = { gridcolor: theme.get("line"), zerolinecolor: theme.get("line"), linecolor: theme.get("line"), automargin: true };
  const axes = {};
  for (const key of ["xaxis", "yaxis", "xaxis2", "yaxis2", ...Object.keys(layout).filter((key) => /^[xy]axis/.test(key))])
    if (key.length === 5 || layout[key]) axes[key] = { ...axis, ...layout[key] };
  const shared = {
    paper_bgcolor: theme.get("ground"), plot_bgcolor: theme.get("ground"),
    font: { color: theme.get("ink"), family: "system-ui, DejaVu Sans, sans-serif", size: 13 },
    hoverlabel: { bgcolor: theme.get("panel"), bordercolor: theme.get("line"), font: { color: theme.get("ink") }, align: "left" },
    margin: { l: 60, r: 20, t: 56, b: 50 }, legend: { orientation: "h", x: 0, xanchor: "left", y: 1.03, yanchor: "bottom", traceorder: "normal" }, uirevision: "kept",
  };
  return Plotly.react(place, traces, { ...shared, ...layout, ...axes }, { responsive: true, displaylogo: false, displayModeBar: !matchMedia("(max-width: 600px)").matches, modeBarButtonsToRemove: ["lasso2d", "select2d"] });
}
const onTheme = [];
function redraw() {
  for (const [id, make] of plots.drawn) show(document.getElementById(id), make);
  for (const action of onTheme) action();
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
matchMedia("print").addEventListener("change", redraw);

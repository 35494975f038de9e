"use strict";
/* A comparison: what is chosen, and one cell beside its dense baseline. */
const different = (list, key) => [...new Set(list.map((each) => each[key]))];
const sorted = (list) => [...list].sort((a, b) => a - b);
const cells = data.cells.map((cell, index) => ({ ...cell, index }));
const control = Object.fromEntries(["condition", "mode", "block", "density", "figure", "against"].map((id) => [id, document.getElementById(id)]));
const speed = (value) => (value == null ? "-" : `${value.toPrecision(3)}x`);
const densityName = (value) => data.densities[String(value)] || String(Number(value.toPrecision(3)));
const keyed = Object.fromEntries(Object.keys(data.densities).map((name) => [Number(name), data.densities[name]]));
const nameOf = (density) => keyed[density] || densityName(density);
const figures = {
  speedup: ["speed-up", speed, "log"],
  cycles: ["cycles", text.count, "log"],
  useful_tflops: ["useful TFLOP/s", (value) => (value == null ? "-" : `${text.figures(value)} TFLOP/s`), "linear"],
  effective_tflops: ["TFLOP/s counted as dense", (value) => (value == null ? "-" : `${text.figures(value)} TFLOP/s`), "linear"],
  max_tile_bytes: ["bytes on the fullest tile", text.bytes, "linear"],
  energy_j: ["energy in J", text.joules, "log"],
};
choices(control.condition, data.conditions.map((name, index) => [index, name]), 0);
choices(control.mode, different(cells, "mode").map((mode) => [mode, mode]), "");
choices(control.block, sorted(different(cells, "block_size")).map((size) => [size, size]), "");
choices(control.density, sorted(different(cells, "density")).map((density) => [density, nameOf(density)]), "");
choices(control.figure, Object.entries(figures).filter(([key]) => cells.some((cell) => cell[key] != null)).map(([key, [label]]) => [key, label]), "speedup");

let chosen = cells.find((cell) => cell.speedup != null) || cells[0];
function summary(cell) {
  return `${cell.mode}, block size ${cell.block_size}, density ${nameOf(cell.density)}<br>${text.plain(data.conditions[cell.condition])}<br>${cell.speedup == null ? text.plain(cell.reason || cell.status) : `${speed(cell.speedup)}, ${text.count(cell.cycles)} cycles`}`;
}
function choose(cell) {
  if (!cell) return;
  chosen = cell;
  const dense = data.baselines[cell.condition];
  document.getElementById("cell-name").textContent = `${cell.mode}, block size ${cell.block_size}, density ${nameOf(cell.density)}; ${data.conditions[cell.condition]}${cell.reason ? `: ${cell.reason}` : ""}`;
  const table = document.getElementById("cell-figures");
  const body = document.createElement("tbody");
  const line = (label, ...values) => {
    const row = document.createElement("tr");
    row.append(element("th", { scope: "row" }, label), ...values.map((value) => element("td", { className: "n" }, value)));
    body.append(row);
  };
  line("", "dense", cell.mode);
  for (const [key, [label, format]] of Object.entries(figures)) if (dense[key] != null || cell[key] != null) line(label, format(dense[key]), format(cell[key]));
  for (const phase of ["compute", "exchange", "sync"]) line(`${phase} cycles`, text.count(dense.cycles_by_phase[phase]), text.count(cell.cycles_by_phase[phase]));
  for (const [label, plan] of [["dense plan", dense.plan], [`${cell.mode} plan`, cell.plan]]) {
    const row = document.createElement("tr");
    row.append(element("th", { scope: "row" }, label), element("td", { colSpan: 2, className: "quiet" }, plan || "-"));
    body.append(row);
  }
  table.replaceChildren(body);
  document.querySelectorAll("#all tr.chosen").forEach((row) => row.classList.remove("chosen"));
  document.querySelector(`#all tr[data-cell="${cell.index}"]`)?.classList.add("chosen");
  draw("phases", () => ({
    traces: ["compute", "exchange", "sync"].map((phase) => ({
      type: "bar", orientation: "h", name: phase, y: [cell.mode, "dense"], marker: { color: theme.get(phase) },
      x: [cell.cycles_by_phase[phase] || 0, dense.cycles_by_phase[phase] || 0],
      text: [cell, dense].map((each) => (each.cycles ? `${phase} ${text.count(each.cycles_by_phase[phase])}, ${text.percent(each.cycles_by_phase[phase] / each.cycles)}` : each.status)), hoverinfo: "text", textposition: "none",
    })),
    layout: { barmode: "stack", xaxis: { title: { text: "cycles" }, rangemode: "tozero" } },
  }));
}
for (const row of document.querySelectorAll("#all tr[data-cell]")) {
  row.addEventListener("click", () => { choose(cells[Number(row.dataset.cell)]); });
  row.addEventListener("keydown", (event) => { if (event.key === "Enter") choose(cells[Number(row.dataset.cell)]); });
}

"use strict";
/* Memory: every tile at its peak, and the fullest tile over the program. */
(() => {
  const { profile, memory } = data;
  const held = profile.memory;
  const names = Object.keys(held.by_tile);
  const label = (name) => name.replace(/_/g, " ");
  const used = (values) => values.some((value) => value > 0);
  const ticks = (largest) => {
    const unit = largest > 2 * 1024 * 1024 ? 1024 * 1024 : largest > 4096 ? 1024 : 1;
    const rough = largest / unit / 5, power = 10 ** Math.floor(Math.log10(rough));
    const step = unit * [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough);
    const tickvals = Array.from({ length: Math.floor(largest / step) + 1 }, (_, index) => index * step);
    return { tickvals, ticktext: tickvals.map(text.bytes), range: [0, largest] };
  };
  /* Where little is held, the axis ends above that, and the SRAM of a tile is only named. */
  const little = memory.max_tile_bytes < 0.3 * memory.tile_sram_bytes;
  const limit = { type: "line", xref: "paper", x0: 0, x1: 1, y0: memory.tile_sram_bytes, y1: memory.tile_sram_bytes };
  const beside = { xref: "paper", x: 1, xanchor: "right", showarrow: false };
  const capacity = text.bytes(memory.tile_sram_bytes);
  const note = little
    ? { ...beside, yref: "paper", y: 1, yanchor: "top", text: `SRAM of a tile, ${capacity}, is above` }
    : { ...beside, y: memory.tile_sram_bytes, yanchor: "bottom", text: `SRAM of a tile, ${capacity}` };
  const top = little ? memory.max_tile_bytes * 1.3 : Math.max(memory.tile_sram_bytes, memory.max_tile_bytes) * 1.06;
  const limits = () => (little ? [] : [{ ...limit, line: { color: theme.get("bad"), dash: "dash" } }]);

  async function byTile() {
    const arrays = (await Promise.all(names.map((name) => unpack(held.by_tile[name])))).map((values) => Array.from(values));
    const x = arrays[0].map((_, cell) => cell * profile.tiles_per_cell);
    await draw("by-tile", () => {
      const colours = theme.categories();
      const traces = names.map((name, index) => ({
        x, y: arrays[index], name: label(name), stackgroup: "held", line: { width: 0, shape: "hvh" }, fillcolor: colours[index],
        text: arrays[index].map((value) => `${label(name)} ${text.bytes(value)}`), hoverinfo: "text+x", visible: used(arrays[index]),
      }));
      return { traces, layout: { hovermode: "x unified", xaxis: { title: { text: "tile" } }, yaxis: ticks(top), shapes: limits(), annotations: [note] } };
    });
  }

  async function byStep() {
    const n = held.largest.length;
    const x = Array.from({ length: n }, (_, index) => index + 1);
    const place = await draw("by-step", () => {
      const colours = theme.categories();
      const traces = names.map((name, index) => ({
        x, y: held.by_step[name], name: label(name), stackgroup: "held", line: { width: 0, shape: "hvh" }, fillcolor: colours[index],
        text: held.by_step[name].map((value) => `${label(name)} ${text.bytes(value)}`), hoverinfo: "text+x", visible: used(held.by_step[name]),
      }));
      const line = (y, title, dash) => ({ x, y, name: title, mode: "lines", line: { color: theme.get("ink"), width: 1.5, dash, shape: "hvh" }, text: y.map((value) => `${title} ${text.bytes(value)}`), hoverinfo: "text+x" });
      traces.push(line(held.largest, "fullest tile", "solid"), line(held.mean, "mean tile", "dot"));
      const peak = { type: "line", yref: "paper", y0: 0, y1: 1, x0: held.peak_step + 1, x1: held.peak_step + 1, line: { color: theme.get("mark"), width: 1, dash: "dot" } };
      return { traces, layout: { hovermode: "x unified", xaxis: { title: { text: "superstep" }, tickformat: "d", ...(n <= 12 ? { tick0: 1, dtick: 1 } : {}) }, yaxis: ticks(top), shapes: [...limits(), peak], annotations: [note] } };
    });
    place.on("plotly_click", ({ points }) => contents(points[0].x - 1));
  }

  function contents(step) {
    const body = document.getElementById("held").tBodies[0];
    const entries = held.contents.filter(([, , first, last]) => first <= step && step <= last);
    document.getElementById("held-title").textContent = `What tile ${memory.worst_tile} holds in superstep ${step + 1}, ${profile.supersteps.merged ? "" : profile.supersteps.name[step] || ""}`;
    body.replaceChildren(...entries.map(([name, category, first, last, bytes]) => {
      const row = document.createElement("tr");
      const cell = (value, shown) => { const made = element("td", { className: "n" }, shown); made.dataset.value = value; return made; };
      row.append(element("td", {}, name || "-"), element("td", {}, label(category)), cell(bytes, text.bytes(bytes)), cell(first + 1, text.count(first + 1)), cell(last + 1, text.count(last + 1)));
      return row;
    }));
  }
  plots.ready = Promise.all([plots.ready, byTile(), byStep()]);
})();

"use strict";
/* The map of the chip: one square per tile, for the program, an operator or a superstep. */
(() => {
  const { profile, ops, memory } = data;
  const { tiles, supersteps } = profile;
  const quantity = document.getElementById("quantity"), scope = document.getElementById("scope");
  const number = document.getElementById("tile");
  const kinds = [
    ["compute", "compute cycles"], ["idle", "idle cycles"], ["exchange", "exchange cycles"],
    ["sent", "bytes sent"], ["received", "bytes received"], ["memory", "bytes held at the peak"],
  ];
  choices(quantity, kinds, "compute");
  const scopes = [["whole", "the whole program"]];
  for (const index of Object.keys(tiles.ops)) scopes.push([`op:${index}`, `operator ${text.short(ops[index].name)}`]);
  for (const index of Object.keys(tiles.steps)) scopes.push([`step:${index}`, `superstep ${Number(index) + 1}, ${text.short(supersteps.name[index] || "", 30)}`]);
  choices(scope, scopes, "whole");

  function chosenMap() {
    const [kind, index] = scope.value.split(":");
    return tiles.maps[kind === "whole" ? tiles.whole : kind === "op" ? tiles.ops[index] : tiles.steps[index]];
  }
  async function values(kind, map) {
    if (kind === "memory") {
      const parts = await Promise.all(Object.values(profile.memory.by_tile).map(unpack));
      return Array.from(parts[0], (_, cell) => parts.reduce((sum, part) => sum + part[cell], 0));
    }
    if (kind !== "idle") return Array.from(await unpack(map[kind]));
    const busy = Array.from(await unpack(map.compute));
    const whole = scope.value === "whole", op = scope.value.startsWith("op:") ? Number(scope.value.slice(3)) : -1;
    let span = Math.max(...busy);
    if (whole || op >= 0) span = supersteps.compute.reduce((sum, cycles, index) => sum + (whole || supersteps.op[index] === op ? cycles * supersteps.count[index] : 0), 0);
    return busy.map((cycles) => Math.max(span - cycles, 0));
  }
  const isBytes = (kind) => !["compute", "idle", "exchange"].includes(kind);
  const shown = (kind, value) => (isBytes(kind) ? text.bytes(value) : `${text.count(value)} cycles`);
  const cellName = (cell) => {
    const first = cell * profile.tiles_per_cell, last = Math.min(first + profile.tiles_per_cell, profile.n_tiles) - 1;
    return first === last ? `tile ${first}` : `tiles ${first} to ${last}`;
  };

  /* The range of colours where all tiles have the same value. */
  const even = (found) => (found.every((value) => value === found[0]) ? { zmin: 0, zmax: found[0] || 1 } : {});
  let cells = null;
  async function update() {
    const kind = quantity.value;
    scope.disabled = kind === "memory";
    const [columns, lines, found] = await Promise.all([unpack(profile.column), unpack(profile.row), values(kind, chosenMap())]);
    const width = Math.max(...columns) + 1, height = Math.max(...lines) + 1;
    const grid = () => Array.from({ length: height }, () => Array(width).fill(null));
    const z = grid(), hover = grid();
    cells = grid();
    found.forEach((value, cell) => {
      z[lines[cell]][columns[cell]] = value;
      hover[lines[cell]][columns[cell]] = `${cellName(cell)}<br>${shown(kind, value)}`;
      cells[lines[cell]][columns[cell]] = cell;
    });
    const label = kinds.find(([key]) => key === kind)[1];
    const mark = Number(number.value) / profile.tiles_per_cell | 0;
    const place = await draw("map", () => ({
      traces: [{
        type: "heatmap", z, text: hover, hoverinfo: "text", colorscale: "Viridis", xgap: 1, ygap: 1, hoverongaps: false, ...even(found),
        colorbar: { title: { text: label, side: "right" }, outlinewidth: 0, thickness: 14 },
      }],
      layout: {
        xaxis: { visible: false, constrain: "domain" }, yaxis: { visible: false, autorange: "reversed" },
        margin: { l: 10, r: 10, t: 34, b: 10 },
        shapes: mark < found.length ? [{ type: "rect", x0: columns[mark] - 0.5, x1: columns[mark] + 0.5, y0: lines[mark] - 0.5, y1: lines[mark] + 0.5, line: { color: theme.get("mark"), width: 3 } }] : [],
      },
    }));
    if (!place.dataset.ready) {
      place.on("plotly_click", ({ points }) => {
        const cell = cells[points[0].y][points[0].x];
        if (cell !== null) { number.value = cell * profile.tiles_per_cell; update(); }
      });
      place.dataset.ready = "yes";
    }
    await figures(mark);
  }

  async function figures(cell) {
    const map = chosenMap();
    const title = scope.selectedOptions[0].textContent;
    document.getElementById("tile-name").textContent = `${cellName(cell)[0].toUpperCase()}${cellName(cell).slice(1)}, ${title}`;
    const entries = [];
    for (const [kind, label] of kinds.slice(0, 5)) entries.push([label, shown(kind, (await values(kind, map))[cell] || 0)]);
    for (const [category, packed] of Object.entries(profile.memory.by_tile)) {
      const value = (await unpack(packed))[cell];
      if (value) entries.push([`${category.replace(/_/g, " ")} at its peak`, text.bytes(value)]);
    }
    const held = (await values("memory", map))[cell];
    entries.push(["held at its peak", `${text.bytes(held)} of ${text.bytes(memory.tile_sram_bytes)}`]);
    rows(document.getElementById("tile-figures"), entries);
  }

  for (const input of [quantity, scope, number]) input.addEventListener("change", update);
  document.addEventListener("superstep", ({ detail }) => pick(`step:${detail}`));
  document.addEventListener("operator", ({ detail }) => pick(`op:${detail}`));
  function pick(value) {
    if (scopes.some(([key]) => key === value)) { scope.value = value; update(); }
  }
  plots.ready = Promise.all([plots.ready, update()]);
})();

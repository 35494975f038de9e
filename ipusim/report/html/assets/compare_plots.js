"use strict";
/* Heat maps and curves of a comparison. */
(() => {
  const scale = [[0, "#b2182b"], [0.25, "#ef8a62"], [0.5, "#f7f7f7"], [0.75, "#67a9cf"], [1, "#2166ac"]];
  const logs = cells.map((cell) => (cell.speedup ? Math.abs(Math.log2(cell.speedup)) : 0));
  const reach = Math.min(Math.max(1, ...logs), 4);
  const ticks = Array.from({ length: 2 * Math.floor(reach) + 1 }, (_, index) => index - Math.floor(reach));
  const bar = { title: { text: "speed-up", side: "right" }, tickvals: ticks, ticktext: ticks.map((tick) => `${Number((2 ** tick).toPrecision(3))}x`), outlinewidth: 0, thickness: 14 };

  /* Traces of a heat map over two lists; find(x, y) gives the cell of a square. */
  function squares(columns, lines, find) {
    const found = lines.map((line) => columns.map((column) => find(column, line)));
    const heat = {
      type: "heatmap", x: columns.map((_, index) => index), y: lines.map((_, index) => index), colorscale: scale, zmin: -reach, zmax: reach, colorbar: bar, xgap: 2, ygap: 2, hoverinfo: "text",
      z: found.map((line) => line.map((cell) => (cell && cell.speedup ? Math.log2(cell.speedup) : null))),
      text: found.map((line) => line.map((cell) => (cell ? summary(cell) : ""))), hoverongaps: true,
    };
    const notes = [];
    if (columns.length * lines.length <= 120)
      found.forEach((line, y) => line.forEach((cell, x) => {
        if (!cell) return;
        const value = cell.speedup ? Math.log2(cell.speedup) / reach : 0;
        notes.push({ x, y, text: cell.speedup ? speed(cell.speedup) : cell.status === "infeasible" ? "no fit" : "-", showarrow: false, font: { size: 12, color: cell.speedup == null ? theme.get("quiet") : Math.abs(value) > 0.62 ? "#ffffff" : "#111111" } });
      }));
    return { heat, notes, found };
  }
  const axis = (names, title) => ({ tickvals: names.map((_, index) => index), ticktext: names.map(String), title: { text: title }, showgrid: false, zeroline: false, range: [-0.5, names.length - 0.5] });
  const line = () => ({ mode: "lines", name: "break-even", line: { color: theme.get("mark"), width: 3 }, showlegend: false, hoverinfo: "text" });

  /* Where a density stands between those of the columns, which are logarithmic. */
  function position(densities, density) {
    const at = densities.findIndex((each) => each >= density);
    if (at <= 0) return at === 0 ? 0 : densities.length - 1;
    const low = Math.log(densities[at - 1]), high = Math.log(densities[at]);
    return at - 1 + (Math.log(density) - low) / (high - low);
  }

  function clickable(place, find) {
    if (place.dataset.ready) return;
    place.dataset.ready = "yes";
    place.on("plotly_click", ({ points }) => {
      const point = points.find((each) => each.data.type === "heatmap") || points[0];
      choose(find(point));
    });
  }

  const last = {};
  async function byDensity() {
    const condition = Number(control.condition.value), mode = control.mode.value;
    const mine = cells.filter((cell) => cell.condition === condition && cell.mode === mode);
    const densities = sorted(different(mine, "density")), blocks = sorted(different(mine, "block_size"));
    const evens = data.break_even.filter((even) => even.condition === condition && even.mode === mode && even.density != null);
    const place = await draw("by-density", () => {
      const { heat, notes, found } = squares(densities, blocks, (density, block) => mine.find((cell) => cell.density === density && cell.block_size === block));
      last.density = found;
      const points = blocks.map((block) => evens.find((even) => even.block_size === block));
      const twice = (make) => blocks.flatMap((_, index) => [make(index, -0.5), make(index, 0.5)]);
      const even = { ...line(), x: twice((index) => (points[index] ? position(densities, points[index].density) : null)), y: twice((index, side) => index + side), text: twice((index) => (points[index] ? text.plain(points[index].sentence) : "")) };
      return { traces: [heat, even], layout: { annotations: notes, xaxis: axis(densities.map(nameOf), "density"), yaxis: axis(blocks, "block size"), margin: { l: 60, r: 10, t: 34, b: 50 } } };
    });
    clickable(place, (point) => last.density[point.y]?.[point.x]);
  }

  async function byShape() {
    const mode = control.mode.value, block = Number(control.block.value), density = Number(control.density.value);
    const { dtype } = data.baselines[Number(control.condition.value)];
    const mine = cells.filter((cell) => cell.mode === mode && cell.block_size === block && cell.density === density && cell.dtype === dtype);
    const batches = sorted(different(mine, "batch")), features = sorted(different(mine, "features"));
    const place = await draw("by-shape", () => {
      const { heat, notes, found } = squares(batches, features, (batch, feature) => mine.find((cell) => cell.batch === batch && cell.features === feature));
      last.shape = found;
      const traces = [heat];
      if (batches.length > 1 && features.length > 1) traces.push({ type: "contour", x: heat.x, y: heat.y, z: heat.z, contours: { start: 0, end: 0, size: 1, coloring: "none" }, line: { color: theme.get("mark"), width: 3 }, showscale: false, hoverinfo: "skip", name: "break-even" });
      return { traces, layout: { annotations: notes, xaxis: axis(batches.map((batch) => batch ?? "as given"), "batch (n)"), yaxis: axis(features.map((feature) => feature ?? "as given"), "features (m)"), margin: { l: 80, r: 10, t: 34, b: 50 } } };
    });
    clickable(place, (point) => last.shape[point.y]?.[point.x]);
  }

  async function curves() {
    const key = control.figure.value, against = control.against.value;
    const [label, format, kind] = figures[key];
    const condition = Number(control.condition.value), base = data.baselines[condition];
    const mine = cells.filter((cell) => cell[key] != null && (against === "batch" ? cell.dtype === base.dtype && cell.features === base.features && cell.density === Number(control.density.value) : cell.condition === condition));
    const groups = new Map();
    for (const cell of mine) {
      const name = against === "block_size" ? `${cell.mode}, density ${nameOf(cell.density)}` : `${cell.mode}, block ${cell.block_size}`;
      groups.set(name, [...(groups.get(name) || []), cell]);
    }
    const modes = different(cells, "mode");
    const series = [...groups].map(([name, list]) => ({ name, list: list.sort((a, b) => a[against] - b[against]) }));
    const place = await draw("lines", () => {
      const colours = theme.categories(), order = sorted(different(mine, against === "block_size" ? "density" : "block_size"));
      const traces = series.map(({ name, list }) => ({
        x: list.map((cell) => cell[against]), y: list.map((cell) => cell[key]), name, mode: "lines+markers", customdata: list.map((cell) => cell.index), hoverinfo: "text",
        text: list.map((cell) => `${summary(cell)}<br>${label} ${format(cell[key])}`),
        line: { color: colours[order.indexOf(list[0][against === "block_size" ? "density" : "block_size"]) % 6], dash: ["solid", "dash", "dot"][modes.indexOf(list[0].mode) % 3] }, marker: { size: 8 },
      }));
      const dense = key === "speedup" ? 1 : base[key];
      const shapes = dense == null || against === "batch" && key !== "speedup" ? [] : [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: dense, y1: dense, line: { color: theme.get("ink"), dash: "dot", width: 1.5 } }];
      const notes = shapes.length ? [{ xref: "paper", x: 1, xanchor: "right", y: kind === "log" ? Math.log10(dense) : dense, yanchor: "bottom", text: "dense", showarrow: false }] : [];
      const values = sorted(different(mine, against));
      const reached = mine.map((cell) => cell[key]);
      const narrow = Math.max(1, ...reached) / Math.min(1, ...reached) < 5;
      const tickvals = [0.01, 0.1, 1, 10, 100].flatMap((power) => (narrow ? [1, 1.2, 1.5, 2, 3, 4, 5, 6, 7, 8, 9] : [1, 2, 5]).map((factor) => Number((factor * power).toPrecision(3))));
      const shown = key === "speedup" ? { tickvals, ticktext: tickvals.map((value) => `${value}x`) } : {};
      return { traces, layout: { shapes, annotations: notes, xaxis: { type: "log", title: { text: against.replace("_", " ") }, tickvals: values, ticktext: values.map((value) => (against === "density" ? nameOf(value) : String(value))) }, yaxis: { type: kind, title: { text: label }, rangemode: "tozero", ...shown } } };
    });
    if (!place.dataset.ready) {
      place.dataset.ready = "yes";
      place.on("plotly_click", ({ points }) => choose(cells[points[0].customdata]));
    }
  }

  const both = () => Promise.all([byDensity(), byShape(), curves()]);
  control.condition.addEventListener("change", both);
  control.mode.addEventListener("change", () => Promise.all([byDensity(), byShape()]));
  control.block.addEventListener("change", byShape);
  control.density.addEventListener("change", () => Promise.all([byShape(), curves()]));
  control.figure.addEventListener("change", curves);
  control.against.addEventListener("change", curves);
  plots.ready = Promise.all([plots.ready, both()]);
  choose(chosen);
})();

"use strict";
/* Trainings: means over the seeds with bands, what each pass costs, and the connections that have changed. */
const colourOf = (method) => theme.categories()[Math.max(0, data.methods.findIndex((each) => each.method === method)) % 6];
const dashOf = (method) => ["solid", "dash", "dot", "dashdot"][Math.max(0, data.methods.findIndex((each) => each.method === method)) % 4];
const chosenBy = [];
(() => {
  const seeds = (method) => data.runs.map((run, index) => ({ ...run, index })).filter((run) => run.method === method);
  const details = (series, at, label, shown) => {
    const many = seeds(series.method).length > 1;
    return `<b>${text.plain(series.method)}</b>, step ${text.count(series.step[at])}<br>${label} ${shown}${many ? ", the mean" : ""}<br>${text.rate(series.flops[at], "FLOP")}, ${text.rate(series.cycles[at], "cycles")}, ${text.seconds(series.seconds[at])}`;
  };

  /* A line and a band for each method; format() makes texts of the figure. */
  function curves(id, axis, figure, label, format, layout, methods = data.methods) {
    return draw(id, () => {
      const traces = methods.flatMap((series) => {
        const { mean, least, most } = series[figure];
        const colour = colourOf(series.method), x = series[axis];
        const edge = { x, mode: "lines", line: { width: 0 }, hoverinfo: "skip", showlegend: false, legendgroup: text.plain(series.method) };
        const band = seeds(series.method).length > 1 ? [{ ...edge, y: least }, { ...edge, y: most, fill: "tonexty", fillcolor: rgba(colour, 0.2) }] : [];
        return [...band, {
          x, y: mean, mode: "lines+markers", name: text.plain(series.method), legendgroup: text.plain(series.method), line: { color: colour, width: 2, dash: dashOf(series.method) }, marker: { size: 6 }, hoverinfo: "text", customdata: x.map(() => series.method),
          text: mean.map((value, at) => details(series, at, label, format(value))),
        }];
      });
      return { traces, layout: { hovermode: "closest", ...layout } };
    }).then((place) => {
      if (place) place.on("plotly_click", ({ points }) => { const method = points[0].customdata; if (method) chosenBy.forEach((action) => action(seeds(method)[0].index)); });
    });
  }
  function rgba(colour, share) {
    const digits = colour.replace("#", "");
    return `rgba(${[0, 2, 4].map((at) => parseInt(digits.slice(at, at + 2), 16)).join(", ")}, ${share})`;
  }

  const accuracy = { yaxis: { title: { text: "accuracy" }, tickformat: ".0%", ...(data.methods.every((series) => series.step.length < 2) ? { range: [0, 1] } : {}) } };
  const wide = (values, times) => Math.min(...values) > 0 && Math.max(...values) > times * Math.min(...values);
  const scale = (values) => (wide(values, 20) ? { type: "log", dtick: "D2", exponentformat: "power" } : { rangemode: "tozero" });
  curves("by-step", "step", "accuracy", "accuracy", text.percent, { ...accuracy, xaxis: { title: { text: "steps" } } });
  curves("by-flops", "flops", "accuracy", "accuracy", text.percent, { ...accuracy, xaxis: { title: { text: "useful FLOPs" }, ...scale(data.methods.flatMap((series) => series.flops)) } });
  const marks = data.equal_cycles ? { shapes: [{ type: "line", yref: "paper", y0: 0, y1: 1, x0: data.equal_cycles, x1: data.equal_cycles, line: { dash: "dot", width: 1.5, color: theme.get("quiet") } }] } : {};
  curves("by-cycles", "cycles", "accuracy", "accuracy", text.percent, { ...accuracy, ...marks, xaxis: { title: { text: "cycles" }, rangemode: "tozero" } });
  curves("loss", "step", "loss", "loss", (value) => value.toPrecision(3), { xaxis: { title: { text: "steps" } }, yaxis: { title: { text: "loss" }, ...scale(data.methods.flatMap((series) => series.loss.mean)) } });

  const changing = data.methods.filter((series) => series.connections_changed.most.some((count) => count > 0));
  if (changing.length) curves("changed", "step", "connections_changed", "changed", text.count, { xaxis: { title: { text: "steps" } }, yaxis: { title: { text: "connections changed" }, rangemode: "tozero" } }, changing);
  else if (document.getElementById("unchanged")) { document.getElementById("unchanged").hidden = false; document.getElementById("changed").closest("figure").hidden = true; }

  const parts = [...data.passes].reverse();
  const several = new Set(parts.map((part) => part.method)).size > 1;
  const names = parts.map((part) => text.plain(several ? `${part.method}: ${part.name}` : part.name));
  const lines = { tickvals: parts.map((_, index) => index), ticktext: names };
  const height = Math.max(352, 130 + 30 * parts.length);
  draw("phases", () => ({
    traces: ["compute", "exchange", "sync"].map((phase) => ({
      type: "bar", orientation: "h", name: phase, y: parts.map((_, index) => index), x: parts.map((part) => part.cycles_by_phase[phase] || 0), marker: { color: theme.get(phase) }, hoverinfo: "text", textposition: "none",
      text: parts.map((part, index) => `${names[index]}<br>${phase} ${text.count(part.cycles_by_phase[phase])} cycles, ${text.percent(part.cycles ? part.cycles_by_phase[phase] / part.cycles : 0)}`),
    })),
    layout: { barmode: "stack", height, xaxis: { title: { text: "cycles" } }, yaxis: lines },
  }));
  const sram = data.tile_sram_bytes;
  draw("memory", () => ({
    traces: [{
      type: "bar", orientation: "h", y: parts.map((_, index) => index), x: parts.map((part) => part.max_tile_bytes / 1024), marker: { color: parts.map((part) => colourOf(part.method)) }, hoverinfo: "text", textposition: "none", showlegend: false,
      text: parts.map((part, index) => `${names[index]}<br>${text.bytes(part.max_tile_bytes)} of ${text.bytes(sram)}`),
    }],
    layout: { height, xaxis: { title: { text: "KiB" } }, yaxis: lines, shapes: [{ type: "line", yref: "paper", y0: 0, y1: 1, x0: sram / 1024, x1: sram / 1024, line: { color: theme.get("bad"), width: 2, dash: "dot" } }] },
  }));
})();

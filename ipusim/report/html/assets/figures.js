"use strict";
/* Roofline and exchange matrix. */
(() => {
  const { profile, ops } = data;
  const { roofline, exchange } = profile;
  const select = document.getElementById("ceiling");
  function roof() {
    const bandwidth = select.value === "sram" ? roofline.sram_bytes_per_s : roofline.exchange_bytes_per_s;
    const points = ops.map((op, index) => ({ ...op, bytes: select.value === "sram" ? roofline.sram_bytes[index] : op.bytes_exchanged, peak: roofline.peak_flops[index] }))
      .filter((op) => op.rate && op.bytes);
    const x = points.map((op) => op.flops / op.bytes);
    const peaks = [...new Set(roofline.peak_flops.filter(Boolean))];
    const low = Math.min(...x, 1) / 3, high = Math.max(...x, ...peaks.map((peak) => (3 * peak) / bandwidth), 10) * 3;
    const kinds = [...new Set(points.map((op) => op.op))];
    return draw("roof", () => {
      const colours = theme.categories();
      const line = { mode: "lines", hoverinfo: "name", line: { color: theme.get("quiet"), width: 1.5 } };
      const traces = [{ ...line, x: [low, high], y: [low * bandwidth, high * bandwidth], name: `${text.rate(bandwidth, "B/s")} of ${select.selectedOptions[0].textContent}`, line: { ...line.line, dash: "dot" } }];
      for (const peak of peaks) traces.push({ ...line, x: [low, high], y: [peak, peak], name: `${text.rate(peak, "FLOP/s")} peak` });
      kinds.forEach((kind, index) => {
        const mine = points.filter((op) => op.op === kind);
        traces.push({
          x: mine.map((op) => op.flops / op.bytes), y: mine.map((op) => op.rate), name: text.plain(kind), mode: "markers", hoverinfo: "text",
          marker: { size: mine.map((op) => 9 + 22 * Math.sqrt(op.cycles / (program.cycles || 1))), color: colours[index % 6], opacity: 0.85, line: { color: theme.get("ground"), width: 1 } },
          text: mine.map((op) => `<b>${text.plain(op.name)}</b><br>${text.rate(op.rate, "FLOP/s")}, ${text.figures(op.flops / op.bytes)} FLOP/B<br>${text.percent(op.cycles / program.cycles)} of the cycles<br>${op.peak && op.rate > 0 ? `${text.percent(op.rate / Math.min(op.peak, (op.flops / op.bytes) * bandwidth))} of its ceiling` : ""}`),
        });
      });
      const log = (title) => ({ type: "log", title: { text: title }, exponentformat: "power", dtick: 1 });
      const floor = Math.min(...points.map((op) => op.rate), ...peaks, bandwidth) / 4, ceiling = Math.max(...peaks, ...points.map((op) => op.rate), bandwidth) * 4;
      return { traces, layout: { xaxis: { ...log(`FLOP per byte of ${select.selectedOptions[0].textContent}`), range: [Math.log10(low), Math.log10(high)] }, yaxis: { ...log("FLOP/s"), range: [Math.log10(floor), Math.log10(ceiling)] } } };
    });
  }
  select.addEventListener("change", roof);
  plots.ready = Promise.all([plots.ready, roof()]);

  const names = exchange.bytes.map((_, index) => {
    const first = index * exchange.tiles_per_group, last = Math.min(first + exchange.tiles_per_group, profile.n_tiles) - 1;
    return first === last ? `${first}` : `${first}-${last}`;
  });
  draw("pairs", () => ({
    traces: [{
      type: "heatmap", z: exchange.bytes, colorscale: "Viridis", hoverinfo: "text", xgap: 1, ygap: 1,
      text: exchange.bytes.map((line, from) => line.map((value, to) => `from tiles ${names[from]}<br>to tiles ${names[to]}<br>${text.bytes(value)}`)),
      colorbar: { title: { text: "bytes", side: "right" }, outlinewidth: 0, thickness: 14 },
    }],
    layout: {
      xaxis: { title: { text: "to tiles" }, tickvals: names.map((_, at) => at).filter((at) => at % Math.ceil(names.length / 8) === 0), ticktext: names.filter((_, at) => at % Math.ceil(names.length / 8) === 0), constrain: "domain", showgrid: false },
      yaxis: { title: { text: "from tiles" }, tickvals: names.map((_, at) => at).filter((at) => at % Math.ceil(names.length / 8) === 0), ticktext: names.filter((_, at) => at % Math.ceil(names.length / 8) === 0), autorange: "reversed", scaleanchor: "x", showgrid: false },
    },
  }));
})();

"use strict";
/* A validation: what the model says of every measured point of a source. */
(() => {
  const source = document.getElementById("source");
  choices(source, data.map((each, index) => [index, each.title]), 0);
  function scatter() {
    const { quantity, points } = data[Number(source.value)];
    const values = points.flatMap((point) => [point.measured, point.predicted]);
    const ends = values.length ? [0.8 * Math.min(...values), 1.25 * Math.max(...values)] : [1, 10];
    const line = (factor, dash) => ({ x: ends, y: ends.map((value) => factor * value), mode: "lines", line: { color: theme.get("quiet"), width: 1, dash }, hoverinfo: "skip", showlegend: false });
    const axis = (name) => ({ type: "log", title: { text: `${name} ${text.plain(quantity)}` } });
    return draw("scatter", () => ({
      traces: [
        line(1, "solid"), line(1.1, "dot"), line(1 / 1.1, "dot"),
        {
          x: points.map((point) => point.measured), y: points.map((point) => point.predicted), mode: "markers", marker: { color: theme.get("mark"), size: 7 }, hoverinfo: "text", showlegend: false,
          text: points.map((point) => `${text.plain(point.label)}<br>${(point.predicted / point.measured).toFixed(3)} of what was measured`),
        },
      ],
      layout: { xaxis: axis("measured"), yaxis: axis("predicted") },
    }));
  }
  source.addEventListener("change", scatter);
  scatter();
})();

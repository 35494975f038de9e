"use strict";
/* One training of those in the table: loss and accuracy at each interval. */
(() => {
  if (!data.runs.length) return;
  function choose(index) {
    const run = data.runs[index];
    const last = run.step.length - 1;
    document.getElementById("run-name").textContent = `${run.method}, seed ${run.seed}: ${text.percent(run.accuracy[last])} after ${text.count(run.step[last])} steps, ${text.rate(run.flops[last], "FLOP")}, ${text.rate(run.cycles[last], "")} cycles${run.layers.length ? `; kept at the start: ${run.layers.map(([name, density]) => `${name} ${text.percent(density)}`).join(", ")}` : ""}.`;
    document.querySelectorAll("#all tr.chosen").forEach((row) => row.classList.remove("chosen"));
    document.querySelector(`#all tr[data-run="${index}"]`)?.classList.add("chosen");
    return draw("run", () => {
      const hover = run.step.map((step, at) => `step ${text.count(step)}<br>accuracy ${text.percent(run.accuracy[at])}, loss ${run.loss[at].toPrecision(3)}<br>${text.count(run.connections_changed[at])} connections changed, ${text.percent(run.density[at])} kept`);
      const curve = (name, y, colour, further) => ({ x: run.step, y, name, mode: "lines+markers", text: hover, hoverinfo: "text", line: { color: theme.get(colour), width: 2 }, marker: { size: 6 }, ...further });
      return {
        traces: [curve("accuracy", run.accuracy, "c1", {}), curve("loss", run.loss, "c4", { yaxis: "y2", line: { color: theme.get("c4"), width: 2, dash: "dash" } })],
        layout: { xaxis: { title: { text: "steps" } }, yaxis: { title: { text: "accuracy" }, tickformat: ".0%", ...(run.step.length < 2 ? { range: [0, 1] } : {}) }, yaxis2: { title: { text: "loss" }, overlaying: "y", side: "right", tickmode: "auto", rangemode: "tozero", showgrid: false } },
      };
    });
  }
  chosenBy.push(choose);
  for (const row of document.querySelectorAll("#all tr[data-run]")) {
    row.addEventListener("click", () => { choose(Number(row.dataset.run)); });
    row.addEventListener("keydown", (event) => { if (event.key === "Enter") choose(Number(row.dataset.run)); });
  }
  choose(0);
})();

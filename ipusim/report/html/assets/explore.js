"use strict";
/* An exploration: Pareto front, parallel coordinates, and what matters. */
(() => {
  const { objectives, parameters, front, cloud, bands, effects } = data;
  const axes = [...parameters, ...objectives];
  const place = (objective) => parameters.length + objective;
  const details = (point) => axes.map((axis, index) => `${text.plain(axis.label)} ${text.plain(point.texts[index])}`).concat(point.trust ? [`model error ${text.plain(point.band)}`] : []).join("<br>");
  const wide = (values) => Math.min(...values) > 0 && Math.max(...values) > 10 * Math.min(...values);

  const across = document.getElementById("across"), up = document.getElementById("up");
  const named = objectives.map((objective, index) => [index, objective.label]);
  choices(across, named, 0);
  choices(up, named, Math.min(1, objectives.length - 1));
  function scatter() {
    const [x, y] = [Number(across.value), Number(up.value)];
    const kind = (index) => {
      const values = [...cloud.map((each) => each[index]), ...front.map((point) => point.values[place(index)])];
      return { type: values.length && wide(values) ? "log" : "linear", title: { text: objectives[index].axis } };
    };
    return draw("scatter", () => ({
      traces: [
        { x: cloud.map((each) => each[x]), y: cloud.map((each) => each[y]), mode: "markers", name: "allowed points", marker: { color: theme.get("sync"), size: 6, opacity: 0.6 }, text: bands.map((band) => `model error ${text.plain(band)}`), hoverinfo: bands.length ? "x+y+text" : "x+y" },
        { x: front.map((point) => point.values[place(x)]), y: front.map((point) => point.values[place(y)]), mode: "markers", name: "Pareto front", marker: { color: theme.get("mark"), size: 10, line: { color: theme.get("ground"), width: 1 } }, text: front.map(details), hoverinfo: "text" },
      ],
      layout: { xaxis: kind(x), yaxis: kind(y) },
    }));
  }
  across.addEventListener("change", scatter);
  up.addEventListener("change", scatter);

  /* Position of every value on its axis, from 0 to 1; words stand in their order. */
  const shares = axes.map((axis, index) => {
    const values = front.map((point) => point.values[index]);
    const numbers = values.every((value) => typeof value === "number") ? values : values.map((value) => [...new Set(values.map(String))].sort().indexOf(String(value)));
    const scaled = wide(numbers) ? numbers.map(Math.log) : numbers;
    const low = Math.min(...scaled), span = Math.max(...scaled) - low;
    return scaled.map((value) => (span ? (value - low) / span : 0.5));
  });
  const ends = (index, pick) => {
    const order = front.map((_, at) => at).sort((a, b) => shares[index][a] - shares[index][b]);
    return order.length ? front[order[pick === "low" ? 0 : order.length - 1]].texts[index] : "";
  };
  const colour = (share) => `hsl(${Math.round(230 - 190 * share)} 70% 50%)`;
  draw("lines", () => ({
    traces: front.slice(0, 400).map((point, at) => ({
      x: axes.map((_, index) => index), y: shares.map((share) => share[at]), mode: "lines+markers", line: { color: colour(shares[place(0)][at]), width: 1.5 }, marker: { size: 5 },
      text: axes.map(() => details(point)), hoverinfo: "text", showlegend: false,
    })),
    layout: {
      xaxis: { tickvals: axes.map((_, index) => index), ticktext: axes.map((axis) => text.plain(axis.label)), range: [-0.3, axes.length - 0.7] },
      yaxis: { visible: false, range: [-0.12, 1.12] },
      annotations: axes.flatMap((_, index) => [["low", -0.06], ["high", 1.06]].map(([end, y]) => ({ x: index, y, text: text.plain(ends(index, end)), showarrow: false, font: { size: 11, color: theme.get("quiet") } }))),
    },
  }));

  const shown = effects.filter((group) => group.effects.length);
  const names = [...new Set(shown.flatMap((group) => group.effects.map((effect) => effect.name)))].reverse();
  draw("bars", () => ({
    traces: shown.map((group, index) => ({
      type: "bar", orientation: "h", name: text.plain(group.objective), marker: { color: theme.categories()[index % 6] }, hoverinfo: "text", textposition: "none",
      y: names.map((_, at) => at), x: names.map((name) => group.effects.find((effect) => effect.name === name)?.share ?? 0),
      text: names.map((name) => { const effect = group.effects.find((each) => each.name === name); return effect ? `${text.plain(name)}<br>${text.percent(effect.share)} of ${text.plain(group.objective)}, best ${text.plain(effect.best)}` : ""; }),
    })),
    layout: { barmode: "group", xaxis: { tickformat: ".0%", rangemode: "tozero" }, yaxis: { tickvals: names.map((_, at) => at), ticktext: names.map(text.plain) }, height: Math.max(360, 120 + 22 * names.length * Math.max(1, shown.length)) },
  }));
  scatter();
})();

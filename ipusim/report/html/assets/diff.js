"use strict";
/* The largest changes of two results as bars. */
(() => {
  const parts = data.parts.filter((part) => part.change).slice(0, 30).reverse();
  if (!parts.length) { document.getElementById("changes").closest("figure").hidden = true; return; }
  draw("changes", () => ({
    traces: [{
      type: "bar", orientation: "h", x: parts.map((part) => part.change), y: parts.map((_, index) => index), hoverinfo: "text", textposition: "none",
      text: parts.map((part) => `${text.plain(part.name)}<br>${text.count(part.before)} to ${text.count(part.after)} cycles`),
      marker: { color: parts.map((part) => theme.get(part.change < 0 ? "good" : "bad")) },
    }],
    layout: {
      height: 120 + 24 * parts.length, xaxis: { title: { text: "change of the cycles" } },
      yaxis: { tickvals: parts.map((_, index) => index), ticktext: parts.map((part) => text.plain(text.short(part.name))) },
    },
  }));
})();

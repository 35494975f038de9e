"use strict";
/* Moving through the timeline: pointer, keys, search, jump, and the figures of the chosen superstep. */
function view(from, to) {
  const span = Math.min(Math.max(to - from, Math.min(20, program.cycles)), program.cycles || 1);
  lanes.from = Math.min(Math.max(from, 0), Math.max(program.cycles - span, 0));
  lanes.to = lanes.from + span;
  drawLanes();
}
function zoom(factor, cycle = (lanes.from + lanes.to) / 2) {
  view(cycle - (cycle - lanes.from) * factor, cycle + (lanes.to - cycle) * factor);
}
function showSpan(start, end) {
  const margin = (end - start) * 0.15;
  view(start - margin, end + margin);
}

function choose(at, visible = true) {
  if (at < 0 || at >= program.found.length) return;
  lanes.chosen = at;
  const { steps, found } = program;
  const each = found[at], index = each.index;
  if (visible && (each.end < lanes.from || each.start > lanes.to)) showSpan(each.start, each.end);
  const compute = steps.compute[index];
  rows(document.getElementById("superstep"), [
    ["superstep", `${index + 1}: ${steps.name[index]}`],
    ["operator", program.name(steps.op[index])],
    ["runs", each.runs > 1 ? `${each.runs}, all shown as one` : `${each.run + 1} of ${steps.count[index]}`],
    ["begins at cycle", text.count(each.start)],
    ["cycles of one run", text.count(compute + steps.sync[index] + steps.exchange[index])],
    ["compute, sync, exchange", [compute, steps.sync[index], steps.exchange[index]].map(text.count).join(", ")],
    ["tiles that compute", text.count(steps.tiles[index])],
    ["mean tile is busy", compute ? text.percent(steps.mean[index] / compute) : "-"],
    ["received by all tiles", text.bytes(steps.bytes[index])],
  ]);
  drawLanes();
  document.dispatchEvent(new CustomEvent("superstep", { detail: index }));
}

(() => {
  const { canvas } = lanes;
  const tip = element("div", { className: "tip", hidden: true });
  document.body.append(tip);
  let held = null, moved = false;
  const place = (event) => event.clientX - canvas.getBoundingClientRect().left;
  const row = (event) => {
    const y = event.clientY - canvas.getBoundingClientRect().top;
    return Object.keys(lanes.rows).find((name) => y >= lanes.rows[name][0] && y <= lanes.rows[name][1]);
  };
  canvas.addEventListener("pointerdown", (event) => { held = { x: place(event), from: lanes.from, to: lanes.to }; moved = false; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointerup", (event) => {
    held = null;
    if (!moved) choose(occurrenceAt(lanes.cycle(place(event))), false);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (held) {
      const shift = ((place(event) - held.x) / canvas.clientWidth) * (held.to - held.from);
      moved = moved || Math.abs(place(event) - held.x) > 3;
      if (moved) view(held.from - shift, held.to - shift);
      return;
    }
    const cycle = lanes.cycle(place(event));
    const each = program.found[occurrenceAt(cycle)];
    tip.hidden = !each;
    if (!each) return;
    const { steps } = program;
    const span = program.spans[occurrenceAt(cycle, program.spans)];
    tip.textContent = row(event) === "operators"
      ? `${program.name(span.op)}\n${text.count(span.end - span.start)} cycles, ${text.percent((span.end - span.start) / program.cycles)}`
      : `${steps.name[each.index]}\ncompute ${text.count(steps.compute[each.index])}, sync ${text.count(steps.sync[each.index])}, exchange ${text.count(steps.exchange[each.index])} cycles`;
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${event.clientY + 16}px`;
  });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8, lanes.cycle(place(event)));
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => {
    const span = program.spans[occurrenceAt(lanes.cycle(place(event)), program.spans)];
    if (span) showSpan(span.start, span.end);
  });
  const tenth = () => (lanes.to - lanes.from) / 10;
  const keys = {
    ArrowLeft: () => view(lanes.from - tenth(), lanes.to - tenth()),
    ArrowRight: () => view(lanes.from + tenth(), lanes.to + tenth()),
    "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), 0: () => view(0, program.cycles),
    PageDown: () => choose(lanes.chosen + 1), PageUp: () => choose(Math.max(lanes.chosen - 1, 0)),
    Enter: () => document.getElementById("map").scrollIntoView({ block: "center" }),
  };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  document.getElementById("closer").addEventListener("click", () => zoom(0.5));
  document.getElementById("wider").addEventListener("click", () => zoom(2));
  document.getElementById("fit").addEventListener("click", () => view(0, program.cycles));

  const jump = document.getElementById("jump");
  choices(jump, [["", "all"], ...data.ops.map((op, index) => [index, text.short(op.name)])], "");
  jump.addEventListener("change", () => {
    if (jump.value === "") { view(0, program.cycles); return; }
    const mine = program.spans.filter((span) => span.op === Number(jump.value));
    if (!mine.length) return;
    showSpan(mine[0].start, mine[mine.length - 1].end);
    choose(occurrenceAt(mine[0].start), false);
  });

  const find = document.getElementById("find"), found = document.getElementById("found");
  document.getElementById("op-names").append(...data.ops.map((op) => element("option", { value: op.name })));
  const search = () => {
    const word = find.value.trim().toLowerCase();
    const names = program.steps.name;
    lanes.hits = new Set(word ? names.map((name, index) => index).filter((index) => `${names[index]} ${program.name(program.steps.op[index])}`.toLowerCase().includes(word)) : []);
    found.textContent = word ? `${lanes.hits.size} supersteps; Enter goes to the next` : "";
    drawLanes();
  };
  find.addEventListener("input", search);
  find.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !lanes.hits.size) return;
    const { found: all } = program;
    for (let step = 1; step <= all.length; step += 1) {
      const at = (lanes.chosen + step + all.length) % all.length;
      if (lanes.hits.has(all[at].index)) { choose(at); return; }
    }
  });
  document.querySelectorAll("#ops tr[data-op]").forEach((line) => line.addEventListener("click", () => {
    jump.value = line.dataset.op;
    jump.dispatchEvent(new Event("change"));
    document.dispatchEvent(new CustomEvent("operator", { detail: Number(line.dataset.op) }));
  }));
  new ResizeObserver(drawLanes).observe(canvas);
  onTheme.push(drawLanes);
  choose(0, false);
})();

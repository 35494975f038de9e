"use strict";
/* The timeline: when every superstep runs, and how lanes of them are drawn on a canvas. */
const MOST_WRITTEN_OUT = 20000;

const program = (() => {
  const steps = data.profile.supersteps;
  const n = (steps.name || []).length;
  const length = (index) => steps.compute[index] + steps.sync[index] + steps.exchange[index];
  const runs = steps.count.reduce((sum, count) => sum + count, 0);
  const bodies = new Map(steps.loops.map(([first, size, count]) => [first, [size, count]]));
  const found = [];
  let clock = 0;
  for (let index = 0; index < n; ) {
    const [size, count] = bodies.get(index) || [1, steps.count[index]];
    const [passes, each] = runs <= MOST_WRITTEN_OUT && bodies.has(index) ? [count, 1] : [1, count];
    for (let pass = 0; pass < passes; pass += 1)
      for (let at = index; at < index + size; at += 1) {
        found.push({ index: at, start: clock, end: clock + length(at) * each, runs: each, run: pass });
        clock += length(at) * each;
      }
    index += size;
  }
  const spans = [];
  for (const each of found) {
    const last = spans[spans.length - 1];
    if (last && last.op === steps.op[each.index]) last.end = each.end;
    else spans.push({ op: steps.op[each.index], start: each.start, end: each.end });
  }
  return { steps, found, spans, cycles: clock, name: (op) => (op < 0 ? "" : data.ops[op].name) };
})();

const lanes = {
  canvas: document.getElementById("lanes"),
  from: 0, to: program.cycles || 1, chosen: -1, hits: new Set(),
  rows: { ruler: [0, 22], operators: [26, 50], supersteps: [54, 78], phases: [82, 132] },
  height: 138,
  x(cycle) { return ((cycle - this.from) / (this.to - this.from)) * this.canvas.clientWidth; },
  cycle(x) { return this.from + (x / this.canvas.clientWidth) * (this.to - this.from); },
};

/* First occurrence that ends after a cycle. */
function occurrenceAt(cycle, list = program.found) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].end <= cycle) low = middle + 1; else high = middle;
  }
  return low;
}

function drawLanes() {
  const { canvas } = lanes;
  const scale = devicePixelRatio || 1, width = canvas.clientWidth;
  canvas.style.height = `${lanes.height}px`;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(lanes.height * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.fillStyle = theme.get("ground");
  pen.fillRect(0, 0, width, lanes.height);
  pen.font = "12px system-ui, DejaVu Sans, sans-serif";
  pen.textBaseline = "middle";
  drawRuler(pen, width);
  drawOperators(pen, width);
  drawSupersteps(pen, width);
}

function drawRuler(pen, width) {
  const rough = (lanes.to - lanes.from) / Math.max(2, width / 130);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough);
  for (let cycle = Math.ceil(lanes.from / step) * step; cycle <= lanes.to; cycle += step) {
    const x = lanes.x(cycle);
    pen.fillStyle = theme.get("line");
    pen.fillRect(x, 0, 1, lanes.height);
    pen.fillStyle = theme.get("quiet");
    pen.fillText(`${text.count(cycle)} = ${text.seconds(cycle / data.profile.clock_hz)}`, x + 4, 11);
  }
}

function box(pen, row, start, end, colour, label) {
  const [top, bottom] = lanes.rows[row];
  const left = Math.max(-2, lanes.x(start)), right = Math.min(lanes.canvas.clientWidth + 2, lanes.x(end));
  pen.fillStyle = colour;
  pen.fillRect(left, top, Math.max(right - left - (right - left > 4 ? 1 : 0), 0.6), bottom - top);
  if (!label || right - left < 40) return;
  pen.save();
  pen.beginPath();
  pen.rect(left, top, right - left - 4, bottom - top);
  pen.clip();
  pen.fillStyle = theme.get("ground");
  pen.fillText(label, Math.max(left, 0) + 5, (top + bottom) / 2);
  pen.restore();
}

function drawOperators(pen) {
  const colours = theme.categories();
  const kinds = [...new Set(data.ops.map((op) => op.op))];
  for (let at = occurrenceAt(lanes.from, program.spans); at < program.spans.length && program.spans[at].start < lanes.to; at += 1) {
    const span = program.spans[at];
    const kind = span.op < 0 ? 0 : kinds.indexOf(data.ops[span.op].op);
    box(pen, "operators", span.start, span.end, colours[kind % 5], program.name(span.op));
  }
}

/* Supersteps narrower than a pixel are drawn as one with their neighbours: their phases are added up. */
function drawSupersteps(pen) {
  const { steps, found } = program;
  const pixel = (lanes.to - lanes.from) / lanes.canvas.clientWidth;
  for (let at = occurrenceAt(lanes.from); at < found.length && found[at].start < lanes.to; ) {
    const first = found[at];
    const sums = { compute: 0, sync: 0, exchange: 0, mean: 0 };
    let last = first, hit = false;
    do {
      last = found[at];
      hit = hit || lanes.hits.has(last.index);
      for (const key of Object.keys(sums)) sums[key] += steps[key][last.index] * last.runs;
      at += 1;
    } while (at < found.length && found[at].end - first.start < pixel);
    const chosen = lanes.chosen >= 0 && found[lanes.chosen].start >= first.start && found[lanes.chosen].end <= last.end;
    const label = steps.name[first.index] + (first.runs > 1 ? ` x ${first.runs}` : "");
    box(pen, "supersteps", first.start, last.end, chosen ? theme.get("mark") : hit ? theme.get("good") : theme.get("quiet"), label);
    drawPhases(pen, first.start, sums);
  }
}

function drawPhases(pen, start, sums) {
  const [top, bottom] = lanes.rows.phases;
  let clock = start;
  for (const phase of ["compute", "sync", "exchange"]) {
    if (!sums[phase]) continue;
    const left = lanes.x(clock), width = Math.max(lanes.x(clock + sums[phase]) - left, 0.6);
    pen.fillStyle = theme.get(phase);
    pen.globalAlpha = phase === "compute" ? 0.3 : 1;
    pen.fillRect(left, top, width, bottom - top);
    pen.globalAlpha = 1;
    if (phase === "compute") {
      const busy = ((bottom - top) * sums.mean) / sums.compute;
      pen.fillRect(left, bottom - busy, width, busy);
    }
    clock += sums[phase];
  }
}

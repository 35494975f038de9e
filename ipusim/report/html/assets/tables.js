"use strict";
/* Tables that sort by a click on a heading and filter as one types; without this script they are plain tables. */
function sortable(table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
  };
  heads.forEach((head, column) => {
    const button = element("button", { type: "button" }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const numeric = head.classList.contains("n");
      const before = head.getAttribute("aria-sort");
      const down = before ? before === "ascending" : numeric;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const order = (first, second) => (typeof first === "number" && typeof second === "number" ? first - second : String(first).localeCompare(String(second), "en", { numeric: true }));
      const sorted = [...body.rows].sort((a, b) => (down ? -1 : 1) * order(value(a, column), value(b, column)));
      body.append(...sorted);
    });
  });
}

function filterable(input) {
  const table = document.getElementById(input.dataset.table);
  const count = document.getElementById(`${input.dataset.table}-count`);
  const apply = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      const content = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => content.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    if (count) count.textContent = `${shown} of ${table.tBodies[0].rows.length}`;
  };
  input.addEventListener("input", apply);
  apply();
}

document.querySelectorAll("table.sortable").forEach(sortable);
document.querySelectorAll("input[data-table]").forEach(filterable);
document.querySelectorAll(".tools[hidden]").forEach((tools) => { tools.hidden = false; });

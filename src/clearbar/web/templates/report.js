"use strict";
const ranks = ["kill", "pause", "fund", "no verdict", "high", "normal", "low"];
function keyOf(cell) {
  const text = (cell.querySelector("a, b, span") || cell).textContent.trim();
  if (/^-?\$/.test(text)) return parseFloat(text.replace(/[$,]/g, ""));
  return ranks.includes(text) ? ranks.indexOf(text) : text;
}
function compare(one, other) {
  return typeof one === "number" ? one - other : one.localeCompare(other);
}
function sort(head, heads, body) {
  const number = head.className === "number";
  const down = head.ariaSort ? head.ariaSort === "ascending" : number;
  for (const each of heads) each.removeAttribute("aria-sort");
  head.ariaSort = down ? "descending" : "ascending";
  const rows = [...body.rows].map((row) => [keyOf(row.cells[head.cellIndex]), row]);
  const known = rows.filter((row) => !number || typeof row[0] === "number");
  known.sort((one, other) => compare(one[0], other[0]) * (down ? -1 : 1));
  const rest = rows.filter((row) => !known.includes(row));
  body.append(...[...known, ...rest].map((row) => row[1]));
}
for (const table of document.querySelectorAll(".overview")) {
  const heads = [...table.tHead.rows[0].cells];
  for (const head of heads) {
    if ("unsorted" in head.dataset) continue;
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head, heads, table.tBodies[0]));
  }
}
function reveal() {
  const target = document.getElementById(location.hash.slice(1));
  if (target && "open" in target) target.open = true;
}
addEventListener("hashchange", reveal);
reveal();

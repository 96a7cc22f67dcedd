// Tables that can be sorted and filtered, and walked through with the arrow keys.
"use strict";

const valueOf = (row, column) => {
  const cell = row.cells[column];
  const text = cell.dataset.value ?? cell.textContent.trim();
  if (text === "") return null;
  return Number.isNaN(Number(text)) ? text.toLowerCase() : Number(text);
};

/** Missing values stay last whichever way a column is sorted. */
const compare = (one, other, direction) => {
  if (one === null || other === null) return (one === null) - (other === null);
  const numbers = typeof one === "number" && typeof other === "number";
  return direction * (numbers ? one - other : String(one).localeCompare(String(other)));
};

const sortBy = (table, heading) => {
  const column = heading.cellIndex;
  const rows = [...table.tBodies[0].rows];
  // numbers first show their largest, names their first
  const first = heading.classList.contains("number") ? "descending" : "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = heading.ariaSort === first ? other : first;
  for (const each of table.tHead.rows[0].cells) if (each.ariaSort) each.ariaSort = "none";
  heading.ariaSort = order;
  const direction = order === "ascending" ? 1 : -1;
  rows.sort((one, two) => compare(valueOf(one, column), valueOf(two, column), direction));
  table.tBodies[0].append(...rows);
};

const step = (event) => {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  if (!event.target.matches("[data-row]")) return;
  const rows = [...event.currentTarget.querySelectorAll("tr:not([hidden]) [data-row]")];
  const next = rows[rows.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)];
  if (!next) return;
  event.preventDefault();
  next.focus();
};

const filter = (form, table) => {
  const { text, ...exact } = Object.fromEntries(new FormData(form));
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...table.tBodies[0].rows];
  for (const row of rows) {
    const said = `${row.textContent} ${row.dataset.text ?? ""}`.toLowerCase();
    const fits = Object.entries(exact).every(([name, value]) => !value || row.dataset[name] === value);
    row.hidden = !(fits && words.every((word) => said.includes(word)));
  }
  const shown = rows.filter((row) => !row.hidden).length;
  form.querySelector("output").textContent = `${shown} of ${rows.length}`;
};

for (const table of document.querySelectorAll("table[data-sortable]")) {
  table.tHead.addEventListener("click", (event) => {
    const heading = event.target.closest("th");
    if (event.target.closest("button")) sortBy(table, heading);
  });
  table.tBodies[0].addEventListener("keydown", step);
}
for (const form of document.querySelectorAll("form[data-filters]")) {
  const apply = () => filter(form, document.getElementById(form.dataset.filters));
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply)); // the fields are cleared after the event
  addEventListener("pageshow", apply); // going back, browsers fill the fields in again
}

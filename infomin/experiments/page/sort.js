"use strict";
// Columns of numbers are sorted by a press on their head; without this script, the best come first.
for (const table of document.querySelectorAll("table.sorted")) {
  const body = table.tBodies[0];
  if (body.rows.length < 2) continue;
  const number = (row, column) => {
    const found = row.cells[column].textContent.replace("−", "-").match(/-?\d+(\.\d+)?/);
    return found ? Number(found[0]) : -Infinity;
  };
  for (const head of table.tHead.rows[0].cells) {
    if (!head.matches("[data-sort]")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) =>
        (number(b, head.cellIndex) - number(a, head.cellIndex)) * (down ? 1 : -1));
      body.append(...rows);
    });
  }
}

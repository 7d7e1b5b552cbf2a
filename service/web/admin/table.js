// Tables of the console: rows that are replaced as a whole, and confirmations in the row.

import { button, element } from "../common/dom.js";

/** @typedef {{title: string, right?: boolean, unseen?: boolean}} Column */

/**
 * A table with these columns, and its body.
 * @param {Column[]} columns
 * @returns {{table: HTMLElement, body: HTMLElement}}
 */
export function table(columns) {
  const head = element("tr");
  for (const column of columns) {
    const cell = element("th", { className: column.right ? "r" : "" });
    cell.setAttribute("scope", "col");
    cell.append(element("span", { className: column.unseen ? "unseen" : "", text: column.title }));
    head.append(cell);
  }
  const body = element("tbody");
  return { table: element("table", {}, element("thead", {}, head), body), body };
}

/**
 * A cell of a table.
 * @param {string | Node} content
 * @param {string} [className]
 */
export function cell(content, className = "") {
  return element("td", { className }, typeof content === "string" ? new Text(content) : content);
}

/**
 * A chip: a state in a word.
 * @param {string} text
 * @param {string} [tone] `good`, `bad`, `you` or nothing
 */
export function chip(text, tone = "") {
  return element("span", { className: `chip ${tone}`, text });
}

/**
 * A link to a place of the console.
 * @param {string} href
 * @param {string} text
 */
export function link(href, text) {
  const made = /** @type {HTMLAnchorElement} */ (element("a", { text }));
  made.href = href;
  return made;
}

/** Whether a confirmation is open, so that the table must not be replaced. */
export function isAsking() {
  return document.querySelector("tr.sure") !== null;
}

/**
 * A button that asks in a row below its own, with a reason for the log, and then acts.
 * @param {string} label
 * @param {{question: string, what: string, yes: string, act: (reason: string) => Promise<boolean>}} ask
 * @returns {HTMLButtonElement}
 */
export function asking(label, { question, what, yes, act }) {
  const opener = button(`${label}…`, open, { className: "b s" });

  function open() {
    document.querySelector("tr.sure")?.remove();
    const row = opener.closest("tr");
    if (!row) return;
    const reason = /** @type {HTMLInputElement} */ (element("input", { className: "input" }));
    reason.maxLength = 200;
    reason.placeholder = "Why (for the log)";
    reason.setAttribute("aria-label", "Why");
    const sure = element("button", { className: "b s danger sure", text: yes });
    const form = element(
      "form",
      {},
      element("p", {}, element("b", { text: question }), new Text(` ${what}`)),
      reason,
      button("Keep it", close, { className: "b s" }),
      sure,
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      sure.setAttribute("disabled", "");
      if (await act(reason.value.trim())) close();
      else sure.removeAttribute("disabled");
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
    });
    const across = element("td", {}, form);
    across.setAttribute("colspan", String(row.children.length));
    row.after(element("tr", { className: "sure" }, across));
    reason.focus();
  }

  function close() {
    document.querySelector("tr.sure")?.remove();
    opener.focus();
  }

  return opener;
}

// The overview: figures of the last quarter of an hour, nodes, and what needs attention.

import { byId, element, setText } from "../common/dom.js";
import { act, get } from "./api.js";
import { chart } from "./chart.js";
import { cell, chip, link, table } from "./table.js";

/**
 * @typedef {object} Figure
 * @property {string} key of a sample
 * @property {string} title
 * @property {string} [unit]
 * @property {number} [limit]
 * @property {string} [note]
 */

/** @type {Figure[]} */
const FIGURES = [
  { key: "sockets", title: "Connections" },
  { key: "users", title: "Users online" },
  { key: "rooms", title: "Rooms" },
  { key: "matches", title: "Live matches" },
  { key: "eventsPerS", title: "Events", unit: "/s" },
  { key: "commitMs", title: "Commit, p99", unit: "ms", limit: 10, note: "goal below 10 ms" },
  { key: "tickMs", title: "Tick late, p99", unit: "ms", limit: 8, note: "goal below 8 ms" },
  { key: "slowConsumers", title: "Slow consumers", note: "cut off, in each 5 s" },
];

const SAMPLES = 181;

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const grouped = (/** @type {number} */ value) => number.format(value).replaceAll(",", "\u2009");

/**
 * @param {HTMLElement} root
 * @param {import("./console.js").App} app
 * @returns {import("./console.js").Place}
 */
export function mountOverview(root, app) {
  const template = /** @type {HTMLTemplateElement} */ (byId("t-overview"));
  root.append(template.content.cloneNode(true));
  const pause = byId("pause");
  pause.addEventListener("click", () => {
    const paused = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause";
  });
  const announce = /** @type {HTMLFormElement} */ (byId("announce"));
  announce.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = String(new FormData(announce).get("text"));
    if (await app.tried(act("message", { text }))) {
      announce.reset();
      app.toast("Sent to all who are connected.");
    }
  });
  const nodes = table([
    { title: "Node" },
    { title: "State" },
    { title: "Connections", right: true },
    { title: "Rooms", right: true },
    { title: "Lag, events", right: true },
    { title: "Incarnation", right: true },
    { title: "Renewed", right: true },
  ]);
  byId("nodes").append(nodes.table);

  return {
    title: "Overview",
    async refresh() {
      if (pause.getAttribute("aria-pressed") === "true") return;
      const [series, listed, outbox] = await Promise.all([
        get("/admin/figures"),
        get("/admin/nodes"),
        get("/admin/deliveries"),
      ]);
      app.canAct = series.canAct;
      byId("announce-panel").hidden = !app.canAct;
      showFigures(series);
      setText(byId("node-count"), String(listed.nodes.length));
      nodes.body.replaceChildren(...listed.nodes.map(nodeRow));
      showAlerts(listed.nodes, outbox.deliveries);
    },
  };
}

/** @param {any} series */
function showFigures(series) {
  const latest = series.samples.at(-1);
  byId("figures").replaceChildren(
    ...FIGURES.map(({ key, title, unit, limit, note }) => {
      const values = series.samples.map((/** @type {any} */ sample) => sample[key]);
      const shown = latest[key] ?? values.findLast((/** @type {any} */ value) => value !== null);
      const value = element("span", {
        className: limit && shown > limit ? "value you" : "value",
        text: shown === undefined || shown === null ? "–" : grouped(shown),
      });
      if (unit) value.append(element("span", { className: "unit", text: unit }));
      const below = key === "eventsPerS" ? `position ${grouped(series.position)}` : (note ?? "");
      return element(
        "div",
        {},
        element("span", { className: "what", text: title }),
        value,
        chart(values, { limit, slots: SAMPLES }),
        element("span", { className: "note", text: below }),
      );
    }),
  );
}

/** @param {any} node */
function nodeRow(node) {
  const name = element("b", { className: "mono", text: node.node });
  /** @type {Record<string, [string, string]>} */
  const leases = {
    single: ["Up, alone", "good"],
    valid: ["Up", "good"],
    expired: ["Does not renew", "bad"],
    lost: ["Lost", ""],
  };
  const [text, tone] = node.isDraining ? ["Draining", "you"] : leases[node.lease];
  const state = element("span", {}, chip(text, tone));
  if (node.lease === "valid" && !node.isOnBus) state.append(" ", chip("Not on the bus", "bad"));
  if (node.answers) state.append(" ", element("span", { className: "muted", text: "answers you" }));
  const renewed = node.lease === "single" ? "–" : `${number.format(node.renewedAgoS)} s ago`;
  return element(
    "tr",
    {},
    cell(name),
    cell(state),
    cell(grouped(node.sockets), "r"),
    cell(grouped(node.rooms), "r"),
    cell(grouped(node.lag), "r"),
    cell(String(node.incarnation), "r"),
    cell(renewed, "r"),
  );
}

/**
 * @param {any[]} nodes
 * @param {any[]} deliveries
 */
function showAlerts(nodes, deliveries) {
  const alerts = [];
  const rejected = deliveries.filter((one) => one.state === "rejected").length;
  const late = deliveries.filter((one) => one.state === "waiting" && one.attempts > 1).length;
  if (rejected || late) {
    const text = [
      rejected && `${rejected} ${rejected === 1 ? "result was" : "results were"} rejected`,
      late && `${late} ${late === 1 ? "waits" : "wait"} to be stored elsewhere`,
    ];
    const look = link("/admin/outbox", "Look");
    look.className = "b s";
    const what = element("b", { text: text.filter(Boolean).join(", ") });
    alerts.push(element("p", { className: "alert" }, what, look));
  }
  for (const node of nodes.filter((one) => one.lease === "expired")) {
    const text = `Node ${node.node} has not renewed its lease for ${node.renewedAgoS} s`;
    alerts.push(element("p", { className: "alert" }, element("b", { text })));
  }
  const place = byId("alerts");
  const said = alerts.map((one) => one.textContent).join();
  if (place.dataset.said !== said) {
    place.dataset.said = said;
    place.replaceChildren(...alerts);
  }
}

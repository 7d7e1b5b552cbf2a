// The history of matches.

import { clone } from "../common/dom.js";

/** @type {import("./places.js").Module["mount"]} */
export function mount(root) {
  root.append(clone("t-missing"));
  return { unmount() {} };
}

// All live matches, each a link to watch it.

import { clone, keyed, part, setText } from "../common/dom.js";
import { LiveList } from "./live_list.js";
import { radio } from "./room_form.js";
import { Rooms } from "./rooms.js";

const SHOWN_MAX = 60;

/** @type {import("./places.js").Module["mount"]} */
export function mount(root, app) {
  app.style("/app/common/lists.css");
  app.style("/app/play/style.css");
  root.append(clone("t-live"));
  const list = new LiveList(part(root, "live"), app);
  const chooser = part(root, "games");
  const render = () => {
    const games = [{ name: "", title: "All" }, ...app.games];
    keyed(
      chooser,
      games,
      ({ name }) => name || "all",
      ({ name, title }) => radio("live-of", name, title, name === ""),
    );
    const chosen = /** @type {HTMLInputElement | null} */ (chooser.querySelector(":checked"));
    const found = rooms.live.filter(({ game }) => !chosen?.value || game === chosen.value);
    setText(part(root, "count"), found.length ? String(found.length) : "");
    part(root, "none").hidden = found.length > 0;
    list.show(found.slice(0, SHOWN_MAX));
  };
  const rooms = new Rooms(app, render);
  chooser.addEventListener("change", render);
  app.on("lobby:live", ({ matches }) => list.preview(matches));
  app.whenOnline(() => app.request({ type: "lobby:watch" }).catch(() => {}));
  app.atEnd(() => app.client?.status.state === "online" && app.send({ type: "lobby:unwatch" }));
  render();
  return { unmount() {} };
}

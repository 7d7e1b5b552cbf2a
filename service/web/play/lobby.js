// The lobby: who asks me, what can I play now, what is on, who is here.

import { clone, element, glyph, icon, keyed, part, setText } from "../common/dom.js";
import { Chat } from "./chat.js";
import { LiveList } from "./live_list.js";
import { copyLink } from "./links.js";
import { Messages } from "./messages.js";
import { People } from "./people.js";
import { Quick } from "./quick.js";
import { RoomForm } from "./room_form.js";
import { Rooms, roomUrl } from "./rooms.js";
import { optionWords } from "./words.js";

const LIVE_MAX = 8;
const ROOMS_MAX = 30;

/** @type {import("./places.js").Module["mount"]} */
export function mount(root, app) {
  app.style("/app/common/lists.css");
  app.style("/app/play/style.css");
  root.className = "with-side";
  for (const column of [...clone("t-lobby").children]) root.append(column);
  new LobbyPage(root, app);
  return { unmount() {} };
}

class LobbyPage {
  #root;
  #app;
  #rooms;
  #live;
  #form;
  #people;

  constructor(root, app) {
    this.#root = root;
    this.#app = app;
    this.#live = new LiveList(part(root, "live"), app);
    this.#rooms = new Rooms(app, () => this.#render());
    const quick = new Quick(part(root, "quick"), app);
    this.#form = new RoomForm(/** @type {HTMLFormElement} */ (part(root, "form")), app);
    const chat = new Chat({
      title: "Lobby chat",
      say: (text) => app.act({ type: "lobby:say", text }),
      sideOf: (userId) => (userId === app.me?.id ? "you" : "other"),
    });
    part(root, "chat").replaceWith(chat.root);
    const messages = new Messages(part(root, "messages"), app, (id, isMuted) =>
      chat.mute(id, isMuted),
    );
    this.#people = new People(part(root, "people"), app, this.#rooms, (user) =>
      messages.open(user),
    );
    part(root, "make").addEventListener("click", () => this.#form.focus());
    part(root, "copy").addEventListener("click", () => copyLink(app, `${location.origin}/`));
    part(root, "filter-rooms").addEventListener("change", () => this.#renderRooms());
    app.on("lobby:history", ({ messages: lines }) => chat.history(lines));
    app.on("lobby:message", ({ message }) => chat.said(message));
    app.on("lobby:live", ({ waiting, matches }) => {
      quick.waiting = waiting;
      this.#live.preview(matches);
    });
    app.on("rooms", () => this.#renderRooms());
    app.whenOnline(() => {
      chat.lengthMax = app.client.limits?.chatLengthMax ?? 500;
      app.request({ type: "lobby:watch" }).catch(() => {});
    });
    app.atEnd(() => app.client?.status.state === "online" && app.send({ type: "lobby:unwatch" }));
    app.whenGames(() => {
      this.#form.render();
      this.#render();
    });
  }

  #render() {
    const live = this.#rooms.live;
    setText(part(this.#root, "live-count"), live.length ? String(live.length) : "");
    part(this.#root, "live-more").hidden = live.length <= LIVE_MAX;
    part(this.#root, "live").hidden = live.length === 0;
    part(this.#root, "no-live").hidden = live.length > 0;
    this.#live.show(live.slice(0, LIVE_MAX));
    this.#renderRooms();
    this.#people?.render();
  }

  /** Rooms with a free seat, and the own ones, of which only those by link are not listed. */
  #renderRooms() {
    const meId = this.#app.me?.id;
    const listed = this.#rooms.open.map((room) => ({
      ...room,
      isMine: room.players.some(({ id }) => id === meId),
    }));
    const known = new Set(listed.map(({ roomId }) => roomId));
    for (const room of this.#app.client?.rooms.values() ?? []) {
      const isMine = room.seats.some(({ user }) => user?.id === meId);
      if (isMine && !known.has(room.roomId) && room.phase !== "finished")
        listed.push(this.#own(room));
    }
    keyed(
      part(this.#root, "filter-rooms"),
      [{ name: "", title: "All" }, ...this.#app.games],
      ({ name }) => name || "all",
      ({ name, title }) => segment(name, title),
    );
    const chosen = this.#root.querySelector('[name="rooms-of"]:checked');
    const game = /** @type {HTMLInputElement | null} */ (chosen)?.value ?? "";
    const found = listed.filter((room) => !game || room.game === game);
    setText(part(this.#root, "rooms-count"), listed.length ? String(listed.length) : "");
    part(this.#root, "rooms").hidden = found.length === 0;
    part(this.#root, "no-rooms").hidden = found.length > 0;
    keyed(
      part(this.#root, "rooms"),
      found.slice(0, ROOMS_MAX),
      ({ roomId }) => roomId,
      (room) => this.#row(room),
      (row, room) => this.#renderRow(row, room),
    );
  }

  /** @param {any} state of the room @returns {any} */
  #own({ seats, ...room }) {
    const players = seats.flatMap(({ user }) => user ?? []);
    return { ...room, players, seats: seats.length, spectatorsMax: 0, isMine: true };
  }

  #row({ roomId, game }) {
    const row = clone("t-open-room");
    row.dataset.roomId = roomId;
    part(row, "sign").append(glyph(game));
    part(row, "join").setAttribute("href", roomUrl(roomId));
    return row;
  }

  #renderRow(row, room) {
    const { players, seats, visibility, metadata, host, isMine, game } = room;
    const owner = players.find(({ id }) => id === host) ?? players[0];
    const title =
      typeof metadata.title === "string" ? metadata.title : isMine ? "Your room" : owner?.name;
    const signs = [];
    if (visibility === "password") signs.push(icon("lock", "with password"));
    if (visibility === "private") signs.push(icon("link", "by link only"));
    part(row, "name").replaceChildren(title ?? "", ...signs);
    const info = this.#app.gameOf(game);
    const words = [info.title, ...optionWords(info, room.options)];
    if (visibility === "password") words.push("password");
    if (visibility === "private") words.push("by link only");
    if (room.spectatorsMax === 0 && !isMine) words.push("no watchers");
    setText(part(row, "what"), words.join(" · "));
    setText(part(row, "seats"), `${players.length}/${seats}`);
    row.classList.toggle("is-you", isMine);
    const join = part(row, "join");
    setText(join, isMine ? "Open" : "Join");
    join.setAttribute("aria-label", `${join.textContent} ${title}`);
  }
}

function segment(value, title) {
  const input = element("input", { attrs: { type: "radio", name: "rooms-of", value } });
  /** @type {HTMLInputElement} */ (input).checked = value === "";
  return element("label", {}, input, title);
}

// Invitations: those that were sent, and the cards of those that were received, which stand above every
// place until they are answered or have expired.

/** @typedef {import("./invite_cards.js").InviteCards} InviteCards */

const AGAIN_AFTER_MS = 2000;

export class Invites {
  #root;
  #app;
  #changed;
  /** Loaded with the first invite. @type {Promise<InviteCards> | null} */ #cards = null;
  /** How many can be accepted. */ count = 0;
  /** Users with a pending invite of this user. @type {Set<string>} */ sent = new Set();

  /**
   * @param {HTMLElement} root
   * @param {import("./main.js").App} app
   * @param {() => void} changed is called when `count` has changed
   */
  constructor(root, app, changed) {
    this.#root = root;
    this.#app = app;
    this.#changed = changed;
  }

  /** @param {import("../client/client.js").Client} client */
  listen(client) {
    client.on("invite:received", async (invite) => {
      this.#cards ??= this.#load();
      (await this.#cards).received(invite);
    });
    client.on("invite:expired", ({ from, to }) => {
      this.#tell((cards) => cards.over(String(from), "That invitation has expired."));
      this.sent.delete(String(to));
    });
    client.on("room:start", () => this.clear());
    // Told with the present state, when a place may not be loaded yet.
    client.on("invite:sent", ({ to }) => this.sent.add(String(to.id)));
    client.on("invite:declined", ({ from }) => this.sent.delete(String(from)));
    client.on("users", (users) => this.#tell((cards) => cards.online(users)));
  }

  /** Forgets all, as at the beginning of the present state. */
  clear() {
    this.sent.clear();
    this.#tell((cards) => cards.clear());
  }

  async #load() {
    const { InviteCards } = await this.#module();
    const cards = new InviteCards(this.#root, this.#app, () => {
      this.count = cards.count;
      this.#changed();
    });
    return cards;
  }

  /** Loads the code and the sheet, again and again while the network is away. */
  async #module() {
    for (;;) {
      try {
        const style = this.#app.style("/app/play/invites.css");
        const module = await import("./invite_cards.js");
        await style;
        return module;
      } catch {
        await new Promise((done) => setTimeout(done, AGAIN_AFTER_MS));
      }
    }
  }

  /** The cards are told in the order of the messages, also while they load. */
  async #tell(act) {
    if (this.#cards) act(await this.#cards);
  }
}

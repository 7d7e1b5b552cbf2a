// What users have said to each other: it is kept while the page is open, whatever place is shown.

const LINES_MAX = 200;

/** @typedef {{id: number | string, name: string}} User */

/** By the id of the other user. @type {Map<string, {user: User, lines: any[]}>} */
export const talks = new Map();

/** Shows new lines; empty while no place shows messages. @type {Set<(user: User, line: any) => void>} */
export const openTalks = new Set();

/**
 * Keeps the messages of a client, and tells of those that are not shown.
 * @param {import("../client/client.js").Client} client
 * @param {(user: User, text: string) => void} unseen
 */
export function keepTalks(client, unseen) {
  talks.clear();
  client.on("chat:message", (line) => {
    if (line.roomId || line.to == null) return;
    const isMine = line.from.id === client.user?.id;
    const user = isMine ? (client.users.get(line.to) ?? { id: line.to, name: "" }) : line.from;
    const key = String(user.id);
    const talk = talks.get(key) ?? { user, lines: [] };
    talks.set(key, talk);
    talk.lines.push(line);
    talk.lines.splice(0, talk.lines.length - LINES_MAX);
    for (const show of openTalks) show(user, line);
    if (openTalks.size === 0 && !isMine) unseen(user, line.text);
  });
}

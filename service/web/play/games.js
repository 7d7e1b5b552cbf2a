// The games that this page can show, by the name that the service has for them.

/** @type {Record<string, string>} */
export const GAMES = { pong: "Pong", connect_four: "Connect four" };

// The games that this page can display, by their names in the service.

/** @type {Record<string, string>} */
export const GAMES = { pong: "Pong", connect_four: "Connect four" };

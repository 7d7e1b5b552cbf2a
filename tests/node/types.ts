// Uses the client as its types allow; what they must refuse is marked. Only compiled, never run.

import {
    Client,
    type Command,
    type ErrorCode,
    type Game,
    type Incoming,
    Interpolation,
    Playback,
    Prediction,
    Refused,
    Room,
} from "../../service/web/client/client.js";
import { delayedWebSocket } from "../../service/web/client/testing.js";

const client = new Client({
    url: "wss://play.example.org/",
    token: async (reason) => (reason === "connect" ? "a.b.c" : "d.e.f"),
    WebSocket: globalThis.WebSocket,
    cursor: { position: 812, epoch: "5f2c" },
    frameHz: 30,
});
console.log(client.cursor?.position);

client.on("status", (status) => {
    if (status.state === "waiting") console.log(status.retryAt - Date.now(), status.code);
    if (status.state === "online") console.log(status.resumed);
    // @ts-expect-error Only a wait says when it ends.
    console.log(status.retryAt);
});
client.on("users", (users) =>
    [...users.values()].map(({ id, name, status }) => [id, name, status]),
);
client.on("chat:message", ({ from, text, roomId }) => console.log(from.name, text, roomId));
client.on("game:over", ({ winner, scores }) => winner === null || scores[winner]);
const motion = new Interpolation<{ ballX?: number; s1: number }>({
    fields: ["ballX"],
    isJump: (before, after) => before.s1 !== after.s1,
});
client.on("game:update", ({ run, tick, state }) => {
    motion.push({ run, tick, state: state as { s1: number } }, performance.now());
});
console.log(motion.at(performance.now())?.ballX, client.frameHz + 1);
// @ts-expect-error A state has no such field.
new Interpolation<{ s1: number }>({ fields: ["s2"] });
// @ts-expect-error There is no such rate.
client.request({ type: "frames:set", frameHz: 25 });
client.on("message", (message) => {
    if (message.type === "room:state") console.log(message.seats.length, message.phase);
});
// @ts-expect-error There is no such message.
client.on("room:exploded", () => {});

const welcome: Incoming<"welcome"> = await client.connect();
console.log(welcome.limits.messagesPerS, client.rooms.get("r1")?.host);

const { position, roomId } = await client.request({ type: "room:create", game: "connect_four" });
console.log(position + 1, roomId?.length);
const { rooms, cursor } = await client.request({ type: "room:list", limit: 10 });
console.log(rooms[0]?.players, cursor);
const pong: Incoming<"pong"> = await client.request({ type: "ping" }, { timeoutMs: 1000 });
console.log(pong.type);
client.request({ type: "invite", to: 8 }).catch((error: unknown) => {
    if (error instanceof Refused) console.log(error.code, error.message);
});
// @ts-expect-error A room is joined by its id.
client.request({ type: "room:join" });
// @ts-expect-error The client gives the id.
client.request({ type: "ping", id: "mine" });

const isSent: boolean = client.send({ type: "signal", to: 8, data: { sdp: "…" } });
const move: Command<"game:move"> = { type: "game:move", roomId: "r1", move: { column: 3 } };
console.log(isSent, client.send(move));
// @ts-expect-error `welcome` is for the service to say.
client.send({ type: "welcome" });

for await (const message of client.messages("room:added", "room:removed")) {
    console.log(message.type === "room:added" ? message.room.game : message.roomId);
}
const next: Incoming<"signal"> = await client.once("signal");
console.log(next.data);
const loop = client.messages("signal");
console.log((await loop.next()).value, (await loop.return()).done);

const four: Room<"connect_four"> = await client.createRoom({
    game: "connect_four",
    options: { turn_s: 20 },
    visibility: "public",
});
four.on("game:update", ({ state }) =>
    console.log(state.board[5][state.lastColumn ?? 0], state.line),
);
four.on("game:moved", ({ input }) => {
    if (input.kind === "dropped") console.log(input.column);
    // @ts-expect-error Only a drop has a column.
    else console.log(input.column);
});
await four.move({ column: 3 });
// @ts-expect-error There are seven columns.
four.move({ column: 7 });
// @ts-expect-error A disc is dropped into a column, not a row.
four.move({ row: 3 });
// @ts-expect-error A message of another place is none of a room.
four.on("user:list", () => {});
// @ts-expect-error The service makes rooms.
new Room();
const isFull: Game<"connect_four">["state"]["turn"] = null;
const key: Game<"pong">["move"] = { direction: "ArrowUp", action: "down" };
// @ts-expect-error Pong has no such key.
const wrong: Game<"pong">["move"] = { direction: "ArrowLeft", action: "down" };
const pongRoom = client.room<"pong">("r1");
pongRoom.on("game:update", ({ state }) => console.log(state.p1Y + (state.ballX ?? 0)));
// @ts-expect-error Pong has no board.
pongRoom.on("game:update", ({ state }) => console.log(state.board));
console.log(pongRoom.press(key), pongRoom.seat, pongRoom.state?.phase, isFull, wrong);
// @ts-expect-error There is no such game.
client.room<"chess">("r2");
// @ts-expect-error Nor can a room of it be created.
client.createRoom({ game: "chess" });
await client.room("r3").join({ role: "spectator" });
// Of a game that is not known when this is compiled, a move is any of those that are.
client.room("r3").move({ column: 3 });

declare module "../../service/web/client/games.js" {
    interface Games {
        rps: { options: {}; move: { hand: "paper" | "rock" }; state: { round: number }; input: {} };
    }
}
client.room<"rps">("r4").move({ hand: "rock" });
// @ts-expect-error A game that others have declared is as strict.
client.room<"rps">("r4").move({ hand: "well" });

const busy: ErrorCode = "USER_BUSY";
// @ts-expect-error There is no such code.
const odd: ErrorCode = "USER_ODD";
client.on("error", ({ code }) => code === busy || code === odd);
// @ts-expect-error Nor is there one to compare with.
client.on("error", ({ code }) => code === "USER_ODD");

const slow = new Client({
    url: "/ws",
    token: () => "a.b.c",
    WebSocket: delayedWebSocket({ delayMs: 50, jitterMs: 10 }),
});
slow.simulateCut({ forMs: 500 });
console.log((await slow.ping()) + 1);
const even = new Playback<Game<"pong">["state"]>({ fields: ["ballX", "ballY"] });
console.log(even.at(performance.now())?.ballX);
const own = new Prediction({
    start: { y: 37.5, speed: 0 },
    input: { up: false, down: false },
    step: ({ y, speed }, { up }) => ({ y: y - (up ? speed : 0), speed }),
    field: "y",
    leap: 15,
    drift: 0.2,
});
own.input({ up: true, down: false }, 0);
console.log(own.at(1).speed, own.lagMs);
// @ts-expect-error There is no such key.
own.input({ left: true }, 0);
client.close();

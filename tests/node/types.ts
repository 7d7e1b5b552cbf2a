// Uses the client as its types allow; what they must refuse is marked. Only compiled, never run.

import {
    Client,
    type Command,
    type Incoming,
    Interpolation,
    Refused,
} from "../../service/web/client/client.js";

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
client.close();

// Uses the types of the messages as a client of its own would. Only compiled, never run.

import type {
    FromClassicClient,
    FromV1Client,
    ToClassicClient,
    ToV1Client,
} from "../../service/web/client/messages.js";

const command: FromV1Client = { type: "room:join", id: "a1-1", roomId: "r1", role: "spectator" };
const signal: FromV1Client = { type: "signal", to: "guest-17", data: [1, { deep: true }] };
const invite: FromClassicClient = { type: "invite", to: 8 };
// @ts-expect-error The role is one of two.
const king: FromV1Client = { type: "room:join", roomId: "r1", role: "king" };
// @ts-expect-error The classic dialect knows no chat.
const chat: FromClassicClient = { type: "chat:send", to: 8, text: "Hello" };
console.log(command, signal, invite, king, chat);

function cursorAfter(message: ToV1Client, cursor: number): number {
    switch (message.type) {
        case "resumed":
            return message.to;
        case "room:joined":
            console.log(message.user.name, message.seat ?? "watches");
            return Math.max(cursor, message.position ?? 0);
        case "game:update":
            // @ts-expect-error What a state holds is for the game to say.
            console.log(message.state.ballX);
            return cursor;
        default:
            return cursor;
    }
}

function scoreOf(message: ToClassicClient): [number, number] | null {
    return message.type === "game:timeup" ? [message.scores.s1, message.scores.s2] : null;
}
console.log(cursorAfter, scoreOf);

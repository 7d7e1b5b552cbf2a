// The types of client.js. Those of the messages are generated from the service's own.

import type { FromV1Client, ToV1Client } from "./messages.js";

export type * from "./messages.js";

type Typed<Message> = Extract<Message, { type: string }>;
type OneOf<Message, Type> = Extract<Typed<Message>, { type: Type }>;
type Without<Message, Field extends PropertyKey> = Message extends unknown
    ? Omit<Message, Field>
    : never;

/** The types of messages that the service sends. */
export type IncomingType = Typed<ToV1Client>["type"];
/** A message of the service, by its type. */
export type Incoming<Type extends IncomingType = IncomingType> = OneOf<ToV1Client, Type>;

/** The types of messages that a client sends. */
export type CommandType = Typed<FromV1Client>["type"];
/** A message of a client, by its type; its `id` is given by the client. */
export type Command<Type extends CommandType = CommandType> = Without<
    OneOf<FromV1Client, Type>,
    "id"
>;

/** What answers a command: a page of rooms, the pong, else the ack. */
export type Answer<Type extends CommandType> = Type extends "room:list"
    ? Incoming<"room:list">
    : Type extends "ping"
      ? Incoming<"pong">
      : Incoming<"ack">;

export type UserId = Incoming<"welcome">["user"]["id"];
export type UserEntry = Incoming<"user:list">["users"][number];

/** Where the connection is. `retryAt` is on the clock of `Date.now()`. Listeners hear of each, in order. */
export type Status =
    | { state: "idle" }
    | { state: "connecting" }
    /**
     * `resumed`: everything missed has been told; else what is known begins anew, and what stands
     * (`room:start`, `room:state`, invites, at its end `greeted`) follows at once, all of it.
     */
    | { state: "online"; resumed: boolean }
    | { state: "waiting"; retryAt: number; code: number; reason: string }
    /** Sent away, refused, out of tries, or closed here; only `connect` goes on, with nothing known. */
    | { state: "closed"; code: number; reason: string };

/** What a listener can be for: each message by its type, and what the client says itself. */
export type Events = { [Type in IncomingType]: Incoming<Type> } & {
    /** Every message, after the listeners of its type. */
    message: Incoming;
    status: Status;
    /** Somebody has come, gone or changed. */
    users: ReadonlyMap<UserId, UserEntry>;
    /** A room of this client has changed or is no more. */
    rooms: ReadonlyMap<string, Incoming<"room:state">>;
};

/**
 * Why a token is asked for: at the first connection; since the present one ends soon; or since it
 * was refused or has ended, so that the same one is of no use.
 */
export type TokenReason = "connect" | "expiring" | "refused";

export interface Options {
    /** Of the service: `wss://…`, `https://…`, or in a page relative to it, as `/ws`. */
    url: string | URL;
    /**
     * Brings the JWT. It is asked again, after a wait, when it throws, takes more than 10 s, or brings
     * one that is refused; after six refusals in a row, each of a token just brought, the client ends.
     * When it brings one of another user, all that was the former one's is dropped.
     */
    token: (reason: TokenReason) => string | Promise<string>;
    /** In place of the global class, for a Node that has none. */
    WebSocket?: new (url: URL, protocols: string[]) => object;
    /** After so many tries in a row the client gives up; it goes on for ever unless this is given. */
    attemptsMax?: number;
    /**
     * What a client of the same user had as its `cursor`, as kept over a reload: the first connection
     * then brings what came after it, and is `resumed`.
     */
    cursor?: { position: number; epoch: string } | null;
}

/**
 * One connection that stays. It comes back after every loss, goes on where it was, joins its
 * rooms again, and sends what was not answered.
 */
export class Client {
    constructor(options: Options);

    readonly status: Status;
    /** Who the token says you are; null before the first connection and after the end. */
    readonly user: Incoming<"welcome">["user"] | null;
    /** The present socket, to which a `signal` may be sent alone. */
    readonly sessionId: string | null;
    readonly limits: Incoming<"welcome">["limits"] | null;
    /** Whether you were needed in a match when you connected. */
    readonly session: Incoming<"session:state"> | null;
    /** What has been taken in, of which log; null until what stands has come whole. */
    readonly cursor: { position: number; epoch: string } | null;
    /** Everyone online. */
    readonly users: ReadonlyMap<UserId, UserEntry>;
    /** The rooms that you are in, as they stand. */
    readonly rooms: ReadonlyMap<string, Incoming<"room:state">>;

    /**
     * Connects now, also out of a wait or after the end; a try that is stuck is given up for a new one.
     * @returns the `welcome`, when the client is online and has its list of users
     * @throws {Closed} when it comes to an end before
     */
    connect(): Promise<Incoming<"welcome">>;

    /**
     * Goes for good: the service counts you as gone at once. Requests are thrown `Closed`; no listener
     * is called any more but for `status`; token, cursor, users and rooms are forgotten.
     */
    close(): void;

    /**
     * Sends a message once, for what is worth nothing later: keys, signals.
     * @returns whether it went out: not while offline, nor above the service's pace; that it was
     * refused is told by the event `error`
     * @throws {RangeError} when it is longer than the service takes
     */
    send<Type extends CommandType>(message: Command<Type> & { type: Type }): boolean;

    /**
     * Carries out a command once: it is sent again with the same id after each reconnect until it
     * is answered, for as long as the service remembers the id. Commands go out at the service's pace,
     * those for one room in the order in which they were given. A room that is joined so is joined
     * again after a reconnect, also when the answer came after the time.
     * @throws {Refused} by the service; nothing has happened
     * @throws {NoAnswer} after `timeoutMs` (30 s, at most 240 s) by the wall clock or the monotonic
     * one, whichever is further, when many newer commands were sent, or when the token is another
     * user's; it may have happened
     * @throws {Closed} when the client comes to an end before; it may have happened
     * @throws {RangeError} when it is longer than the service takes, or the time is no such time
     */
    request<Type extends CommandType>(
        command: Command<Type> & { type: Type },
        options?: { timeoutMs?: number },
    ): Promise<Answer<Type>>;

    /**
     * A listener that throws stops no other; one that is removed is not called any more, also when
     * the event is just being given out. What follows from within a listener is told after it.
     * @returns a function that ends it
     */
    on<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): () => void;
    off<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): void;
    once<Type extends keyof Events>(
        type: Type,
        listener: (event: Events[Type]) => void,
    ): () => void;
    /** @throws {Closed} when the client comes to an end before (but for `status`) */
    once<Type extends keyof Events>(type: Type): Promise<Events[Type]>;

    /**
     * All messages of these types, or all at all, from now on until the client is closed. What came
     * before that can still be taken; `return` ends it at once, also for who waits.
     */
    messages<Type extends IncomingType>(
        ...types: Type[]
    ): Required<Pick<AsyncIterableIterator<Incoming<Type>>, "next" | "return" | "throw">> &
        AsyncIterableIterator<Incoming<Type>>;
}

/** The service has refused a command: nothing has happened, and it may be tried again. */
export class Refused extends Error {
    readonly name: "Refused";
    /** One of the error codes in docs/reference.md. */
    readonly code: string;
}

/** No answer came in time: the command may have happened or not. */
export class NoAnswer extends Error {
    readonly name: "NoAnswer";
}

/** The client is closed; `code` and `reason` are those of the last socket. */
export class Closed extends Error {
    readonly name: "Closed";
    readonly code: number;
    readonly reason: string;
}

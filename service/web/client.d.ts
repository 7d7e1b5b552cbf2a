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

/** Where the connection is. `retryAt` is on the clock of `Date.now()`. */
export type Status =
    | { state: "idle" }
    | { state: "connecting" }
    /** `resumed`: everything missed has been told; else what is known begins anew. */
    | { state: "online"; resumed: boolean }
    | { state: "waiting"; retryAt: number; code: number; reason: string }
    /** Sent away, refused, out of tries, or closed here; only `connect` goes on. */
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
    /** Brings the JWT; when it throws, it is asked again after a while. */
    token: (reason: TokenReason) => string | Promise<string>;
    /** In place of the global class, for a Node that has none. */
    WebSocket?: new (url: URL, protocols: string[]) => object;
    /** After so many tries in a row the client gives up; it goes on for ever unless this is given. */
    attemptsMax?: number;
}

/**
 * One connection that stays. It comes back after every loss, goes on where it was, joins its
 * rooms again, and sends what was not answered.
 */
export class Client {
    constructor(options: Options);

    readonly status: Status;
    /** Who the token says you are; null before the first connection. */
    readonly user: Incoming<"welcome">["user"] | null;
    /** The present socket, to which a `signal` may be sent alone. */
    readonly sessionId: string | null;
    readonly limits: Incoming<"welcome">["limits"] | null;
    /** Whether you were needed in a match when you connected. */
    readonly session: Incoming<"session:state"> | null;
    /** What has been taken in, of which log. */
    readonly cursor: { position: number; epoch: string } | null;
    /** Everyone online. */
    readonly users: ReadonlyMap<UserId, UserEntry>;
    /** The rooms that you are in, as they stand. */
    readonly rooms: ReadonlyMap<string, Incoming<"room:state">>;

    /**
     * Connects now, also out of a wait or after the end.
     * @returns the `welcome`, when the client is online and has its list of users
     * @throws {Closed} when it comes to an end before
     */
    connect(): Promise<Incoming<"welcome">>;

    /** Goes for good: the service counts you as gone at once. Requests are thrown `Closed`. */
    close(): void;

    /**
     * Sends a message once, for what is worth nothing later: keys, signals.
     * @returns whether it went out; that it was refused is told by the event `error`
     * @throws {RangeError} when it is longer than the service takes
     */
    send<Type extends CommandType>(message: Command<Type> & { type: Type }): boolean;

    /**
     * Carries out a command once: it is sent again with the same id after each reconnect until it
     * is answered. A room that is joined so is joined again after a reconnect.
     * @throws {Refused} by the service; nothing has happened
     * @throws {NoAnswer} after `timeoutMs` (30 s, at most 240 s); it may have happened
     * @throws {Closed} when the client comes to an end before; it may have happened
     * @throws {RangeError} when it is longer than the service takes
     */
    request<Type extends CommandType>(
        command: Command<Type> & { type: Type },
        options?: { timeoutMs?: number },
    ): Promise<Answer<Type>>;

    /** @returns a function that ends it */
    on<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): () => void;
    off<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): void;
    once<Type extends keyof Events>(
        type: Type,
        listener: (event: Events[Type]) => void,
    ): () => void;
    once<Type extends keyof Events>(type: Type): Promise<Events[Type]>;

    /** All messages of these types, or all at all, from now on until the client is closed. */
    messages<Type extends IncomingType>(
        ...types: Type[]
    ): AsyncGenerator<Incoming<Type>, void, void>;
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

// The types of client.js. Those of the messages are generated from the service's own.

import type { ErrorCode, GameName, Games } from "./games.js";
import type { FromV1Client, ToV1Client } from "./messages.js";

export type * from "./games.js";
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
/** The frame rates that a client may ask for. */
export type FrameHz = Incoming<"welcome">["frameHz"];
export type UserEntry = Incoming<"user:list">["users"][number];

/** The state of the connection; listeners get every change, in order. `retryAt` is as `Date.now()`. */
export type Status =
    | { state: "idle" }
    | { state: "connecting" }
    /**
     * With `resumed` all missed messages were emitted; otherwise the state begins anew, and the whole
     * current state follows (`room:start`, `room:state`, invites, and `greeted` at the end).
     */
    | { state: "online"; resumed: boolean }
    | { state: "waiting"; retryAt: number; code: number; reason: string }
    /** Revoked, refused, out of attempts, or closed by `close`; `connect` starts without any state. */
    | { state: "closed"; code: number; reason: string };

/** The events: each message by its type, and events of the client itself. */
export type Events = { [Type in IncomingType]: Incoming<Type> } & {
    /** Every message, after the listeners of its type. */
    message: Incoming;
    status: Status;
    /** The list of online users has changed. */
    users: ReadonlyMap<UserId, UserEntry>;
    /** A room of this client has changed, or was left or closed. */
    rooms: ReadonlyMap<string, Incoming<"room:state">>;
};

/**
 * Why a token is requested: for the first connection; because the current one expires soon; or because
 * it was refused or has expired, so that a new one is needed.
 */
export type TokenReason = "connect" | "expiring" | "refused";

export interface Options {
    /** The URL of the service: `wss://…`, `https://…`, or relative to the page, such as `/ws`. */
    url: string | URL;
    /**
     * Returns the JWT. It is called again, after a wait, if it throws, takes more than 10 s, or returns
     * a token that is refused; after six fresh tokens that were refused in a row the client is closed.
     * A token of another user drops all state of the former user.
     */
    token: (reason: TokenReason) => string | Promise<string>;
    /** Replaces the global class, for a Node that has none. */
    WebSocket?: new (url: URL, protocols: string[]) => object;
    /** The client gives up after this many failed attempts in a row; by default it never does. */
    attemptsMax?: number;
    /**
     * The `cursor` of an earlier client of the same user, stored across a reload: the first connection
     * then gets the messages after it, and is `resumed`.
     */
    cursor?: { position: number; epoch: string } | null;
    /**
     * How many states of each live match are wanted per second; 60 unless it is given. `frames:set` by
     * `request` changes it, also for later connections.
     */
    frameHz?: FrameHz;
}

/** What a room is created with; `options` are those of its game. */
export type RoomOptions<Name extends GameName> = Omit<
    Command<"room:create">,
    "type" | "game" | "options"
> & { game: Name; options?: Games[Name]["options"] & { [name: string]: unknown } };

/**
 * A connection that reconnects after every loss, resumes, joins its rooms again, and sends commands
 * without a reply again.
 */
export class Client {
    constructor(options: Options);

    readonly status: Status;
    /** The user of the token; null before the first connection and after `close`. */
    readonly user: Incoming<"welcome">["user"] | null;
    /** The id of the current socket, to which a `signal` may be addressed. */
    readonly sessionId: string | null;
    readonly limits: Incoming<"welcome">["limits"] | null;
    /** The frame rate of this connection; 60 also where an older service knows no other one. */
    readonly frameHz: FrameHz;
    /** Whether the user had a seat in an unfinished room when they connected. */
    readonly session: Incoming<"session:state"> | null;
    /** The position that was processed, and the epoch of the log; null until the greeting is complete. */
    readonly cursor: { position: number; epoch: string } | null;
    /** All online users. */
    readonly users: ReadonlyMap<UserId, UserEntry>;
    /** The current states of the rooms that this client has joined. */
    readonly rooms: ReadonlyMap<string, Incoming<"room:state">>;

    /**
     * Connects now, also during a wait or after `close`; an attempt that is stuck is replaced.
     * @returns the `welcome`, when the client is online and has its list of users
     * @throws {Closed} if the client is closed before
     */
    connect(): Promise<Incoming<"welcome">>;

    /**
     * Closes the client cleanly: the user goes offline without a grace period. Requests reject with
     * `Closed`; no listener is called any more except for `status`; all state is dropped.
     */
    close(): void;

    /**
     * Sends a message once, without a reply; for keys and signals, which are of no use later.
     * @returns whether it was sent: not while offline, nor above the rate limit; a refusal is emitted
     * as the event `error`
     * @throws {RangeError} if it is longer than the service accepts
     */
    send<Type extends CommandType>(message: Command<Type> & { type: Type }): boolean;

    /**
     * Carries out a command at most once: it is sent again with the same id after each reconnect until
     * it is answered, as long as the service keeps the id. Commands are sent within the rate limit of
     * the service, those for one room in order. A room that was joined is joined again after a
     * reconnect, even if the reply arrived after the timeout.
     * @throws {Refused} if the service refused it; nothing has changed
     * @throws {NoAnswer} after `timeoutMs` (30 s, at most 240 s) by the wall clock or the monotonic
     * one, after many newer commands, or if the token is of another user; it may have been carried out
     * @throws {Closed} if the client is closed before; it may have been carried out
     * @throws {RangeError} if it is longer than the service accepts, or `timeoutMs` is invalid
     */
    request<Type extends CommandType>(
        command: Command<Type> & { type: Type },
        options?: { timeoutMs?: number },
    ): Promise<Answer<Type>>;

    /** A room as an object, whether this client is in it or not; `Name` types its game. */
    room<Name extends GameName = GameName>(roomId: string): Room<Name>;

    /**
     * Creates a room, with this user in its first seat.
     * @throws what `request` throws
     */
    createRoom<Name extends GameName>(options: RoomOptions<Name>): Promise<Room<Name>>;

    /**
     * Measures how long a message to the service and its answer take, in milliseconds.
     * @throws what `request` throws
     */
    ping(): Promise<number>;

    /**
     * Breaks the connection as a lost network does, for tests and demonstrations; for `forMs` from now on
     * every attempt to connect again fails.
     */
    simulateCut(options?: { forMs?: number }): void;

    /**
     * Adds a listener. One that throws does not stop the others; one that is removed is not called any
     * more, even for an event that is being emitted. Events caused by a listener are emitted after it.
     * @returns a function that removes it
     */
    on<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): () => void;
    off<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): void;
    once<Type extends keyof Events>(
        type: Type,
        listener: (event: Events[Type]) => void,
    ): () => void;
    /** @throws {Closed} if the client is closed before (except for `status`) */
    once<Type extends keyof Events>(type: Type): Promise<Events[Type]>;

    /**
     * Iterates over the messages of these types, or all, from now on until the client is closed; queued
     * messages can still be taken then. `return` ends it immediately, also a pending `next`.
     */
    messages<Type extends IncomingType>(
        ...types: Type[]
    ): Required<Pick<AsyncIterableIterator<Incoming<Type>>, "next" | "return" | "throw">> &
        AsyncIterableIterator<Incoming<Type>>;
}

/** The types of messages that concern a room. */
type RoomMessageType = {
    [Type in IncomingType]: "roomId" extends keyof Incoming<Type> ? Type : never;
}[IncomingType];

/** A message of a room, with the states and inputs of its game. */
export type RoomMessage<
    Name extends GameName,
    Type extends RoomMessageType,
> = Type extends "game:update"
    ? Omit<Incoming<"game:update">, "state"> & { state: Games[Name]["state"] }
    : Type extends "game:moved"
      ? Omit<Incoming<"game:moved">, "input"> & { input: Games[Name]["input"] }
      : Incoming<Type>;

/**
 * A room by its id. It keeps nothing itself: its state is the client's, so any number of them may be
 * made, and none has to be disposed of. Commands throw what `Client.request` throws.
 */
export class Room<Name extends GameName = GameName> {
    private constructor();

    readonly id: string;
    /** The newest `room:state`; null for a room that this client is not in. */
    readonly state: Incoming<"room:state"> | null;
    /** The seat of this user; null if they watch, or are not in the room. */
    readonly seat: number | null;

    /**
     * Calls `listener` for the messages of this room.
     * @returns a function that removes it
     */
    on<Type extends RoomMessageType>(
        type: Type,
        listener: (message: RoomMessage<Name, Type>) => void,
    ): () => void;
    /**
     * Resolves with the next message of a type in this room.
     * @throws {Closed} if the client is closed before
     */
    once<Type extends RoomMessageType>(type: Type): Promise<RoomMessage<Name, Type>>;

    /** Joins to play, or to watch. */
    join(options?: Omit<Command<"room:join">, "type" | "roomId">): Promise<Answer<"room:join">>;
    /** Leaves; a player who leaves a live match loses it. */
    leave(): Promise<Answer<"room:leave">>;
    /** Tells that this user is ready; the match begins, or a rematch, once all players are. */
    ready(ready?: boolean): Promise<Answer<"room:ready">>;
    /** Makes a move, at most once. */
    move(move: Games[Name]["move"]): Promise<Answer<"game:move">>;
    /**
     * Sends a move without an answer; for keys, which are of no use later.
     * @returns whether it was sent
     */
    press(move: Games[Name]["move"]): boolean;
    say(text: string): Promise<Answer<"chat:send">>;
    /** Sends `data` to all others in the room, once. */
    signal(data: unknown): boolean;
}

/**
 * A state between two others; `share` is 0 at the first and 1 at the second. Only `fields` are between
 * them, where both states have a number; all others are those of the second state.
 */
export function interpolate<State extends object>(
    before: State,
    after: State,
    share: number,
    fields: readonly (keyof State)[],
): State;

/**
 * Turns the states of a match into smooth motion: it shows what is between the last two frames, and so
 * is one frame behind. Times are in milliseconds of any clock that does not go back, as those of
 * `performance.now()`.
 */
export class Interpolation<State extends object> {
    constructor(options: {
        /** The numbers that move; all other fields are those of the newest state. */
        fields: readonly (keyof State)[];
        /** Whether there is no motion from one state to the next, as after a point. */
        isJump?: (before: State, after: State) => boolean;
        /** How many ticks the game has per second; 60 unless it is given. */
        tickHz?: number;
    });

    /**
     * Takes a frame, a `game:update`. Where the tick goes back, many ticks are missing, or the match has
     * been continued after a crash (`run`), it is shown at once.
     */
    push(frame: { run: number; tick: number; state: State }, now: number): void;
    /** The state to show now; null before the first frame. */
    at(now: number): State | null;
    /** Whether the newest frame is not reached yet, so that the next picture differs. */
    isMoving(now: number): boolean;
    /** Forgets the frames, as before another match. */
    reset(): void;
}

/**
 * Plays the states of a match evenly, also when frames arrive unevenly: it shows them later than an
 * `Interpolation`, by as much as they are late at times. The options are the same.
 */
export class Playback<State extends object> {
    constructor(options: {
        fields: readonly (keyof State)[];
        isJump?: (before: State, after: State) => boolean;
        tickHz?: number;
    });

    /** Takes a frame; what does not continue the former ones, and the first after a pause, is shown at once. */
    push(frame: { run: number; tick: number; state: State }, now: number): void;
    /** The state to show now; null before the first frame. Call it once for each picture. */
    at(now: number): State | null;
    /** Whether the newest frame was not reached by the last picture. */
    isMoving(): boolean;
    /** Forgets the frames, as before another match. */
    reset(): void;
}

/**
 * Predicts what this player moves, so that it follows their inputs at once. The service, which decides,
 * shows the same a while later (`lagMs`, which is measured): where it differs, the prediction glides there,
 * and never back while it moves.
 */
export class Prediction<Own extends object, Input> {
    constructor(options: {
        /** The state at the start. */
        start: Own;
        /** The input at the start, such as no held keys. */
        input: Input;
        /** The rules of the game for what this player moves: the state a tick later. Changes nothing. */
        step: (own: Own, input: Input) => Own;
        /** The number in it that the service shows. */
        field: keyof Own;
        /** A difference that is no jitter: when it lasts, the value of the service is taken at once. */
        leap: number;
        /** How much is corrected with each tick at rest. */
        drift: number;
        /** How many ticks the game has per second; 60 unless it is given. */
        tickHz?: number;
    });

    /** How long the service takes to show an input, in milliseconds. */
    readonly lagMs: number;
    /** The player's input from now on. */
    input(input: Input, now: number): void;
    /** The predicted state. */
    at(now: number): Own;
    /** Compares with the value that a frame of the service shows, a `game:update`. */
    reconcile(frame: { run: number; tick: number }, value: number, now: number): void;
    /** Begins anew, as when a match starts or continues. */
    reset(own?: Own): void;
}

/** The service refused a command; nothing has changed. */
export class Refused extends Error {
    readonly name: "Refused";
    /** An error code; a service that is newer than this client may have others. */
    readonly code: ErrorCode;
}

/** There was no reply in time: the command may have been carried out or not. */
export class NoAnswer extends Error {
    readonly name: "NoAnswer";
}

/** The client is closed; `code` and `reason` are those of the last socket. */
export class Closed extends Error {
    readonly name: "Closed";
    readonly code: number;
    readonly reason: string;
}

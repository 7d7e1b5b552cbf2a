// The types of the games and their errors. Generated from the service's JSON Schema by
// `make reference`; do not edit.

/**
 * The codes of errors.
 */
export type ErrorCode =
    | "ALREADY_INVITED"
    | "ALREADY_IN_ROOM"
    | "ALREADY_SEARCHING"
    | "BAD_INVITE"
    | "BAD_JSON"
    | "BAD_MESSAGE"
    | "BAD_NAME"
    | "BAD_SCOPE"
    | "BAD_TOKEN"
    | "BAD_VALUE"
    | "BANNED"
    | "BINARY_FRAME"
    | "CONTRADICTORY_ROOM"
    | "ID_REUSED"
    | "INTERNAL_ERROR"
    | "INVALID_MOVE"
    | "INVALID_OPTIONS"
    | "INVITE_NOT_FOUND"
    | "INVITE_NOT_WANTED"
    | "MATCH_ALREADY_STARTED"
    | "MATCH_NOT_RUNNING"
    | "MATCH_PAUSED"
    | "NODES_TOO_OLD"
    | "NOTHING_SHARED"
    | "NOT_CONNECTED"
    | "NOT_HOST"
    | "NOT_IN_LOBBY"
    | "NOT_IN_ROOM"
    | "NO_BOT_OFFERED"
    | "NO_SUCH_BOT"
    | "OTHER_USER"
    | "RATE_LIMITED"
    | "ROOM_EXISTS"
    | "ROOM_FULL"
    | "ROOM_LOCKED"
    | "ROOM_NOT_FOUND"
    | "ROOM_NOT_READY"
    | "SELF_INVITE"
    | "TOO_LARGE"
    | "TOO_MANY_FRIENDS"
    | "TOO_MANY_MUTED"
    | "TOO_MANY_ROOMS"
    | "TOO_MANY_SOCKETS"
    | "UNAVAILABLE"
    | "UNKNOWN_FIELD"
    | "UNKNOWN_GAME"
    | "UNKNOWN_TYPE"
    | "USER_BUSY"
    | "USER_NOT_IN_LOBBY"
    | "USER_OFFLINE"
    | "USER_SERVICE_UNAVAILABLE"
    | "WRONG_PASSWORD";

/**
 * What each game takes and shows, by its name.
 */
export interface Games {
    connect_four: {
        options: ConnectFourOptions;
        move: ConnectFourMove;
        state: ConnectFourView;
        input: Dropped | TimedOut;
    };
    pong: {
        options: PongOptions;
        move: PongMove;
        state: PongView;
        input: KeysHeld;
    };
    relay: {
        options: NoOptions;
        move: {
            [k: string]: unknown;
        };
        state: RelayView;
        input: Relayed | Claimed;
    };
}
/**
 * The options of connect four.
 */
export interface ConnectFourOptions {
    /**
     * How long a turn may take, in seconds; by default 30, or with `clock_s` no limit.
     */
    turn_s?: number | null;
    /**
     * How long each player may take for the match, in seconds.
     */
    clock_s?: number | null;
    /**
     * What the clock of a player gets back for each move, in seconds.
     */
    increment_s?: number;
}
/**
 * Drops a disc.
 */
export interface ConnectFourMove {
    column: 0 | 1 | 2 | 3 | 4 | 5 | 6;
}
/**
 * What everybody sees; a place is `[row, column]`, as in `board`.
 */
export interface ConnectFourView {
    board: (number | null)[][];
    turn: number | null;
    winner: number | null;
    line: [number, number][];
    lastColumn: number | null;
    timedOut: number | null;
}
/**
 * An input: `seat` let a disc fall into `column`.
 */
export interface Dropped {
    kind: "dropped";
    seat: number;
    column: number;
}
/**
 * An input, made by the service: it was the turn of `seat` for too long.
 */
export interface TimedOut {
    kind: "timed_out";
    seat: number;
}
/**
 * The options of Pong.
 */
export interface PongOptions {
    /**
     * How long a match takes, in seconds.
     */
    duration_s?: number;
}
/**
 * Presses or releases a key; either pair of keys is good for either seat.
 */
export interface PongMove {
    direction: "ArrowDown" | "ArrowUp" | "s" | "w";
    action: "down" | "up";
}
/**
 * What everybody sees, named as on the wire: `p1Y`, `p2Y`, `s1`, `s2`, `ballX`, `ballY`.
 */
export interface PongView {
    p1Y: number;
    p2Y: number;
    s1: number;
    s2: number;
    ballX?: number;
    ballY?: number;
}
/**
 * An input: from now on `seat` holds exactly these keys.
 */
export interface KeysHeld {
    kind: "keys_held";
    seat: number;
    up: boolean;
    down: boolean;
}
/**
 * The options of a game that has none.
 */
export interface NoOptions {
    tsType?: "unknown";
}
/**
 * The number of moves; the moves themselves are relayed one by one.
 */
export interface RelayView {
    moves: number;
}
/**
 * An input: a move of `seat`, which the service does not interpret.
 */
export interface Relayed {
    kind: "relayed";
    seat: number;
    move: unknown;
}
/**
 * An input: `seat` claims how the match ended.
 */
export interface Claimed {
    kind: "claimed";
    seat: number;
    result: Claim;
}
/**
 * A player's claim of how the match ended: `winner` is a seat, or None for a draw.
 */
export interface Claim {
    winner: number | null;
    scores: number[];
}

/** The name of a game. Types of other games are added by declaring more fields of `Games`. */
export type GameName = keyof Games;
/** What a game takes and shows: its `options`, `move`, `state` and `input`. */
export type Game<Name extends GameName> = Games[Name];

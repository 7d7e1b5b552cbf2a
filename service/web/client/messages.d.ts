// The types of all messages, of both dialects and directions. Generated from
// the service's JSON Schema by `make reference`; do not edit.

/**
 * Every message of both dialects and directions; take one by its name.
 */
export type Messages = FromV1Client | ToV1Client | FromClassicClient | ToClassicClient;
export type FromV1Client =
    | UserListRequest
    | LobbyJoin
    | LobbyLeave
    | LobbyRequest
    | FriendsSubscribe
    | FriendsStatusRequest
    | Invite
    | InviteSend
    | InviteAcceptedByClient
    | InviteDeclinedByClient
    | MatchmakingJoin
    | MatchmakingLeave
    | GameJoin
    | GameBegin
    | GameLeave
    | Ping
    | Resume
    | UserSync
    | UserStatus
    | RoomCreate
    | RoomJoin
    | RoomLeave
    | RoomReady
    | RoomKick
    | RoomLock
    | RoomList
    | RoomSubscribe
    | RoomUnsubscribe
    | GameMove
    | GameHistory
    | SendSignal
    | ChatSend
    | ChatMute
    | AuthRefresh;
export type ToV1Client =
    | Error
    | Ack
    | Pong
    | Welcome
    | SessionState
    | SessionKickIntro
    | Heartbeat
    | Resumed
    | Resync
    | Greeted
    | TokenExpiring
    | ServerDraining
    | ServerMessage
    | UserList
    | UserDiff
    | LobbyList
    | FriendsStatus
    | FriendsStatusUpdate
    | FriendsStatusResponse
    | InviteReceived
    | InviteDeclined
    | InviteSent
    | InviteExpired
    | MatchmakingSearching
    | MatchmakingCancelled
    | RoomStart
    | RoomState
    | RoomJoined
    | RoomLeft
    | RoomClosed
    | RoomPage
    | RoomAdded
    | RoomUpdated
    | RoomRemoved
    | GameReady
    | GameStart
    | GameUpdate
    | GameTimer
    | GamePaused
    | GameResumed
    | GameMoved
    | GameMoves
    | GameOver
    | Signal
    | ChatMessage
    | ChatHistory;
export type FromClassicClient =
    | ClassicUserListRequest
    | ClassicLobbyJoin
    | ClassicLobbyLeave
    | ClassicLobbyRequest
    | ClassicFriendsSubscribe
    | ClassicFriendsStatusRequest
    | ClassicInvite
    | ClassicInviteSend
    | ClassicInviteAcceptedByClient
    | ClassicInviteDeclinedByClient
    | ClassicMatchmakingJoin
    | ClassicMatchmakingLeave
    | ClassicGameJoin
    | ClassicGameBegin
    | ClassicGameMove
    | ClassicGameLeave;
export type ToClassicClient =
    | ClassicError
    | ClassicWelcome
    | ClassicSessionState
    | ClassicSessionKickIntro
    | ClassicUserList
    | ClassicUserOnline
    | ClassicUserOffline
    | ClassicLobbyList
    | ClassicFriendsStatus
    | ClassicFriendsStatusUpdate
    | ClassicFriendsStatusResponse
    | ClassicInviteReceived
    | ClassicInviteDeclined
    | ClassicMatchmakingSearching
    | ClassicMatchmakingCancelled
    | ClassicRoomStart
    | ClassicGameReady
    | ClassicRoomPlayers
    | ClassicGameStart
    | ClassicGameUpdate
    | ClassicGameTimer
    | ClassicGamePaused
    | ClassicGameResumed
    | ClassicGameTimeup
    | ClassicGameEnd;

/**
 * Asks for `user:list`, to this socket.
 */
export interface UserListRequest {
    type: "user:list:request";
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * This tab shows the lobby; answered with `lobby:list`.
 */
export interface LobbyJoin {
    type: "lobby:join";
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * This tab shows the lobby no longer.
 */
export interface LobbyLeave {
    type: "lobby:leave";
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Asks for `lobby:list`, to this socket.
 */
export interface LobbyRequest {
    type: "lobby:request";
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Watches whether these users are online, in place of those watched before.
 */
export interface FriendsSubscribe {
    type: "friends:subscribe";
    friendIds: (number | string)[];
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Asks for the status of the user's friends, as the user service knows them.
 */
export interface FriendsStatusRequest {
    type: "friends:status:request";
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Asks a user to a match; `to` and `toUserId` mean the same.
 */
export interface Invite {
    type: "invite";
    to?: number | string | null;
    toUserId?: number | string | null;
    game?: string;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * The same as `invite`.
 */
export interface InviteSend {
    type: "invite:send";
    to?: number | string | null;
    toUserId?: number | string | null;
    game?: string;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Says yes to the invite of `from`.
 */
export interface InviteAcceptedByClient {
    type: "invite:accepted";
    from: number | string;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Says no to the invite of `from`.
 */
export interface InviteDeclinedByClient {
    type: "invite:declined";
    from: number | string;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Looks for an opponent.
 */
export interface MatchmakingJoin {
    type: "matchmaking:join";
    game?: string;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Stops looking for an opponent.
 */
export interface MatchmakingLeave {
    type: "matchmaking:leave";
    game?: string;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * This tab shows the game: it takes the user's seat and gets the messages of the room.
 */
export interface GameJoin {
    type: "game:join";
    roomId: string;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Starts the match; after a result, asks for a rematch.
 */
export interface GameBegin {
    type: "game:begin";
    roomId: string;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Gives the seat up; in a match the other one wins at once.
 */
export interface GameLeave {
    type: "game:leave";
    roomId: string;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Asks for a `pong`, to measure the round trip.
 */
export interface Ping {
    type: "ping";
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Asks for what was missed after `position`; `?since=` in the URL does so at once, in order.
 */
export interface Resume {
    type: "resume";
    position: number;
    epoch: string;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Asks for `user:list`, since a `user:diff` was missed.
 */
export interface UserSync {
    type: "user:sync";
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Sets how others see you; a hidden user is seen by nobody.
 */
export interface UserStatus {
    type: "user:status";
    status?: ("away" | "busy" | "online") | null;
    hidden?: boolean | null;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Makes a room and takes its first seat; its maker is the host.
 */
export interface RoomCreate {
    type: "room:create";
    roomId?: string | null;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
    game?: string;
    options?: {
        [k: string]: unknown;
    };
    metadata?: {
        [k: string]: unknown;
    };
    visibility?: ("password" | "private" | "public") | null;
    password?: string | null;
    maxSpectators?: number | null;
}
/**
 * Joins a room to play or to watch; with `orCreate` it is made when it is not there.
 */
export interface RoomJoin {
    type: "room:join";
    roomId: string;
    role?: "player" | "spectator";
    orCreate?: boolean;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
    game?: string;
    options?: {
        [k: string]: unknown;
    };
    metadata?: {
        [k: string]: unknown;
    };
    visibility?: ("password" | "private" | "public") | null;
    password?: string | null;
    maxSpectators?: number | null;
}
/**
 * Leaves a room; in a match, that is a loss.
 */
export interface RoomLeave {
    type: "room:leave";
    roomId: string;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Says that you are ready; a match starts when all players are, and so does a rematch.
 */
export interface RoomReady {
    type: "room:ready";
    roomId: string;
    ready?: boolean;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * The host sends somebody out, who can't come back.
 */
export interface RoomKick {
    type: "room:kick";
    roomId: string;
    userId: number | string;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * The host lets nobody in any more, or again.
 */
export interface RoomLock {
    type: "room:lock";
    roomId: string;
    locked?: boolean;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Asks for a page of the rooms that are not private; `cursor` is that of the page before.
 */
export interface RoomList {
    type: "room:list";
    game?: string | null;
    cursor?: string | null;
    limit?: number;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Asks to be told of rooms that are added, updated or removed.
 */
export interface RoomSubscribe {
    type: "room:subscribe";
    game?: string | null;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Asks to be told of rooms no longer.
 */
export interface RoomUnsubscribe {
    type: "room:unsubscribe";
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * A move: `direction` and `action` in Pong, else `move`, as the game wants it.
 */
export interface GameMove {
    type: "game:move";
    roomId: string;
    move?: {
        [k: string]: unknown;
    } | null;
    direction?: string | null;
    action?: string | null;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Asks for the moves of the match in a room after `after`, the `next` of a `game:moves`.
 */
export interface GameHistory {
    type: "game:history";
    roomId: string;
    after?: number;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Passes `data` on to a user, one of their sockets, or all others in a room; it is not kept.
 */
export interface SendSignal {
    type: "signal";
    data: unknown;
    to?: number | string | null;
    sessionId?: string | null;
    roomId?: string | null;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Says something to a room or to a user.
 */
export interface ChatSend {
    type: "chat:send";
    text: string;
    roomId?: string | null;
    to?: number | string | null;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Hears no more chat and signals of a user, or hears them again.
 */
export interface ChatMute {
    type: "chat:mute";
    userId: number | string;
    muted?: boolean;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Brings a newer token of the same user.
 */
export interface AuthRefresh {
    type: "auth:refresh";
    token: string;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * The last message could not be carried out; nothing has happened.
 *
 * `retryAfterMs` says when another try may succeed, where that is known.
 */
export interface Error {
    type: "error";
    code: string;
    message: string;
    id?: string;
    retryAfterMs?: number;
}
/**
 * The command `id` was carried out; its events are in the log up to `position`.
 */
export interface Ack {
    type: "ack";
    id: string;
    position: number;
    roomId?: string;
}
/**
 * Answers `ping`.
 */
export interface Pong {
    type: "pong";
    id?: string;
}
/**
 * The first message: who you are, where the log is, and what you may do.
 *
 * `features` names what the service knows beyond 0.1.0; a client ignores names it does not know.
 */
export interface Welcome {
    type: "welcome";
    user: User;
    sessionId: string;
    protocol: string;
    epoch: string;
    position: number;
    heartbeatMs: number;
    limits: Limits;
    features: (
        | "error_ids"
        | "greeted"
        | "sent_invites"
        | "strict_fields"
        | "retry_after"
        | "size_limits"
        | "turn_clock"
        | "game_history"
        | "pause_budget"
        | "id_reused"
        | "void_matches"
    )[];
}
/**
 * A user, as others see them.
 */
export interface User {
    id: number | string;
    name: string;
}
/**
 * What a client may send.
 */
export interface Limits {
    messageBytesMax: number;
    messagesPerS: number;
    messagesBurst: number;
    chatLengthMax: number;
    moveBytesMax: number;
    signalBytesMax: number;
    roomBytesMax: number;
}
/**
 * The second message: where you are now.
 */
export interface SessionState {
    type: "session:state";
    inRoom: boolean;
    roomId: string | null;
}
/**
 * In place of `session:state`, once: you lost your seat while you were away.
 */
export interface SessionKickIntro {
    type: "session:kickIntro";
}
/**
 * Nothing has happened for you up to `position`; go on from there when you resume.
 */
export interface Heartbeat {
    type: "heartbeat";
    position: number;
}
/**
 * Everything for you after `from` and up to `to` has been sent again.
 */
export interface Resumed {
    type: "resumed";
    from: number;
    to: number;
}
/**
 * You can't resume; forget what you know, snapshots of all follow.
 */
export interface Resync {
    type: "resync";
    reason: "from_the_future" | "too_old" | "wrong_epoch";
    epoch: string;
    position: number;
}
/**
 * All that stands at the position `to` has been sent, after `welcome` or `resync`.
 *
 * Before it a client must not resume: what is still missing would never be sent again.
 */
export interface Greeted {
    type: "greeted";
    to: number;
}
/**
 * Your token ends; send `auth:refresh` with a newer one.
 */
export interface TokenExpiring {
    type: "token:expiring";
    expiresInMs: number;
}
/**
 * The service is about to stop; connect again after a random part of `retryMs`.
 */
export interface ServerDraining {
    type: "server:draining";
    retryMs: number;
}
/**
 * Something that another service of the platform says to you, your room or everybody.
 */
export interface ServerMessage {
    type: "server:message";
    data: unknown;
}
/**
 * Everyone online, as of `v`.
 */
export interface UserList {
    type: "user:list";
    users: UserEntry[];
    v: number;
}
/**
 * A user in the list.
 */
export interface UserEntry {
    id: number | string;
    name: string;
    status: "away" | "busy" | "lobby" | "online" | "playing";
}
/**
 * Who has come, gone or changed since `v` - 1; after a gap ask for `user:sync`.
 */
export interface UserDiff {
    type: "user:diff";
    v: number;
    joins: UserEntry[];
    leaves: (number | string)[];
    updates: UserEntry[];
}
/**
 * Everyone in the lobby.
 */
export interface LobbyList {
    type: "lobby:list";
    users: User[];
}
/**
 * Answers `friends:subscribe`: who of them is online.
 */
export interface FriendsStatus {
    type: "friends:status";
    statuses: {
        [k: string]: boolean;
    };
}
/**
 * A watched user came or went.
 */
export interface FriendsStatusUpdate {
    type: "friends:status:update";
    userId: number | string;
    isOnline: boolean;
}
/**
 * Answers `friends:status:request`.
 */
export interface FriendsStatusResponse {
    type: "friends:status:response";
    friends: FriendStatus[];
}
/**
 * Whether one friend is online.
 */
export interface FriendStatus {
    userId: number | string;
    isOnline: boolean;
}
/**
 * Somebody asks you to a match; has a `position`.
 */
export interface InviteReceived {
    type: "invite:received";
    from: User;
    game: string;
    /**
     * The position of its event in the log; not there when it tells what stands.
     */
    position?: number;
}
/**
 * Somebody whom you asked said no.
 */
export interface InviteDeclined {
    type: "invite:declined";
    from: number | string;
    /**
     * The position of its event in the log; not there when it tells what stands.
     */
    position?: number;
}
/**
 * An invite of yours has no answer yet; told with what stands, as after a reload.
 */
export interface InviteSent {
    type: "invite:sent";
    to: User;
    game: string;
}
/**
 * Nobody answered an invite in time; to both; has a `position`.
 */
export interface InviteExpired {
    type: "invite:expired";
    from: number | string;
    to: number | string;
    /**
     * The position of its event in the log; not there when it tells what stands.
     */
    position?: number;
}
/**
 * You are in the queue.
 */
export interface MatchmakingSearching {
    type: "matchmaking:searching";
    /**
     * The position of its event in the log; not there when it tells what stands.
     */
    position?: number;
}
/**
 * You are in the queue no longer.
 */
export interface MatchmakingCancelled {
    type: "matchmaking:cancelled";
    /**
     * The position of its event in the log; not there when it tells what stands.
     */
    position?: number;
}
/**
 * A room was made for you; go to the game page and send `game:join`.
 */
export interface RoomStart {
    type: "room:start";
    roomId: string;
    players: User[];
    /**
     * The position of its event in the log; not there when it tells what stands.
     */
    position?: number;
}
/**
 * A room as it is now; sent to its members, soon after it has changed, once for many changes.
 *
 * `watching` are the first spectators, `spectators` is how many there are.
 */
export interface RoomState {
    type: "room:state";
    roomId: string;
    v: number;
    game: string;
    phase: "finished" | "gathering" | "playing" | "ready";
    visibility: "password" | "private" | "public";
    locked: boolean;
    host: number | string | null;
    options: {
        [k: string]: unknown;
    };
    metadata: {
        [k: string]: unknown;
    };
    seats: SeatView[];
    spectators: number;
    watching: User[];
    matchId: string | null;
}
/**
 * A seat; `user` is null while it is free.
 *
 * `pauseLeftMs` is how long the player may still make the match wait, null without a limit.
 */
export interface SeatView {
    user: User | null;
    ready: boolean;
    away: boolean;
    pauseLeftMs: number | null;
}
/**
 * Somebody came to your room, maybe you; `seat` is theirs if they play; has a `position`.
 */
export interface RoomJoined {
    type: "room:joined";
    roomId: string;
    user: User;
    role: "player" | "spectator";
    seat: number | null;
    /**
     * The position of its event in the log; not there when it tells what stands.
     */
    position?: number;
}
/**
 * Somebody has gone from your room, maybe you; has a `position`.
 */
export interface RoomLeft {
    type: "room:left";
    roomId: string;
    userId: number | string;
    reason: "forfeited" | "kicked" | "left" | "offline";
    /**
     * The position of its event in the log; not there when it tells what stands.
     */
    position?: number;
}
/**
 * Your room is no more; has a `position`.
 */
export interface RoomClosed {
    type: "room:closed";
    roomId: string;
    reason: "empty" | "forfeited" | "left" | "untaken";
    /**
     * The position of its event in the log; not there when it tells what stands.
     */
    position?: number;
}
/**
 * A page of the rooms that are not private; `cursor` asks for the next one, null is the end.
 */
export interface RoomPage {
    type: "room:list";
    rooms: RoomSummary[];
    cursor: string | null;
}
/**
 * A room in the list.
 */
export interface RoomSummary {
    roomId: string;
    game: string;
    phase: "finished" | "gathering" | "playing" | "ready";
    visibility: "password" | "private" | "public";
    locked: boolean;
    host: number | string | null;
    metadata: {
        [k: string]: unknown;
    };
    players: User[];
    seats: number;
    spectators: number;
    spectatorsMax: number;
}
/**
 * A room that is not private was made; to those who have subscribed.
 */
export interface RoomAdded {
    type: "room:added";
    room: RoomSummary;
}
/**
 * A room that is not private has changed; to those who have subscribed.
 */
export interface RoomUpdated {
    type: "room:updated";
    room: RoomSummary;
}
/**
 * A room is no more, or private now; to those who have subscribed.
 */
export interface RoomRemoved {
    type: "room:removed";
    roomId: string;
}
/**
 * All seats are taken.
 */
export interface GameReady {
    type: "game:ready";
    roomId: string;
    /**
     * The position of its event in the log; not there when it tells what stands.
     */
    position?: number;
}
/**
 * A match begins, or you come into one that runs; has a `position` when it begins.
 *
 * `duration` is the seconds left, null without a clock; `playerIndex` is your seat, null for a spectator.
 */
export interface GameStart {
    type: "game:start";
    roomId: string;
    matchId: string;
    game: string;
    duration: number | null;
    playerIndex: number | null;
    players: User[];
    /**
     * The position of its event in the log; not there when it tells what stands.
     */
    position?: number;
}
/**
 * The authoritative state before `tick`; `run` counts how often the match has gone on.
 *
 * `turnEndsInMs` is there where turns have a time; while the match is paused, it stands still.
 */
export interface GameUpdate {
    type: "game:update";
    roomId: string;
    run: number;
    tick: number;
    state: unknown;
    turnEndsInMs?: number;
}
/**
 * Seconds left on the clock of the match.
 */
export interface GameTimer {
    type: "game:timer";
    roomId: string;
    remaining: number;
}
/**
 * A player dropped; who is not back after `graceMs` forfeits; has a `position` when it begins.
 *
 * `pauseLeftMs` is how long each player may still make the match wait, in all its pauses together: when those who are away have none left, the match goes on without them. `turnLeftMs` is what the player to move will have left then.
 */
export interface GamePaused {
    type: "game:paused";
    roomId: string;
    away: (number | string)[];
    graceMs: number;
    pauseLeftMs?: {
        [k: string]: number;
    };
    turnLeftMs?: number;
    /**
     * The position of its event in the log; not there when it tells what stands.
     */
    position?: number;
}
/**
 * The match goes on, its clock in `startsInMs`; has a `position`.
 */
export interface GameResumed {
    type: "game:resumed";
    roomId: string;
    startsInMs: number;
    turnEndsInMs?: number;
    /**
     * The position of its event in the log; not there when it tells what stands.
     */
    position?: number;
}
/**
 * A move in a game without ticks; `input` is what the rules made of it; has a `position`.
 */
export interface GameMoved {
    type: "game:moved";
    roomId: string;
    seat: number;
    tick: number;
    input: unknown;
    /**
     * The position of its event in the log; not there when it tells what stands.
     */
    position?: number;
}
/**
 * A page of the moves so far, before any that follows, to who comes into a match of free moves.
 *
 * While there is `more`, the next page follows by itself; else, `game:history` asks for what is after `next`, unless that is null.
 */
export interface GameMoves {
    type: "game:moves";
    roomId: string;
    matchId: string;
    moves: PastMove[];
    more: boolean;
    next: number | null;
}
/**
 * A move, as in `game:moved`.
 */
export interface PastMove {
    seat: number;
    tick: number;
    input: unknown;
}
/**
 * A match is over; `winner` is a seat, null for a draw; has a `position`.
 *
 * A match is `void` when its rules have failed, or are not here any more: it has no result.
 */
export interface GameOver {
    type: "game:over";
    roomId: string;
    matchId: string;
    reason: "abandoned" | "finished" | "forfeit" | "left" | "timeup" | "turn_timeout" | "void";
    winner: number | null;
    scores: number[];
    /**
     * The position of its event in the log; not there when it tells what stands.
     */
    position?: number;
}
/**
 * What another client has sent by `signal`; `sessionId` is the socket that it came from.
 */
export interface Signal {
    type: "signal";
    from: number | string;
    sessionId: string;
    data: unknown;
    roomId?: string;
}
/**
 * Somebody says something in your room, or to you; has a `position`, but not in a history.
 */
export interface ChatMessage {
    type: "chat:message";
    chatId: string;
    from: User;
    text: string;
    roomId?: string;
    to?: number | string;
    /**
     * The position of its event in the log; not there when it tells what stands.
     */
    position?: number;
}
/**
 * The last that was said in a room which you have joined.
 */
export interface ChatHistory {
    type: "chat:history";
    roomId: string;
    messages: ChatMessage[];
}
/**
 * Asks for `user:list`, to this socket.
 */
export interface ClassicUserListRequest {
    type: "user:list:request";
}
/**
 * This tab shows the lobby; answered with `lobby:list`.
 */
export interface ClassicLobbyJoin {
    type: "lobby:join";
}
/**
 * This tab shows the lobby no longer.
 */
export interface ClassicLobbyLeave {
    type: "lobby:leave";
}
/**
 * Asks for `lobby:list`, to this socket.
 */
export interface ClassicLobbyRequest {
    type: "lobby:request";
}
/**
 * Watches whether these users are online, in place of those watched before.
 */
export interface ClassicFriendsSubscribe {
    type: "friends:subscribe";
    friendIds: (number | string)[];
}
/**
 * Asks for the status of the user's friends, as the user service knows them.
 */
export interface ClassicFriendsStatusRequest {
    type: "friends:status:request";
}
/**
 * Asks a user to a match; `to` and `toUserId` mean the same.
 */
export interface ClassicInvite {
    type: "invite";
    to?: number | string | null;
    toUserId?: number | string | null;
    game?: string;
}
/**
 * The same as `invite`.
 */
export interface ClassicInviteSend {
    type: "invite:send";
    to?: number | string | null;
    toUserId?: number | string | null;
    game?: string;
}
/**
 * Says yes to the invite of `from`.
 */
export interface ClassicInviteAcceptedByClient {
    type: "invite:accepted";
    from: number | string;
}
/**
 * Says no to the invite of `from`.
 */
export interface ClassicInviteDeclinedByClient {
    type: "invite:declined";
    from: number | string;
}
/**
 * Looks for an opponent.
 */
export interface ClassicMatchmakingJoin {
    type: "matchmaking:join";
    game?: string;
}
/**
 * Stops looking for an opponent.
 */
export interface ClassicMatchmakingLeave {
    type: "matchmaking:leave";
    game?: string;
}
/**
 * This tab shows the game: it takes the user's seat and gets the messages of the room.
 */
export interface ClassicGameJoin {
    type: "game:join";
    roomId: string;
}
/**
 * Starts the match; after a result, asks for a rematch.
 */
export interface ClassicGameBegin {
    type: "game:begin";
    roomId: string;
}
/**
 * Presses or releases a key: `w`, `s`, `ArrowUp` or `ArrowDown`, `down` or `up`.
 */
export interface ClassicGameMove {
    type: "game:move";
    roomId: string;
    direction: string;
    action: string;
}
/**
 * Gives the seat up; in a match the other one wins at once.
 */
export interface ClassicGameLeave {
    type: "game:leave";
    roomId: string;
}
/**
 * The last message could not be carried out; nothing has happened.
 *
 * `retryAfterMs` says when another try may succeed, where that is known.
 */
export interface ClassicError {
    type: "error";
    code: string;
    message: string;
    retryAfterMs?: number;
}
/**
 * The first message: who you are.
 */
export interface ClassicWelcome {
    type: "welcome";
    user: User;
}
/**
 * The second message: where you are now.
 */
export interface ClassicSessionState {
    type: "session:state";
    inRoom: boolean;
    roomId: string | null;
}
/**
 * In place of `session:state`, once: you lost your seat while you were away.
 */
export interface ClassicSessionKickIntro {
    type: "session:kickIntro";
}
/**
 * Everyone online.
 */
export interface ClassicUserList {
    type: "user:list";
    users: User[];
}
/**
 * The first socket of a user was opened.
 */
export interface ClassicUserOnline {
    type: "user:online";
    userId: number | string;
}
/**
 * The last socket of a user is gone.
 */
export interface ClassicUserOffline {
    type: "user:offline";
    userId: number | string;
}
/**
 * Everyone in the lobby.
 */
export interface ClassicLobbyList {
    type: "lobby:list";
    users: User[];
}
/**
 * Answers `friends:subscribe`: who of them is online.
 */
export interface ClassicFriendsStatus {
    type: "friends:status";
    statuses: {
        [k: string]: boolean;
    };
}
/**
 * A watched user came or went.
 */
export interface ClassicFriendsStatusUpdate {
    type: "friends:status:update";
    userId: number | string;
    isOnline: boolean;
}
/**
 * Answers `friends:status:request`.
 */
export interface ClassicFriendsStatusResponse {
    type: "friends:status:response";
    friends: FriendStatus[];
}
/**
 * Somebody asks you to a match.
 */
export interface ClassicInviteReceived {
    type: "invite:received";
    from: User;
}
/**
 * Somebody whom you asked said no.
 */
export interface ClassicInviteDeclined {
    type: "invite:declined";
    from: number | string;
}
/**
 * You are in the queue.
 */
export interface ClassicMatchmakingSearching {
    type: "matchmaking:searching";
}
/**
 * You are in the queue no longer.
 */
export interface ClassicMatchmakingCancelled {
    type: "matchmaking:cancelled";
}
/**
 * A room was made for you; go to the game page and send `game:join`.
 */
export interface ClassicRoomStart {
    type: "room:start";
    roomId: string;
    players: User[];
}
/**
 * All seats are taken.
 */
export interface ClassicGameReady {
    type: "game:ready";
    roomId: string;
}
/**
 * Who plays; sent again when one leaves after the result.
 */
export interface ClassicRoomPlayers {
    type: "room:players";
    roomId: string;
    youIndex: number;
    players: User[];
}
/**
 * The match begins; its clock starts one second later. `duration` is in seconds.
 */
export interface ClassicGameStart {
    type: "game:start";
    roomId: string;
    duration: number;
    playerIndex: number;
    players: User[];
}
/**
 * The authoritative state.
 */
export interface ClassicGameUpdate {
    type: "game:update";
    roomId: string;
    state: unknown;
}
/**
 * Seconds left on the clock of the match.
 */
export interface ClassicGameTimer {
    type: "game:timer";
    roomId: string;
    remaining: number;
}
/**
 * A player dropped; who is not back after `graceMs` forfeits.
 */
export interface ClassicGamePaused {
    type: "game:paused";
    roomId: string;
    away: (number | string)[];
    graceMs: number;
}
/**
 * Everybody is back; the clock goes on in `startsInMs`.
 */
export interface ClassicGameResumed {
    type: "game:resumed";
    roomId: string;
    startsInMs: number;
}
/**
 * The clock ran out.
 */
export interface ClassicGameTimeup {
    type: "game:timeup";
    roomId: string;
    winner: "draw" | "p1" | "p2";
    scores: Scores;
}
/**
 * The points of both players.
 */
export interface Scores {
    s1: number;
    s2: number;
}
/**
 * The opponent left, or did not come back in time.
 */
export interface ClassicGameEnd {
    type: "game:end";
    roomId: string;
    winner: "opponent" | "p1" | "p2" | "you";
    scores: Scores;
}

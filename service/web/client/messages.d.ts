// The types of all messages. Generated from the service's JSON Schema by
// `make reference`; do not edit.

import type {ErrorCode} from "./games.js";

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
    | MatchmakingAcceptBot
    | GameJoin
    | GameBegin
    | GameLeave
    | Ping
    | Resume
    | FramesSet
    | UserSync
    | UserStatus
    | LobbyWatch
    | LobbyUnwatch
    | LobbySay
    | RoomCreate
    | RoomJoin
    | RoomLeave
    | RoomReady
    | RoomKick
    | RoomAddBot
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
    | LobbyHistory
    | LobbyMessage
    | LobbyLive
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
    | MatchmakingBotOffer
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
 * Joins the lobby with this socket; answered with `lobby:list`.
 */
export interface LobbyJoin {
    type: "lobby:join";
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Leaves the lobby with this socket.
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
 * Subscribes to the online status of these users, instead of those before.
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
 * Asks for the status of your friends according to the user service.
 */
export interface FriendsStatusRequest {
    type: "friends:status:request";
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Invites a user to a match; `to` and `toUserId` mean the same.
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
 * Accepts the invite of `from`.
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
 * Declines the invite of `from`.
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
 * Joins the matchmaking queue of a game.
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
 * Leaves the matchmaking queue.
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
 * Plays against the bot that was offered by `matchmaking:botOffer`, instead of waiting on.
 */
export interface MatchmakingAcceptBot {
    type: "matchmaking:acceptBot";
    game?: string;
    level?: number;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Joins a room with this socket: takes the user's seat, and gets the messages of the room.
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
 * Gives up the seat; in a live match the opponent wins at once.
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
 * Asks for the messages missed after `position`; the same as `?since=` in the URL.
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
 * Sets the frame rate of this socket; the same as `?frameHz=` in the URL.
 *
 * It takes effect with the next state of each live match. `BAD_VALUE` if it is not allowed.
 */
export interface FramesSet {
    type: "frames:set";
    frameHz: 60 | 30 | 20;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Asks for `user:list`, after a missed `user:diff`.
 */
export interface UserSync {
    type: "user:sync";
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Sets the status that others see; a hidden user is not shown to anyone.
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
 * Asks for `lobby:history` now, and for `lobby:live` and `lobby:message` from now on.
 */
export interface LobbyWatch {
    type: "lobby:watch";
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Ends what `lobby:watch` began.
 */
export interface LobbyUnwatch {
    type: "lobby:unwatch";
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Says something to all who watch the lobby; you have to be in the lobby (`lobby:join`).
 */
export interface LobbySay {
    type: "lobby:say";
    text: string;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * Creates a room and takes its first seat; the creator is the host.
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
 * Joins a room to play or to watch; with `orCreate` it is created if it does not exist.
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
 * Leaves a room; leaving a live match loses it.
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
 * Sets whether you are ready; a match or rematch starts when all players are.
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
 * The host removes a user, who can't join again.
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
 * The host gives a free seat to a bot of the service; `room:kick` removes it.
 *
 * The levels of a game's bots go from 1 to its `bots` in the list of games.
 */
export interface RoomAddBot {
    type: "room:addBot";
    roomId: string;
    level?: number;
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * The host locks the room against joining, or unlocks it.
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
 * Asks for a page of the rooms that are not private; `cursor` is that of the previous page.
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
 * Subscribes to rooms that are added, updated or removed.
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
 * Cancels the subscription to rooms.
 */
export interface RoomUnsubscribe {
    type: "room:unsubscribe";
    /**
     * Asks for an answer, which has it, too; the same id again changes nothing.
     */
    id?: string;
}
/**
 * A move: `direction` and `action` in Pong, `move` in other games.
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
 * Asks for the moves of a room's match after `after`, the `next` of a `game:moves`.
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
 * Sends `data` to a user, one of their sockets, or all others in a room; it is not logged.
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
 * Sends a chat message to a room or to a user.
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
 * Mutes the chat and the signals of a user, or unmutes them.
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
 * Replaces the token of the socket by a newer one of the same user.
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
 * The last message could not be carried out, and nothing has changed.
 *
 * `retryAfterMs` says when a retry may succeed, and `field` which field or option is wrong, if that is known.
 */
export interface Error {
    type: "error";
    code: ErrorCode;
    message: string;
    id?: string;
    retryAfterMs?: number;
    field?: string;
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
 * The first message: your user, the head of the log, and the limits.
 *
 * `features` lists what the service supports beyond 0.1.0; ignore unknown names. `frameHz` is the frame rate of this socket, one of those in `frameHzAllowed`. `games` can be played; `GET /api/v1/games` describes them.
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
        | "frame_hz"
        | "closes_in"
        | "clocks"
        | "bots"
        | "lobby_watch"
        | "room_options"
        | "invite_ttl"
        | "void_message"
        | "error_fields"
        | "games"
    )[];
    frameHz: 60 | 30 | 20;
    frameHzAllowed: (60 | 30 | 20)[];
    games: string[];
}
/**
 * The id and the display name of a user.
 */
export interface User {
    id: number | string;
    name: string;
}
/**
 * The limits of what a client may send.
 */
export interface Limits {
    messageBytesMax: number;
    messagesPerS: number;
    messagesBurst: number;
    chatLengthMax: number;
    moveBytesMax: number;
    signalBytesMax: number;
    roomBytesMax: number;
    inviteTtlMs: number;
}
/**
 * The second message: the room that you are in.
 */
export interface SessionState {
    type: "session:state";
    inRoom: boolean;
    roomId: string | null;
}
/**
 * Instead of `session:state`, once: you lost your seat while you were disconnected.
 */
export interface SessionKickIntro {
    type: "session:kickIntro";
}
/**
 * There are no messages for you up to `position`; resume from there.
 */
export interface Heartbeat {
    type: "heartbeat";
    position: number;
}
/**
 * All messages for you after `from`, up to `to`, have been sent.
 */
export interface Resumed {
    type: "resumed";
    from: number;
    to: number;
}
/**
 * You can't resume; drop your state, the present state follows.
 */
export interface Resync {
    type: "resync";
    reason: "from_the_future" | "too_old" | "wrong_epoch";
    epoch: string;
    position: number;
}
/**
 * The present state at the position `to` has been sent, after `welcome` or `resync`.
 *
 * Do not resume before it: a resume would not repeat the missing part of the state.
 */
export interface Greeted {
    type: "greeted";
    to: number;
}
/**
 * Your token is about to expire; send `auth:refresh` with a newer one.
 */
export interface TokenExpiring {
    type: "token:expiring";
    expiresInMs: number;
}
/**
 * The service is stopping; connect again after a random part of `retryMs`.
 *
 * With `closesInMs` this connection lasts that long: connect again before it is closed.
 */
export interface ServerDraining {
    type: "server:draining";
    retryMs: number;
    closesInMs?: number;
}
/**
 * A message of another service of the platform to you, your room or all users.
 */
export interface ServerMessage {
    type: "server:message";
    data: unknown;
}
/**
 * All online users, as of version `v`.
 */
export interface UserList {
    type: "user:list";
    users: UserEntry[];
    v: number;
}
/**
 * A user in the list of online users.
 */
export interface UserEntry {
    id: number | string;
    name: string;
    status: "away" | "busy" | "lobby" | "online" | "playing";
}
/**
 * The changes of the list since version `v` - 1; after a gap, send `user:sync`.
 */
export interface UserDiff {
    type: "user:diff";
    v: number;
    joins: UserEntry[];
    leaves: (number | string)[];
    updates: UserEntry[];
}
/**
 * What was said in the lobby last.
 */
export interface LobbyHistory {
    type: "lobby:history";
    messages: ChatMessage[];
}
/**
 * A chat message in your room, or to you; has a `position`, except in a history.
 */
export interface ChatMessage {
    type: "chat:message";
    chatId: string;
    from: User;
    text: string;
    roomId?: string;
    to?: number | string;
    /**
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * Something was said in the lobby.
 */
export interface LobbyMessage {
    type: "lobby:message";
    message: ChatMessage;
}
/**
 * How many users wait for each game, and the most watched live matches; coalesced.
 */
export interface LobbyLive {
    type: "lobby:live";
    waiting: {
        [k: string]: number;
    };
    matches: LiveMatch[];
}
/**
 * A live match of a public room, as its spectators see it.
 *
 * `state` is null for a match that another node runs. `moves` counts those of a turn-based game, `remainingMs` is the time left of a match by the clock.
 */
export interface LiveMatch {
    roomId: string;
    game: string;
    state: unknown;
    scores: number[] | null;
    moves: number | null;
    remainingMs: number | null;
}
/**
 * All users in the lobby.
 */
export interface LobbyList {
    type: "lobby:list";
    users: User[];
}
/**
 * Answers `friends:subscribe` with the status of each user.
 */
export interface FriendsStatus {
    type: "friends:status";
    statuses: {
        [k: string]: boolean;
    };
}
/**
 * A user that you subscribed to went online or offline.
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
 * The online status of a friend.
 */
export interface FriendStatus {
    userId: number | string;
    isOnline: boolean;
}
/**
 * A user invites you to a match; has a `position`.
 */
export interface InviteReceived {
    type: "invite:received";
    from: User;
    game: string;
    /**
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * A user declined your invite.
 */
export interface InviteDeclined {
    type: "invite:declined";
    from: number | string;
    /**
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * A pending invite of your own; part of the present state, as after a reload.
 */
export interface InviteSent {
    type: "invite:sent";
    to: User;
    game: string;
}
/**
 * An invite expired without an answer; sent to both users; has a `position`.
 */
export interface InviteExpired {
    type: "invite:expired";
    from: number | string;
    to: number | string;
    /**
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * You are in the matchmaking queue.
 */
export interface MatchmakingSearching {
    type: "matchmaking:searching";
    /**
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * You are no longer in the matchmaking queue.
 */
export interface MatchmakingCancelled {
    type: "matchmaking:cancelled";
    /**
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * No opponent was found for a while: a bot is offered; has a `position`.
 *
 * The search goes on. `matchmaking:acceptBot` accepts with a level from 1 to `levels`.
 */
export interface MatchmakingBotOffer {
    type: "matchmaking:botOffer";
    game: string;
    levels: number;
    /**
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * A room was created for you; open the game page and send `game:join`.
 */
export interface RoomStart {
    type: "room:start";
    roomId: string;
    players: User[];
    /**
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * The present state of a room; sent to its members after changes, coalesced.
 *
 * `watching` are the first spectators, `spectators` is how many there are. In a match with clocks, `turnEndsInMs` and `clocksMs` (by seat) are those of its last move, pause or resume; the `game:update` has the running ones.
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
    turnEndsInMs?: number;
    clocksMs?: number[];
}
/**
 * A seat; `user` is null while it is free.
 *
 * `pauseLeftMs` is how long the player may still make the match wait, null without a limit. `bot` is the level of a bot of the service, and not there for anybody else.
 */
export interface SeatView {
    user: User | null;
    ready: boolean;
    away: boolean;
    pauseLeftMs: number | null;
    bot?: number;
}
/**
 * A user, maybe you, joined your room; `seat` is null for a spectator; has a `position`.
 */
export interface RoomJoined {
    type: "room:joined";
    roomId: string;
    user: User;
    role: "player" | "spectator";
    seat: number | null;
    /**
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * A user, maybe you, left your room; has a `position`.
 */
export interface RoomLeft {
    type: "room:left";
    roomId: string;
    userId: number | string;
    reason: "forfeited" | "kicked" | "left" | "offline";
    /**
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * Your room was closed; has a `position`.
 */
export interface RoomClosed {
    type: "room:closed";
    roomId: string;
    reason: "empty" | "forfeited" | "left" | "operator" | "untaken";
    /**
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * A page of the rooms that are not private; `cursor` is null on the last page.
 */
export interface RoomPage {
    type: "room:list";
    rooms: RoomSummary[];
    cursor: string | null;
}
/**
 * A room in the list of rooms.
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
    options: {
        [k: string]: unknown;
    };
}
/**
 * A room that is not private was created; sent to subscribers.
 */
export interface RoomAdded {
    type: "room:added";
    room: RoomSummary;
}
/**
 * A room that is not private has changed; sent to subscribers.
 */
export interface RoomUpdated {
    type: "room:updated";
    room: RoomSummary;
}
/**
 * A room was closed, or is private now; sent to subscribers.
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
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * A match starts, or you join a live one; has a `position` when it starts.
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
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * The authoritative state before `tick`; `run` counts how often the match was resumed.
 *
 * It is sent at the frame rate of the socket, and at once after an event. `turnEndsInMs` is there if turns are timed, `clocksMs` (what each seat has left) if players have clocks of their own; they do not run while the match is paused.
 */
export interface GameUpdate {
    type: "game:update";
    roomId: string;
    run: number;
    tick: number;
    state: unknown;
    turnEndsInMs?: number;
    clocksMs?: number[];
}
/**
 * The seconds left on the match clock.
 */
export interface GameTimer {
    type: "game:timer";
    roomId: string;
    remaining: number;
}
/**
 * A player disconnected, and forfeits after `graceMs`; has a `position` when the pause starts.
 *
 * `pauseLeftMs` is what is left of each player's pause budget: when the absent players have used it up, the match continues without them. `turnEndsInMs`, also called `turnLeftMs`, is what the player to move has left, `clocksMs` is what each seat has left on its clock.
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
    turnEndsInMs?: number;
    clocksMs?: number[];
    /**
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * The match is resumed, its clock in `startsInMs`; has a `position`.
 */
export interface GameResumed {
    type: "game:resumed";
    roomId: string;
    startsInMs: number;
    turnEndsInMs?: number;
    clocksMs?: number[];
    /**
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * A move in a turn-based game; `input` is what the rules made of it; has a `position`.
 */
export interface GameMoved {
    type: "game:moved";
    roomId: string;
    seat: number;
    tick: number;
    input: unknown;
    /**
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * A page of the moves so far, sent on joining a live match of a relay game.
 *
 * While `more` is true, the next page follows by itself. After the last page, `game:history` gets the moves after `next`, unless that is null.
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
 * A match is `void` when its rules have failed, or are not here any more: it has no result, and `message` says why, for people.
 */
export interface GameOver {
    type: "game:over";
    roomId: string;
    matchId: string;
    reason: "abandoned" | "finished" | "forfeit" | "left" | "timeup" | "turn_timeout" | "void";
    winner: number | null;
    scores: number[];
    message?: string;
    /**
     * The position of its event in the log; absent in messages about present state.
     */
    position?: number;
}
/**
 * A signal of another client; `sessionId` is the socket that sent it.
 */
export interface Signal {
    type: "signal";
    from: number | string;
    sessionId: string;
    data: unknown;
    roomId?: string;
}
/**
 * The last chat messages of a room that you have joined.
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
 * Joins the lobby with this socket; answered with `lobby:list`.
 */
export interface ClassicLobbyJoin {
    type: "lobby:join";
}
/**
 * Leaves the lobby with this socket.
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
 * Subscribes to the online status of these users, instead of those before.
 */
export interface ClassicFriendsSubscribe {
    type: "friends:subscribe";
    friendIds: (number | string)[];
}
/**
 * Asks for the status of your friends according to the user service.
 */
export interface ClassicFriendsStatusRequest {
    type: "friends:status:request";
}
/**
 * Invites a user to a match; `to` and `toUserId` mean the same.
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
 * Accepts the invite of `from`.
 */
export interface ClassicInviteAcceptedByClient {
    type: "invite:accepted";
    from: number | string;
}
/**
 * Declines the invite of `from`.
 */
export interface ClassicInviteDeclinedByClient {
    type: "invite:declined";
    from: number | string;
}
/**
 * Joins the matchmaking queue of a game.
 */
export interface ClassicMatchmakingJoin {
    type: "matchmaking:join";
    game?: string;
}
/**
 * Leaves the matchmaking queue.
 */
export interface ClassicMatchmakingLeave {
    type: "matchmaking:leave";
    game?: string;
}
/**
 * Joins a room with this socket: takes the user's seat, and gets the messages of the room.
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
 * Gives up the seat; in a live match the opponent wins at once.
 */
export interface ClassicGameLeave {
    type: "game:leave";
    roomId: string;
}
/**
 * The last message could not be carried out, and nothing has changed.
 *
 * `retryAfterMs` says when a retry may succeed, and `field` which field or option is wrong, if that is known.
 */
export interface ClassicError {
    type: "error";
    code: ErrorCode;
    message: string;
    retryAfterMs?: number;
    field?: string;
}
/**
 * The first message: your user.
 */
export interface ClassicWelcome {
    type: "welcome";
    user: User;
}
/**
 * The second message: the room that you are in.
 */
export interface ClassicSessionState {
    type: "session:state";
    inRoom: boolean;
    roomId: string | null;
}
/**
 * Instead of `session:state`, once: you lost your seat while you were disconnected.
 */
export interface ClassicSessionKickIntro {
    type: "session:kickIntro";
}
/**
 * All online users.
 */
export interface ClassicUserList {
    type: "user:list";
    users: User[];
}
/**
 * A user went online: their first socket was opened.
 */
export interface ClassicUserOnline {
    type: "user:online";
    userId: number | string;
}
/**
 * A user went offline: their last socket is closed.
 */
export interface ClassicUserOffline {
    type: "user:offline";
    userId: number | string;
}
/**
 * All users in the lobby.
 */
export interface ClassicLobbyList {
    type: "lobby:list";
    users: User[];
}
/**
 * Answers `friends:subscribe` with the status of each user.
 */
export interface ClassicFriendsStatus {
    type: "friends:status";
    statuses: {
        [k: string]: boolean;
    };
}
/**
 * A user that you subscribed to went online or offline.
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
 * A user invites you to a match.
 */
export interface ClassicInviteReceived {
    type: "invite:received";
    from: User;
}
/**
 * A user declined your invite.
 */
export interface ClassicInviteDeclined {
    type: "invite:declined";
    from: number | string;
}
/**
 * You are in the matchmaking queue.
 */
export interface ClassicMatchmakingSearching {
    type: "matchmaking:searching";
}
/**
 * You are no longer in the matchmaking queue.
 */
export interface ClassicMatchmakingCancelled {
    type: "matchmaking:cancelled";
}
/**
 * A room was created for you; open the game page and send `game:join`.
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
 * The players; sent again when one leaves after the result.
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
 * The authoritative state of the match.
 */
export interface ClassicGameUpdate {
    type: "game:update";
    roomId: string;
    state: unknown;
}
/**
 * The seconds left on the match clock.
 */
export interface ClassicGameTimer {
    type: "game:timer";
    roomId: string;
    remaining: number;
}
/**
 * A player disconnected, and forfeits unless they are back within `graceMs`.
 */
export interface ClassicGamePaused {
    type: "game:paused";
    roomId: string;
    away: (number | string)[];
    graceMs: number;
}
/**
 * All players are back; the clock continues in `startsInMs`.
 */
export interface ClassicGameResumed {
    type: "game:resumed";
    roomId: string;
    startsInMs: number;
}
/**
 * The match clock ran out.
 */
export interface ClassicGameTimeup {
    type: "game:timeup";
    roomId: string;
    winner: "draw" | "p1" | "p2";
    scores: Scores;
}
/**
 * The scores of both players.
 */
export interface Scores {
    s1: number;
    s2: number;
}
/**
 * The opponent left, or was not back in time.
 */
export interface ClassicGameEnd {
    type: "game:end";
    roomId: string;
    winner: "opponent" | "p1" | "p2" | "you";
    scores: Scores;
}

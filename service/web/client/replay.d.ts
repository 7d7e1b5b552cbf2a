/** What the service knows of a recorded match; see `GET /api/v1/matches/{matchId}/summary`. */
export interface ReplaySummary {
    matchId: string;
    game: string;
    /** Ticks a second; 0 for a game of turns. */
    tickHz: number;
    ticks: number;
    durationS: number;
    scores: { tick: number; atS: number; scores: number[] }[];
    timeline: { kind: string; tick: number; atS: number; seat?: number; scores?: number[] }[];
}

/**
 * `<ws-replay match="ID">`: plays a recorded match. Importing this module defines the element.
 *
 * Events: `ws-replay-summary` with `{ summary, match }`, `ws-replay-tick` with `{ tick, state }`,
 * `ws-replay-share` with `{ fragment }`, `ws-replay-live`, `ws-replay-problem` with `{ message, status }`
 * when the match can't be read, with the status of the answer, 0 without one.
 */
export class WsReplay extends HTMLElement {
    /** The JWT of the user, or a function that returns one. */
    token: string | (() => string | Promise<string>);
    readonly summary: ReplaySummary | null;
    readonly names: string[];
    readonly tick: number;
    readonly isPlaying: boolean;
    /** 1 is as it was played. */
    speed: number;
    play(): void;
    pause(): void;
    seek(tick: number): void;
    step(by: number): void;
    /** Jumps to the next point or move, or to the one before. */
    jump(direction: 1 | -1): void;
}

declare global {
    interface HTMLElementTagNameMap {
        "ws-replay": WsReplay;
    }
}

// Sounds of a match, made when they are wanted; off until the user turns them on.

/** Kept for the next match. */
const STORED = "sound";
/** Frequency in hertz and length in seconds, by what is heard. */
const TONES = { hit: [330, 0.05], drop: [180, 0.09], point: [520, 0.18], turn: [660, 0.12] };
const VOLUME = 0.08;

export class Sound {
  /** @type {AudioContext | null} */ #audio = null;
  #isOn = localStorage.getItem(STORED) === "on";

  get isOn() {
    return this.#isOn;
  }

  /**
   * Turns it on or off; to be called by a click, since browsers allow sound only after one.
   * @returns {boolean} whether it is on
   */
  toggle() {
    this.#isOn = !this.#isOn;
    localStorage.setItem(STORED, this.#isOn ? "on" : "off");
    this.play("turn");
    return this.#isOn;
  }

  /** @param {keyof typeof TONES} name */
  play(name) {
    if (!this.#isOn || document.hidden) return;
    this.#audio ??= new AudioContext();
    const [frequency, length] = TONES[name];
    const [tone, volume] = [this.#audio.createOscillator(), this.#audio.createGain()];
    const now = this.#audio.currentTime;
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(VOLUME, now);
    volume.gain.exponentialRampToValueAtTime(0.0001, now + length);
    tone.connect(volume).connect(this.#audio.destination);
    tone.start(now);
    tone.stop(now + length);
  }
}

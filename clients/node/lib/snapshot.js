// The broker as it was.

/** All of a broker but its connections, at one moment. */
export class Snapshot {
  #control;
  #path;

  constructor(control, taken) {
    this.#control = control;
    this.#path = `/snapshots/${taken.id}`;
    this.queues = taken.queues;
    this.messages = taken.messages;
  }

  /** Makes the broker what it was. Connections stay. */
  async restore() {
    await this.#control.call("POST", `${this.#path}/restore`);
  }

  /** Frees the memory that it takes. */
  async forget() {
    await this.#control.call("DELETE", this.#path);
  }
}

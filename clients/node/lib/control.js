// Calls of the control API.

/**
 * Seconds that a state is waited for unless a test says otherwise: less than the five after which
 * vitest and jest end a test, so that it is told what was waited for.
 */
export const LIMIT_S = 4;

/** The broker refuses what it was asked for. */
export class ControlError extends Error {
  name = "ControlError";
}

/** A state was not reached in time. The text tells what has happened instead. */
export class TimedOut extends ControlError {
  name = "TimedOut";
}

/** The control API of a broker. */
export class Control {
  #address;
  #token;

  constructor(address, token) {
    this.#address = address;
    this.#token = token;
  }

  /** Calls it. Rejects with a {@link ControlError}, or {@link TimedOut} for a call that waits. */
  async call(method, path, body) {
    const answer = await fetch(this.#address + path, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) {
      let reason = `${answer.status} ${answer.statusText}: ${text}`;
      try {
        reason = JSON.parse(text).error ?? reason;
      } catch {
        // It is no JSON: the text itself tells more.
      }
      throw answer.status === 408 ? new TimedOut(reason) : new ControlError(reason);
    }
    return text ? JSON.parse(text) : undefined;
  }

  /** Waits for a state. Rejects with {@link TimedOut}. */
  async wait(awaited, { seconds = LIMIT_S } = {}) {
    await this.call("POST", "/wait", { for: awaited, limit_ms: milliseconds({ seconds }) });
  }
}

/** A duration as the control API has it. */
export function milliseconds({ hours = 0, minutes = 0, seconds = 0, ms = 0 }) {
  return Math.round(((hours * 60 + minutes) * 60 + seconds) * 1000 + ms);
}

/** A message's body, a text or octets, as the control API takes it. */
export function bodyFields(body) {
  return typeof body === "string"
    ? { body }
    : { body_base64: Buffer.from(body).toString("base64") };
}

/** What the control API tells of a message, with its body as a `Buffer`. */
export function withBody({ body, body_base64, ...told }) {
  const fields = { headers: {}, properties: {}, ...told };
  if (body_base64 !== undefined) {
    return { ...fields, body: Buffer.from(body_base64, "base64") };
  }
  return body === undefined ? fields : { ...fields, body: Buffer.from(body) };
}

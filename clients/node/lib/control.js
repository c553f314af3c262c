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
    const answer = await ask(this.#address + path, {
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

async function ask(url, request) {
  try {
    return await fetch(url, request);
  } catch {
    throw new ControlError(
      "the broker does not answer: it was closed, or its test is over (is there an await too few?)",
    );
  }
}

const UNITS = ["hours", "minutes", "seconds", "ms"];

/** A duration as the control API has it. */
export function milliseconds(duration) {
  if (typeof duration !== "object" || duration === null) {
    throw new TypeError(`${duration} is no duration: one is an object, such as { hours: 1 }`);
  }
  const { hours = 0, minutes = 0, seconds = 0, ms = 0 } = onlyKnown(duration, UNITS, "a duration");
  const total = Math.round(((hours * 60 + minutes) * 60 + seconds) * 1000 + ms);
  if (!(total >= 0)) throw new RangeError(`a duration is a number and not negative, not ${total} ms`);
  return total;
}

/** What was given, if it has no fields but these: a misspelt one would be ignored. */
export function onlyKnown(given, names, what) {
  for (const name of Object.keys(given)) {
    if (!names.includes(name)) {
      throw new TypeError(`there is no '${name}' in ${what}: there are ${names.join(", ")}`);
    }
  }
  return given;
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

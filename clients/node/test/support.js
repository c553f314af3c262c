// What the tests share.

import amqp from "amqplib";
import { startBroker } from "leveret";

/** A broker that ends with the test. */
export async function start(t, options) {
  const broker = await startBroker(options);
  t.after(() => broker.close());
  return broker;
}

/** A broker, a connection to it, and a channel that confirms publishes, with the queue `q`. */
export async function connected(t, options) {
  const broker = await start(t, options);
  const connection = await amqp.connect(broker.amqp);
  connection.on("error", () => {}); // a fault may end it
  const channel = await connection.createConfirmChannel();
  channel.on("error", () => {});
  await channel.assertQueue("q");
  return { broker, connection, channel };
}

/** Publishes to `q`; resolves when it is confirmed, and rejects when it is nacked. */
export function publish(channel, body, options) {
  return new Promise((resolve, reject) => {
    channel.sendToQueue("q", Buffer.from(body), options, (error) =>
      error ? reject(error) : resolve(),
    );
  });
}

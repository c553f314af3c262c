// A shop whose parts talk by messages: something to look at.
import amqp from 'amqplib';

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Shop {
  /** A client that calls its connection so. */
  static async connect(server, name) {
    const url = `amqp://guest:guest@127.0.0.1:${server.amqp}`;
    const connection = await amqp.connect(url, { clientProperties: { connection_name: name } });
    connection.on('error', () => {});
    return connection;
  }

  /** Declares everything, and begins to trade. */
  static async open(server, { rate = 40 } = {}) {
    const shop = new Shop();
    const names = ['web shop', 'billing', 'warehouse'];
    shop.connections = await Promise.all(names.map((name) => Shop.connect(server, name)));
    const [web, billing, warehouse] = await Promise.all(shop.connections.map((c) => c.createConfirmChannel()));
    await web.assertExchange('orders', 'topic', { durable: true });
    await web.assertExchange('audit', 'fanout', { durable: true });
    await web.assertExchange('notifications', 'headers', { durable: true });
    await web.assertExchange('dead', 'direct', { durable: true });
    await web.bindExchange('audit', 'orders', '#');
    const dying = (more) => ({ durable: true, deadLetterExchange: 'dead', ...more });
    await web.assertQueue('billing', dying());
    await web.assertQueue('warehouse.eu', dying({ messageTtl: 600_000 }));
    await web.assertQueue('warehouse.us', dying({ maxLength: 50 }));
    await web.assertQueue('emails', { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await web.assertQueue('audit.log', { durable: true });
    await web.assertQueue('dead letters', { durable: true });
    await web.bindQueue('billing', 'orders', 'order.*.created');
    await web.bindQueue('warehouse.eu', 'orders', 'order.eu.#');
    await web.bindQueue('warehouse.us', 'orders', 'order.us.#');
    await web.bindQueue('audit.log', 'audit', '');
    await web.bindQueue('emails', 'notifications', '', { 'x-match': 'any', channel: 'email', urgent: true });
    for (const queue of ['billing', 'warehouse.eu', 'warehouse.us']) await web.bindQueue('dead letters', 'dead', `order.eu.created`);
    await web.bindQueue('dead letters', 'dead', 'order.us.created');
    await web.bindQueue('dead letters', 'dead', 'order.eu.paid');
    await billing.prefetch(20);
    await billing.consume('billing', (message) => {
      if (!message) return;
      const bad = message.properties.headers?.fraud;
      shop.later(30, () => (bad ? billing.reject(message, false) : billing.ack(message)));
    }, { consumerTag: 'billing-1' });
    await warehouse.prefetch(5);
    await warehouse.consume('warehouse.eu', (message) => message && shop.later(200, () => warehouse.ack(message)), { consumerTag: 'packer' });
    await warehouse.consume('audit.log', () => {}, { noAck: true, consumerTag: 'auditor' });
    for (const channel of [web, billing, warehouse]) channel.on('error', () => {});
    shop.trading = shop.trade(web, rate);
    return shop;
  }

  later(ms, action) {
    setTimeout(() => {
      try {
        action();
      } catch {
        // The connection has ended.
      }
    }, ms);
  }

  async trade(channel, rate) {
    this.open = true;
    for (let order = 1; this.open; order += 1) {
      try {
        this.sell(channel, order);
      } catch {
        return; // the connection has ended
      }
      await pause(1000 / rate);
    }
  }

  sell(channel, order) {
      const where = order % 3 ? 'eu' : 'us';
      const what = order % 4 ? 'created' : 'paid';
      const body = { order, customer: `customer-${order % 97}`, total: (order * 7.3) % 400, items: [{ sku: `A-${order % 13}`, count: 1 + (order % 3) }] };
      channel.publish('orders', `order.${where}.${what}`, Buffer.from(JSON.stringify(body)), {
        contentType: 'application/json',
        persistent: true,
        messageId: `order-${order}`,
        timestamp: Math.floor(Date.now() / 1000),
        headers: order % 50 ? {} : { fraud: true },
      });
      if (order % 5 === 0) channel.publish('notifications', '', Buffer.from(`Your order ${order} was sent`), { headers: { channel: 'email' } });
  }

  async close() {
    this.open = false;
    await this.trading;
    await Promise.all(this.connections.map((connection) => connection.close().catch(() => {})));
  }
}

// A broker that behaves as RabbitMQ does, for tests.

export { Broker, startBroker, withBroker } from "./lib/broker.js";
export { Clock } from "./lib/clock.js";
export { ControlError, TimedOut } from "./lib/control.js";
export { Faults, Rule } from "./lib/faults.js";
export { Events, Journal } from "./lib/journal.js";
export { Snapshot } from "./lib/snapshot.js";

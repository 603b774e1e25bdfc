// What the program is told about the world it runs in, and the SDK clients that reach it.
//
// Everything comes from the environment, so that the same program runs against the lab, Microsoft's emulator or a real
// namespace. Three ways lead in: a connection string over plain AMQP or over WebSocket with TLS, or a token of Microsoft
// Entra ID over TLS (NODE_EXTRA_CA_CERTS names the CA).

import assert from "node:assert/strict";
import { ClientSecretCredential } from "@azure/identity";
import { ServiceBusClient, isServiceBusError } from "@azure/service-bus";
import WebSocket from "ws";

/** Milliseconds: long enough for a busy machine, and never waited for when all is well. */
export const PATIENCE = 30_000;
/** Milliseconds that an empty queue is listened to before it counts as empty. */
export const EMPTY_AFTER = 500;
/** For cases that expect a refusal: it should come at once. */
export const NO_RETRY = { retryOptions: { maxRetries: 0, timeoutInMs: PATIENCE } };

function required(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set`);
  }
  return value;
}

/** One way into one namespace. */
export class World {
  constructor() {
    this.way = required("CONFORMANCE_WAY");
    this.queue = required("CONFORMANCE_QUEUE");
    this.shortLockQueue = required("CONFORMANCE_SHORT_LOCK_QUEUE");
    this.duplicateDetectionQueue = required("CONFORMANCE_DUPLICATE_DETECTION_QUEUE");
    this.twoDeliveriesQueue = required("CONFORMANCE_TWO_DELIVERIES_QUEUE");
    this.expiringQueue = required("CONFORMANCE_EXPIRING_QUEUE");
    this.sessionsQueue = required("CONFORMANCE_SESSIONS_QUEUE");
    this.smallQueue = required("CONFORMANCE_SMALL_QUEUE");
    this.missingQueue = required("CONFORMANCE_MISSING_QUEUE");
    this.forbiddenQueue = required("CONFORMANCE_FORBIDDEN_QUEUE");
    this.options = {};
    if (this.way === "connection-string") {
      this.connectionString = required("SERVICE_BUS_CONNECTION_STRING");
    } else if (this.way === "websocket") {
      this.connectionString = required("SERVICE_BUS_CONNECTION_STRING");
      this.options = {
        webSocketOptions: { webSocket: WebSocket },
        customEndpointAddress: required("SERVICE_BUS_WEBSOCKET_ENDPOINT"),
      };
    } else if (this.way === "token") {
      this.namespace = required("SERVICE_BUS_NAMESPACE");
      this.authority = required("AZURE_AUTHORITY_HOST");
      this.tenantId = required("AZURE_TENANT_ID");
      this.clientId = required("AZURE_CLIENT_ID");
      this.clientSecret = required("AZURE_CLIENT_SECRET");
    } else {
      throw new Error(`CONFORMANCE_WAY is ${this.way}: expected connection-string, websocket or token`);
    }
  }

  /** The queues that may be read and written, which every case leaves empty. */
  get queues() {
    return [
      this.queue,
      this.shortLockQueue,
      this.duplicateDetectionQueue,
      this.twoDeliveriesQueue,
      this.expiringQueue,
      this.smallQueue,
    ];
  }

  /** The application's credential, as its owner would write it. */
  credential(secret = this.clientSecret) {
    return new ClientSecretCredential(this.tenantId, this.clientId, secret, {
      authorityHost: this.authority,
      // A private authority is in no public instance metadata.
      disableInstanceDiscovery: true,
    });
  }

  /** Runs `body` with a client, and closes it. */
  async withClient(body, { connectionString = this.connectionString, secret, ...options } = {}) {
    const client =
      this.way === "connection-string" || this.way === "websocket"
        ? new ServiceBusClient(connectionString, { ...this.options, ...options })
        : new ServiceBusClient(this.namespace, this.credential(secret), options);
    try {
      return await body(client);
    } finally {
      await client.close();
    }
  }

  /** Empties the queues and their dead-letter queues, so that a failed case spoils no other. */
  async drain() {
    await this.withClient(async (client) => {
      for (const queue of this.queues) {
        for (const subQueueType of [undefined, "deadLetter"]) {
          const receiver = client.createReceiver(queue, { receiveMode: "receiveAndDelete", subQueueType });
          while ((await receiver.receiveMessages(100, { maxWaitTimeInMs: EMPTY_AFTER })).length > 0) {
            // Deleted by being received.
          }
        }
      }
    });
  }
}

/** A peek-lock receiver that renews nothing by itself. */
export function peekLock(client, queue, options = {}) {
  return client.createReceiver(queue, { maxAutoLockRenewalDurationInMs: 0, ...options });
}

/** Sends each message by itself. */
export async function send(client, queue, ...messages) {
  const sender = client.createSender(queue);
  for (const message of messages) {
    await sender.sendMessages(message);
  }
  await sender.close();
}

/** Exactly `count` messages, however many receives it takes. */
export async function receive(receiver, count) {
  const messages = [];
  while (messages.length < count) {
    const more = await receiver.receiveMessages(count - messages.length, { maxWaitTimeInMs: PATIENCE });
    assert.notEqual(more.length, 0, `${messages.length} of ${count} messages came in ${PATIENCE} ms`);
    messages.push(...more);
  }
  return messages;
}

/** Nothing can be received. */
export async function assertEmpty(receiver) {
  const left = await receiver.receiveMessages(1, { maxWaitTimeInMs: EMPTY_AFTER });
  assert.equal(left.length, 0, `${left[0]?.messageId} is still there`);
}

/** The error that `action` raises, which must be the SDK's own with one of `codes`. */
export async function refused(codes, action) {
  const error = await action().then(
    () => undefined,
    (thrown) => thrown,
  );
  assert.ok(error, "nothing was refused");
  assert.ok(isServiceBusError(error), `${error.name}: ${error.message}`);
  assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`);
  return error;
}

// What a user of `@azure/service-bus` may rely on, one function a case. A case leaves the queues empty.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { QUEUE_CASES } from "./queue_cases.js";
import { EMPTY_AFTER, NO_RETRY, assertEmpty, peekLock, receive, refused, send } from "./world.js";

async function sendReceiveComplete(world) {
  await world.withClient(async (client) => {
    await send(client, world.queue, { body: "hello", messageId: "one" });
    const receiver = peekLock(client, world.queue);
    const [message] = await receive(receiver, 1);
    assert.equal(message.body, "hello");
    assert.equal(message.messageId, "one");
    assert.equal(message.deliveryCount, 0);
    assert.ok(message.sequenceNumber.toNumber() >= 1);
    assert.match(message.lockToken, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.ok(message.enqueuedTimeUtc <= new Date() && message.lockedUntilUtc > new Date());
    await receiver.completeMessage(message);
    await assertEmpty(receiver);
  });
}

async function propertiesArriveAsTheyWereSent(world) {
  const system = {
    messageId: "id-1",
    correlationId: "correlation-1",
    contentType: "application/json",
    subject: "subject-1",
    to: "to-1",
    replyTo: "reply-1",
    replyToSessionId: "reply-session-1",
    partitionKey: "partition-1",
    timeToLive: 3_600_000,
  };
  const applicationProperties = {
    string: "Gruß",
    int: 7,
    negative: -(2 ** 40),
    float: 1.5,
    bool: true,
    time: new Date("2026-01-02T03:04:05Z"),
    nothing: null,
  };
  const body = { nested: { list: [1, "two", null] } };
  await world.withClient(async (client) => {
    await send(client, world.queue, { body, applicationProperties, ...system });
    const receiver = peekLock(client, world.queue);
    const [message] = await receive(receiver, 1);
    await receiver.completeMessage(message);
    for (const [name, value] of Object.entries(system)) {
      assert.equal(message[name], value, name);
    }
    assert.deepEqual(message.body, body);
    // The SDK hands a timestamp out as its milliseconds.
    const time = applicationProperties.time.getTime();
    assert.deepEqual(message.applicationProperties, { ...applicationProperties, time });
    assert.equal(message.expiresAtUtc.getTime(), message.enqueuedTimeUtc.getTime() + system.timeToLive);
  });
}

async function aBinaryBodyArrivesAsItWasSent(world) {
  const body = Buffer.from([0x00, 0xff, 0xfe, 0x20]);
  await world.withClient(async (client) => {
    await send(client, world.queue, { body });
    const receiver = peekLock(client, world.queue);
    const [message] = await receive(receiver, 1);
    await receiver.completeMessage(message);
    assert.deepEqual(Buffer.from(message.body), body);
  });
}

async function aMessageWithoutAnIdCanBeSettled(world) {
  await world.withClient(async (client) => {
    await send(client, world.queue, { body: "no id" });
    const receiver = peekLock(client, world.queue);
    const [message] = await receive(receiver, 1);
    await receiver.completeMessage(message);
    await assertEmpty(receiver);
  });
}

async function completesInAnyOrder(world) {
  await world.withClient(async (client) => {
    await send(client, world.queue, ...[0, 1, 2, 3, 4].map((body) => ({ body })));
    const receiver = peekLock(client, world.queue);
    const messages = await receive(receiver, 5);
    assert.deepEqual(
      messages.map((message) => message.body),
      [0, 1, 2, 3, 4],
    );
    for (const index of [3, 0, 4, 2, 1]) {
      await receiver.completeMessage(messages[index]);
    }
    await assertEmpty(receiver);
  });
}

async function abandonRaisesTheDeliveryCount(world) {
  await world.withClient(async (client) => {
    await send(client, world.queue, { body: "again" });
    const receiver = peekLock(client, world.queue);
    const [first] = await receive(receiver, 1);
    await receiver.abandonMessage(first);
    const [second] = await receive(receiver, 1);
    assert.equal(second.deliveryCount, 1);
    assert.ok(second.sequenceNumber.equals(first.sequenceNumber));
    assert.notEqual(second.lockToken, first.lockToken);
    await receiver.completeMessage(second);
  });
}

async function deadLettersWithReasonAndDescription(world) {
  await world.withClient(async (client) => {
    await send(client, world.queue, { body: "bad", messageId: "bad-1", applicationProperties: { kept: "yes" } });
    const receiver = peekLock(client, world.queue);
    const [message] = await receive(receiver, 1);
    await receiver.deadLetterMessage(message, {
      deadLetterReason: "Unreadable",
      deadLetterErrorDescription: "not JSON",
    });
    await assertEmpty(receiver);
    const deadLetters = peekLock(client, world.queue, { subQueueType: "deadLetter" });
    const [dead] = await receive(deadLetters, 1);
    assert.equal(dead.messageId, "bad-1");
    assert.equal(dead.body, "bad");
    assert.equal(dead.deadLetterReason, "Unreadable");
    assert.equal(dead.deadLetterErrorDescription, "not JSON");
    assert.equal(dead.applicationProperties.kept, "yes");
    await deadLetters.completeMessage(dead);
    await assertEmpty(deadLetters);
  });
}

async function deadLettersAfterTheLastDelivery(world) {
  await world.withClient(async (client) => {
    await send(client, world.twoDeliveriesQueue, { body: "poison" });
    const receiver = peekLock(client, world.twoDeliveriesQueue);
    for (let delivery = 0; delivery < 2; delivery += 1) {
      const [message] = await receive(receiver, 1);
      await receiver.abandonMessage(message);
    }
    const deadLetters = peekLock(client, world.twoDeliveriesQueue, { subQueueType: "deadLetter" });
    const [dead] = await receive(deadLetters, 1);
    assert.equal(dead.deadLetterReason, "MaxDeliveryCountExceeded");
    await deadLetters.completeMessage(dead);
  });
}

async function aBatchArrivesWholeAndInOrder(world) {
  await world.withClient(async (client) => {
    const sender = client.createSender(world.queue);
    const batch = await sender.createMessageBatch();
    for (let n = 0; n < 100; n += 1) {
      assert.ok(batch.tryAddMessage({ body: `item ${n}`, messageId: String(n) }));
    }
    await sender.sendMessages(batch);
    const receiver = peekLock(client, world.queue);
    const messages = await receive(receiver, 100);
    assert.deepEqual(
      messages.map((message) => message.messageId),
      Array.from({ length: 100 }, (_, n) => String(n)),
    );
    await Promise.all(messages.map((message) => receiver.completeMessage(message)));
    await assertEmpty(receiver);
  });
}

async function carries200Kilobytes(world) {
  const body = Buffer.alloc(200 * 1024, "abcdefgh");
  await world.withClient(async (client) => {
    await send(client, world.queue, { body });
    const receiver = peekLock(client, world.queue);
    const [message] = await receive(receiver, 1);
    await receiver.completeMessage(message);
    assert.ok(body.equals(message.body));
  });
}

async function anEmptyQueueGivesNothingInTheTimeAskedFor(world) {
  await world.withClient(async (client) => {
    const receiver = peekLock(client, world.queue);
    assert.deepEqual(await receiver.receiveMessages(10, { maxWaitTimeInMs: EMPTY_AFTER }), []);
    // The receiver goes on working after it found nothing.
    await send(client, world.queue, { body: "late" });
    const [message] = await receive(receiver, 1);
    await receiver.completeMessage(message);
  });
}

async function receiveAndDeleteNeedsNoSettlement(world) {
  await world.withClient(async (client) => {
    await send(client, world.queue, { body: "gone" });
    const receiver = client.createReceiver(world.queue, { receiveMode: "receiveAndDelete" });
    const [message] = await receive(receiver, 1);
    assert.equal(message.body, "gone");
    await assertEmpty(receiver);
  });
}

async function aSubscriptionCompletesWhatItsHandlerTook(world) {
  await world.withClient(async (client) => {
    await send(client, world.queue, ...Array.from({ length: 20 }, (_, n) => ({ body: n })));
    const receiver = peekLock(client, world.queue);
    const seen = [];
    let subscription;
    await new Promise((resolve, reject) => {
      subscription = receiver.subscribe(
        {
          processMessage: async (message) => {
            seen.push(message.body);
            if (seen.length === 20) {
              resolve();
            }
          },
          processError: async ({ error }) => reject(error),
        },
        { maxConcurrentCalls: 5 },
      );
    });
    await subscription.close();
    assert.deepEqual(
      seen.sort((a, b) => a - b),
      Array.from({ length: 20 }, (_, n) => n),
    );
    await assertEmpty(receiver);
  });
}

async function aLostLockCannotBeSettled(world) {
  await world.withClient(async (client) => {
    await send(client, world.shortLockQueue, { body: "slow" });
    const slow = peekLock(client, world.shortLockQueue);
    const [message] = await receive(slow, 1);
    // The lock's end is seen by the message coming again, not by waiting for a time.
    const other = peekLock(client, world.shortLockQueue);
    const [again] = await receive(other, 1);
    assert.equal(again.deliveryCount, 1);
    await refused(["MessageLockLost"], () => slow.completeMessage(message));
    await other.completeMessage(again);
    await assertEmpty(other);
  });
}

async function aDuplicateIsAcceptedAndDropped(world) {
  const messageId = randomUUID();
  await world.withClient(async (client) => {
    await send(client, world.duplicateDetectionQueue, { body: "a", messageId }, { body: "b", messageId });
    const receiver = peekLock(client, world.duplicateDetectionQueue);
    const [message] = await receive(receiver, 1);
    assert.equal(message.body, "a");
    await receiver.completeMessage(message);
    await assertEmpty(receiver);
  });
}

async function tooLargeAMessageIsRefused(world) {
  await world.withClient(async (client) => {
    await refused(["MessageSizeExceeded"], () =>
      send(client, world.queue, { body: Buffer.alloc(2 * 1024 * 1024) }),
    );
    await assertEmpty(peekLock(client, world.queue));
  }, NO_RETRY);
}

async function aQueueThatIsNotThereIsNamed(world) {
  await world.withClient(async (client) => {
    for (const action of [
      () => send(client, world.missingQueue, { body: "x" }),
      () => client.createReceiver(world.missingQueue).receiveMessages(1),
    ]) {
      const error = await refused(["MessagingEntityNotFound"], action);
      assert.ok(error.message.includes(world.missingQueue), error.message);
    }
  }, NO_RETRY);
}

async function aWrongKeyIsRefused(world) {
  const connectionString = world.connectionString.replace(/SharedAccessKey=[^;]*/, "SharedAccessKey=d3Jvbmc=");
  await world.withClient(
    (client) => refused(["UnauthorizedAccess"], () => send(client, world.queue, { body: "x" })),
    { connectionString, ...NO_RETRY },
  );
}

async function aWrongSecretIsRefused(world) {
  await world.withClient(
    async (client) => {
      const error = await send(client, world.queue, { body: "x" }).then(
        () => undefined,
        (thrown) => thrown,
      );
      assert.match(String(error), /AADSTS7000215/);
      assert.doesNotMatch(String(error), /not-the-secret/);
    },
    { secret: "not-the-secret", ...NO_RETRY },
  );
}

async function aQueueWithoutARoleIsRefused(world) {
  await world.withClient(async (client) => {
    for (const action of [
      () => send(client, world.forbiddenQueue, { body: "x" }),
      () => client.createReceiver(world.forbiddenQueue).receiveMessages(1),
    ]) {
      await refused(["UnauthorizedAccess"], action);
    }
  }, NO_RETRY);
}

const COMMON = [
  sendReceiveComplete,
  propertiesArriveAsTheyWereSent,
  aBinaryBodyArrivesAsItWasSent,
  aMessageWithoutAnIdCanBeSettled,
  completesInAnyOrder,
  abandonRaisesTheDeliveryCount,
  deadLettersWithReasonAndDescription,
  deadLettersAfterTheLastDelivery,
  aBatchArrivesWholeAndInOrder,
  carries200Kilobytes,
  anEmptyQueueGivesNothingInTheTimeAskedFor,
  receiveAndDeleteNeedsNoSettlement,
  aSubscriptionCompletesWhatItsHandlerTook,
  aLostLockCannotBeSettled,
  aDuplicateIsAcceptedAndDropped,
  tooLargeAMessageIsRefused,
  aQueueThatIsNotThereIsNamed,
  ...QUEUE_CASES,
];

/** The cases of each way. */
export const CASES = {
  "connection-string": [...COMMON, aWrongKeyIsRefused],
  websocket: [...COMMON, aWrongKeyIsRefused],
  token: [...COMMON, aWrongSecretIsRefused, aQueueWithoutARoleIsRefused],
};

// What queues do besides taking and giving: schedule, defer, show, expire, renew; and sessions. One function a case.

import assert from "node:assert/strict";
import { EMPTY_AFTER, NO_RETRY, PATIENCE, assertEmpty, peekLock, receive, refused, send } from "./world.js";

const bodies = (messages) => messages.map((message) => message.body);

async function aScheduledMessageComesAtItsTime(world) {
  await world.withClient(async (client) => {
    const at = new Date(Date.now() + 2000);
    const sender = client.createSender(world.queue);
    const [number] = await sender.scheduleMessages({ body: "by request" }, at);
    await sender.sendMessages({ body: "by property", scheduledEnqueueTimeUtc: at });
    const receiver = peekLock(client, world.queue);
    const peeked = await receiver.peekMessages(10, { fromSequenceNumber: number });
    assert.deepEqual(
      peeked.map((message) => message.state),
      ["scheduled", "scheduled"],
    );
    const messages = await receive(receiver, 2);
    assert.deepEqual(bodies(messages), ["by request", "by property"]);
    for (const message of messages) {
      assert.equal(message.enqueuedTimeUtc.getTime(), at.getTime());
      assert.ok(message.sequenceNumber.greaterThan(number.add(1)), "it has a new number");
      await receiver.completeMessage(message);
    }
    await assertEmpty(receiver);
  });
}

async function aCancelledMessageNeverComes(world) {
  await world.withClient(async (client) => {
    const sender = client.createSender(world.queue);
    const messages = ["a", "b", "c"].map((body) => ({ body }));
    const numbers = await sender.scheduleMessages(messages, new Date(Date.now() + 1000));
    await sender.cancelScheduledMessages([numbers[0], numbers[2]]);
    await refused(["MessageNotFound"], () => sender.cancelScheduledMessages(numbers[0]));
    const receiver = peekLock(client, world.queue);
    const [message] = await receive(receiver, 1);
    assert.equal(message.body, "b");
    await receiver.completeMessage(message);
    await assertEmpty(receiver);
  }, NO_RETRY);
}

async function deferredMessagesComeByTheirNumbers(world) {
  await world.withClient(async (client) => {
    await send(client, world.queue, ...[0, 1, 2, 3].map((body) => ({ body })));
    const receiver = peekLock(client, world.queue);
    const sent = await receive(receiver, 4);
    for (const message of sent) {
      await receiver.deferMessage(message);
    }
    await assertEmpty(receiver);
    const numbers = sent.map((message) => message.sequenceNumber);
    const [completed, abandoned, dead, again] = await receiver.receiveDeferredMessages(numbers);
    assert.deepEqual(bodies([completed, abandoned, dead, again]), [0, 1, 2, 3]);
    assert.equal(completed.state, "deferred");
    await receiver.completeMessage(completed);
    await receiver.abandonMessage(abandoned, { note: "seen" });
    await receiver.deadLetterMessage(dead, { deadLetterReason: "Unreadable", deadLetterErrorDescription: "not JSON" });
    await receiver.deferMessage(again);
    await refused(["MessageNotFound"], () => receiver.receiveDeferredMessages(numbers[0]));
    const left = await receiver.receiveDeferredMessages([numbers[1], numbers[3]]);
    assert.deepEqual(
      left.map((message) => message.deliveryCount),
      [1, 0],
    );
    assert.equal(left[0].applicationProperties.note, "seen");
    for (const message of left) {
      await receiver.completeMessage(message);
    }
    const deadLetters = peekLock(client, world.queue, { subQueueType: "deadLetter" });
    const [letter] = await receive(deadLetters, 1);
    assert.equal(letter.deadLetterReason, "Unreadable");
    assert.equal(letter.deadLetterErrorDescription, "not JSON");
    await deadLetters.completeMessage(letter);
  }, NO_RETRY);
}

async function peekingSeesWhatIsThereAndTakesNothing(world) {
  await world.withClient(async (client) => {
    await send(client, world.queue, ...[0, 1, 2, 3, 4].map((body) => ({ body })));
    const receiver = peekLock(client, world.queue);
    const [locked] = await receive(receiver, 1);
    const looking = peekLock(client, world.queue);
    const first = await looking.peekMessages(3);
    assert.deepEqual(bodies(first), [0, 1, 2]);
    assert.equal(first[0].deliveryCount, 0);
    assert.deepEqual(bodies(await looking.peekMessages(3)), [3, 4], "it goes on");
    assert.deepEqual(await looking.peekMessages(3), []);
    await receiver.completeMessage(locked);
    for (const message of await receive(receiver, 4)) {
      await receiver.completeMessage(message);
    }
  });
}

async function aRenewedLockLastsLonger(world) {
  await world.withClient(async (client) => {
    await send(client, world.shortLockQueue, { body: "renewed" }, { body: "lost" });
    const receiver = peekLock(client, world.shortLockQueue);
    const [renewed, lost] = await receive(receiver, 2);
    let again = [];
    // The end of the other lock, which is not renewed, is seen by its message coming again.
    while (again.length === 0) {
      const before = renewed.lockedUntilUtc;
      assert.ok((await receiver.renewMessageLock(renewed)) >= before);
      again = await receiver.receiveMessages(1, { maxWaitTimeInMs: EMPTY_AFTER });
    }
    assert.equal(again[0].body, "lost");
    await refused(["MessageLockLost"], () => receiver.completeMessage(lost));
    await receiver.completeMessage(renewed);
    await receiver.completeMessage(again[0]);
    await assertEmpty(receiver);
  });
}

async function anExpiredMessageBecomesADeadLetter(world) {
  await world.withClient(async (client) => {
    await send(client, world.expiringQueue, { body: "short", timeToLive: 500 });
    const deadLetters = peekLock(client, world.expiringQueue, { subQueueType: "deadLetter" });
    const [dead] = await receive(deadLetters, 1);
    assert.equal(dead.body, "short");
    assert.equal(dead.deadLetterReason, "TTLExpiredException");
    await deadLetters.completeMessage(dead);
  });
}

async function aQueuesOwnTimeToLiveIsTheLongest(world) {
  await world.withClient(async (client) => {
    const hour = 3_600_000;
    await send(client, world.expiringQueue, { body: "long", timeToLive: 10 * hour }, { body: "none" });
    const receiver = peekLock(client, world.expiringQueue);
    for (const message of await receive(receiver, 2)) {
      assert.equal(message.timeToLive, hour, message.body);
      assert.equal(message.expiresAtUtc.getTime(), message.enqueuedTimeUtc.getTime() + hour);
      await receiver.completeMessage(message);
    }
  });
}

async function aSessionIsReceivedInOrderByOneReceiver(world) {
  await world.withClient(async (client) => {
    const of = (sessionId, body) => ({ sessionId, body });
    await send(client, world.sessionsQueue, of("a", "a1"), of("b", "b1"), of("a", "a2"));
    const receiver = await client.acceptSession(world.sessionsQueue, "a");
    const messages = await receive(receiver, 2);
    assert.deepEqual(bodies(messages), ["a1", "a2"]);
    await refused(["SessionCannotBeLocked"], () => client.acceptSession(world.sessionsQueue, "a"));
    const before = receiver.sessionLockedUntilUtc;
    assert.ok((await receiver.renewSessionLock()) >= before);
    for (const message of messages) {
      await receiver.completeMessage(message);
    }
    await assertEmpty(receiver);
    await receiver.close();
    const next = await client.acceptNextSession(world.sessionsQueue);
    assert.equal(next.sessionId, "b");
    const [message] = await receive(next, 1);
    await next.completeMessage(message);
    await next.close();
  }, NO_RETRY);
}

async function withoutASessionThatIsFreeTheWaitEndsInTime(world) {
  await world.withClient(
    (client) => refused(["ServiceTimeout", "SessionCannotBeLocked"], () => client.acceptNextSession(world.sessionsQueue)),
    { retryOptions: { maxRetries: 0, timeoutInMs: 1500 } },
  );
}

async function aSessionKeepsItsState(world) {
  await world.withClient(async (client) => {
    const accept = () => client.acceptSession(world.sessionsQueue, "s");
    let receiver = await accept();
    assert.equal(await receiver.getSessionState(), null);
    await receiver.setSessionState({ step: 2 });
    await receiver.close();
    receiver = await accept();
    assert.deepEqual(await receiver.getSessionState(), { step: 2 });
    await receiver.setSessionState(null);
    await receiver.close();
  });
}

async function aSessionWhoseLockRanOutIsLost(world) {
  await world.withClient(async (client) => {
    await send(client, world.sessionsQueue, { sessionId: "slow", body: "x" });
    const options = { maxAutoLockRenewalDurationInMs: 0 };
    const slow = await client.acceptSession(world.sessionsQueue, "slow", options);
    const [message] = await receive(slow, 1);
    // The lock's end is seen by another getting the session.
    const other = await client.acceptNextSession(world.sessionsQueue, options);
    assert.equal(other.sessionId, "slow");
    const [again] = await receive(other, 1);
    assert.equal(again.deliveryCount, 1);
    await refused(["SessionLockLost"], () => slow.completeMessage(message));
    await other.completeMessage(again);
    await other.close();
  }, { retryOptions: { maxRetries: 0, timeoutInMs: PATIENCE } });
}

export const QUEUE_CASES = [
  aScheduledMessageComesAtItsTime,
  aCancelledMessageNeverComes,
  deferredMessagesComeByTheirNumbers,
  peekingSeesWhatIsThereAndTakesNothing,
  aRenewedLockLastsLonger,
  anExpiredMessageBecomesADeadLetter,
  aQueuesOwnTimeToLiveIsTheLongest,
  aSessionIsReceivedInOrderByOneReceiver,
  withoutASessionThatIsFreeTheWaitEndsInTime,
  aSessionKeepsItsState,
  aSessionWhoseLockRanOutIsLost,
];

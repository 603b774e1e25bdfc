// More of messages received by session or by number. One function a case.

import assert from "node:assert/strict";
import { isServiceBusError } from "@azure/service-bus";
import { NO_RETRY, PATIENCE, peekLock, receive, refused, send } from "./world.js";

async function aDeferredMessageCanBeReceivedAndDeleted(world) {
  await world.withClient(async (client) => {
    await send(client, world.queue, { body: "later" });
    const receiver = peekLock(client, world.queue);
    const [message] = await receive(receiver, 1);
    await receiver.deferMessage(message);
    const deleting = client.createReceiver(world.queue, { receiveMode: "receiveAndDelete" });
    const [deferred] = await deleting.receiveDeferredMessages(message.sequenceNumber);
    assert.equal(deferred.body, "later");
    await refused(["MessageNotFound"], () => deleting.receiveDeferredMessages(message.sequenceNumber));
  }, NO_RETRY);
}

async function theNextFreeSessionIsGiven(world) {
  await world.withClient(async (client) => {
    await send(client, world.sessionsQueue, { sessionId: "one", body: 1 }, { sessionId: "two", body: 2 });
    for (const expected of ["one", "two"]) {
      const receiver = await client.acceptNextSession(world.sessionsQueue);
      assert.equal(receiver.sessionId, expected);
      const [message] = await receive(receiver, 1);
      assert.equal(message.sessionId, expected);
      await receiver.completeMessage(message);
      await receiver.close();
    }
  }, { retryOptions: { timeoutInMs: PATIENCE } });
}

async function aSessionLockIsRenewed(world) {
  await world.withClient(async (client) => {
    const receiver = await client.acceptSession(world.sessionsQueue, "r");
    const before = receiver.sessionLockedUntilUtc;
    assert.ok((await receiver.renewSessionLock()) >= before);
    await receiver.close();
  });
}

async function deferredMessagesOfASessionComeByTheirNumbers(world) {
  await world.withClient(async (client) => {
    await send(client, world.sessionsQueue, { sessionId: "d", body: "later" });
    const receiver = await client.acceptSession(world.sessionsQueue, "d");
    const [message] = await receive(receiver, 1);
    await receiver.deferMessage(message);
    const [peeked] = await receiver.peekMessages(9, { fromSequenceNumber: message.sequenceNumber });
    assert.equal(peeked.body, "later");
    const [deferred] = await receiver.receiveDeferredMessages(message.sequenceNumber);
    assert.equal(deferred.body, "later");
    await receiver.completeMessage(deferred);
    await receiver.close();
  });
}

async function sessionsAreUsedWhereTheyAreRequiredAndNowhereElse(world) {
  await world.withClient(async (client) => {
    for (const action of [
      () => client.createReceiver(world.sessionsQueue).receiveMessages(1),
      () => client.acceptSession(world.queue, "s"),
      () => send(client, world.sessionsQueue, { body: "no session" }),
    ]) {
      const error = await action().then(
        () => undefined,
        (thrown) => thrown,
      );
      assert.ok(error && isServiceBusError(error), `${error}`);
      assert.match(error.message, /session/i);
    }
  }, NO_RETRY);
}

/** The cases of both ways. */
export const SESSION_CASES = [
  aDeferredMessageCanBeReceivedAndDeleted,
  theNextFreeSessionIsGiven,
  aSessionLockIsRenewed,
  deferredMessagesOfASessionComeByTheirNumbers,
  sessionsAreUsedWhereTheyAreRequiredAndNowhereElse,
];

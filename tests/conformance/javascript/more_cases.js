// More of what a user of `@azure/service-bus` may rely on: work side by side, lasting locks, and limits.

import assert from "node:assert/strict";
import { NO_RETRY, assertEmpty, peekLock, receive, refused, send } from "./world.js";

async function competingReceiversNeverShareAMessage(world) {
  await world.withClient(async (client) => {
    const bodies = Array.from({ length: 10 }, (_, n) => n);
    await send(client, world.queue, ...bodies.map((body) => ({ body })));
    const seen = [];
    for (const receiver of [peekLock(client, world.queue), peekLock(client, world.queue)]) {
      for (const message of await receive(receiver, 5)) {
        seen.push(message.body);
        await receiver.completeMessage(message);
      }
    }
    assert.deepEqual(
      seen.sort((a, b) => a - b),
      bodies,
    );
  });
}

async function sendersSideBySideLoseNothing(world) {
  await world.withClient(async (client) => {
    const some = (n) => Array.from({ length: 25 }, (_, m) => ({ body: `${n}-${m}` }));
    await Promise.all([0, 1, 2, 3].map((n) => send(client, world.queue, ...some(n))));
    const receiver = peekLock(client, world.queue);
    const messages = await receive(receiver, 100);
    await Promise.all(messages.map((message) => receiver.completeMessage(message)));
    assert.equal(new Set(messages.map((message) => message.body)).size, 100);
    await assertEmpty(receiver);
  });
}

async function aLostLockCannotBeRenewed(world) {
  await world.withClient(async (client) => {
    await send(client, world.shortLockQueue, { body: "slow" });
    const slow = peekLock(client, world.shortLockQueue);
    const other = peekLock(client, world.shortLockQueue);
    const [message] = await receive(slow, 1);
    const [again] = await receive(other, 1);
    await refused(["MessageLockLost"], () => slow.renewMessageLock(message));
    await other.completeMessage(again);
  });
}

async function aBatchTakesNoMoreThanMayBeSent(world) {
  await world.withClient(async (client) => {
    const sender = client.createSender(world.queue);
    const batch = await sender.createMessageBatch();
    while (batch.tryAddMessage({ body: Buffer.alloc(50 * 1024) })) {
      assert.ok(batch.count < 100, "it takes anything");
    }
    assert.ok(batch.count > 1, `${batch.count} messages fit`);
    await sender.sendMessages(batch);
    const receiver = peekLock(client, world.queue);
    for (const message of await receive(receiver, batch.count)) {
      await receiver.completeMessage(message);
    }
  });
}

async function aFullQueueTakesNoMore(world) {
  await world.withClient(async (client) => {
    let sent = 0;
    await refused(["QuotaExceeded"], async () => {
      for (; sent < 100; sent += 1) {
        await send(client, world.smallQueue, { body: Buffer.alloc(16 * 1024) });
      }
    });
    const receiver = peekLock(client, world.smallQueue);
    for (const message of await receive(receiver, sent)) {
      await receiver.completeMessage(message);
    }
    // There is room again.
    await send(client, world.smallQueue, { body: "more" });
    const [message] = await receive(receiver, 1);
    await receiver.completeMessage(message);
  }, NO_RETRY);
}

/** The cases of both ways. */
export const MORE_CASES = [
  competingReceiversNeverShareAMessage,
  sendersSideBySideLoseNothing,
  aLostLockCannotBeRenewed,
  aBatchTakesNoMoreThanMayBeSent,
  aFullQueueTakesNoMore,
];

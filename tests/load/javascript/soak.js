// Traffic of every kind on `@azure/service-bus`, logged line by line. See the README of this folder's parent.

import { openSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ServiceBusClient } from "@azure/service-bus";

const environment = process.env;
const queue = environment.SOAK_QUEUE;
const seed = Number(BigInt(environment.SOAK_SEED) % 20n);
const groupMillis = (5 / Number(environment.SOAK_RATE)) * 1000;
const timeToLive = Number(environment.SOAK_TIME_TO_LIVE_SECONDS) * 1000;
const end = Date.now() + Number(environment.SOAK_SECONDS) * 1000;
const log = openSync(environment.SOAK_LOG, "w");

const GROUP = 5;
const MIXTURE = Object.entries({ complete: 12, abandon: 3, leave: 1, expire: 1, "dead-letter": 2, poison: 1 }).flatMap(
  ([plan, share]) => Array(share).fill(plan),
);

function write(...words) {
  writeSync(log, `${words.join(" ")}\n`);
}

function note(error) {
  write("error", error.code ?? error.name, error.message.replaceAll(/\s+/g, " "));
}

function message(number) {
  const subject = MIXTURE[(number * 7 + seed) % 20];
  const expiry = subject === "expire" ? { timeToLive } : {};
  return { body: "soak", messageId: `${environment.SOAK_CLIENT}-${number}`, subject, ...expiry };
}

async function sendGroup(sender, number) {
  const messages = Array.from({ length: GROUP }, (_, offset) => message(number + offset));
  // One by one and together in turn.
  const together = Math.floor(number / GROUP) % 2 === 1;
  for (const group of together ? [messages] : messages.map((one) => [one])) {
    group.forEach(({ messageId }) => write("sending", messageId));
    let event = "sent";
    try {
      await sender.sendMessages(together ? group : group[0]);
    } catch (error) {
      note(error);
      event = "unconfirmed";
    }
    group.forEach(({ messageId }) => write(event, messageId));
  }
}

async function send(client) {
  const sender = client.createSender(queue);
  for (let number = 0; Date.now() < end; number += GROUP) {
    const began = Date.now();
    await sendGroup(sender, number);
    await sleep(Math.max(0, groupMillis - (Date.now() - began)));
  }
  await sender.close();
}

async function obey(receiver, received) {
  const { messageId, subject } = received;
  write("received", messageId, received.deliveryCount);
  const again = received.deliveryCount > 0;
  if ((subject === "leave" || subject === "expire") && !again) {
    write("left", messageId);
    return;
  }
  let [before, after, settle] = ["completing", "completed", () => receiver.completeMessage(received)];
  if (subject === "poison" || (subject === "abandon" && !again)) {
    [before, after, settle] = ["abandoning", "abandoned", () => receiver.abandonMessage(received)];
  } else if (subject === "dead-letter") {
    [before, after, settle] = ["dead-lettering", "dead-lettered", () => receiver.deadLetterMessage(received)];
  }
  write(before, messageId);
  try {
    await settle();
    write(after, messageId);
  } catch (error) {
    note(error);
    write("unsettled", messageId);
  }
}

async function receive(client) {
  // Nothing renews locks: some are meant to run out.
  const receiver = client.createReceiver(queue, { maxAutoLockRenewalDurationInMs: 0 });
  while (Date.now() < end) {
    try {
      const messages = await receiver.receiveMessages(20, { maxWaitTimeInMs: 1000 });
      // One after the other: of settlements made side by side rhea joins those of neighbouring deliveries into one frame,
      // and looks at whether their outcomes differ only from the third on (`write_dispositions` in its session.js).
      for (const received of messages) {
        await obey(receiver, received);
      }
      // So that the fastest client does not take everything.
      await sleep(100);
    } catch (error) {
      note(error);
    }
  }
  await receiver.close();
}

const client = new ServiceBusClient(environment.SERVICE_BUS_CONNECTION_STRING);
await Promise.all([send(client), receive(client)]);
await client.close();
write("end");

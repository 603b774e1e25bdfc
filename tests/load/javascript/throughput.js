// Sends and receives as fast as `@azure/service-bus` goes, and prints the rates as JSON.

import { ServiceBusClient } from "@azure/service-bus";

const IN_FLIGHT = 64;
const BATCH = 100;

const number = (name) => Number(process.env[name]);
const message = { body: Buffer.alloc(number("LOAD_BODY")) };

const client = new ServiceBusClient(process.env.SERVICE_BUS_CONNECTION_STRING);
const sender = client.createSender(process.env.LOAD_QUEUE);
const receiver = client.createReceiver(process.env.LOAD_QUEUE, { maxAutoLockRenewalDurationInMs: 0 });

async function single(count) {
  for (let sent = 0; sent < count; sent += 1) {
    await sender.sendMessages(message);
  }
}

async function pipelined(count) {
  let left = count;
  const send = async () => {
    while (left > 0) {
      left -= 1;
      await sender.sendMessages(message);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, send));
}

async function batch(count) {
  for (let sent = 0; sent < count; sent += BATCH) {
    const messages = await sender.createMessageBatch();
    for (let added = 0; added < BATCH; added += 1) {
      if (!messages.tryAddMessage(message)) {
        throw new Error("the batch is full");
      }
    }
    await sender.sendMessages(messages);
  }
}

async function receive(count) {
  for (let left = count; left > 0; ) {
    const messages = await receiver.receiveMessages(Math.min(left, BATCH), { maxWaitTimeInMs: 30_000 });
    await Promise.all(messages.map((received) => receiver.completeMessage(received)));
    left -= messages.length;
  }
}

async function rate(step, count) {
  const began = performance.now();
  await step(count);
  return (count * 1000) / (performance.now() - began);
}

const warmUp = number("LOAD_WARM_UP");
for (const step of [single, pipelined, batch]) {
  await step(warmUp);
}
await receive(3 * warmUp);
const counts = { single: number("LOAD_SINGLE"), pipelined: number("LOAD_PIPELINED"), batch: number("LOAD_BATCH") };
const rates = {
  single: await rate(single, counts.single),
  pipelined: await rate(pipelined, counts.pipelined),
  batch: await rate(batch, counts.batch),
  receive: await rate(receive, counts.single + counts.pipelined + counts.batch),
};
await client.close();
console.log(JSON.stringify(rates));

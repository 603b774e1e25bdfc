// The customer's namespace: one client, one sender and one receiver, opened once and kept.

import { ServiceBusClient } from "@azure/service-bus";

/** Opens the way that the settings name: a connection string, or the application's token for the customer's tenant. */
export async function connect(settings) {
  const client = settings.ServiceBusConnection
    ? new ServiceBusClient(settings.ServiceBusConnection)
    : await byToken(settings);
  return {
    commands: client.createSender(settings.DeploymentCommandQueueName),
    // Settled long before a lock ends, so no lock is renewed.
    statuses: client.createReceiver(settings.DeploymentStatusQueueName, { maxAutoLockRenewalDurationInMs: 0 }),
  };
}

async function byToken(settings) {
  // Loaded here alone, so that a connection string does not pay for it in start time and memory.
  const { ClientSecretCredential } = await import("@azure/identity");
  const credential = new ClientSecretCredential(settings.CustomerTenantId, settings.ClientId, settings.ClientSecret, {
    authorityHost: settings.AZURE_AUTHORITY_HOST,
    disableInstanceDiscovery: true,
  });
  const namespace = settings.ServiceBusNamespace;
  const [host, port] = namespace.split(":");
  return new ServiceBusClient(host, credential, port ? { customEndpointAddress: `sb://${namespace}` } : {});
}

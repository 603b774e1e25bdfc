using '../../../infra/provider/main.bicep'

// An application without federated credential, one customer without a registry, in a sovereign cloud. The secret is in
// the vault already.
param clientId = guid('10000000-0000-4000-8000-000000000001', 'causeway')
param cloud = 'AzureUSGovernment'
param applicationCredential = 'clientSecret'
param clientSecretExpiresOn = '2030-01-31'
param lock = 'None'
param singleCustomer = {
  customerId: 'contoso'
  tenantId: '10000000-0000-4000-8000-000000000002'
  serviceBusNamespace: 'contoso.servicebus.usgovcloudapi.net'
  deploymentCommandQueueName: 'deployment-commands'
  deploymentStatusQueueName: 'deployment-status'
}

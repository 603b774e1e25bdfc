using '../../infra/customer/main.bicep'

param customerId = 'fabrikam'
param serviceBusNamespaceName = 'sb-fabrikam'

// The lab gives a service principal the object id guid(tenant, client id).
param providerServicePrincipalObjectId = guid(
  '10000000-0000-4000-8000-000000000003',
  guid('10000000-0000-4000-8000-000000000001', 'causeway')
)

// What contoso leaves as it is, fabrikam chooses.
param name = 'deployments'
param serviceBusSku = 'Premium'
param deploymentCommandQueueName = 'causeway.commands'
param deploymentStatusQueueName = 'causeway.status'
param messageTimeToLive = 'P7D'
param lock = 'CanNotDelete'
param zoneRedundant = true
param alwaysReadyInstances = 2
param logLevel = 'debug'
param noTrafficWindow = ''
param alertEmailAddresses = ['operations@fabrikam.example']
param tags = {
  costCenter: '4711'
}

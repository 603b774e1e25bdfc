using '../../../infra/provider/main.bicep'

// All that keeps the provider off the Internet, and Entra tokens for callers; in a cloud with names of its own.
param clientId = guid('10000000-0000-4000-8000-000000000001', 'causeway')
param cloud = 'AzureChinaCloud'
param privateNetworking = true
param publicIngress = false
param zoneRedundant = true
param alwaysReadyInstances = 2
param customerPrivateEndpoints = [
  {
    name: 'pep-contoso'
    namespaceResourceId: '/subscriptions/10000000-0000-4000-8000-000000000002/resourceGroups/rg-causeway/providers/Microsoft.ServiceBus/namespaces/sb-contoso'
    requestMessage: 'Commands to contoso, and their statuses'
  }
]
param easyAuth = {
  clientId: guid('10000000-0000-4000-8000-000000000001', 'causeway-api')
  allowedApplications: [
    guid('10000000-0000-4000-8000-000000000001', 'pipeline')
  ]
}

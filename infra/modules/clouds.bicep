metadata name = 'Clouds'
metadata description = 'What differs between the Azure clouds and is not in environment().'

@export()
@description('Name of an Azure cloud, as environment().name gives it.')
type cloudType = 'AzureCloud' | 'AzureChinaCloud' | 'AzureUSGovernment'

@export()
@description('Audience of assertions and names of private DNS zones, by cloud. https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity and https://learn.microsoft.com/azure/private-link/private-endpoint-dns')
var clouds = {
  AzureCloud: {
    tokenExchangeAudience: 'api://AzureADTokenExchange'
    serviceBusZone: 'privatelink.servicebus.windows.net'
    sitesZone: 'privatelink.azurewebsites.net'
    vaultZone: 'privatelink.vaultcore.azure.net'
  }
  AzureChinaCloud: {
    tokenExchangeAudience: 'api://AzureADTokenExchangeChina'
    serviceBusZone: 'privatelink.servicebus.chinacloudapi.cn'
    sitesZone: 'privatelink.chinacloudsites.cn'
    vaultZone: 'privatelink.vaultcore.azure.cn'
  }
  AzureUSGovernment: {
    tokenExchangeAudience: 'api://AzureADTokenExchangeUSGov'
    serviceBusZone: 'privatelink.servicebus.usgovcloudapi.net'
    sitesZone: 'privatelink.azurewebsites.us'
    vaultZone: 'privatelink.vaultcore.usgovcloudapi.net'
  }
}

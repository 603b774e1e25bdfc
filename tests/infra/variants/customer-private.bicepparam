using '../../../infra/customer/main.bicep'

// A namespace that lets in its own app, and the provider from one address.
param customerId = 'contoso'
param providerServicePrincipalObjectId = guid(
  '10000000-0000-4000-8000-000000000002',
  guid('10000000-0000-4000-8000-000000000001', 'causeway')
)
param serviceBusSku = 'Premium'
param messagingUnits = 2
param privateNetworking = true
param providerIpAddresses = [
  '203.0.113.7'
]
param publicIngress = false

using '../../../infra/customer/main.bicep'

param customerId = 'northwind'
param serviceBusNamespaceName = 'sb-northwind'

// The lab gives a service principal the object id guid(tenant, client id).
param providerServicePrincipalObjectId = guid(
  '10000000-0000-4000-8000-000000000004',
  guid('10000000-0000-4000-8000-000000000001', 'causeway')
)

using '../../infra/customer/main.bicep'

param customerId = 'contoso'
param serviceBusNamespaceName = 'sb-contoso'

// The lab gives a service principal the object id guid(tenant, client id).
param providerServicePrincipalObjectId = guid(
  '10000000-0000-4000-8000-000000000002',
  guid('10000000-0000-4000-8000-000000000001', 'causeway')
)

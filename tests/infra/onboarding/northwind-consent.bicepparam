using '../../../infra/customer/consent.bicep'

// The lab gives an application the client id guid(tenant, unique name).
param providerClientId = guid('10000000-0000-4000-8000-000000000001', 'causeway')

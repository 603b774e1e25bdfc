using 'main.bicep'

// As agreed with the provider.
param customerId = readEnvironmentVariable('CAUSEWAY_CUSTOMER_ID', 'contoso')

// The object id of the enterprise application that consent has made in this tenant.
param providerServicePrincipalObjectId = readEnvironmentVariable(
  'CAUSEWAY_PROVIDER_OBJECT_ID',
  '00000000-0000-0000-0000-000000000000'
)

// What the provider may have done here.
param allowedActions = [
  'acknowledge'
]

param alertEmailAddresses = []
param tags = {}

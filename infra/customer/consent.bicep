metadata name = 'Consent of the customer'
metadata description = 'The service principal of the provider\'s application in the customer\'s tenant. It alone opens nothing: main.bicep gives it a role on each of two queues. It is the same as an administrator\'s consent, for those who want it as code; docs/onboarding.md has the other ways.'

extension microsoftGraphV1

@description('Required. Client id of the provider\'s multi-tenant application, as the provider has said.')
@minLength(36)
@maxLength(36)
param providerClientId string

resource servicePrincipal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: providerClientId
}

@description('The object id of the service principal in this tenant: what main.bicep is given.')
output providerServicePrincipalObjectId string = servicePrincipal.id

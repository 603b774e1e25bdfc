metadata name = 'Identity of the provider'
metadata description = 'The multi-tenant application by which customers know the provider, its service principal here, and the federated credential that lets the provider\'s managed identity stand for it. Whoever deploys it needs rights in Microsoft Entra ID beside those in Azure; docs/deploy.md has the same as Azure CLI commands.'

extension microsoftGraphV1

import { cloudType, clouds } from '../modules/clouds.bicep'
import { tagsType } from '../modules/types.bicep'

@description('Optional. What the names of all resources are made of; the same as in main.bicep.')
@minLength(3)
@maxLength(20)
param name string = 'causeway'

@description('Optional. Region of the managed identity; the same as in main.bicep.')
param location string = resourceGroup().location

@description('Optional. Tags of the managed identity; the same as in main.bicep.')
param tags tagsType = {}

@description('Optional. The cloud that this is deployed to.')
param cloud cloudType = 'AzureCloud'

@description('Optional. Name of the user-assigned identity; the same as in main.bicep, which finds it there.')
param managedIdentityName string = 'id-${name}'

@description('Optional. The key under which the application is found again. It cannot be changed afterwards.')
param applicationUniqueName string = name

@description('Optional. The name that customers see.')
param applicationDisplayName string = 'Causeway'

@description('Optional. Where a customer\'s administrator is sent after consent.')
param redirectUris string[] = ['https://entra.microsoft.com']

@description('Optional. Who issues the managed identity\'s tokens, exactly as their `iss` says. Give it where the sign-in host has two names, as in China.')
param tokenIssuer string = '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'

// The application trusts the identity, and the app names the application: so the identity comes first.
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: managedIdentityName
  location: location
  tags: tags
}

resource application 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: applicationUniqueName
  displayName: applicationDisplayName
  signInAudience: 'AzureADMultipleOrgs'
  // No customer's administrator can add a credential of theirs to the service principal.
  servicePrincipalLockConfiguration: {
    isEnabled: true
    allProperties: true
  }
  web: {
    redirectUris: redirectUris
  }

  resource federatedCredential 'federatedIdentityCredentials@v1.0' = {
    name: '${application.uniqueName}/${managedIdentityName}'
    description: 'The managed identity of the Function App that sends commands and reads statuses.'
    issuer: tokenIssuer
    subject: identity.properties.principalId
    audiences: [clouds[cloud].tokenExchangeAudience]
  }
}

resource servicePrincipal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: application.appId
}

@description('The client id of the application: what main.bicep and every customer are given.')
output clientId string = application.appId

@description('The object id of the application\'s service principal in this tenant.')
output servicePrincipalObjectId string = servicePrincipal.id

@description('The name of the managed identity.')
output managedIdentityName string = identity.name

@description('The object id of the managed identity, which is the subject of the federated credential.')
output managedIdentityPrincipalId string = identity.properties.principalId

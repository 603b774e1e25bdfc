metadata name = 'Easy Auth'
metadata description = 'Lets in only requests with an Entra token of an allowed application or principal.'

@export()
@description('Who may call the app.')
type easyAuthType = {
  @description('Required. Application (client) id of the API that callers ask a token for; of this tenant, with `requestedAccessTokenVersion` 2.')
  clientId: string

  @description('Optional. Audiences of accepted tokens. The application\'s id, and api:// and the id, if left out.')
  allowedAudiences: string[]?

  @description('Required. Application (client) ids of the callers.')
  @minLength(1)
  allowedApplications: string[]

  @description('Optional. Object ids of the users, service principals or managed identities that may call. All that use an allowed application, if left out.')
  allowedIdentities: string[]?
}

@description('Required. The Function App.')
param appName string

@description('Required. Who may call it.')
param auth easyAuthType

@description('Optional. Paths that need no token.')
param excludedPaths string[] = ['/api/health']

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
}

resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: true
      runtimeVersion: '~1'
    }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'Return401'
      excludedPaths: excludedPaths
    }
    httpSettings: {
      requireHttps: true
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: auth.clientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: auth.?allowedAudiences ?? [auth.clientId, 'api://${auth.clientId}']
          defaultAuthorizationPolicy: {
            allowedApplications: auth.allowedApplications
            // An empty list would let nobody in.
            allowedPrincipals: auth.?allowedIdentities == null
              ? null
              : { identities: auth.?allowedIdentities }
          }
        }
      }
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
  }
}

@description('The name of the settings.')
output name string = settings.name

@description('The resource id of the settings.')
output resourceId string = settings.id

@description('The resource group of the settings.')
output resourceGroupName string = resourceGroup().name

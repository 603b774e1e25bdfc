metadata name = 'Key vault'
metadata description = 'Makes a key vault with one secret, for the application that has no federated credential.'

import { lockType, tagsType } from 'types.bicep'

@description('Required. Name of the vault.')
@minLength(3)
@maxLength(24)
param name string

@description('Required. Region.')
param location string

@description('Optional. Tags of all resources.')
param tags tagsType = {}

@description('Required. Name of the secret.')
param secretName string

@description('Conditional. The secret. Required on the first deployment; left out, the vault\'s own stays.')
@secure()
param secretValue string?

@description('Optional. When it expires, as yyyy-MM-dd. The vault only takes note of it.')
@minLength(10)
@maxLength(10)
param secretExpiresOn string?

@description('Optional. Reachable over the Internet; otherwise through private endpoints only.')
param publicAccess bool = true

@description('Required. Workspace for the log of who read what.')
param workspaceResourceId string

@description('Optional. Lock against deletion.')
param lock lockType = 'None'

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    enablePurgeProtection: true
    enableRbacAuthorization: true
    enableSoftDelete: true
    networkAcls: {
      bypass: 'None'
      defaultAction: publicAccess ? 'Allow' : 'Deny'
    }
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    sku: {
      family: 'A'
      name: 'standard'
    }
    softDeleteRetentionInDays: 90
    tenantId: tenant().tenantId
  }

  resource secret 'secrets' = if (secretValue != null) {
    name: secretName
    tags: tags
    properties: {
      value: secretValue
      attributes: secretExpiresOn == null ? null : { exp: dateTimeToEpoch('${secretExpiresOn!}T00:00:00Z') }
    }
  }
}

// The one older version that is no preview knows no groups of categories.
#disable-next-line use-recent-api-versions
resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  name: 'to-log-analytics'
  properties: {
    workspaceId: workspaceResourceId
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

resource vaultLock 'Microsoft.Authorization/locks@2020-05-01' = if (lock != 'None') {
  scope: vault
  name: 'lock-${name}'
  properties: {
    level: 'CanNotDelete'
    notes: 'Holds the secret of the multi-tenant application.'
  }
}

@description('The name of the vault.')
output name string = vault.name

@description('The resource id of the vault.')
output resourceId string = vault.id

@description('The resource group of the vault.')
output resourceGroupName string = resourceGroup().name

@description('The address of the vault, with a slash at its end.')
output uri string = vault.properties.vaultUri

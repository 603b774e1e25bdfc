metadata name = 'Storage account without keys'
metadata description = 'Makes a storage account that only Entra tokens open, and its private blob containers.'

import { lockType, tagsType } from 'types.bicep'

@description('Required. Name of the account.')
@minLength(3)
@maxLength(24)
param name string

@description('Required. Region.')
param location string

@description('Optional. Tags of all resources.')
param tags tagsType = {}

@description('Required. Names of the blob containers.')
param containerNames string[]

@description('Optional. Copies in three zones of the region rather than in one.')
param zoneRedundant bool = false

@description('Optional. Days for which a deleted blob or container can be had back.')
@minValue(1)
@maxValue(365)
param softDeleteDays int = 14

@description('Optional. Earlier versions of a changed blob are kept.')
param versioning bool = false

@description('Optional. Reachable over the Internet; otherwise through private endpoints only.')
param publicAccess bool = true

@description('Optional. Lock against deletion.')
param lock lockType = 'None'

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    networkAcls: {
      // None of Azure's own services needs to get in past the network's rules.
      bypass: 'None'
      defaultAction: publicAccess ? 'Allow' : 'Deny'
    }
    supportsHttpsTrafficOnly: true
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      containerDeleteRetentionPolicy: {
        enabled: true
        days: softDeleteDays
      }
      deleteRetentionPolicy: {
        enabled: true
        days: softDeleteDays
      }
      isVersioningEnabled: versioning
    }

    resource containers 'containers' = [
      for containerName in containerNames: {
        name: containerName
        properties: {
          publicAccess: 'None'
        }
      }
    ]
  }
}

resource accountLock 'Microsoft.Authorization/locks@2020-05-01' = if (lock != 'None') {
  scope: account
  name: 'lock-${name}'
  properties: {
    level: 'CanNotDelete'
    notes: 'Holds records that exist nowhere else.'
  }
}

@description('The name of the storage account.')
output name string = account.name

@description('The resource id of the storage account.')
output resourceId string = account.id

@description('The resource group of the storage account.')
output resourceGroupName string = resourceGroup().name

@description('The address of its blobs, with a slash at its end.')
output blobEndpoint string = account.properties.primaryEndpoints.blob

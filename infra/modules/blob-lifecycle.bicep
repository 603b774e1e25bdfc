metadata name = 'Lifecycle of blobs'
metadata description = 'Deletes blobs of one container when they have not changed for long, and versions that were replaced long ago.'

@description('Required. The storage account.')
param storageAccountName string

@description('Required. The container whose blobs are deleted by age.')
param containerName string

@description('Required. Days after its last change when a blob is deleted.')
@minValue(1)
@maxValue(99999)
param deleteAfterDays int

@description('Optional. Days after which a version that was replaced is deleted, in every container.')
@minValue(1)
@maxValue(99999)
param deleteVersionsAfterDays int = 90

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' existing = {
  name: storageAccountName
}

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-08-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'delete-old-${containerName}'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['${containerName}/']
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: deleteAfterDays
                }
              }
            }
          }
        }
        {
          name: 'delete-replaced-versions'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: {
              blobTypes: ['blockBlob']
            }
            actions: {
              version: {
                delete: {
                  daysAfterCreationGreaterThan: deleteVersionsAfterDays
                }
              }
            }
          }
        }
      ]
    }
  }
}

@description('The name of the policy.')
output name string = lifecycle.name

@description('The resource id of the policy.')
output resourceId string = lifecycle.id

@description('The resource group of the policy.')
output resourceGroupName string = resourceGroup().name

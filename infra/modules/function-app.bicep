metadata name = 'Function App'
metadata description = 'Makes a Flex Consumption plan and its one app, which runs the custom handler and reaches storage and Application Insights by managed identity.'

import { settingsType, tagsType } from 'types.bicep'

@export()
@description('Instances that are kept running for one group of functions.')
type alwaysReadyType = {
  @description('Required. `http`, or `function:` and the name of a function with another trigger.')
  name: string

  @description('Required. How many; at least two in a zone-redundant plan.')
  @minValue(1)
  instanceCount: int
}

@description('Required. Name of the app.')
@minLength(2)
@maxLength(60)
param name string

@description('Required. Name of the plan.')
param planName string

@description('Required. Region.')
param location string

@description('Optional. Tags of all resources.')
param tags tagsType = {}

@description('Required. User-assigned identity of the app, in this resource group.')
param identityName string

@description('Optional. The app also gets a system-assigned identity.')
param systemAssignedIdentity bool = false

@description('Required. Storage account of the host, in this resource group.')
param storageAccountName string

@description('Required. Container of that account from which the app is deployed.')
param packageContainerName string

@description('Required. Application Insights component, in this resource group.')
param componentName string

@description('Required. App settings that the handler reads; those of the host are added here.')
param settings settingsType

@description('Optional. Instances in three zones of the region.')
param zoneRedundant bool = false

@description('Optional. Memory of an instance, in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Optional. How many instances there are at most.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 100

@description('Optional. Instances that are kept running, and paid for, while there is nothing to do.')
param alwaysReady alwaysReadyType[] = []

@description('Optional. Subnet from which the app reaches out, delegated to Microsoft.App/environments.')
param subnetResourceId string?

@description('Optional. The app, and the endpoint that deploys to it, can be reached over the Internet.')
param publicAccess bool = true

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource storage 'Microsoft.Storage/storageAccounts@2025-08-01' existing = {
  name: storageAccountName
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: systemAssignedIdentity ? 'SystemAssigned, UserAssigned' : 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identity.id
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    virtualNetworkSubnetId: subnetResourceId
    // Flex Consumption refuses what it decides itself: FTP, the stack's version, always on. So there is little here.
    siteConfig: {
      http20Enabled: true
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${packageContainerName}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
      // The one pair that the catalogue of stacks has for custom handlers; with another the host never starts.
      runtime: {
        name: 'custom'
        version: '1.0'
      }
      scaleAndConcurrency: {
        alwaysReady: alwaysReady
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
      }
    }
  }

  resource appSettings 'config' = {
    name: 'appsettings'
    properties: union(settings, {
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
      APPLICATIONINSIGHTS_CONNECTION_STRING: component.properties.ConnectionString
      AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
      AzureWebJobsStorage__clientId: identity.properties.clientId
      AzureWebJobsStorage__credential: 'managedidentity'
    })
  }

  // Deployment goes by Entra token: no user names and passwords of its own. One after the other, since a site takes one
  // change at a time.
  resource noPasswordsForDeployment 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: {
      allow: false
    }
    dependsOn: [appSettings]
  }

  resource noPasswordsForFtp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: {
      allow: false
    }
    dependsOn: [noPasswordsForDeployment]
  }
}

@description('The name of the app.')
output name string = app.name

@description('The resource id of the app.')
output resourceId string = app.id

@description('The resource group of the app.')
output resourceGroupName string = resourceGroup().name

@description('The host name of the app.')
output defaultHostname string = app.properties.defaultHostName

@description('The principal id of the system-assigned identity, if there is one.')
output systemAssignedMIPrincipalId string? = app.?identity.?principalId

metadata name = 'Provider'
metadata description = 'Everything of the provider but the multi-tenant application: the Function App that sends commands and records statuses, with its identity, storage, logs and alerts.'

import { cloudType, clouds } from '../modules/clouds.bicep'
import { easyAuthType } from '../modules/easy-auth.bicep'
import { namespaceEndpointType } from '../modules/private-endpoints.bicep'
import { lockType, singleCustomerType, tagsType } from '../modules/types.bicep'

@description('Optional. What the names of all resources are made of: a to z, 0 to 9 and -.')
@minLength(3)
@maxLength(20)
param name string = 'causeway'

@description('Optional. Region of all resources; one that has Flex Consumption.')
param location string = resourceGroup().location

@description('Optional. Tags of all resources.')
param tags tagsType = {}

@description('Optional. Lock on what holds records: the data storage account and the key vault. Whoever deploys a lock must be Owner or User Access Administrator.')
param lock lockType = 'CanNotDelete'

@description('Optional. The cloud that this is deployed to.')
param cloud cloudType = 'AzureCloud'

@description('Required. Client id of the multi-tenant application, which identity.bicep makes.')
@minLength(36)
@maxLength(36)
param clientId string

@description('Optional. How the application proves itself in the customers\' tenants: by this app\'s managed identity, or, where no federated credential is possible, by a secret in a key vault.')
param applicationCredential 'clientSecret' | 'federated' = 'federated'

@description('Conditional. Secret of the application. Required on the first deployment if `applicationCredential` is clientSecret.')
@secure()
param clientSecret string?

@description('Optional. When that secret expires, as yyyy-MM-dd. The handler warns from thirty days before.')
@minLength(10)
@maxLength(10)
param clientSecretExpiresOn string?

@description('Optional. Name of the user-assigned identity; the same as in identity.bicep.')
param managedIdentityName string = 'id-${name}'

@description('Optional. One customer from settings, in place of the registry of customers.')
param singleCustomer singleCustomerType?

@description('Optional. When status queues are read: NCRONTAB of six fields, in UTC.')
param statusPollSchedule string = '0 * * * * *'

@description('Optional. How many customers are read at once.')
@minValue(1)
@maxValue(1000)
param statusPollConcurrency int = 32

@description('Optional. How long each tick keeps listening, as hh:mm:ss. The longer, the sooner a status is seen and the longer an instance is paid for.')
param statusPollWindow string = '00:00:00'

@description('Optional. Filter of the log, in the syntax of tracing-subscriber.')
param logLevel string = 'info'

@description('Optional. Days after its last change when the record of a deployment is deleted.')
@minValue(1)
param deploymentRetentionDays int = 365

@description('Optional. Days for which logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Optional. Instances and storage in three zones of the region.')
param zoneRedundant bool = false

@description('Optional. Memory of an instance, in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Optional. How many instances there are at most.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 100

@description('Optional. Instances that are kept running for HTTP requests; at least two, or none, if zone-redundant.')
@minValue(0)
param alwaysReadyInstances int = 0

@description('Optional. Who may call the app with an Entra token. Left out, callers need a function key. With it, stage the app with `--auth entra`.')
param easyAuth easyAuthType?

@description('Optional. Storage and key vault are reached through a virtual network only, and customers from one fixed address.')
param privateNetworking bool = false

@description('Optional. Address range of that network, /25 or larger.')
param virtualNetworkAddressPrefix string = '10.64.0.0/24'

@description('Optional. Customers\' namespaces that are reached through private endpoints in that network. Each customer approves.')
param customerPrivateEndpoints namespaceEndpointType[] = []

@description('Optional. The app can be called, and deployed to, over the Internet. Otherwise from the network only.')
param publicIngress bool = true

@description('Optional. Who is told of alerts. With nobody they are only shown in the portal.')
param alertEmailAddresses string[] = []

@description('Makes names unique in the world.')
var suffix = take(uniqueString(resourceGroup().id), 8)
@description('Start of the storage accounts\' names, which have neither capitals nor hyphens.')
var storagePrefix = 'st${take(replace(toLower(name), '-', ''), 10)}'
@description('Account of the host: its locks and keys, and the package.')
var hostStorageName = '${storagePrefix}host${suffix}'
@description('Account of the records.')
var dataStorageName = '${storagePrefix}data${suffix}'
@description('Name of the app.')
var appName = 'func-${name}-${suffix}'
@description('Name of the Application Insights component.')
var componentName = 'appi-${name}'
@description('Name of the workspace.')
var workspaceName = 'log-${name}'
@description('Name of the key vault.')
var vaultName = 'kv-${take(replace(name, '-', ''), 11)}-${suffix}'
@description('Name of the virtual network.')
var networkName = 'vnet-${name}'
@description('Container of the package.')
var packageContainer = 'releases'
@description('Container of the deployment store.')
var storeContainer = 'deployments'
@description('Container of the registry of customers.')
var registryContainer = 'registry'
@description('Whether the managed identity stands for the application.')
var isFederated = applicationCredential == 'federated'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: managedIdentityName
  location: location
  tags: tags
}

module network '../modules/network.bicep' = if (privateNetworking) {
  params: {
    name: networkName
    location: location
    tags: tags
    addressPrefix: virtualNetworkAddressPrefix
  }
}

module monitoring '../modules/monitoring.bicep' = {
  params: {
    workspaceName: workspaceName
    componentName: componentName
    location: location
    tags: tags
    retentionDays: logRetentionDays
  }
}

module hostStorage '../modules/storage.bicep' = {
  params: {
    name: hostStorageName
    location: location
    tags: tags
    containerNames: [packageContainer]
    zoneRedundant: zoneRedundant
    publicAccess: !privateNetworking
  }
}

module dataStorage '../modules/storage.bicep' = {
  params: {
    name: dataStorageName
    location: location
    tags: tags
    containerNames: [storeContainer, registryContainer]
    zoneRedundant: zoneRedundant
    versioning: true
    publicAccess: !privateNetworking
    lock: lock
  }
}

module lifecycle '../modules/blob-lifecycle.bicep' = {
  params: {
    storageAccountName: dataStorageName
    containerName: storeContainer
    deleteAfterDays: deploymentRetentionDays
  }
  dependsOn: [dataStorage]
}

module vault '../modules/key-vault.bicep' = if (!isFederated) {
  params: {
    name: vaultName
    location: location
    tags: tags
    secretName: 'ClientSecret'
    secretValue: clientSecret
    secretExpiresOn: clientSecretExpiresOn
    publicAccess: !privateNetworking
    workspaceResourceId: resourceId('Microsoft.OperationalInsights/workspaces', workspaceName)
    lock: lock
  }
  dependsOn: [monitoring]
}

module endpoints '../modules/private-endpoints.bicep' = if (privateNetworking) {
  params: {
    location: location
    tags: tags
    cloud: cloud
    virtualNetworkResourceId: resourceId('Microsoft.Network/virtualNetworks', networkName)
    subnetResourceId: resourceId('Microsoft.Network/virtualNetworks/subnets', networkName, 'endpoints')
    storageAccountNames: [hostStorageName, dataStorageName]
    vaultName: isFederated ? null : vaultName
    namespaces: customerPrivateEndpoints
  }
  dependsOn: [dataStorage, hostStorage, network, vault]
}

// Roles that the app needs to start come before it.
module hostRole '../modules/role-on-storage-account.bicep' = {
  params: {
    storageAccountName: hostStorageName
    roleName: 'Storage Blob Data Owner'
    principalId: identity.properties.principalId
    principalSeed: identity.id
  }
  dependsOn: [hostStorage]
}

module telemetryRole '../modules/role-on-component.bicep' = {
  params: {
    componentName: componentName
    roleName: 'Monitoring Metrics Publisher'
    principalId: identity.properties.principalId
    principalSeed: identity.id
  }
  dependsOn: [monitoring]
}

module vaultRole '../modules/role-on-vault.bicep' = if (!isFederated) {
  params: {
    vaultName: vaultName
    roleName: 'Key Vault Secrets User'
    principalId: identity.properties.principalId
    principalSeed: identity.id
  }
  dependsOn: [vault]
}

resource dataAccount 'Microsoft.Storage/storageAccounts@2025-08-01' existing = {
  name: dataStorageName
  dependsOn: [dataStorage]
}

module functionApp '../modules/function-app.bicep' = {
  params: {
    name: appName
    planName: 'plan-${name}'
    location: location
    tags: tags
    identityName: identity.name
    // Without `ManagedIdentityClientId` the handler reaches storage as the system-assigned identity.
    systemAssignedIdentity: !isFederated
    storageAccountName: hostStorageName
    packageContainerName: packageContainer
    componentName: componentName
    zoneRedundant: zoneRedundant
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReady: alwaysReadyInstances == 0
      ? []
      : [{ name: 'http', instanceCount: max(1, alwaysReadyInstances) }]
    subnetResourceId: privateNetworking
      ? resourceId('Microsoft.Network/virtualNetworks/subnets', networkName, 'app')
      : null
    publicAccess: publicIngress
    settings: union(
      {
        ClientId: clientId
        ClientSecret: isFederated ? '' : '@Microsoft.KeyVault(VaultName=${vaultName};SecretName=ClientSecret)'
        ClientSecretExpiresOn: isFederated ? '' : clientSecretExpiresOn ?? ''
        CustomerId: singleCustomer.?customerId ?? ''
        CustomersUri: singleCustomer == null
          ? '${dataAccount.properties.primaryEndpoints.blob}${registryContainer}/customers.json'
          : ''
        CustomerTenantId: singleCustomer.?tenantId ?? ''
        DeploymentCommandQueueName: singleCustomer.?deploymentCommandQueueName ?? ''
        DeploymentStatusQueueName: singleCustomer.?deploymentStatusQueueName ?? ''
        DeploymentStoreUri: '${dataAccount.properties.primaryEndpoints.blob}${storeContainer}'
        LOG_LEVEL: logLevel
        ManagedIdentityClientId: isFederated ? identity.properties.clientId : ''
        ServiceBusNamespace: singleCustomer.?serviceBusNamespace ?? ''
        StatusPollConcurrency: string(statusPollConcurrency)
        StatusPollSchedule: statusPollSchedule
        StatusPollWindow: statusPollWindow
        TokenExchangeAudience: isFederated ? clouds[cloud].tokenExchangeAudience : ''
      },
      cloud == 'AzureCloud' ? {} : { AZURE_AUTHORITY_HOST: environment().authentication.loginEndpoint }
    )
  }
  dependsOn: [endpoints, hostRole, network, telemetryRole, vaultRole]
}

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
  dependsOn: [functionApp]
}

module ingress '../modules/private-endpoints.bicep' = if (privateNetworking && !publicIngress) {
  params: {
    location: location
    tags: tags
    cloud: cloud
    virtualNetworkResourceId: resourceId('Microsoft.Network/virtualNetworks', networkName)
    subnetResourceId: resourceId('Microsoft.Network/virtualNetworks/subnets', networkName, 'endpoints')
    appName: appName
  }
  dependsOn: [functionApp]
}

module storeRole '../modules/role-on-container.bicep' = {
  params: {
    storageAccountName: dataStorageName
    containerName: storeContainer
    roleName: 'Storage Blob Data Contributor'
    principalId: isFederated ? identity.properties.principalId : app.identity.principalId
    principalSeed: isFederated ? identity.id : app.id
  }
  dependsOn: [dataStorage]
}

module registryRole '../modules/role-on-container.bicep' = {
  params: {
    storageAccountName: dataStorageName
    containerName: registryContainer
    roleName: 'Storage Blob Data Reader'
    principalId: isFederated ? identity.properties.principalId : app.identity.principalId
    principalSeed: isFederated ? identity.id : app.id
  }
  dependsOn: [dataStorage]
}

module auth '../modules/easy-auth.bicep' = if (easyAuth != null) {
  params: {
    appName: appName
    auth: easyAuth!
  }
  dependsOn: [functionApp]
}

module alerts 'alerts.bicep' = {
  params: {
    name: name
    location: location
    tags: tags
    componentName: componentName
    emailAddresses: alertEmailAddresses
  }
  dependsOn: [monitoring]
}

@description('The name of the Function App.')
output name string = app.name

@description('The resource id of the Function App.')
output resourceId string = app.id

@description('The resource group of all resources.')
output resourceGroupName string = resourceGroup().name

@description('The region of all resources.')
output location string = location

@description('The address of the Function App.')
output uri string = 'https://${app.properties.defaultHostName}'

@description('The client id of the managed identity.')
output managedIdentityClientId string = identity.properties.clientId

@description('The object id of the managed identity: the subject of the application\'s federated credential.')
output managedIdentityPrincipalId string = identity.properties.principalId

@description('The address of the registry of customers, which has yet to be uploaded.')
output customersUri string = '${dataAccount.properties.primaryEndpoints.blob}${registryContainer}/customers.json'

@description('The address of the deployment store.')
output deploymentStoreUri string = '${dataAccount.properties.primaryEndpoints.blob}${storeContainer}'

@description('The address from which customers are reached, if there is a fixed one: what they let in.')
output outboundIpAddress string? = privateNetworking ? network!.outputs.outboundIpAddress : null

@description('The token audience of the application\'s federated credential in this cloud.')
output tokenExchangeAudience string = clouds[cloud].tokenExchangeAudience
